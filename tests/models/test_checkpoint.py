"""Model files: what is saved is what is loaded, and nothing else is ever loaded."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from facepoints.errors import BadFile, BadRun
from facepoints.keypoints import FIFTEEN, FOUR
from facepoints.models.checkpoint import FORMAT, load_model, load_tree, save_model, save_tree
from facepoints.models.model import Model
from facepoints.models.networks import NETWORKS, Size
from facepoints.training.builtin_recipes import find
from facepoints.training.recipe import from_table

SMALL = Size(width=4, dense_units=16, dropout=0.5)


def a_model(network: str = "heatmap") -> Model:
    """A model with something in every part: offsets, mean shape, a untrained channel, running statistics."""
    torch.manual_seed(0)
    model = Model(network, FIFTEEN.only(FOUR), SMALL, find("cnn-masked").as_table())
    rng = np.random.default_rng(0)
    source, observed = np.arange(12) % 2, rng.random((12, 15)) < 0.5
    observed[source == 1, FIFTEEN.index("nose_tip")] = False
    model.fit_mean_shape(rng.uniform(0, 96, (12, 15, 2)).astype(np.float32), observed, source, FIFTEEN)
    with torch.no_grad():
        model.label_offset.normal_()
        for parameter in model.network.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    model.train()(torch.rand(4, 1, 96, 96), torch.tensor([0, 1, 0, 1]))
    return model


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    save_model(path, a_model(), {"epoch": 3})
    return path


@pytest.mark.parametrize("network", NETWORKS)
def test_save_load_predict_is_identical(network: str, tmp_path: Path) -> None:
    model, score = a_model(network), {"validation_rmse": 1.5, "epoch": 7, "of": None}
    save_model(tmp_path / "m.safetensors", model, score)
    loaded, facts = load_model(tmp_path / "m.safetensors")
    faces = np.random.default_rng(0).integers(0, 256, (6, 96, 96)).astype(np.uint8)
    source = np.arange(6) % 2
    for flip in (False, True):
        np.testing.assert_array_equal(
            loaded.predict_all(faces, source, flip=flip), model.predict_all(faces, source, flip=flip)
        )
    assert facts == score
    assert (loaded.keypoints, loaded.all_keypoints, loaded.size) == (model.keypoints, FIFTEEN, SMALL)
    assert from_table(loaded.recipe) == find("cnn-masked")
    assert not loaded.training


def test_the_same_model_gives_the_same_bytes(whole: Path, tmp_path: Path) -> None:
    save_model(tmp_path / "again.safetensors", load_model(whole)[0], {"epoch": 3})
    assert (tmp_path / "again.safetensors").read_bytes() == whole.read_bytes()


def test_a_failed_save_leaves_the_old_file(whole: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(whole.read_bytes())
    with pytest.raises(TypeError, match="only tensors, containers"):
        save_tree(path, {"a": object()})
    assert path.read_bytes() == whole.read_bytes()
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_one_line_and_leaves_the_old_file(
    whole: Path, tmp_path: Path, small_files: Callable[[int], AbstractContextManager[None]]
) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(whole.read_bytes())
    with small_files(100), pytest.raises(BadFile, match=r"model\.safetensors: cannot be written \(File too large\)"):
        save_tree(path, {"weights": torch.rand(1000)})
    assert path.read_bytes() == whole.read_bytes()
    assert list(tmp_path.iterdir()) == [path]


# trees


def same(a: Any, b: Any) -> bool:
    """Equal in value and in kind, all the way down."""
    if isinstance(a, torch.Tensor):
        return isinstance(b, torch.Tensor) and a.dtype == b.dtype and a.shape == b.shape and bool((a == b).all())
    if isinstance(a, dict):
        return isinstance(b, dict) and list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and a == b


def a_leaf(rng: random.Random) -> Any:
    numbers = torch.arange(rng.randrange(7))
    leaves = [None, True, False, 0, -(2**63), 1.5, 1e-300, float("inf"), "", 'wörd/ \n"[x]', numbers]
    ensemble_networks = [torch.float32, torch.float64, torch.bfloat16, torch.int64, torch.uint8, torch.bool]
    leaves += [numbers.to(kind) for kind in ensemble_networks] + [torch.tensor(3.25), torch.rand(3, 4).T]
    return rng.choice(leaves)


def a_tree(rng: random.Random, depth: int) -> Any:
    kind = rng.choice(["leaf", "list", "tuple", "dict"]) if depth else "leaf"
    if kind == "leaf":
        return a_leaf(rng)
    children = [a_tree(rng, depth - 1) for _ in range(rng.randrange(5))]
    if kind == "dict":
        keys = rng.sample([0, 1, "0", "1", "", "a/b", "a", "b", "kind", "items", "__metadata__"], len(children))
        return dict(zip(keys, children, strict=True))
    return children if kind == "list" else tuple(children)


@pytest.mark.parametrize("seed", range(60))
def test_any_tree_comes_back(seed: int, tmp_path: Path) -> None:
    tree = a_tree(random.Random(seed), depth=4)
    save_tree(tmp_path / "tree.safetensors", tree)
    assert same(load_tree(tmp_path / "tree.safetensors"), tree)


def test_an_optimizer_s_state_comes_back(tmp_path: Path) -> None:
    layer = torch.nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(layer.parameters())
    layer(torch.rand(4, 3)).sum().backward()
    optimizer.step()
    save_tree(tmp_path / "state.safetensors", optimizer.state_dict())
    assert same(load_tree(tmp_path / "state.safetensors"), optimizer.state_dict())


def test_names_that_meet_do_not_mix(tmp_path: Path) -> None:
    one, two, three = (torch.tensor([i]) for i in (1, 2, 3))
    tree = {"a/b": one, "a": {"b": two}, 1: one, "1": three}
    save_tree(tmp_path / "tree.safetensors", tree)
    assert same(load_tree(tmp_path / "tree.safetensors"), tree)


def test_tensors_that_share_memory_come_back(tmp_path: Path) -> None:
    rows = torch.arange(6.0).view(2, 3)
    save_tree(tmp_path / "tree.safetensors", [rows, rows[1], rows.T])
    assert same(load_tree(tmp_path / "tree.safetensors"), [rows, rows[1], rows.T])


# files that are none


class Bomb:
    """Whoever unpickles it runs code: it makes a file."""

    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.proof,)


def with_words(whole: Path, path: Path, **changes: Any) -> None:
    tree = load_tree(whole)
    tree["metadata"].update(changes)
    save_tree(path, tree)


def without_word(whole: Path, path: Path, word: str) -> None:
    tree = load_tree(whole)
    del tree["metadata"][word]
    save_tree(path, tree)


def with_weights(whole: Path, path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    tree = load_tree(whole)
    change(tree["weights"])
    save_tree(path, tree)


def mismatched(path: Path, metadata: dict[str, str] | None) -> None:
    save_file({"weight": torch.zeros(3)}, path, metadata=metadata)


def tree_words(text: str) -> dict[str, str]:
    return {"facepoints": text}


BROKEN: dict[str, Callable[[Path, Path], object]] = {
    "absent": lambda whole, path: None,
    "a folder": lambda whole, path: path.mkdir(),
    "empty": lambda whole, path: path.write_bytes(b""),
    "text": lambda whole, path: path.write_text("this is not a model, whatever it is called"),
    "cut in its header": lambda whole, path: path.write_bytes(whole.read_bytes()[:200]),
    "cut in its numbers": lambda whole, path: path.write_bytes(whole.read_bytes()[:-100]),
    "longer": lambda whole, path: path.write_bytes(whole.read_bytes() + b"\0" * 8),
    "no words": lambda whole, path: mismatched(path, None),
    "others' words": lambda whole, path: mismatched(path, {"format": "pt"}),
    "words that are no JSON": lambda whole, path: mismatched(path, tree_words("{")),
    "words of another kind": lambda whole, path: mismatched(path, tree_words("[1, 2]")),
    "a kind without items": lambda whole, path: mismatched(path, tree_words('{"kind": "dict"}')),
    "items of another kind": lambda whole, path: mismatched(path, tree_words('{"kind": "dict", "items": 5}')),
    "a dict as a key": lambda whole, path: mismatched(path, tree_words('{"kind": "dict", "items": [[{}, 1]]}')),
    "a tensor that is not there": lambda whole, path: mismatched(path, tree_words('{"kind": "tensor", "items": "x"}')),
    "a tensor without a name": lambda whole, path: mismatched(path, tree_words('{"kind": "tensor", "items": [1]}')),
    "a tree without a model": lambda whole, path: save_tree(path, {"epoch": 3}),
    "a newer format": lambda whole, path: with_words(whole, path, format=FORMAT + 1),
    "no format": lambda whole, path: with_words(whole, path, format="one"),
    "an unknown network": lambda whole, path: with_words(whole, path, network="transformer"),
    "another network": lambda whole, path: with_words(whole, path, network="plain"),
    "another size": lambda whole, path: with_words(whole, path, size={"width": 8}),
    "an unknown size": lambda whole, path: with_words(whole, path, size={"wideness": 8}),
    "an impossible size": lambda whole, path: with_words(whole, path, size={"width": -4}),
    "an impossible dropout": lambda whole, path: with_words(whole, path, size={"width": 4, "dropout": 7}),
    "a score of another kind": lambda whole, path: with_words(whole, path, score=5),
    "no score": lambda whole, path: without_word(whole, path, "score"),
    "no keypoints": lambda whole, path: with_words(whole, path, keypoints=[]),
    "other keypoints": lambda whole, path: with_words(whole, path, keypoints=list(FOUR[:3])),
    "keypoints that the data never had": lambda whole, path: with_words(whole, path, all_keypoints=list(FOUR[1:])),
    "keypoints without mean shape": lambda whole, path: with_words(whole, path, all_keypoints=list(FOUR)),
    "a weight less": lambda whole, path: with_weights(whole, path, lambda weights: weights.popitem()),
    "a weight more": lambda whole, path: with_weights(whole, path, lambda weights: weights.update(x=torch.zeros(1))),
    "no mean shape": lambda whole, path: with_weights(whole, path, lambda weights: weights.update(mean_shape=None)),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_anything_else_is_refused_in_one_line(kind: str, whole: Path, tmp_path: Path) -> None:
    path = tmp_path / "broken.safetensors"
    BROKEN[kind](whole, path)
    with pytest.raises(BadRun) as error:
        load_model(path)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 500


def test_a_newer_file_is_called_newer(whole: Path, tmp_path: Path) -> None:
    with_words(whole, tmp_path / "new.safetensors", format=FORMAT + 1, something="new")
    with pytest.raises(BadRun, match=f"newer facepoints \\(format {FORMAT + 1}, this one reads {FORMAT}\\)"):
        load_model(tmp_path / "new.safetensors")


def test_a_pickle_is_refused_unopened(tmp_path: Path) -> None:
    proof = tmp_path / "code was run"
    for name in ("m.safetensors", "m.pt"):
        torch.save({"weights": Bomb(proof)}, tmp_path / name)
        for load in (load_model, load_tree):
            with pytest.raises(BadRun, match="damaged or not made by facepoints"):
                load(tmp_path / name)
    assert not proof.exists()
    torch.load(tmp_path / "m.pt", weights_only=False)
    assert proof.exists()  # the bomb is live: the test could fail


def test_every_flipped_header_byte_is_noticed_or_harmless(whole: Path, tmp_path: Path) -> None:
    """Damage never gives anything but BadRun or a model; what happens to a number is the disk's affair."""
    content = whole.read_bytes()
    header = 8 + int.from_bytes(content[:8], "little")
    assert json.loads(content[8:header])  # that is where it is
    rng = random.Random(0)
    refused = 0
    for place in [*range(8), *sorted(rng.sample(range(8, header), 150))]:
        path = tmp_path / "m.safetensors"
        path.write_bytes(content[:place] + bytes([content[place] ^ rng.randrange(1, 128)]) + content[place + 1 :])
        try:
            load_model(path)
        except BadRun:
            refused += 1
    assert refused > 100

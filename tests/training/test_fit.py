"""A training leaves a complete run, depends on its rows alone, and ends the same however often it is stopped."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch import Callback

from facepoints.data.dataset import LabeledFaces, fingerprint
from facepoints.data.imputation import STRATEGIES
from facepoints.data.label_errors import LabelIssue, write_label_issues
from facepoints.data.split import Split
from facepoints.data.synthetic.faces import SOURCE_B_OFFSET
from facepoints.errors import AlreadyTrained, BadChoice, BadRun
from facepoints.keypoints import FIFTEEN, FOUR, KeypointSet
from facepoints.models.checkpoint import load_model, load_tree
from facepoints.models.networks import NETWORKS
from facepoints.scores import score
from facepoints.training import run_folder
from facepoints.training.fit import fit
from facepoints.training.recipe import Recipe, read_toml
from facepoints.training.trainer import Machine

LEFT = {
    "recipe.toml",
    "run.json",
    "history.csv",
    "history.json",
    "scores.json",
    "model.safetensors",
    "last.safetensors",
    "curves.png",
}


Weights = Callable[[Path], dict[str, torch.Tensor]]


@pytest.fixture(scope="module")
def small() -> Recipe:
    """A plain CNN, too small to be good: three epochs in a third of a second."""
    return Recipe(name="small", network="plain", width=2, dense_units=8, epochs=3, batch_size=16)


@pytest.fixture(autouse=True)
def _no_curves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing curves takes longer than training; `tiny_run`, made before, has true ones."""
    monkeypatch.setattr(run_folder, "draw_curves", lambda history, path, title: path.touch())


def names(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()}


def content(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def history(folder: Path) -> list[dict[str, float]]:
    """The epochs, without how long they took."""
    epochs: list[dict[str, float]] = json.loads((folder / "history.json").read_text())
    return [{name: value for name, value in epoch.items() if name != "seconds"} for epoch in epochs]


def equal(some: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return list(some) == list(other) and all(torch.equal(some[name], other[name]) for name in some)


def test_a_run_folder_holds_what_is_promised(tiny_run: Path, tiny: Recipe, few_faces: LabeledFaces) -> None:
    assert names(tiny_run) == LEFT
    assert read_toml(tiny_run / "recipe.toml") == tiny
    about = json.loads((tiny_run / "run.json").read_text())
    assert about["recipe"] == "tiny"
    assert about["data"] == {"rows": 60, "fingerprint": fingerprint(few_faces)}
    assert about["training_rows"] + len(about["validation_rows"]) == 60
    assert (tiny_run / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_the_history_has_a_line_per_epoch_in_both_files(tiny_run: Path, tiny: Recipe) -> None:
    epochs = json.loads((tiny_run / "history.json").read_text())
    lines = list(csv.DictReader(io.StringIO((tiny_run / "history.csv").read_text())))
    assert [{name: float(value) for name, value in line.items()} for line in lines] == epochs
    assert [epoch["epoch"] for epoch in epochs] == list(range(1, tiny.epochs + 1))
    for part in ("training", "validation"):
        for number in ("loss", "rmse", "mae", "pck"):
            assert all(np.isfinite(epoch[f"{part}_{number}"]) for epoch in epochs)


def test_the_kept_model_is_the_best_epoch_s_and_scores_as_written(tiny_run: Path, few_faces: LabeledFaces) -> None:
    model, facts = load_model(tiny_run / "model.safetensors")
    written = json.loads((tiny_run / "scores.json").read_text())
    best = min(history(tiny_run), key=lambda epoch: epoch["validation_rmse"])
    assert facts == {"validation_rmse": best["validation_rmse"], "epoch": best["epoch"]}
    assert written["best_epoch"] == best["epoch"]
    kept = np.isin(few_faces.row, json.loads((tiny_run / "run.json").read_text())["validation_rows"])
    rows = few_faces.take(kept)
    predicted = model.predict(rows.faces, rows.source)
    assert score(predicted, rows.points, rows.observed, rows.source, FIFTEEN).rmse == written["rmse"]
    assert written["rmse"] == pytest.approx(best["validation_rmse"], rel=1e-5)


def test_the_loss_falls(small: Recipe, few_faces: LabeledFaces, tmp_path: Path) -> None:
    fit(small.replace(epochs=12, learning_rate=3e-3), few_faces, tmp_path)
    losses = [epoch["training_loss"] for epoch in history(tmp_path)]
    assert losses[-1] < 0.5 * losses[0]
    rmse = [epoch["validation_rmse"] for epoch in history(tmp_path)]
    assert rmse[-1] < 0.8 * rmse[0]


def test_a_finished_run_is_not_trained_again(tiny_run: Path, tiny: Recipe, few_faces: LabeledFaces) -> None:
    before = content(tiny_run)
    for resume in (False, True):
        with pytest.raises(AlreadyTrained, match=r"is already trained; .*--force"):
            fit(tiny, few_faces, tiny_run, resume=resume)
    assert content(tiny_run) == before


@pytest.mark.parametrize("resume", [False, True])
def test_another_recipe_or_other_data_is_not_mixed_in(
    tiny_run: Path, tiny: Recipe, few_faces: LabeledFaces, with_garbage: LabeledFaces, resume: bool
) -> None:
    before = content(tiny_run)
    for recipe, data, message in (
        (tiny.replace(width=8), few_faces, r"holds another recipe \(width is 4 there, 8 here\)"),
        (tiny, few_faces.take(np.arange(59)), "was trained on other data"),
        (tiny, with_garbage, "was trained on other data"),
    ):
        with pytest.raises(BadRun, match=message) as error:
            fit(recipe, data, tiny_run, resume=resume)
        assert not isinstance(error.value, AlreadyTrained)
    assert content(tiny_run) == before


def test_the_name_of_a_recipe_decides_nothing(tiny_run: Path, tiny: Recipe, few_faces: LabeledFaces) -> None:
    with pytest.raises(AlreadyTrained):
        fit(tiny.replace(name="renamed", summary="the same"), few_faces, tiny_run)


def test_force_trains_anew(small: Recipe, few_faces: LabeledFaces, tmp_path: Path, last_weights: Weights) -> None:
    fit(small, few_faces, tmp_path)
    first = last_weights(tmp_path)
    fit(small.replace(seed=1, epochs=2), few_faces, tmp_path, force=True)
    assert not equal(last_weights(tmp_path), first)
    assert len(history(tmp_path)) == 2
    assert read_toml(tmp_path / "recipe.toml").seed == 1
    fit(small, few_faces, tmp_path, force=True)
    assert equal(last_weights(tmp_path), first)


IMPOSSIBLE: dict[str, tuple[dict[str, Any], Machine, str]] = {
    "an unknown network": ({"network": "transformer"}, Machine(), "no network 'transformer'"),
    "an unknown keypoint": ({"keypoints": ("nose",)}, Machine(), "no keypoint 'nose'; did you mean 'nose_tip'"),
    "a mirror without other sides": (
        {"keypoints": ("left_eye_center",), "flip": 0.5},
        Machine(),
        "left_eye_center has no partner; set flip=0",
    ),
    "too few rows": ({"validation_fraction": 0.01, "split": "groups"}, Machine(), "both need some"),
    "an unknown accelerator": ({}, Machine(accelerator="abacus"), "accelerator"),
    "an absent accelerator": ({}, Machine(accelerator="tpu"), "accelerator"),
}


@pytest.mark.parametrize("kind", IMPOSSIBLE)
def test_what_cannot_be_trained_is_said_before_anything_is_written(
    kind: str, small: Recipe, few_faces: LabeledFaces, tmp_path: Path
) -> None:
    changes, machine, message = IMPOSSIBLE[kind]
    few = few_faces.take(np.arange(0, 60, 3))
    with pytest.raises(BadChoice, match=message) as error:
        fit(small.replace(**changes), few, tmp_path / "run", machine=machine)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "run").exists()


def test_force_loses_nothing_to_a_training_that_cannot_be(
    tiny_run: Path, tiny: Recipe, few_faces: LabeledFaces
) -> None:
    before = content(tiny_run)
    with pytest.raises(BadChoice, match="did you mean 'heatmap'"):
        fit(tiny.replace(network="pointmaps"), few_faces, tiny_run, force=True)
    assert content(tiny_run) == before


KILLED = """
import os, signal, sys
from pathlib import Path

import torch
import torch._dynamo  # optimizers ask for it: once here, not seconds in each child
from lightning.pytorch import Callback

from facepoints.data.synthetic.faces import synthetic_training
from facepoints.training import lightning_module as fitting
from facepoints.training import run_folder
from facepoints.training.augmentation import Batch, augment
from facepoints.training.fit import fit
from facepoints.training.recipe import read_toml
from facepoints.files import atomic_write


def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)


class Die(Callback):
    def __init__(self, moment):
        self.moment = moment

    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
        if self.moment == "in an epoch" and trainer.current_epoch == 2 and batch_idx == 1:
            die()

    def on_train_epoch_end(self, trainer, module):
        if self.moment == "before the epoch is kept" and trainer.current_epoch == 2:
            die()

    def on_train_epoch_start(self, trainer, module):
        if self.moment == "after an epoch" and trainer.current_epoch == 1:
            die()

    def on_train_end(self, trainer, module):
        if self.moment == "after the last epoch":
            die()


recipe, runs = read_toml(Path(sys.argv[1])), Path(sys.argv[2])
data = synthetic_training(60, seed=5)
for moment in sys.argv[4:]:
    child = os.fork()  # nothing was computed yet: torch has no threads to lose
    if child == 0:
        torch.set_num_threads(int(sys.argv[3]))
        if moment == "while the model is written":
            written = run_folder.save_model
            saved = []

            def half(path, *rest):
                saved.append(path)
                if len(saved) == 2:
                    with atomic_write(path) as partial:
                        partial.write_bytes(b"half")
                        die()
                written(path, *rest)

            run_folder.save_model = half
        fit(recipe, data, runs / moment, callbacks=[Die(moment)])
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    print(moment, status == signal.SIGKILL)
"""


MOMENTS = (
    "in an epoch",
    "while the model is written",
    "before the epoch is kept",
    "after an epoch",
    "after the last epoch",
)


@pytest.fixture(scope="module")
def killed_runs(tiny: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runs of one recipe, each killed at another moment by a SIGKILL that nothing can handle."""
    runs = tmp_path_factory.mktemp("killed")
    (runs / "tiny.toml").write_text(tiny.to_toml(), "utf-8")
    command = [sys.executable, "-c", KILLED, str(runs / "tiny.toml"), str(runs), str(torch.get_num_threads())]
    done = subprocess.run([*command, *MOMENTS], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == [f"{moment} True" for moment in MOMENTS], done.stderr
    return runs


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_training_goes_on_to_the_same_end(
    moment: str,
    killed_runs: Path,
    tiny: Recipe,
    tiny_run: Path,
    few_faces: LabeledFaces,
    last_weights: Weights,
) -> None:
    run = killed_runs / moment
    assert all((tiny.ema, tiny.dropout, tiny.flip, tiny.rotation, tiny.blur, tiny.label_offset))
    assert (run / "last.safetensors").exists()
    assert not (run / "scores.json").exists()
    with pytest.raises(BadRun, match="a stopped training; go on with --resume"):
        fit(tiny, few_faces, run)
    with pytest.raises(BadRun, match="holds another recipe"):
        fit(tiny.replace(epochs=5), few_faces, run, resume=True)

    scores = fit(tiny, few_faces, run, resume=True)
    assert equal(last_weights(run), last_weights(tiny_run))
    assert (run / "model.safetensors").read_bytes() == (tiny_run / "model.safetensors").read_bytes()
    assert history(run) == history(tiny_run)
    assert scores.rmse == json.loads((tiny_run / "scores.json").read_text())["rmse"]
    assert names(run) == LEFT


def test_a_run_that_was_never_begun_can_be_resumed(
    small: Recipe, few_faces: LabeledFaces, tmp_path: Path, last_weights: Weights
) -> None:
    fit(small, few_faces, tmp_path / "resumed", resume=True)
    fit(small, few_faces, tmp_path / "plain")
    assert equal(last_weights(tmp_path / "resumed"), last_weights(tmp_path / "plain"))


def test_an_early_stop_stays_a_stop_when_resumed(small: Recipe, few_faces: LabeledFaces, tmp_path: Path) -> None:
    recipe = small.replace(patience=2, epochs=50, learning_rate=3e-2, optimizer="sgd", clip=1.0)
    fit(recipe, few_faces, tmp_path)
    first = history(tmp_path)
    best = int(np.argmin([epoch["validation_rmse"] for epoch in first]))
    assert len(first) == best + 1 + 2 < 50
    (tmp_path / "scores.json").unlink()  # as if it had been killed just before
    fit(recipe, few_faces, tmp_path, resume=True)
    assert history(tmp_path) == first


class Stop(Callback):
    """A person who presses Ctrl-C in the second epoch."""

    def on_train_batch_start(self, trainer, module, batch, batch_idx) -> None:  # type: ignore[no-untyped-def]
        if trainer.current_epoch == 1:
            raise KeyboardInterrupt


def test_an_interrupted_training_is_no_finished_one(small: Recipe, few_faces: LabeledFaces, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        fit(small, few_faces, tmp_path, callbacks=[Stop()])
    assert not (tmp_path / "scores.json").exists()
    fit(small, few_faces, tmp_path, resume=True)
    assert len(history(tmp_path)) == small.epochs


def test_a_damaged_last_epoch_is_said(small: Recipe, few_faces: LabeledFaces, tmp_path: Path) -> None:
    fit(small, few_faces, tmp_path)
    (tmp_path / "scores.json").unlink()
    (tmp_path / "last.safetensors").write_bytes(b"damaged")
    with pytest.raises(BadRun, match=r"last\.safetensors: damaged"):
        fit(small, few_faces, tmp_path, resume=True)


def test_the_same_seed_gives_the_same_weights(
    tiny: Recipe, few_faces: LabeledFaces, tiny_run: Path, tmp_path: Path, last_weights: Weights
) -> None:
    torch.manual_seed(99)
    fit(tiny, few_faces, tmp_path / "again")
    assert equal(last_weights(tmp_path / "again"), last_weights(tiny_run))
    fit(tiny.replace(seed=1), few_faces, tmp_path / "other")
    assert not equal(last_weights(tmp_path / "other"), last_weights(tiny_run))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_strategy_trains_and_never_reads_what_was_not_labeled(
    strategy: str,
    small: Recipe,
    few_faces: LabeledFaces,
    with_garbage: LabeledFaces,
    plain_split: Split,
    tmp_path: Path,
    last_weights: Weights,
) -> None:
    recipe = small.replace(missing=strategy, flip=0.5, rotation=10.0)
    for name, data in (("clean", few_faces), ("garbage", with_garbage)):
        scores = fit(recipe, data, tmp_path / name, rows=plain_split)
        assert np.isfinite(scores.rmse)
    assert equal(last_weights(tmp_path / "clean"), last_weights(tmp_path / "garbage"))
    assert history(tmp_path / "clean") == history(tmp_path / "garbage")


def test_validation_is_scored_on_labels_whatever_is_filled_in(
    small: Recipe, few_faces: LabeledFaces, plain_split: Split, tmp_path: Path
) -> None:
    labels = 2 * few_faces.observed[plain_split.validation].sum()
    for strategy in ("mean", "mask", "drop"):
        scores = fit(small.replace(missing=strategy), few_faces, tmp_path / strategy, rows=plain_split)
        assert scores.overall.values == labels


@pytest.mark.parametrize("strategy", ["mask", "mean", "interpolate"])
def test_validation_rows_teach_nothing(
    strategy: str, small: Recipe, few_faces: LabeledFaces, plain_split: Split, tmp_path: Path, last_weights: Weights
) -> None:
    points, faces, observed = few_faces.points.copy(), few_faces.faces.copy(), few_faces.observed.copy()
    points[plain_split.validation] = 3
    faces[plain_split.validation] = 255
    observed[plain_split.validation] = True
    other = replace(few_faces, points=points, faces=faces, observed=observed)
    recipe = small.replace(missing=strategy, ema=0.9)
    for name, data in (("one", few_faces), ("two", other)):
        fit(recipe, data, tmp_path / name, rows=plain_split)
    assert equal(last_weights(tmp_path / "one"), last_weights(tmp_path / "two"))
    assert history(tmp_path / "one") != history(tmp_path / "two")


def test_rows_can_be_given(small: Recipe, few_faces: LabeledFaces, plain_split: Split, tmp_path: Path) -> None:
    fit(small, few_faces, tmp_path, rows=plain_split)
    about = json.loads((tmp_path / "run.json").read_text())
    assert about["validation_rows"] == few_faces.row[plain_split.validation].tolist()
    assert about["training_rows"] == len(plain_split.training)


@pytest.mark.parametrize("keypoints", [FOUR, ("nose_tip",)])
def test_fewer_keypoints_can_be_trained(
    keypoints: tuple[str, ...], small: Recipe, few_faces: LabeledFaces, tmp_path: Path
) -> None:
    scores = fit(small.replace(keypoints=keypoints), few_faces, tmp_path)
    assert set(scores.by_keypoint) == set(keypoints)
    model, _ = load_model(tmp_path / "model.safetensors")
    assert model.keypoints == FIFTEEN.only(keypoints)
    everything = model.predict_all(few_faces.faces, few_faces.source)
    assert everything.shape == (60, 15, 2)
    never = [i for i, name in enumerate(FIFTEEN.names) if name not in keypoints]
    assert np.ptp(everything[few_faces.source == 0][:, never], axis=0).max() == 0


def test_another_keypoint_set_can_be_trained(small: Recipe, few_faces: LabeledFaces, tmp_path: Path) -> None:
    own = KeypointSet(("chin", "left_ear", "right_ear"))
    data = replace(few_faces, points=few_faces.points[:, :3], observed=few_faces.observed[:, :3], keypoints=own)
    fit(small.replace(flip=0.5), data, tmp_path)
    assert load_model(tmp_path / "model.safetensors")[0].keypoints == own


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize(
    "changes", [{"optimizer": "sgd", "learning_rate": 1e-3, "clip": 1.0, "precision": "bf16-mixed"}]
)
def test_every_network_trains(
    network: str, changes: dict[str, object], small: Recipe, few_faces: LabeledFaces, tmp_path: Path
) -> None:
    fit(small.replace(network=network, epochs=1, **changes), few_faces, tmp_path)
    assert np.isfinite(history(tmp_path)[0]["training_loss"])


@pytest.mark.parametrize("learned", [True, False])
def test_a_source_s_constant_offset_is_found(
    learned: bool, tiny: Recipe, few_faces: LabeledFaces, plain_split: Split, tmp_path: Path
) -> None:
    """Mirrored faces betray it: what a source adds stays on its side of the image, what a face has changes sides."""
    points = few_faces.points.copy()
    points[few_faces.source == 1, :, 0] += 4 - SOURCE_B_OFFSET[0]  # drawn faces have some already
    epochs = 25 if learned else 1
    recipe = tiny.replace(label_offset=learned, epochs=epochs, batch_size=4, schedule="constant", ema=0.0, rotation=0.0)
    fit(recipe, replace(few_faces, points=points), tmp_path, rows=plain_split)
    offset = load_tree(tmp_path / "last.safetensors")["state_dict"]["model.label_offset"]
    if learned:
        labeled = few_faces.observed[few_faces.source == 1].any(axis=0)
        assert abs(float(offset[1, labeled, 0].mean()) - 4) < 1
        assert abs(float(offset[0, :, 0].mean())) < 1
    else:
        assert not offset.any()


def test_a_training_that_diverges_says_so(small: Recipe, few_faces: LabeledFaces, tmp_path: Path) -> None:
    with pytest.raises(BadRun, match=r"diverged in epoch 1: .* Lower learning_rate") as error:
        fit(small.replace(optimizer="sgd", learning_rate=10.0), few_faces, tmp_path)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "scores.json").exists()
    fit(small.replace(optimizer="sgd", clip=1.0), few_faces, tmp_path)  # nothing is in the way of the remedy
    assert np.isfinite(history(tmp_path)[-1]["training_loss"])


def test_label_issues_are_left_out_of_training_and_stay_in_validation(
    few_faces: LabeledFaces, tmp_path: Path, tiny: Recipe
) -> None:
    split = Split(np.arange(40), np.arange(40, 60))
    listed = [
        LabelIssue(3, "mismatched", "", 0.9),
        LabelIssue(5, "displaced", "nose_tip", 0.9),
        LabelIssue(45, "mismatched", "", 0.9),
    ]
    write_label_issues(listed, tmp_path / "audit.csv")
    poisoned = np.array(few_faces.points)
    poisoned[3], poisoned[5, few_faces.keypoints.index("nose_tip")] = 0.5, 95.0
    ends = []
    for faces, name in ((few_faces, "as they are"), (replace(few_faces, points=poisoned), "poisoned")):
        recipe = tiny.replace(epochs=1, squared_epochs=0, drop_label_issues=str(tmp_path / "audit.csv"))
        scores = fit(recipe, faces, tmp_path / name, rows=split)
        assert scores.overall.faces == 20
        ends.append(load_model(tmp_path / name / "model.safetensors")[0].state_dict())
    network = [key for key in ends[0] if key.startswith("network")]
    assert network
    assert all(torch.equal(ends[0][key], ends[1][key]) for key in network)

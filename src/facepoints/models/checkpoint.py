"""One safe file: weights, network, keypoint set, recipe, score.

Everything is safetensors (numbers) with JSON in its header (words). No pickle is ever read: a model file from a
stranger can be wrong, but it cannot run code.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from facepoints.errors import BadChoice, BadRun
from facepoints.files import atomic_write
from facepoints.keypoints import SOURCES, KeypointSet
from facepoints.models.model import Model
from facepoints.models.networks import Size

FORMAT = 2
"""Version of the model file: 2 since label offsets are told for each point. A newer one is refused, not guessed at; an
older one is read where its weights still fit."""

_KEY = "facepoints"


def save_model(path: Path, model: Model, score: Mapping[str, Any] | None = None) -> None:
    """Write the model, whole or not at all; `score` is any JSON-able facts about it."""
    words = {
        "format": FORMAT,
        "network": model.network_name,
        "size": dataclasses.asdict(model.size),
        "keypoints": model.keypoints.names,
        "all_keypoints": model.all_keypoints.names,
        "recipe": model.recipe,
        "score": dict(score or {}),
    }
    save_tree(path, {"words": words, "weights": model.state_dict()})


def load_model(path: Path) -> tuple[Model, dict[str, Any]]:
    """The model (on the CPU, ready to predict) and its score; raises BadRun for anything but a whole model file."""
    tree = load_tree(path)
    try:
        words = tree["words"]
        if words["format"] > FORMAT:
            raise BadRun(f"{path}: made by a newer facepoints (format {words['format']}, this one reads {FORMAT})")
        keypoints = KeypointSet(tuple(words["keypoints"]))
        model = Model(words["network"], keypoints, Size(**words["size"]), words["recipe"])
        model.all_keypoints = KeypointSet(tuple(words["all_keypoints"]))
        model.all_keypoints.only(keypoints.names)  # raises where one is not among them
        model.mean_shape = torch.zeros(len(SOURCES), len(model.all_keypoints), 2)  # as large as the data's keypoint set
        model.load_state_dict(tree["weights"])
        score = dict(words["score"])
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError, BadChoice) as error:
        made = _older(tree)
        if made and isinstance(error, RuntimeError):  # of load_state_dict
            words = f"made by an older facepoints (format {made}, this one writes {FORMAT}), and its weights do not fit"
            raise BadRun(f"{path}: {words}. Train it anew, or use it with the version that made it") from error
        reason = _first_line(error)
        raise BadRun(f"{path}: not a model that this facepoints can build ({reason}). Train it anew") from error
    return model.eval(), score


def _older(tree: Any) -> int:
    """The format of a file that an older version made, else 0."""
    try:
        made = tree["words"]["format"]
    except (KeyError, TypeError):
        return 0
    return made if isinstance(made, int) and 0 < made < FORMAT else 0


def save_tree(path: Path, tree: Any) -> None:
    """Write nested dicts, lists, numbers, texts and tensors: the tensors as safetensors, the rest as its JSON."""
    tensors: dict[str, Tensor] = {}
    words = json.dumps(_to_json(tree, "", tensors))
    with atomic_write(path) as beside:
        try:
            save_file(tensors, beside, metadata={_KEY: words})
        except SafetensorError as error:
            raise _as_os_error(error) from error


def load_tree(path: Path) -> Any:
    """What save_tree wrote; raises BadRun where the file is absent, damaged or something else."""
    try:
        with safe_open(path, framework="pt") as file:
            words = (file.metadata() or {})[_KEY]
            return _from_json(json.loads(words), file)
    except FileNotFoundError:
        raise BadRun(f"{path}: no such file; expected what `facepoints train` leaves in a run folder") from None
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        reason = _first_line(error)
        raise BadRun(f"{path}: damaged or not made by facepoints ({reason}). Copy it again or train anew") from error


def _as_os_error(error: SafetensorError) -> OSError:
    """What the system said, which safetensors quotes: "(os error 28)", in older versions "Os { code: 28"."""
    code = re.search(r"(?:os error|Os \{ code:) (\d+)", str(error))
    return OSError(int(code[1]), os.strerror(int(code[1]))) if code else OSError(_first_line(error))


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _to_json(node: Any, place: str, tensors: dict[str, Tensor]) -> Any:
    """The node as JSON that can be told back: containers become {"kind": ..., "items": ...}."""
    if isinstance(node, Tensor):
        while place in tensors:
            place += "'"  # the keys 1 and "1", or "a/b" and "b" in "a", lead to one place
        tensors[place] = node.detach().cpu().contiguous().clone()  # a clone: two names may share memory
        return {"kind": "tensor", "items": place}
    if isinstance(node, Mapping):
        items = [[key, _to_json(value, f"{place}/{key}", tensors)] for key, value in node.items()]
        return {"kind": "dict", "items": items}  # as pairs: optimizers have whole numbers as keys
    if isinstance(node, list | tuple):
        kind = "list" if isinstance(node, list) else "tuple"
        return {"kind": kind, "items": [_to_json(v, f"{place}/{i}", tensors) for i, v in enumerate(node)]}
    if node is None or isinstance(node, bool | int | float | str):
        return node
    raise TypeError(f"{place} is a {type(node).__name__}: only tensors, containers, numbers and texts can be kept")


def _from_json(node: Any, file: Any) -> Any:
    if not isinstance(node, dict):
        return node
    kind, items = node["kind"], node["items"]
    if kind == "tensor":
        return file.get_tensor(items)
    if kind == "dict":
        return {key: _from_json(value, file) for key, value in items}
    made = [_from_json(value, file) for value in items]
    return tuple(made) if kind == "tuple" else made

"""Checkpoints as safetensors files: tensors as safetensors, everything else as JSON in the header.

No pickle is ever read, so a file from an untrusted source cannot run code.
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

FORMAT = 1
"""Version of the model file; a newer one is refused."""

_HEADER_KEY = "facepoints"


def save_model(path: Path, model: Model, score: Mapping[str, Any] | None = None) -> None:
    """Write the model atomically; `score`: JSON-serializable facts about it."""
    metadata = {
        "format": FORMAT,
        "network": model.network_name,
        "size": dataclasses.asdict(model.size),
        "keypoints": model.keypoints.names,
        "all_keypoints": model.all_keypoints.names,
        "recipe": model.recipe,
        "score": dict(score or {}),
    }
    save_tree(path, {"metadata": metadata, "weights": model.state_dict()})


def load_model(path: Path) -> tuple[Model, dict[str, Any]]:
    """The model (on the CPU, in evaluation mode) and its score; raises BadRun for anything but a whole model file."""
    tree = load_tree(path)
    try:
        metadata = tree["metadata"]
        if metadata["format"] > FORMAT:
            raise BadRun(f"{path}: made by a newer facepoints (format {metadata['format']}, this one reads {FORMAT})")
        keypoints = KeypointSet(tuple(metadata["keypoints"]))
        model = Model(metadata["network"], keypoints, Size(**metadata["size"]), metadata["recipe"])
        model.all_keypoints = KeypointSet(tuple(metadata["all_keypoints"]))
        model.all_keypoints.only(keypoints.names)  # raises where one is not among them
        model.mean_shape = torch.zeros(len(SOURCES), len(model.all_keypoints), 2)  # as large as the data's keypoint set
        model.load_state_dict(tree["weights"])
        return model.eval(), dict(metadata["score"])
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError, BadChoice) as error:
        reason = _first_line(error)
        raise BadRun(f"{path}: not a model that this facepoints can build ({reason}). Train it anew") from error


def save_tree(path: Path, tree: Any) -> None:
    """Write nested dicts, lists, tuples, numbers, strings and tensors atomically."""
    tensors: dict[str, Tensor] = {}
    header = json.dumps(_to_json(tree, "", tensors))
    with atomic_write(path) as partial:
        try:
            save_file(tensors, partial, metadata={_HEADER_KEY: header})
        except SafetensorError as error:
            # safetensors quotes the system's error as "(os error 28)", in older versions as "Os { code: 28"
            code = re.search(r"(?:os error|Os \{ code:) (\d+)", str(error))
            raise (OSError(int(code[1]), os.strerror(int(code[1]))) if code else OSError(_first_line(error))) from error


def load_tree(path: Path) -> Any:
    """The tree that `save_tree` wrote; raises BadRun where the file is absent, damaged or of another kind."""
    try:
        with safe_open(path, framework="pt") as file:
            return _from_json(json.loads((file.metadata() or {})[_HEADER_KEY]), file)
    except FileNotFoundError:
        raise BadRun(f"{path}: no such file; expected what `facepoints train` leaves in a run folder") from None
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        reason = _first_line(error)
        raise BadRun(f"{path}: damaged or not made by facepoints ({reason}). Copy it again or train anew") from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _to_json(node: Any, place: str, tensors: dict[str, Tensor]) -> Any:
    """The node as reversible JSON: containers and tensors become {"kind": ..., "items": ...}."""
    if isinstance(node, Tensor):
        while place in tensors:
            place += "'"  # the keys 1 and "1", or "a/b" and "b" in "a", have the same place
        tensors[place] = node.detach().cpu().contiguous().clone()  # a clone: two names may share memory
        return {"kind": "tensor", "items": place}
    if isinstance(node, Mapping):
        items = [[key, _to_json(value, f"{place}/{key}", tensors)] for key, value in node.items()]
        return {"kind": "dict", "items": items}  # as pairs: optimizer states have integer keys
    if isinstance(node, list | tuple):
        kind = "list" if isinstance(node, list) else "tuple"
        return {"kind": kind, "items": [_to_json(v, f"{place}/{i}", tensors) for i, v in enumerate(node)]}
    if node is None or isinstance(node, bool | int | float | str):
        return node
    raise TypeError(f"{place} is a {type(node).__name__}: only tensors, containers, numbers and strings can be saved")


def _from_json(node: Any, file: Any) -> Any:
    if not isinstance(node, dict):
        return node
    kind, items = node["kind"], node["items"]
    if kind == "tensor":
        return file.get_tensor(items)
    if kind == "dict":
        return {key: _from_json(value, file) for key, value in items}
    values = [_from_json(value, file) for value in items]
    return tuple(values) if kind == "tuple" else values

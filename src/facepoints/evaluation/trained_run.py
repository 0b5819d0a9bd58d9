"""A run folder as a predictor: its best model, the rows it was not trained on, and a summary of its training."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from facepoints.data.dataset import LabeledFaces, fingerprint, picture_digests
from facepoints.errors import BadRun
from facepoints.evaluation.predictor import (
    HeldOutRows,
    ModelFacts,
    Predictions,
    check_mirror,
    timed,
    validation_rows,
)
from facepoints.evaluation.run_summary import LayerSummary, RunSummary
from facepoints.keypoints import KeypointSet
from facepoints.models.checkpoint import load_model
from facepoints.models.ensemble import Ensemble
from facepoints.models.model import Model
from facepoints.models.summary import draw_diagram, layers
from facepoints.training.builtin_recipes import BUILTIN_RECIPES
from facepoints.training.recipe import Recipe, meanings
from facepoints.training.run_folder import MODEL_FILE, read_json


@dataclass(frozen=True, repr=False)
class TrainedRun:
    """A run folder."""

    folder: Path
    model: Model
    metadata: dict[str, Any]
    """the content of run.json"""
    best_epoch: int | None
    all_keypoints: bool = False
    """predict all keypoints of the training data, those without an output by the mean shape; no expected errors"""

    def __repr__(self) -> str:
        return f"TrainedRun({str(self.folder)!r}, recipe={self.metadata['recipe']!r}, best_epoch={self.best_epoch})"

    @property
    def name(self) -> str:
        return self.folder.resolve().name

    @property
    def keypoints(self) -> KeypointSet:
        return self.model.all_keypoints if self.all_keypoints else self.model.keypoints

    @cached_property
    def facts(self) -> ModelFacts:
        histories = [self.history, *self.members.values()]
        epochs = [epoch for history in histories for epoch in history]
        seconds = sum(float(epoch["seconds"]) for epoch in epochs) if epochs else None
        return ModelFacts("run", int(self.metadata["parameters"]), seconds)

    def predict(self, data: LabeledFaces, *, flip: bool = False) -> Predictions:
        if self.all_keypoints:
            flip = flip and not self.model.keypoints.lone_sides()
            return Predictions(self.model.predict_all(data.faces, data.source, flip=flip), None)
        if flip:
            check_mirror(str(self.folder), self.keypoints)
        return Predictions(*self.model.predict_with_error(data.faces, data.source, flip=flip))

    def milliseconds(self, data: LabeledFaces) -> float | None:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            return timed(lambda: self.predict(data), len(data))
        finally:
            torch.set_num_threads(threads)

    def held_out_rows(self, data: LabeledFaces) -> HeldOutRows:
        """The rows whose images the run was not trained on."""
        images = np.array(self.metadata["training_pictures"])
        chosen = ~np.isin(np.array(picture_digests(data.faces)), images)
        if chosen.all():
            return HeldOutRows(chosen, "all", f"all {len(data):,} rows; none of them was trained on")
        if (chosen <= np.isin(data.row, self.metadata["validation_rows"])).all():
            rows = validation_rows(chosen)
            kind, description = rows.kind, rows.description
        else:
            kind = "held-out"
            description = f"{chosen.sum():,} held-out rows; {(~chosen).sum():,} training rows left out"
        if self.metadata["data"]["fingerprint"] != fingerprint(data):
            description += " (labels or rows differ from the training data: matched by image)"
        return HeldOutRows(chosen, kind, description)

    @cached_property
    def summary(self) -> RunSummary | None:
        """None where the folder has no history."""
        history, members = self.history, self.members
        if not (history or members):
            return None
        network, network_name = self.model.network, self.model.network_name
        if isinstance(network, Ensemble):
            network, network_name = network.members[0], self.model.size.members[0]
        table, name = self.model.recipe, str(self.metadata["recipe"])
        own, parent = BUILTIN_RECIPES.get(name, (None, None))
        against = (parent or Recipe()).as_table()
        texts = {field: meaning for field, (_, _, meaning) in meanings().items()}
        differences = {
            field: v for field, v in table.items() if field not in ("name", "summary") and against.get(field) != v
        }
        book = own.as_table() if own else table
        return RunSummary(
            recipe=name or self.name,
            summary=str(table.get("summary", "")),
            parent=parent.name if parent else "the defaults",
            differences={field: (value, texts.get(field, "")) for field, value in differences.items()},
            changes={f: (book[f], v) for f, v in table.items() if f != "summary" and f in book and book[f] != v},
            started=str(self.metadata.get("started", "")),
            seconds=self.facts.training_seconds or 0.0,
            training_rows=self.metadata.get("training_rows"),
            best_epoch=self.best_epoch,
            history=history,
            members=members,
            machine={str(k): str(v) for k, v in dict(self.metadata.get("machine", {})).items()},
            versions={str(k): str(v) for k, v in dict(self.metadata.get("versions", {})).items()},
            network=network_name,
            layers=tuple(LayerSummary(one.place, one.kind, one.shape, one.parameters) for one in layers(network)),
            diagram=_diagram(network, network_name),
        )

    @cached_property
    def history(self) -> tuple[dict[str, float], ...]:
        """One dict per epoch, as in history.json; empty for an ensemble."""
        return _history(self.folder)

    @cached_property
    def members(self) -> dict[str, tuple[dict[str, float], ...]]:
        """The histories of the networks of an ensemble."""
        prefix = f"{self.metadata['recipe']}-"
        found = {path.name: _history(path) for path in sorted((self.folder / "members").glob("*"))}
        return {name.removeprefix(prefix): history for name, history in found.items() if history}


def _history(folder: Path) -> tuple[dict[str, float], ...]:
    path = folder / "history.json"
    if not path.exists():
        return ()
    history: list[dict[str, float]] = read_json(path)
    try:
        for epoch in history:
            epoch["epoch"], epoch["seconds"], epoch["training_loss"], epoch["validation_rmse"]
    except (KeyError, TypeError) as error:
        raise BadRun(f"{path}: not made by `facepoints train` ({error}). Copy the run again") from error
    return tuple(history)


def _diagram(network: nn.Module, name: str) -> NDArray[np.uint8]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.png"
        draw_diagram(network, path, f"network '{name}'")
        return np.asarray(cv2.imread(str(path)), np.uint8)


def open_run(folder: Path, *, all_keypoints: bool = False) -> TrainedRun:
    """A run folder, complete or stopped after an epoch; raises BadRun where it is absent, damaged or too new."""
    model, facts = load_model(folder / MODEL_FILE)
    path = folder / "run.json"
    metadata = read_json(path)
    try:
        str(metadata["data"]["fingerprint"]), str(metadata["recipe"]), int(metadata["parameters"])
        whole = all(isinstance(row, int) for row in metadata["validation_rows"])
        if not whole or not all(isinstance(image, str) for image in metadata["training_pictures"]):
            raise TypeError("expected numbers as validation_rows and texts as training_pictures")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadRun(f"{path}: not made by `facepoints train` ({error}). Copy the run again or train anew") from error
    epoch = facts.get("epoch")
    best = int(epoch) if isinstance(epoch, int | float) else None
    return TrainedRun(folder, model, metadata, best, all_keypoints)

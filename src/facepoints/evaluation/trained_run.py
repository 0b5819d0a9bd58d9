"""A run folder as something to be judged: its best model, the rows it was not trained on, and its story."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from facepoints.data.dataset import LabeledFaces, fingerprint, picture_digests
from facepoints.errors import BadRun
from facepoints.evaluation.predictor import HeldOutRows, ModelFacts, Predictions, RowKind, check_mirror, timed
from facepoints.evaluation.run_summary import LayerSummary, RunSummary
from facepoints.evaluation.submission import SubmissionModel
from facepoints.keypoints import KeypointSet
from facepoints.models.checkpoint import load_model
from facepoints.models.ensemble import Ensemble
from facepoints.models.model import Model
from facepoints.models.summary import draw_diagram, layers
from facepoints.training.builtin_recipes import BUILTIN_RECIPES
from facepoints.training.recipe import Recipe, meanings
from facepoints.training.run_folder import MODEL_FILE, read_json

_OLDER = "an older run, which does not say on which pictures it was trained"


@dataclass(frozen=True)
class TrainedRun:
    """A run folder that was read."""

    folder: Path
    model: Model
    kept: dict[str, Any]
    """what stands in run.json"""
    best_epoch: int | None

    @property
    def name(self) -> str:
        return self.folder.resolve().name

    @property
    def keypoints(self) -> KeypointSet:
        return self.model.keypoints

    @cached_property
    def facts(self) -> ModelFacts:
        histories = [self.history, *self.members.values()]
        epochs = [epoch for history in histories for epoch in history]
        seconds = sum(float(epoch["seconds"]) for epoch in epochs) if epochs else None
        return ModelFacts("run", int(self.kept["parameters"]), seconds)

    def answer(self, data: LabeledFaces, *, flip: bool = False) -> Predictions:
        if flip:
            check_mirror(str(self.folder), self.keypoints)
        return Predictions(*self.model.predict_with_error(data.faces, data.source, flip=flip))

    def milliseconds(self, data: LabeledFaces) -> float | None:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            return timed(lambda: self.answer(data), len(data))
        finally:
            torch.set_num_threads(threads)

    def held_out_rows(self, data: LabeledFaces) -> HeldOutRows:
        """The rows whose pictures the run was not trained on.

        Older runs do not list their pictures: with the data they were trained on they are judged on the rows they
        kept aside, on other data on every row.
        """
        pictures = self.kept.get("training_pictures")
        aside = np.isin(data.row, self.kept["validation_rows"])
        same = self.kept["data"]["fingerprint"] == fingerprint(data)
        if pictures is not None:
            chosen = ~np.isin(np.array(picture_digests(data.faces)), np.array(pictures))
        else:
            chosen = aside if same else np.ones(len(data), np.bool_)
        left, some = int((~chosen).sum()), f"{int(chosen.sum()):,}"
        kind: RowKind
        if chosen.all():
            kind = "all"
            seen = "none of them was trained on" if pictures is not None else "some of them may have been trained on"
            words = f"all {len(data):,} rows; {seen}"
        else:
            kind = "validation" if (chosen <= aside).all() else "unseen"
            kept_aside = "validation rows" if kind == "validation" else "rows"
            words = f"{some} {kept_aside}; {left:,} rows left out: trained on"
        if pictures is None:
            words += f" (told by {'row numbers' if same else 'other labels or faces'}: {_OLDER})"
        elif not same and not chosen.all():
            words += " (labels or rows are not those of the training: told by the pictures)"
        return HeldOutRows(chosen, kind, words, sure=pictures is not None or same)

    @cached_property
    def summary(self) -> RunSummary | None:
        """None where the folder has no history: nothing is told of a training that nobody recorded."""
        history, members = self.history, self.members
        if not (history or members):
            return None
        network, network_name = self.model.network, self.model.network_name
        if isinstance(network, Ensemble):
            network, network_name = network.members[0], self.model.size.members[0]
        table, name = self.model.recipe, str(self.kept["recipe"])
        own, parent = BUILTIN_RECIPES.get(name, (None, None))
        against = (parent or Recipe()).as_table()
        texts = {field: meaning for field, (_, _, meaning) in meanings().items()}
        told = {field: v for field, v in table.items() if field not in ("name", "summary") and against.get(field) != v}
        book = own.as_table() if own else table
        return RunSummary(
            recipe=name or self.name,
            summary=str(table.get("summary", "")),
            parent=parent.name if parent else "the defaults",
            differences={
                field: (value, texts.get(field, "a field of another version")) for field, value in told.items()
            },
            changes={f: (book[f], v) for f, v in table.items() if f != "summary" and f in book and book[f] != v},
            started=str(self.kept.get("started", "")),
            seconds=self.facts.training_seconds or 0.0,
            training_rows=self.kept.get("training_rows"),
            best_epoch=self.best_epoch,
            history=history,
            members=members,
            machine={str(k): str(v) for k, v in dict(self.kept.get("machine", {})).items()},
            versions={str(k): str(v) for k, v in dict(self.kept.get("versions", {})).items()},
            network=network_name,
            layers=tuple(LayerSummary(one.place, one.kind, one.shape, one.parameters) for one in layers(network)),
            diagram=_diagram(network, network_name),
        )

    @cached_property
    def history(self) -> tuple[dict[str, float], ...]:
        """One dict per epoch, as in history.json; none where nobody recorded them, or for an ensemble."""
        return _history(self.folder)

    @cached_property
    def members(self) -> dict[str, tuple[dict[str, float], ...]]:
        """The histories of an ensemble's networks, each a run of its own."""
        prefix = f"{self.kept['recipe']}-"
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
        raise BadRun(f"{path}: not what `facepoints train` leaves ({error}). Copy the run again") from error
    return tuple(history)


def _diagram(network: nn.Module, name: str) -> NDArray[np.uint8]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.png"
        draw_diagram(network, path, f"network '{name}'")
        return np.asarray(cv2.imread(str(path)), np.uint8)


def open_run(folder: Path) -> TrainedRun:
    """A run folder, finished or stopped after an epoch; raises BadRun where it is absent, damaged or too new."""
    model, facts = load_model(folder / MODEL_FILE)
    path = folder / "run.json"
    kept = read_json(path)
    try:
        str(kept["data"]["fingerprint"]), str(kept["recipe"]), int(kept["parameters"])
        whole = all(isinstance(row, int) for row in kept["validation_rows"])
        if not whole or not all(isinstance(picture, str) for picture in kept.get("training_pictures", [])):
            raise TypeError("validation_rows have to be numbers and training_pictures texts")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadRun(
            f"{path}: not what `facepoints train` leaves ({error}). Copy the run again or train anew"
        ) from error
    epoch = facts.get("epoch")
    return TrainedRun(folder, model, kept, int(epoch) if isinstance(epoch, int | float) else None)


def run_predictor(run: Path, *, flip: bool = True) -> SubmissionModel:
    """The run's best model; a point that it never learned gets its typical place.

    `flip` averages with what it says of the mirrored faces, where its keypoints have a mirror image.
    """
    model, _ = load_model(run / MODEL_FILE)
    flip = flip and not model.keypoints.lone_sides()
    return SubmissionModel(str(run), model.all_keypoints, partial(model.predict_all, flip=flip))

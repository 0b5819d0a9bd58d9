"""One interface for everything that maps faces to points. No torch.

Predictor            interface
├── TrainedRun       a run folder (trained_run.py)
├── OnnxPredictor    an ONNX file, or the bundled weights
├── PointsFile       a table of points, written by any program (points_file.py)
└── MeanPredictor    the mean of several predictors

`open_predictor` (open_predictor.py) opens a MODEL argument.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from facepoints.data.dataset import LabeledFaces, fingerprint
from facepoints.errors import BadChoice
from facepoints.evaluation.run_summary import RunSummary
from facepoints.keypoints import KeypointSet

if TYPE_CHECKING:
    from facepoints.inference.detector import Detector

_CALLS, _LONG_ENOUGH = 5, 0.3  # minimum number of timed calls, and their minimum total in seconds

RowKind = Literal["validation", "held-out", "all"]
"""Scored rows: the validation rows of a run, other rows whose images it was not trained on, or all rows."""
ModelKind = Literal["run", "ONNX file", "table of points"]


@dataclass(frozen=True)
class Predictions:
    """Predictions for n faces."""

    points: NDArray[np.floating[Any]]
    """(n, k, 2) px of the face; NaN only where no label is observed"""
    expected_error: NDArray[np.floating[Any]] | None
    """(n, k) px: expected RMSE of the two coordinates of each point; None where the predictor gives none"""


@dataclass(frozen=True)
class HeldOutRows:
    """The rows of a data set on which a predictor may be evaluated."""

    chosen: NDArray[np.bool_]
    """(n,)"""
    kind: RowKind
    description: str
    """such as "1,058 validation rows; 5,991 training rows left out" """

    def as_dict(self) -> dict[str, object]:
        """For scores.json."""
        left_out = int((~self.chosen).sum())
        return {"rows": self.kind, "rows_description": self.description, "rows_left_out": left_out}


@dataclass(frozen=True)
class ModelFacts:
    """Properties of a predictor; None where unknown."""

    kind: ModelKind
    parameters: int | None = None
    training_seconds: float | None = None


class Predictor(Protocol):
    """Maps faces to points, and knows on which rows it was trained."""

    @property
    def name(self) -> str:
        """Its name in tables and messages."""

    @property
    def keypoints(self) -> KeypointSet:
        """The k keypoints that it predicts."""

    @property
    def facts(self) -> ModelFacts:
        """Kind, size and training time."""

    @property
    def summary(self) -> RunSummary | None:
        """The training, for the report."""

    def held_out_rows(self, data: LabeledFaces) -> HeldOutRows:
        """The rows that it was not trained on, as far as is known."""

    def predict(self, data: LabeledFaces, *, flip: bool = False) -> Predictions:
        """Points (n, k, 2) of these faces; `flip` averages with the predictions for the mirrored faces."""

    def milliseconds(self, data: LabeledFaces) -> float | None:
        """Time per face, with all of these in one batch; None where nothing is computed."""


@dataclass(frozen=True)
class OnnxPredictor:
    """An ONNX file, or the bundled weights."""

    name: str
    detector: Detector
    points_only: bool = False
    """predict no expected errors; saves a third of the time with `flip`"""

    @property
    def keypoints(self) -> KeypointSet:
        return self.detector.keypoints

    @property
    def facts(self) -> ModelFacts:
        return ModelFacts("ONNX file")

    @property
    def summary(self) -> None:
        return None

    def held_out_rows(self, data: LabeledFaces) -> HeldOutRows:
        """The validation rows of the data set that it was trained on; all rows of other data."""
        training = self.detector.trained_on
        if training.get("fingerprint") != fingerprint(data) or "validation_rows" not in training:
            return unknown_training(data)
        return validation_rows(np.isin(data.row, training["validation_rows"]))

    def predict(self, data: LabeledFaces, *, flip: bool = False) -> Predictions:
        faces = np.asarray(data.faces)
        if flip:
            check_mirror(self.name, self.keypoints)
        expected_error = None
        if not (flip and self.points_only):
            points, expected_error = self.detector.points(faces, data.source)
        if flip:
            points = self.detector.points_with_flip(faces, data.source)
        return Predictions(points, expected_error)

    def milliseconds(self, data: LabeledFaces) -> float | None:
        return timed(lambda: self.predict(data), len(data))


@dataclass(frozen=True)
class MeanPredictor:
    """The mean of the points of several predictors, for the keypoints that all of them predict."""

    members: tuple[Predictor, ...]

    @property
    def name(self) -> str:
        return " + ".join(member.name for member in self.members)

    @property
    def keypoints(self) -> KeypointSet:
        others = [set(member.keypoints.names) for member in self.members[1:]]
        names = tuple(name for name in self.members[0].keypoints.names if all(name in other for other in others))
        if not names:
            raise BadChoice(f"{self.name}: these models have no keypoint in common. Leave one out")
        return KeypointSet(names)

    @property
    def facts(self) -> ModelFacts:
        return self.members[0].facts

    @property
    def summary(self) -> None:
        return None

    def held_out_rows(self, data: LabeledFaces) -> HeldOutRows:
        own = [member.held_out_rows(data) for member in self.members]
        chosen = np.logical_and.reduce([rows.chosen for rows in own])
        return HeldOutRows(chosen, "held-out", f"{chosen.sum():,} rows that none of the models was trained on")

    def predict(self, data: LabeledFaces, *, flip: bool = False) -> Predictions:
        each = [in_order(member.predict(data, flip=flip), member, self.keypoints) for member in self.members]
        return Predictions(np.mean([one.points for one in each], axis=0, dtype=np.float64), None)

    def milliseconds(self, data: LabeledFaces) -> float | None:
        return timed(lambda: self.predict(data), len(data))


def timed(call: Callable[[], object], faces: int) -> float:
    """Milliseconds per face of a call for so many faces: the median of five or more calls, after one to warm up."""
    call()
    seconds: list[float] = []
    while len(seconds) < _CALLS or (sum(seconds) < _LONG_ENOUGH and len(seconds) < 20 * _CALLS):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return 1000 * statistics.median(seconds) / faces


def validation_rows(chosen: NDArray[np.bool_]) -> HeldOutRows:
    """The rows that a training kept for validation."""
    description = f"{chosen.sum():,} validation rows; {(~chosen).sum():,} training rows left out"
    return HeldOutRows(chosen, "validation", description)


def unknown_training(data: LabeledFaces) -> HeldOutRows:
    """All rows, for a predictor whose training data are unknown."""
    return HeldOutRows(np.ones(len(data), np.bool_), "all", f"all {len(data):,} rows; the training data are unknown")


def check_mirror(name: str, keypoints: KeypointSet) -> None:
    """Raise BadChoice where a keypoint set has no mirror image to average with."""
    if keypoints.lone_sides():
        alone = ", ".join(keypoints.lone_sides())
        raise BadChoice(f"{name}: cannot average with the mirrored face, as {alone} has no partner. Leave out --flip")


def common_points(data: LabeledFaces, model: Predictor) -> LabeledFaces:
    """The data with the keypoints that the predictor predicts; BadChoice where the data lack one of them."""
    missing = sorted(set(model.keypoints.names) - set(data.keypoints.names))
    if missing:
        what = f"predicts keypoints that the data do not have ({', '.join(missing)})"
        raise BadChoice(f"{model.name}: {what}. Give data with the keypoints it was trained on")
    return data.only(model.keypoints.names)


def predictions_on(data: LabeledFaces, model: Predictor, *, flip: bool = False) -> Predictions:
    """The predictions for exactly the keypoints of the data, in their order; the model must predict all of them."""
    return in_order(model.predict(data, flip=flip), model, data.keypoints)


def in_order(given: Predictions, model: Predictor, keypoints: KeypointSet) -> Predictions:
    """The predictions of a model with its keypoints selected and reordered."""
    k = len(model.keypoints)
    if given.points.shape[1:] != (k, 2):
        raise BadChoice(f"{model.name}: points of shape {given.points.shape}, expected (n, {k}, 2)")
    order: Sequence[int] = [model.keypoints.index(name) for name in keypoints.names]
    expected = given.expected_error
    return Predictions(given.points[:, order], None if expected is None else expected[:, order])

"""What is judged: anything that says where the points of a face are. A run, a model file, a table of points. No torch.

Predictor            what judging asks of each of them
├── TrainedRun       a run folder (trained_run.py)
├── DetectorModel    whatever answers pictures, such as an ONNX file
└── PointsFile       a table that somebody else's program wrote (points_file.py)
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from facepoints.data.dataset import LabeledFaces, fingerprint
from facepoints.errors import BadChoice
from facepoints.evaluation.run_summary import RunSummary
from facepoints.keypoints import KeypointSet

_CALLS, _LONG_ENOUGH = 5, 0.3  # calls at least, seconds

RowKind = Literal["validation", "unseen", "all"]
"""Which rows are scored: those that a run kept aside, those whose pictures it has not seen, or every one."""


@dataclass(frozen=True)
class Predictions:
    """What a predictor says of n faces."""

    points: NDArray[np.floating[Any]]
    """(n, k, 2) px of the face; NaN only where nothing was labeled"""
    expected_error: NDArray[np.floating[Any]] | None
    """(n, k) px: the RMSE that it expects of each point's two coordinates; None where it does not say"""


@dataclass(frozen=True)
class HeldOutRows:
    """The rows of some data that a predictor may be judged on."""

    chosen: NDArray[np.bool_]
    """(n,)"""
    kind: RowKind
    why: str
    """in words: "1,058 validation rows; 5,991 rows left out: trained on" """
    sure: bool = True
    """is it known that none of them was trained on?"""

    def as_dict(self) -> dict[str, object]:
        """For scores.json."""
        left_out = int((~self.chosen).sum())
        return {"rows": self.kind, "rows_in_words": self.why, "rows_left_out": left_out}


@dataclass(frozen=True)
class ModelFacts:
    """What is known of a predictor beside its answers; None where it does not apply."""

    kind: Literal["run", "model file", "table of points"]
    parameters: int | None = None
    training_seconds: float | None = None


class Predictor(Protocol):
    """Says where points are, and on which rows it is fair to ask."""

    @property
    def name(self) -> str:
        """What tables call it."""

    @property
    def keypoints(self) -> KeypointSet:
        """The k points it answers."""

    @property
    def facts(self) -> ModelFacts:
        """Its size and its training."""

    @property
    def summary(self) -> RunSummary | None:
        """How it was trained, for the page."""

    def held_out_rows(self, data: LabeledFaces) -> HeldOutRows:
        """The rows that it was not trained on, as far as is known."""

    def answer(self, data: LabeledFaces, *, flip: bool = False) -> Predictions:
        """Its points on these faces; `flip` averages with what it says of the mirrored face."""

    def milliseconds(self, data: LabeledFaces) -> float | None:
        """Per face, with all of these in one batch, on one thread where it can choose; None where nothing computes."""


class Detector(Protocol):
    """What a model file becomes: pictures in, points out."""

    @property
    def keypoints(self) -> KeypointSet:
        """The k points it answers."""

    @property
    def trained_on(self) -> Mapping[str, Any]:
        """What its file tells of the data behind it; files of older versions tell less."""

    def points(
        self, crops: NDArray[np.uint8], source: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """crops (n, 96, 96), source (n,) -> points (n, k, 2) px, expected error (n, k) px."""

    def points_with_flip(self, crops: NDArray[np.uint8], source: NDArray[np.int64]) -> NDArray[np.float32]:
        """Just the points, averaged with those of the mirrored crops."""


@dataclass(frozen=True)
class DetectorModel:
    """A model file under a name."""

    name: str
    detector: Detector

    @property
    def keypoints(self) -> KeypointSet:
        return self.detector.keypoints

    @property
    def facts(self) -> ModelFacts:
        return ModelFacts("model file")

    @property
    def summary(self) -> None:
        return None

    def held_out_rows(self, data: LabeledFaces) -> HeldOutRows:
        """The rows that were kept aside, of the data it was trained on; of other data every row."""
        told = self.detector.trained_on
        if told.get("fingerprint") != fingerprint(data) or "validation_rows" not in told:
            return unknown_training(data)
        chosen = np.isin(data.row, told["validation_rows"])
        words = f"{chosen.sum():,} validation rows; {(~chosen).sum():,} rows left out: trained on"
        return HeldOutRows(chosen, "validation", words)

    def answer(self, data: LabeledFaces, *, flip: bool = False) -> Predictions:
        points, expected_error = self.detector.points(np.asarray(data.faces), data.source)
        if flip:
            check_mirror(self.name, self.keypoints)
            points = self.detector.points_with_flip(np.asarray(data.faces), data.source)
        return Predictions(points, expected_error)

    def milliseconds(self, data: LabeledFaces) -> float | None:
        return timed(lambda: self.answer(data), len(data))


def timed(call: Callable[[], object], faces: int) -> float:
    """Milliseconds per face of a call that answers so many: the median of five or more calls after a first one."""
    call()
    seconds: list[float] = []
    while len(seconds) < _CALLS or (sum(seconds) < _LONG_ENOUGH and len(seconds) < 20 * _CALLS):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return 1000 * statistics.median(seconds) / faces


def unknown_training(data: LabeledFaces) -> HeldOutRows:
    """Every row, for a predictor that does not say what it was trained on."""
    why = f"all {len(data):,} rows; what it was trained on is not known here"
    return HeldOutRows(np.ones(len(data), np.bool_), "all", why, sure=False)


def check_mirror(name: str, keypoints: KeypointSet) -> None:
    """Raises BadChoice where a face's points have no mirror image to average with."""
    if keypoints.lone_sides():
        alone = ", ".join(keypoints.lone_sides())
        raise BadChoice(f"{name}: has no mirror image to average with, as {alone} has no partner. Leave out --flip")


def common_points(data: LabeledFaces, model: Predictor) -> LabeledFaces:
    """The faces with the points that the predictor answers; BadChoice where the data lack one of them."""
    missing = sorted(set(model.keypoints.names) - set(data.keypoints.names))
    if missing:
        what = f"answers keypoints that the data does not have ({', '.join(missing)})"
        raise BadChoice(f"{model.name}: {what}. Give data with the keypoints it was trained on")
    return data.only(model.keypoints.names)


def predictions_on(data: LabeledFaces, model: Predictor, *, flip: bool = False) -> Predictions:
    """The predictor's answers for exactly the data's keypoints, in their order; it must answer all of them."""
    given = model.answer(data, flip=flip)
    n, k = len(data), len(model.keypoints)
    if given.points.shape != (n, k, 2):
        raise BadChoice(f"{model.name}: answers of shape {given.points.shape}, expected ({n}, {k}, 2)")
    order = [model.keypoints.index(name) for name in data.keypoints.names]
    expected = given.expected_error
    return Predictions(given.points[:, order], None if expected is None else expected[:, order])


def some_of(answers: Predictions, rows: NDArray[Any]) -> Predictions:
    """The answers at these positions, or where a mask is true."""
    expected = answers.expected_error
    return replace(answers, points=answers.points[rows], expected_error=None if expected is None else expected[rows])

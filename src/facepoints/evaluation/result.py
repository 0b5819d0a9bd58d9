"""The result of an evaluation: scores, error breakdown, calibration, and labels that contradict the model. No torch."""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facepoints.data.dataset import LabeledFaces
from facepoints.data.similarity import group_alike
from facepoints.evaluation.calibration import Calibration, calibration
from facepoints.evaluation.error_breakdown import (
    PatternScore,
    PropertyScores,
    pattern_scores,
    plausible,
    property_scores,
)
from facepoints.evaluation.face_properties import FaceProperties, face_properties
from facepoints.evaluation.label_noise import LabelNoise
from facepoints.evaluation.predictor import HeldOutRows, ModelFacts, Predictions
from facepoints.evaluation.run_summary import RunSummary
from facepoints.metrics import face_rmse, point_distances
from facepoints.scores import PointScores, Scores, score

ISSUE_RATIO = 3.0
"""A label is an issue where its distance from the prediction is more than this many times the usual distance."""


@dataclass(frozen=True)
class LabelIssue:
    """A label that contradicts a confident prediction: a candidate for `facepoints audit`."""

    position: int
    row: int
    keypoint: str
    distance: float
    """px from the label to the prediction"""
    ratio: float
    """distance / expected distance, or / the distances of the other points of the face"""


@dataclass(frozen=True, repr=False)
class Evaluation:
    """The evaluation of a model on n faces."""

    name: str
    """of the model"""
    title: str
    """of the report: the recipe of a run, else the name of the model"""
    data: LabeledFaces
    predictions: Predictions
    groups: NDArray[np.int64]
    """(n,) group of near-duplicates of each face"""
    scores: Scores
    face_rmse: NDArray[np.float64]
    """(n,) px; 0 for a face without a label"""
    properties: FaceProperties
    by_property: list[PropertyScores]
    patterns: list[PatternScore]
    outliers: int
    """labeled faces left out of `by_property` and `patterns`, as their labels must be wrong"""
    calibration: Calibration | None
    label_issues: list[LabelIssue]
    noise: list[LabelNoise]
    rows: HeldOutRows
    model: ModelFacts
    summary: RunSummary | None
    flip: bool
    seed: int

    @property
    def rmse(self) -> float:
        """RMSE of all observed coordinates, px: the competition's score."""
        return self.scores.rmse

    @property
    def by_keypoint(self) -> Mapping[str, PointScores | None]:
        """Scores of each keypoint; None for one without labels."""
        return self.scores.by_keypoint

    @property
    def sources(self) -> list[int]:
        """The numbers of the sources that occur."""
        return [int(source) for source in np.unique(self.data.source)]

    def labeled(self) -> NDArray[np.int64]:
        """Positions of the faces that have a label."""
        return np.flatnonzero(self.data.observed.any(axis=1))

    def __repr__(self) -> str:
        return f"Evaluation({self.name}: RMSE {self.rmse:.3f} px on {self.rows.description})"

    def _repr_html_(self) -> str:
        known = {name: point for name, point in self.by_keypoint.items() if point is not None}
        return html_table(repr(self), ["keypoint", "RMSE, px"], [[n, f"{p.rmse:.2f}"] for n, p in known.items()])

    def as_dict(self) -> dict[str, Any]:
        """For scores.json: the scores and everything else in numbers."""
        return {
            "title": self.title,
            **self.scores.as_dict(),
            "label_noise": [asdict(noise) for noise in self.noise],
            "error_breakdown": [asdict(one) for one in self.by_property],
            "outlier_faces": self.outliers,
            "missing_patterns": [asdict(pattern) for pattern in self.patterns],
            "calibration": None if self.calibration is None else self.calibration.as_dict(),
            "label_issues": [
                {"row": one.row, "keypoint": one.keypoint, "distance": one.distance, "ratio": one.ratio}
                for one in self.label_issues
            ],
            "model": self.name,
            **self.rows.as_dict(),
            "flip": self.flip,
            "best_epoch": self.summary.best_epoch if self.summary else None,
            "parameters": self.model.parameters,
            "row_numbers": self.data.row.tolist(),
        }


def html_table(caption: str, header: list[str], rows: list[list[str]]) -> str:
    """A small table for notebooks."""
    lines = ["".join(f"<td>{html.escape(cell)}</td>" for cell in row) for row in (header, *rows)]
    return f"<table><caption>{html.escape(caption)}</caption>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"


@dataclass(frozen=True)
class Origin:
    """Where predictions come from; the defaults are those of points without a known model."""

    name: str
    title: str = ""
    rows: HeldOutRows | None = None
    model: ModelFacts = field(default_factory=lambda: ModelFacts("table of points"))
    summary: RunSummary | None = None
    flip: bool = False
    noise: tuple[LabelNoise, ...] = ()


def evaluate_predictions(data: LabeledFaces, predictions: Predictions, origin: Origin, *, seed: int = 0) -> Evaluation:
    """Evaluate predictions for exactly these faces. Raises BadChoice where there is nothing to score."""
    groups = group_alike(data.faces)
    predicted = predictions.points
    labels = data.points, data.observed
    rmse = face_rmse(predicted, *labels)
    among = plausible(rmse, data)
    properties = face_properties(data)
    every = HeldOutRows(np.ones(len(data), np.bool_), "all", f"all {len(data):,} rows")
    expected = predictions.expected_error
    return Evaluation(
        name=origin.name,
        title=origin.title or origin.name,
        data=data,
        predictions=predictions,
        groups=groups,
        scores=score(predicted, *labels, data.source, data.keypoints, groups=groups, seed=seed),
        face_rmse=rmse,
        properties=properties,
        by_property=property_scores(data, predicted, properties, groups, among),
        patterns=pattern_scores(data, predicted, properties, groups, among),
        outliers=int((data.observed.any(axis=1) & ~among).sum()),
        calibration=None if expected is None else calibration(data, predicted, expected, groups),
        label_issues=label_issues(data, predictions),
        noise=list(origin.noise),
        rows=origin.rows or every,
        model=origin.model,
        summary=origin.summary,
        flip=origin.flip,
        seed=seed,
    )


def label_issues(data: LabeledFaces, predictions: Predictions) -> list[LabelIssue]:
    """Labels far from a confident prediction, the largest ratio first, one for each face.

    The usual distance follows from the expected error; without one, from the other points of the face. It is at least
    the median distance of the keypoint.
    """
    distance = point_distances(predictions.points, data.points, data.observed)
    if predictions.expected_error is not None:
        usual = np.sqrt(2) * predictions.expected_error.astype(np.float64)  # of a distance, not of one coordinate
    else:
        usual = _of_the_others(distance, data.observed)
    each = [distance[known, k] for k, known in enumerate(data.observed.T)]
    floor = np.array([float(np.median(own)) if len(own) else np.inf for own in each])
    ratio = np.where(data.observed, distance / np.maximum(np.maximum(usual, floor), 1e-6), 0.0)
    found = []
    for face in np.flatnonzero((ratio > ISSUE_RATIO).any(axis=1)).tolist():
        k = int(ratio[face].argmax())
        name = data.keypoints.names[k]
        found.append(LabelIssue(face, int(data.row[face]), name, float(distance[face, k]), float(ratio[face, k])))
    return sorted(found, key=lambda issue: (-issue.ratio, issue.row))


def _of_the_others(distance: NDArray[np.float64], observed: NDArray[np.bool_]) -> NDArray[np.float64]:
    """For the worst point of each face the upper quartile of its other distances, of three labels or more; else inf."""
    usual = np.full(distance.shape, np.inf)
    for face in np.flatnonzero(observed.sum(axis=1) > 2).tolist():
        own = np.flatnonzero(observed[face])
        worst = own[distance[face, own].argmax()]
        usual[face, worst] = np.quantile(distance[face, own[own != worst]], 0.75)
    return usual

"""A predictor's answers on some faces, looked at from all sides: everything that a report tells. No torch."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facepoints.data.dataset import LabeledFaces
from facepoints.data.similarity import group_alike
from facepoints.evaluation.calibration import Calibration, calibration
from facepoints.evaluation.error_breakdown import Hardness, PatternScore, believable, hardness, pattern_scores
from facepoints.evaluation.face_properties import FaceFacts, face_facts
from facepoints.evaluation.label_noise import LabelNoise
from facepoints.evaluation.predictor import ModelFacts, Predictions
from facepoints.evaluation.run_summary import RunSummary
from facepoints.metrics import face_rmse, point_distances
from facepoints.scores import Scores, score

SURE = 3.0
"""A label is doubted where it lies more than so many times as far off as the model's usual error for such a point."""


@dataclass(frozen=True)
class Doubt:
    """A label that a model contradicts although it is sure: a candidate for `facepoints audit`."""

    position: int
    row: int
    keypoint: str
    distance: float
    """px from the label to the answer"""
    times: float
    """as many times the error that the model expects there, or that its other points of this face have"""


@dataclass(frozen=True)
class Evaluation:
    """n scored faces, what was answered, and what follows from it."""

    title: str
    data: LabeledFaces
    answers: Predictions
    groups: NDArray[np.int64]
    scores: Scores
    rmse: NDArray[np.float64]
    """(n,) px, of each face; 0 where nothing is labeled"""
    facts: FaceFacts
    hardness: list[Hardness]
    patterns: list[PatternScore]
    beyond: int
    """labeled faces that were left out of these two, as their labels must be wrong"""
    calibration: Calibration | None
    doubts: list[Doubt]
    noise: list[LabelNoise]
    rows_in_words: str
    model: ModelFacts
    summary: RunSummary | None
    seed: int

    def labeled(self) -> NDArray[np.int64]:
        """Positions of the faces that have a label."""
        return np.flatnonzero(self.data.observed.any(axis=1))

    def sources(self) -> list[int]:
        """The numbers of the sources that occur."""
        return [int(s) for s in np.unique(self.data.source)]

    def as_dict(self) -> dict[str, Any]:
        """For scores.json: the scores, and all that was found beside them."""
        return {
            "title": self.title,
            **self.scores.as_dict(),
            "label_noise": [asdict(noise) for noise in self.noise],
            "errs_where": [one.as_dict() for one in self.hardness],
            "faces_left_out_there": self.beyond,
            "missing_patterns": [asdict(pattern) for pattern in self.patterns],
            "calibration": None if self.calibration is None else self.calibration.as_dict(),
            "doubted_labels": [
                {"row": d.row, "keypoint": d.keypoint, "distance": d.distance, "times": d.times} for d in self.doubts
            ],
        }


def evaluate_predictions(
    data: LabeledFaces,
    answers: Predictions,
    *,
    title: str,
    noise: list[LabelNoise] | None = None,
    rows_in_words: str = "",
    model: ModelFacts | None = None,
    summary: RunSummary | None = None,
    seed: int = 0,
) -> Evaluation:
    """Score the answers on the data and find out where they err. Raises BadChoice where there is nothing to score."""
    groups = group_alike(data.faces)
    predicted = answers.points
    labels = data.points, data.observed
    rmse = face_rmse(predicted, *labels)
    among = believable(rmse, data)
    scores = score(predicted, *labels, data.source, data.keypoints, groups=groups, seed=seed)
    facts = face_facts(data)
    known = None
    if answers.expected_error is not None:
        known = calibration(data, predicted, answers.expected_error, groups)
    return Evaluation(
        title=title,
        data=data,
        answers=answers,
        groups=groups,
        scores=scores,
        rmse=rmse,
        facts=facts,
        hardness=hardness(data, predicted, facts, groups, among),
        patterns=pattern_scores(data, predicted, facts, groups, among),
        beyond=int((data.observed.any(axis=1) & ~among).sum()),
        calibration=known,
        doubts=doubts(data, answers),
        noise=noise or [],
        rows_in_words=rows_in_words or f"all {len(data):,} rows",
        model=model or ModelFacts("table of points"),
        summary=summary,
        seed=seed,
    )


def doubts(data: LabeledFaces, answers: Predictions) -> list[Doubt]:
    """Labels that are contradicted by a sure model, the clearest first, one for each face.

    Sure of a point is who expects a small error there. Of a model that does not say, a face's other points tell: where
    they are met and one is not, the one is doubted. What a point is usually off by is the least that counts as usual.
    """
    distance = point_distances(answers.points, data.points, data.observed)
    if answers.expected_error is not None:
        usual = np.sqrt(2) * answers.expected_error.astype(np.float64)  # of a distance, not of one coordinate
    else:
        usual = _of_the_others(distance, data.observed)
    each = [distance[seen, k] for k, seen in enumerate(data.observed.T)]
    floor = np.array([float(np.median(own)) if len(own) else np.inf for own in each])
    times = np.where(data.observed, distance / np.maximum(np.maximum(usual, floor), 1e-6), 0.0)
    found = []
    for face in np.flatnonzero((times > SURE).any(axis=1)).tolist():
        k = int(times[face].argmax())
        name = data.keypoints.names[k]
        found.append(Doubt(face, int(data.row[face]), name, float(distance[face, k]), float(times[face, k])))
    return sorted(found, key=lambda d: (-d.times, d.row))


def _of_the_others(distance: NDArray[np.float64], observed: NDArray[np.bool_]) -> NDArray[np.float64]:
    """For each face's worst point the upper quartile of its other distances, of three labels or more; else inf."""
    usual = np.full(distance.shape, np.inf)
    for face in np.flatnonzero(observed.sum(axis=1) > 2).tolist():
        own = np.flatnonzero(observed[face])
        worst = own[distance[face, own].argmax()]
        usual[face, worst] = np.quantile(distance[face, own[own != worst]], 0.75)
    return usual

"""Compare models on the same observed values: which is better, by how much, with which p-value. No torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facepoints.data.dataset import LabeledFaces
from facepoints.data.similarity import group_alike
from facepoints.errors import BadChoice
from facepoints.evaluation.predictor import HeldOutRows, ModelFacts, Predictor, predictions_on
from facepoints.evaluation.result import html_table
from facepoints.evaluation.significance import RESAMPLES, Difference, paired_bootstrap, welch
from facepoints.metrics import squared_error_sums
from facepoints.scores import Scores, score

FEWEST_FACES = 30
"""Minimum number of labeled faces for a comparison."""
TIMED = 32
"""Number of faces in the batch that is timed."""


@dataclass(frozen=True)
class Candidate:
    """One line of the table: a model, or the trainings of a recipe with several seeds."""

    name: str
    models: tuple[Predictor, ...]


@dataclass(frozen=True)
class CandidateResult:
    """The result of a candidate."""

    name: str
    facts: ModelFacts
    own_rows: HeldOutRows
    """the rows on which it could be evaluated alone"""
    points: NDArray[np.floating[Any]]
    """(n, k, 2) px: its predictions, of several trainings those of the first"""
    scores: Scores
    """over all its trainings"""
    interval: tuple[float, float]
    """95 % interval of its RMSE, px"""
    to_best: Difference | None
    """its RMSE minus that of the best, by paired bootstrap over faces; None for the best"""
    by_seed: tuple[float, ...]
    """RMSE of each training, px"""
    to_best_over_seeds: Difference | None
    """the same difference by Welch's t test over trainings; None for the best, or for a single training"""
    ms_per_face: float | None

    def as_dict(self) -> dict[str, Any]:
        """For compare.json."""
        return {
            "name": self.name,
            "kind": self.facts.kind,
            **{key: value for key, value in self.scores.as_dict().items() if key != "rmse_interval"},
            "rmse_interval": list(self.interval),
            "to_best": None if self.to_best is None else asdict(self.to_best),
            "rmse_of_each_training": list(self.by_seed),
            "to_best_over_trainings": None if self.to_best_over_seeds is None else asdict(self.to_best_over_seeds),
            "parameters": self.facts.parameters,
            "ms_per_face": self.ms_per_face,
            "training_seconds": self.facts.training_seconds,
            "own_rows": self.own_rows.description,
        }


@dataclass(frozen=True, repr=False)
class Comparison:
    """The candidates, the best first, on n common faces."""

    results: tuple[CandidateResult, ...]
    data: LabeledFaces
    groups: NDArray[np.int64]
    rows_description: str
    seed: int

    @property
    def rmse(self) -> dict[str, float]:
        """RMSE of each candidate, px, the best first."""
        return {result.name: result.scores.rmse for result in self.results}

    def __repr__(self) -> str:
        rmse = ", ".join(f"{name} {value:.3f} px" for name, value in self.rmse.items())
        return f"Comparison(RMSE on {len(self.data):,} faces: {rmse})"

    def _repr_html_(self) -> str:
        rows = [
            [r.name, f"{r.scores.rmse:.3f}", "" if r.to_best is None else f"{r.to_best.p_value:.3g}"]
            for r in self.results
        ]
        return html_table(f"{len(self.data):,} common faces", ["model", "RMSE, px", "p"], rows)

    def as_dict(self) -> dict[str, Any]:
        """For compare.json."""
        return {
            "rows_description": self.rows_description,
            "faces": len(self.data),
            "keypoints": list(self.data.keypoints.names),
            "resamples": RESAMPLES,
            "seed": self.seed,
            "models": [result.as_dict() for result in self.results],
            "row_numbers": self.data.row.tolist(),
        }


def compare(
    candidates: Sequence[Candidate],
    data: LabeledFaces,
    *,
    rows_of: Predictor | None = None,
    flip: bool = False,
    timing: bool = True,
    seed: int = 0,
    progress: Callable[[str], None] = lambda step: None,
) -> Comparison:
    """Score all candidates on the rows that none was trained on and the keypoints that all predict.

    Raises BadChoice for fewer than two candidates, too few common rows or no common keypoint. `progress` is called with
    the next step. Everything except the times is the same for the same seed.
    """
    _check_names(candidates)
    candidates = sorted(candidates, key=lambda candidate: candidate.name)  # the order given must not matter
    some, own_rows, words = common_faces(candidates, data, rows_of)
    groups = group_alike(some.faces)
    predictions: list[list[NDArray[np.floating[Any]]]] = []
    for candidate in candidates:
        progress(f"predicting with {candidate.name}")
        predictions.append([predictions_on(some, model, flip=flip).points for model in candidate.models])
    progress("resampling")
    labels = some.points, some.observed
    each = [[squared_error_sums(points, *labels) for points in own] for own in predictions]
    counts = each[0][0][1]
    sums = [np.mean([squares for squares, _ in own], axis=0) for own in each]
    bootstrap = paired_bootstrap(sums, counts, groups, seed=seed)
    best = int(np.argmin(bootstrap.rmse))
    by_seed = [[float(np.sqrt(squares.sum() / counts.sum())) for squares, _ in own] for own in each]
    results = []
    for i, candidate in enumerate(candidates):
        progress(f"timing {candidate.name}")
        first = candidate.models[0]
        several = i != best and min(len(by_seed[i]), len(by_seed[best])) > 1
        results.append(
            CandidateResult(
                name=candidate.name,
                facts=first.facts,
                own_rows=own_rows[i],
                points=predictions[i][0],
                scores=_pooled(predictions[i], some, groups, seed),
                interval=bootstrap.interval(i),
                to_best=None if i == best else bootstrap.difference(i, best),
                by_seed=tuple(by_seed[i]),
                to_best_over_seeds=welch(by_seed[i], by_seed[best]) if several else None,
                ms_per_face=first.milliseconds(some.take(np.arange(TIMED) % len(some))) if timing else None,
            )
        )
    results.sort(key=lambda result: (result.scores.rmse, result.name))
    return Comparison(tuple(results), some, groups, words, seed)


def common_faces(
    candidates: Sequence[Candidate], data: LabeledFaces, rows_of: Predictor | None = None
) -> tuple[LabeledFaces, list[HeldOutRows], str]:
    """The faces and keypoints common to all, the held-out rows of each candidate, and a description of the rows."""
    models = [model for candidate in candidates for model in candidate.models]
    names = _common_points(models, data)
    held_out = [[model.held_out_rows(data) for model in candidate.models] for candidate in candidates]
    chosen = np.logical_and.reduce([rows.chosen for own in held_out for rows in own])
    if rows_of is not None:
        chosen &= rows_of.held_out_rows(data).chosen
    some = data.only(names).take(chosen)
    some = some.take(np.flatnonzero(some.observed.any(axis=1)))
    sizes = [int(rows.chosen.sum()) for own in held_out for rows in own]
    words = f"{len(some):,} rows that none of the models was trained on, as far as is known"
    if len({rows.chosen.tobytes() for own in held_out for rows in own}) > 1:
        words += f"; each alone could be evaluated on {min(sizes):,} to {max(sizes):,} rows"
    if len(names) < len(data.keypoints):
        words += f"; for the {len(names)} keypoints that all models predict ({', '.join(names)})"
    if len(some) < FEWEST_FACES:
        raise BadChoice(
            f"only {len(some):,} labeled rows are left on which none of these models was trained, expected at least "
            f"{FEWEST_FACES}. Train them with the same split and seed, or give other data"
        )
    return some, [own[0] for own in held_out], words


def _common_points(models: Sequence[Predictor], data: LabeledFaces) -> tuple[str, ...]:
    common = set(data.keypoints.names)
    for model in models:
        common &= set(model.keypoints.names)
        if not common:
            raise BadChoice(
                f"{model.name}: no keypoint is predicted by all models and labeled in the data. Leave it out"
            )
    return tuple(name for name in data.keypoints.names if name in common)


def _pooled(
    predictions: Sequence[NDArray[np.floating[Any]]], data: LabeledFaces, groups: NDArray[np.int64], seed: int
) -> Scores:
    """The scores over the predictions of several trainings, as if each were for a face of its own."""
    times = len(predictions)
    labels = np.tile(data.points, (times, 1, 1)), np.tile(data.observed, (times, 1))
    every = np.tile(data.source, times), data.keypoints
    return score(np.concatenate(predictions), *labels, *every, groups=np.tile(groups, times), seed=seed)


def _check_names(candidates: Sequence[Candidate]) -> None:
    if len(candidates) < 2:
        raise BadChoice("a comparison needs models: give two or more")
    names = [candidate.name for candidate in candidates]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise BadChoice(f"{', '.join(twice)} given twice: give each model or recipe once")

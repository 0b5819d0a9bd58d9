"""Models side by side on the same observed values: which is better, by how much, and could it be luck? No torch."""

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
from facepoints.evaluation.significance import RESAMPLES, Difference, paired_bootstrap, welch
from facepoints.metrics import squared_error_sums
from facepoints.scores import Scores, score

FEWEST_FACES = 30
"""Labeled faces from which models are compared."""
TIMED = 32
"""Faces in the batch that is timed."""


@dataclass(frozen=True)
class Candidate:
    """One line of the table: a model, or a recipe's trainings with several seeds."""

    name: str
    models: tuple[Predictor, ...]


@dataclass(frozen=True)
class CandidateResult:
    """What was found about an entrant."""

    name: str
    facts: ModelFacts
    own_rows: HeldOutRows
    """the rows that it could be judged on alone"""
    points: NDArray[np.floating[Any]]
    """(n, k, 2) px: its answers, of several trainings the first one's"""
    scores: Scores
    """over all its trainings"""
    interval: tuple[float, float]
    """95 % of its RMSE, px"""
    to_best: Difference | None
    """its RMSE less that of the best, by the paired bootstrap over faces; None for the best"""
    by_seed: tuple[float, ...]
    """RMSE of each training, px"""
    to_best_over_seeds: Difference | None
    """the same difference by Welch's t over trainings; None for the best, or where there is one training"""
    ms_per_face: float | None


@dataclass(frozen=True)
class Comparison:
    """The rivals, the best first, on n common faces."""

    results: tuple[CandidateResult, ...]
    data: LabeledFaces
    groups: NDArray[np.int64]
    rows_in_words: str
    seed: int

    def as_dict(self) -> dict[str, Any]:
        """For compare.json."""
        return {
            "rows_in_words": self.rows_in_words,
            "faces": len(self.data),
            "keypoints": list(self.data.keypoints.names),
            "resamples": RESAMPLES,
            "seed": self.seed,
            "models": [_as_dict(result) for result in self.results],
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
    step: Callable[[str], None] = lambda name: None,
) -> Comparison:
    """Score all entrants on the rows that none of them was trained on, over the points that all of them answer.

    Raises BadChoice where fewer than two are given, or too few rows or no points are common. `step` hears what comes
    next. All but the times are the same for the same seed.
    """
    _check_names(candidates)
    candidates = sorted(
        candidates, key=lambda candidate: candidate.name
    )  # the same draws in whatever order they are named
    some, own_rows, words = common_faces(candidates, data, rows_of)
    groups = group_alike(some.faces)
    answers: list[list[NDArray[np.floating[Any]]]] = []
    for candidate in candidates:
        step(f"asking {candidate.name}")
        answers.append([predictions_on(some, model, flip=flip).points for model in candidate.models])
    step("drawing faces")
    labels = some.points, some.observed
    each = [[squared_error_sums(points, *labels) for points in own] for own in answers]
    counts = each[0][0][1]
    sums = [np.mean([squares for squares, _ in own], axis=0) for own in each]
    drawn = paired_bootstrap(sums, counts, groups, seed=seed)
    best = int(np.argmin(drawn.rmse))
    by_seed = [[float(np.sqrt(squares.sum() / counts.sum())) for squares, _ in own] for own in each]
    results = []
    for i, candidate in enumerate(candidates):
        step(f"timing {candidate.name}")
        first = candidate.models[0]
        several = i != best and min(len(by_seed[i]), len(by_seed[best])) > 1
        results.append(
            CandidateResult(
                name=candidate.name,
                facts=first.facts,
                own_rows=own_rows[i],
                points=answers[i][0],
                scores=_pooled(answers[i], some, groups, seed),
                interval=drawn.interval(i),
                to_best=None if i == best else drawn.difference(i, best),
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
    """The faces and points that all may be asked about, each entrant's own rows, and why these, in words."""
    models = [model for candidate in candidates for model in candidate.models]
    names = _common_points(models, data)
    fair = [[model.held_out_rows(data) for model in candidate.models] for candidate in candidates]
    chosen = np.logical_and.reduce([rows.chosen for own in fair for rows in own])
    if rows_of is not None:
        chosen &= rows_of.held_out_rows(data).chosen
    some = data.only(names).take(chosen)
    some = some.take(np.flatnonzero(some.observed.any(axis=1)))
    sizes = [int(rows.chosen.sum()) for own in fair for rows in own]
    words = f"{len(some):,} rows that none of them was trained on, as far as is known"
    if len({rows.chosen.tobytes() for own in fair for rows in own}) > 1:
        words += f"; alone they could be judged on {min(sizes):,} to {max(sizes):,}, which are not the same rows"
    if len(names) < len(data.keypoints):
        words += f"; over the {len(names)} points that all of them answer ({', '.join(names)})"
    if len(some) < FEWEST_FACES:
        raise BadChoice(
            f"only {len(some):,} labeled rows are left that none of these models was trained on, expected at least "
            f"{FEWEST_FACES}. Train them with the same split and seed, or give data that none of them has seen"
        )
    return some, [own[0] for own in fair], words


def _common_points(models: Sequence[Predictor], data: LabeledFaces) -> tuple[str, ...]:
    common = set(data.keypoints.names)
    for model in models:
        common &= set(model.keypoints.names)
        if not common:
            raise BadChoice(f"{model.name}: no point is answered by all models and labeled in the data. Leave it out")
    return tuple(name for name in data.keypoints.names if name in common)


def _pooled(
    answers: Sequence[NDArray[np.floating[Any]]], data: LabeledFaces, groups: NDArray[np.int64], seed: int
) -> Scores:
    """The scores over several answers to the same faces, as if each were a face of its own (of the same group)."""
    times = len(answers)
    labels = np.tile(data.points, (times, 1, 1)), np.tile(data.observed, (times, 1))
    every = np.tile(data.source, times), data.keypoints
    return score(np.concatenate(answers), *labels, *every, groups=np.tile(groups, times), seed=seed)


def _check_names(candidates: Sequence[Candidate]) -> None:
    if len(candidates) < 2:
        raise BadChoice("one model has nothing to be compared with: give two or more")
    names = [candidate.name for candidate in candidates]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise BadChoice(f"{', '.join(twice)} is there twice: give each model or recipe once")


def _as_dict(result: CandidateResult) -> dict[str, Any]:
    return {
        "name": result.name,
        "kind": result.facts.kind,
        **{key: value for key, value in result.scores.as_dict().items() if key != "rmse_interval"},
        "rmse_interval": list(result.interval),
        "to_best": None if result.to_best is None else asdict(result.to_best),
        "rmse_of_each_training": list(result.by_seed),
        "to_best_over_trainings": None if result.to_best_over_seeds is None else asdict(result.to_best_over_seeds),
        "parameters": result.facts.parameters,
        "ms_per_face": result.ms_per_face,
        "training_seconds": result.facts.training_seconds,
        "own_rows": result.own_rows.why,
    }

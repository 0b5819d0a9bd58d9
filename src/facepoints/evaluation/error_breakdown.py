"""Where a model errs: RMSE by what may make a face hard, each figure with its interval."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facepoints.data.dataset import LabeledFaces
from facepoints.evaluation.face_properties import FaceFacts, Fact
from facepoints.metrics import rmse_interval, source_name, squared_error_sums
from facepoints.reports.charts import Plot, Trace

BINS = 6
"""Parts of equally many faces that a scale is cut into."""
FEWEST = 15
"""Faces without which a part is not told of."""
FAR = 5.0
"""A face counts as wrongly labeled here when its RMSE is more than so many times that of its source's median face."""
_PATTERNS = 8


@dataclass(frozen=True)
class Part:
    """The faces of one stretch of a scale, or of one kind."""

    faces: int
    middle: float
    """median of the faces' values"""
    low: float
    high: float
    rmse: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class Hardness:
    """RMSE along one scale, for each source apart: their labels are not the same points."""

    column: str
    title: str
    by_source: dict[str, tuple[Part, ...]]
    excess: float
    """share of all squared error that would go if every part were as good as the source's median part"""
    worst: str
    """what the faces of the worst part are like: "turned to the left", "in the middle" """

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def plot(self) -> Plot:
        """One line of dots a source."""
        traces = []
        for name, parts in self.by_source.items():
            low, high = (np.array([p.interval[i] for p in parts]) for i in (0, 1))
            x, y = np.array([p.middle for p in parts]), np.array([p.rmse for p in parts])
            traces.append(Trace(f"source {name}", x, y, low, high, dots=True))
        return Plot(self.title, tuple(traces), self.title, "RMSE, px")


@dataclass(frozen=True)
class PatternScore:
    """The faces that lack exactly the same labels."""

    missing: tuple[str, ...]
    faces: int
    rmse: float
    interval: tuple[float, float] | None


def believable(rmse: NDArray[np.float64], data: LabeledFaces) -> NDArray[np.bool_]:
    """(n,) which labeled faces are compared: one whose labels lie elsewhere altogether outweighs fifty hard ones."""
    labeled: NDArray[np.bool_] = np.asarray(data.observed.any(axis=1))
    good = np.array(labeled)
    for source in np.unique(data.source[labeled]):
        rows = labeled & (data.source == source)
        good[rows] = rmse[rows] <= FAR * np.median(rmse[rows])
    return good


def hardness(
    data: LabeledFaces,
    predicted: NDArray[np.floating[Any]],
    facts: FaceFacts,
    groups: NDArray[np.int64],
    among: NDArray[np.bool_],
) -> list[Hardness]:
    """What errs where, of the faces `among` (n,): the scale whose bad end costs most first.

    Scales on which too few faces lie are absent.
    """
    sums, counts = squared_error_sums(predicted, data.points, data.observed)
    found = []
    for fact in facts.facts:
        by_source, excess, worst = {}, 0.0, (-1.0, "")
        for source in np.unique(data.source):
            rows = np.flatnonzero((data.source == source) & among & np.isfinite(fact.values))
            parts = _parts(fact, rows)
            if len(parts) < 2:
                continue
            told = [_part(fact, part, sums, counts, groups) for part in parts]
            by_source[source_name(int(source))] = tuple(told)
            usual = float(np.median([p.rmse for p in told])) ** 2
            over = [float(sums[part].sum() - usual * counts[part].sum()) for part in parts]
            excess += sum(max(0.0, o) for o in over)
            most = int(np.argmax(over))
            words = {0: fact.low, len(parts) - 1: fact.high}.get(most, "in the middle of the scale")
            worst = max(worst, (over[most], words))
        if by_source:
            share = excess / max(float(sums[among].sum()), 1e-12)
            found.append(Hardness(fact.column, fact.title, by_source, share, worst[1]))
    return sorted(found, key=lambda h: -h.excess)


def pattern_scores(
    data: LabeledFaces,
    predicted: NDArray[np.floating[Any]],
    facts: FaceFacts,
    groups: NDArray[np.int64],
    among: NDArray[np.bool_],
) -> list[PatternScore]:
    """RMSE of the most frequent patterns of missing labels, most faces first."""
    sums, counts = squared_error_sums(predicted, data.points, data.observed)
    rows_of: dict[tuple[str, ...], list[int]] = {}
    for i, missing in enumerate(facts.missing):
        if among[i]:
            rows_of.setdefault(missing, []).append(i)
    found = []
    for missing, members in sorted(rows_of.items(), key=lambda item: (-len(item[1]), item[0]))[:_PATTERNS]:
        rows = np.array(members)
        rmse = math.sqrt(sums[rows].sum() / counts[rows].sum())
        found.append(
            PatternScore(missing, len(rows), rmse, rmse_interval(sums[rows], counts[rows], groups=groups[rows]))
        )
    return found


def _parts(fact: Fact, rows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """The rows in the order of their values, cut into parts of equally many."""
    bins = min(BINS, len(rows) // FEWEST)
    if bins < 2:
        return []
    order = rows[np.argsort(fact.values[rows], kind="stable")]
    return [part for part in np.array_split(order, bins) if len(part)]


def _part(
    fact: Fact,
    rows: NDArray[np.int64],
    sums: NDArray[np.float64],
    counts: NDArray[np.int64],
    groups: NDArray[np.int64],
) -> Part:
    values = fact.values[rows]
    rmse = math.sqrt(sums[rows].sum() / counts[rows].sum())
    interval = rmse_interval(sums[rows], counts[rows], groups=groups[rows]) or (rmse, rmse)
    return Part(len(rows), float(np.median(values)), float(values.min()), float(values.max()), rmse, interval)

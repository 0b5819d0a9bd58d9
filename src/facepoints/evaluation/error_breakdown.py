"""Error breakdown: RMSE by head pose, image quality and missing labels, with intervals."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facepoints.data.dataset import LabeledFaces
from facepoints.evaluation.face_properties import FaceProperties, FaceProperty
from facepoints.metrics import rmse_interval, source_name, squared_error_sums

BINS = 6
"""Number of bins of equally many faces for each property."""
FEWEST = 15
"""Minimum number of faces for a bin."""
OUTLIER = 5.0
"""Faces whose RMSE is more than this many times the median RMSE per face of their source count as mislabeled."""
_PATTERNS = 8


@dataclass(frozen=True)
class Bin:
    """Faces with similar values of a property."""

    faces: int
    median: float
    """of the values"""
    low: float
    high: float
    rmse: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class PropertyScores:
    """RMSE by one property, separately for each source: their labels are not the same points."""

    column: str
    title: str
    by_source: dict[str, tuple[Bin, ...]]
    excess: float
    """share of all squared error that would vanish if every bin were as good as the median bin of its source"""
    worst: str
    """description of the faces in the worst bin: "turned to the left" """


@dataclass(frozen=True)
class PatternScore:
    """Faces that lack exactly the same labels."""

    missing: tuple[str, ...]
    faces: int
    rmse: float
    interval: tuple[float, float] | None


def plausible(rmse: NDArray[np.float64], data: LabeledFaces) -> NDArray[np.bool_]:
    """(n,) labeled faces without outliers: a mislabeled face would outweigh fifty difficult ones."""
    labeled: NDArray[np.bool_] = np.asarray(data.observed.any(axis=1))
    good = np.array(labeled)
    for source in np.unique(data.source[labeled]):
        rows = labeled & (data.source == source)
        good[rows] = rmse[rows] <= OUTLIER * np.median(rmse[rows])
    return good


def property_scores(
    data: LabeledFaces,
    predicted: NDArray[np.floating[Any]],
    properties: FaceProperties,
    groups: NDArray[np.int64],
    among: NDArray[np.bool_],
) -> list[PropertyScores]:
    """RMSE by property of the faces `among` (n,), the largest excess error first; absent for too few faces."""
    sums, counts = squared_error_sums(predicted, data.points, data.observed)
    found = []
    for one in properties.properties:
        by_source, excess, worst = {}, 0.0, (-1.0, "")
        for source in np.unique(data.source):
            rows = np.flatnonzero((data.source == source) & among & np.isfinite(one.values))
            parts = _bins(one, rows)
            if len(parts) < 2:
                continue
            bins = [_bin(one, part, sums, counts, groups) for part in parts]
            by_source[source_name(int(source))] = tuple(bins)
            usual = float(np.median([b.rmse for b in bins])) ** 2
            over = [float(sums[part].sum() - usual * counts[part].sum()) for part in parts]
            excess += sum(max(0.0, o) for o in over)
            most = int(np.argmax(over))
            description = {0: one.low, len(parts) - 1: one.high}.get(most, "in the middle of the scale")
            worst = max(worst, (over[most], description))
        if by_source:
            share = excess / max(float(sums[among].sum()), 1e-12)
            found.append(PropertyScores(one.column, one.title, by_source, share, worst[1]))
    return sorted(found, key=lambda found: -found.excess)


def pattern_scores(
    data: LabeledFaces,
    predicted: NDArray[np.floating[Any]],
    properties: FaceProperties,
    groups: NDArray[np.int64],
    among: NDArray[np.bool_],
) -> list[PatternScore]:
    """RMSE of the most frequent patterns of missing labels, most faces first."""
    sums, counts = squared_error_sums(predicted, data.points, data.observed)
    rows_of: dict[tuple[str, ...], list[int]] = {}
    for i, missing in enumerate(properties.missing):
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


def _bins(one: FaceProperty, rows: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """The rows sorted by their values, in bins of equally many."""
    bins = min(BINS, len(rows) // FEWEST)
    if bins < 2:
        return []
    order = rows[np.argsort(one.values[rows], kind="stable")]
    return [part for part in np.array_split(order, bins) if len(part)]


def _bin(
    one: FaceProperty,
    rows: NDArray[np.int64],
    sums: NDArray[np.float64],
    counts: NDArray[np.int64],
    groups: NDArray[np.int64],
) -> Bin:
    values = one.values[rows]
    rmse = math.sqrt(sums[rows].sum() / counts[rows].sum())
    interval = rmse_interval(sums[rows], counts[rows], groups=groups[rows]) or (rmse, rmse)
    return Bin(len(rows), float(np.median(values)), float(values.min()), float(values.max()), rmse, interval)

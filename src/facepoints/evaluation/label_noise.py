"""Label noise: a lower bound of the RMSE, from images that were labeled twice.

A perfect model still differs from its labels by their noise. Where an image occurs in two rows with independent labels,
their difference has twice the variance of one label, so the RMSE of a single label is the root mean square difference
of a coordinate / sqrt(2): Dahlberg, "Statistical Methods for Medical and Biological Students" (1940), chapter IX.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facepoints.data.dataset import LabeledFaces
from facepoints.data.duplicates import NearDuplicates, find_near_duplicates
from facepoints.data.similarity import ALIKE
from facepoints.metrics import rmse_interval, source_name

OUTLYING = 4.0
"""Two labels of a point farther apart than this many standard deviations of a coordinate difference are an outlier;
of correct pairs one in 3,000 is (Rayleigh: exp(-4 ** 2 / 2))."""
FEWEST = 10
"""Minimum number of label pairs for an estimate."""
_COPY = 1e-3  # px: labels that agree so well are copies


@dataclass(frozen=True)
class LabelNoise:
    """Label noise of one source."""

    source: str
    rmse: float
    """px, of a single label: the lowest RMSE that a model can reach on such labels"""
    interval: tuple[float, float] | None
    """95 % bootstrap over image pairs"""
    pictures: int
    """images in two rows with independent labels"""
    points: int
    """label pairs compared"""
    outlying: int
    """label pairs left out as outliers"""
    copied: int
    """image pairs left out, as their labels are copies"""


def label_noise(data: LabeledFaces, near_duplicates: list[NearDuplicates] | None = None) -> list[LabelNoise]:
    """The noise of each source; absent where it has too few near-duplicates, which are searched for unless given."""
    # enlarged or brightened copies take ten times as long to find and are few
    pairs = find_near_duplicates(data.faces, ALIKE) if near_duplicates is None else near_duplicates
    found = []
    for source in np.unique(data.source).tolist():
        own = [t for t in pairs if data.source[t.first] == source == data.source[t.second]]
        noise = _of_pairs(data, own, source_name(source))
        if noise is not None:
            found.append(noise)
    return found


def _of_pairs(data: LabeledFaces, pairs: list[NearDuplicates], source: str) -> LabelNoise | None:
    differences: list[NDArray[np.float64]] = []
    copied = 0
    for pair in pairs:
        both = data.observed[pair.first] & data.observed[pair.second]
        if not both.any():
            continue
        # the second image may be shifted or scaled a little: its labels are compared in its own pixels
        moved = data.points[pair.first, both].astype(np.float64) @ pair.matrix[:, :2].T + pair.matrix[:, 2]
        difference = moved - data.points[pair.second, both]
        if np.abs(difference).max() < _COPY:
            copied += 1
        else:
            differences.append(difference)
    if not differences:
        return None
    distance = np.concatenate([np.hypot(*d.T) for d in differences])
    # the median of a Rayleigh distribution is sqrt(2 ln 2) standard deviations of a coordinate
    deviation = float(np.median(distance)) / math.sqrt(2 * math.log(2))
    kept = [d[np.hypot(*d.T) <= OUTLYING * deviation] for d in differences]
    points = sum(len(d) for d in kept)
    if points < FEWEST:
        return None
    sums = np.array([np.square(d).sum() / 2 for d in kept])  # / 2: the variance of one label, not of a difference
    counts = np.array([2 * len(d) for d in kept], np.int64)
    return LabelNoise(
        source=source,
        rmse=math.sqrt(sums.sum() / counts.sum()),
        interval=rmse_interval(sums, counts),
        pictures=len(kept),
        points=points,
        outlying=len(distance) - points,
        copied=copied,
    )

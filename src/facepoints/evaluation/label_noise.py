"""What the labels would allow at best: how far two people lie apart who labeled one picture.

A model that always gave the true place would still differ from its labels by their noise. Where one picture stands in
two rows with labels of their own, the difference of the two has twice the variance of one label about the truth (they
err independently), so the RMSE of a single label is the root mean square difference of a coordinate / sqrt(2):
Dahlberg, "Statistical Methods for Medical and Biological Students" (1940), chapter IX.
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
"""Two labels of a point are not both right where they are farther apart than this many times the usual distance's
standard deviation; of honest pairs one in 3,000 is (Rayleigh: exp(-4 ** 2 / 2))."""
FEWEST = 10
"""Pairs of labels from which noise is stated."""
_COPY = 1e-3  # px: labels that agree so well were copied, not given twice


@dataclass(frozen=True)
class LabelNoise:
    """Of one source."""

    source: str
    rmse: float
    """px, of a single label about the truth: the lowest RMSE that any model can hope for on such labels"""
    interval: tuple[float, float] | None
    """95 % bootstrap over pairs of pictures"""
    pictures: int
    """pictures that stand in two rows with labels of their own"""
    points: int
    """pairs of labels that were compared"""
    outlying: int
    """pairs of labels left out, as one of the two must be wrong"""
    copied: int
    """pairs of pictures left out, as their labels are the same"""


def label_noise(data: LabeledFaces, near_duplicates: list[NearDuplicates] | None = None) -> list[LabelNoise]:
    """For each source what its twins tell; a source with too few is absent. Looks for twins if none are given."""
    # enlarged or brightened copies, which are less alike, take ten times as long to find and are few
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
        # the second picture may be moved or enlarged a little: its labels are compared where the first one has them
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
    usual = float(np.median(distance)) / math.sqrt(2 * math.log(2))
    kept = [d[np.hypot(*d.T) <= OUTLYING * usual] for d in differences]
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

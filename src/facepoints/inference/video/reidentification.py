"""Whether a face is the one that was seen before: by its looks, and by where that one was heading."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from facepoints.inference.regions import Gray, Regions
from facepoints.inference.video.smoothing import Smoother

Floats = NDArray[np.float64]

ALIKE, UNHIDDEN, UNLIKE, ELSE = 0.8, 0.65, 0.5, 0.3
"""Correlation of two looks: the least of a face that may come back anywhere; of one whose look is worth remembering, as
nobody stands before it; of one that comes back where it was expected; and of one that is followed or was lost this
moment. One photo's face, noisy and darker, correlates with itself at 0.90 and more (60 photos, median 0.99), those of
two people at 0.15 (median) and in one pair of twenty above 0.62."""

LONGEST_STEP = 0.5
"""Seconds from one frame to the next beyond which faces are looked for anew, not followed."""

_LOOK = 16
_NEAR, _WANDERING = 0.5, 1.0  # sides: how far from its expected place a face comes back, at once and per second
_FORGIVEN = 0.5  # seconds after which a lost face counts as away, not as hidden for a moment


@dataclass(eq=False)  # one of these is only ever itself
class Track:
    """What is remembered of one face."""

    id: int
    points: Floats
    """(k, 2) px, unsmoothed, when last seen"""
    region: Regions
    """one: where it was last looked at"""
    look: NDArray[np.float32]
    """(256,): see `looks`"""
    seen: float
    """seconds: when last seen"""
    smoother: Smoother
    velocity: Floats
    """(2,) px/s"""
    lost: bool = False
    cut: bool = False
    """lost by the end of its scene"""

    def at(self, time: float) -> Floats:
        """Where its points (k, 2) are expected, at the speed that it had."""
        return self.points + self.velocity * min(time - self.seen, 1.0)

    def moved(self, points: Floats, region: Regions, look: NDArray[np.float32], time: float) -> None:
        """It was seen again, after however long."""
        step = max(time - self.seen, 1e-3)
        speed = (points - self.points).mean(axis=0) / step
        self.velocity = np.zeros(2) if self.lost else 0.5 * (self.velocity + speed)
        if step > LONGEST_STEP:
            self.smoother = Smoother(self.smoother.strength)
        if self.lost or self.look @ look >= UNHIDDEN:
            self.look = unit(self.look + 0.5 * look)
        self.points, self.region, self.seen, self.lost, self.cut = points, region, time, False, False


def looks(gray: Gray, regions: Regions) -> NDArray[np.float32]:
    """What faces look like, (n, 256): coarse crops less their mean, as unit vectors; a product is a correlation."""
    small = [cv2.resize(crop, (_LOOK, _LOOK), interpolation=cv2.INTER_AREA).ravel() for crop in regions.crops(gray)]
    flat = np.array(small, np.float32).reshape(len(regions), _LOOK * _LOOK)
    return unit(flat - flat.mean(axis=1, keepdims=True))


def recognize(
    lost: list[Track], regions: Regions, new: NDArray[np.float32], expected: Regions, time: float
) -> dict[int, Track]:
    """Which found faces, by their position among regions (n) and looks (n, 256), are which lost ones.

    `expected` has the region (one per lost face) where each would be now. The most likely pair is matched first:
    similarity counts, and the distance from the expected place, in sides of the crop, less the longer it was away.
    """
    pairs = []
    for j, track in enumerate(lost):
        alike = new @ track.look
        away = np.linalg.norm(regions.center - expected.center[j], axis=1) / expected.side[j]
        away += np.abs(np.log(regions.side / expected.side[j]))
        away /= _NEAR + _WANDERING * (time - track.seen)
        need = ELSE + (UNLIKE - ELSE) * min((time - track.seen) / _FORGIVEN, 1.0)
        may = (alike >= ALIKE) | ((alike >= need) & (away < 1) & (not track.cut))
        pairs += [(1 - alike[i] + 0.3 * min(away[i], 2.0), i, j) for i in np.flatnonzero(may).tolist()]
    recognized: dict[int, Track] = {}
    for _, i, j in sorted(pairs):
        if i not in recognized and lost[j] not in recognized.values():
            recognized[i] = lost[j]
    return recognized


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Vectors (..., m) made one long."""
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-6), np.float32)

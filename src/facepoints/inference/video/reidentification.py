"""Tracks of faces in a video, and matching of lost tracks by appearance and predicted position."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from facepoints.inference.regions import Gray, Regions
from facepoints.inference.video.smoothing import Smoother

Floats = NDArray[np.float64]

# Minimum correlation of two appearances. Measured on 60 photos: a face correlates with a noisy, darker copy of itself
# at 0.90 or more (median 0.99); two people correlate at 0.15 (median), and above 0.62 in one pair of twenty.
MATCH_ANYWHERE = 0.8
"""A lost face is matched at any position."""
UPDATE_APPEARANCE = 0.65
"""The stored appearance is updated: the face is not occluded."""
MATCH_NEARBY = 0.5
"""A lost face is matched near its predicted position."""
KEEP_TRACK = 0.3
"""A face keeps its track from one frame to the next."""

LONGEST_GAP = 0.5
"""Seconds between two frames above which faces are detected anew instead of tracked."""

_APPEARANCE_SIZE = 16
_RADIUS, _RADIUS_GROWTH = 0.5, 1.0  # sides, sides/s: maximum distance from the predicted position
_OCCLUSION = 0.5  # seconds over which the required correlation rises from KEEP_TRACK to MATCH_NEARBY


@dataclass(eq=False)  # compared by identity
class Track:
    """The state of one tracked face."""

    id: int
    points: Floats
    """(k, 2) px, unsmoothed, at `time`"""
    region: Regions
    """one region: the crop of the last prediction"""
    appearance: NDArray[np.float32]
    """(256,): see `appearances`"""
    time: float
    """seconds: time of the last detection"""
    smoother: Smoother
    velocity: Floats
    """(2,) px/s"""
    lost: bool = False
    lost_at_cut: bool = False
    """lost because the scene changed"""

    def predicted(self, time: float) -> Floats:
        """The points (k, 2) extrapolated with constant velocity."""
        return self.points + self.velocity * min(time - self.time, 1.0)

    def update(self, points: Floats, region: Regions, appearance: NDArray[np.float32], time: float) -> None:
        """Set the state after a detection in a later frame."""
        step = max(time - self.time, 1e-3)
        speed = (points - self.points).mean(axis=0) / step
        self.velocity = np.zeros(2) if self.lost else 0.5 * (self.velocity + speed)
        if step > LONGEST_GAP:
            self.smoother = Smoother(self.smoother.strength)
        if self.lost or self.appearance @ appearance >= UPDATE_APPEARANCE:
            self.appearance = unit(self.appearance + 0.5 * appearance)
        self.points, self.region, self.time, self.lost, self.lost_at_cut = points, region, time, False, False


def appearances(gray: Gray, regions: Regions) -> NDArray[np.float32]:
    """Appearance vectors (n, 256): small crops, mean removed, unit length. A dot product is a correlation."""
    size = (_APPEARANCE_SIZE, _APPEARANCE_SIZE)
    small = [cv2.resize(crop, size, interpolation=cv2.INTER_AREA).ravel() for crop in regions.crops(gray)]
    flat = np.array(small, np.float32).reshape(len(regions), _APPEARANCE_SIZE**2)
    return unit(flat - flat.mean(axis=1, keepdims=True))


def match_lost(
    lost: list[Track], regions: Regions, new: NDArray[np.float32], predicted: Regions, time: float
) -> dict[int, Track]:
    """Assign lost tracks to detected faces, greedily by cost; returns {index of the detection: track}.

    regions: of the n detections; new: their appearances (n, 256); predicted: the region of each lost track now. The
    cost combines dissimilarity and distance from the predicted position, in sides of the crop; the tolerated distance
    grows with the time since the track was lost.
    """
    pairs = []
    for j, track in enumerate(lost):
        similarity = new @ track.appearance
        distance = np.linalg.norm(regions.center - predicted.center[j], axis=1) / predicted.side[j]
        distance += np.abs(np.log(regions.side / predicted.side[j]))
        distance /= _RADIUS + _RADIUS_GROWTH * (time - track.time)
        required = KEEP_TRACK + (MATCH_NEARBY - KEEP_TRACK) * min((time - track.time) / _OCCLUSION, 1.0)
        nearby = (similarity >= required) & (distance < 1) & (not track.lost_at_cut)
        possible = np.flatnonzero((similarity >= MATCH_ANYWHERE) | nearby).tolist()
        pairs += [(1 - similarity[i] + 0.3 * min(distance[i], 2.0), i, j) for i in possible]
    matched: dict[int, Track] = {}
    for _, i, j in sorted(pairs):
        if i not in matched and lost[j] not in matched.values():
            matched[i] = lost[j]
    return matched


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Vectors (..., m) scaled to length 1."""
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-6), np.float32)

"""Differences of two sources in the labels of the same point, in the eye frame."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from facepoints.data.dataset import LabeledFaces
from facepoints.data.head_pose import HeadPose, eye_indices, to_eye_frame, upright

FEWEST = 20
"""Minimum number of labels of each source."""


@dataclass(frozen=True)
class PointDifference:
    """Second source minus first with the eyes aligned; px at the median eye distance."""

    name: str
    dx: float
    dy: float
    """positive: the second source's point is lower"""
    dx_error: float
    dy_error: float
    """half the width of the 95 % interval"""
    labels: tuple[int, int]


@dataclass(frozen=True)
class MeanShape:
    """A source's mean points in the eye frame."""

    points: NDArray[np.float64]
    """(k, 2) px at the median eye distance, from the middle of the eyes; NaN with too few labels"""
    count: NDArray[np.int64]
    spread: NDArray[np.float64]
    """(k, 2) px, standard deviation"""


def mean_shape(data: LabeledFaces, pose: HeadPose, source: int, unit: float) -> MeanShape:
    """Trimmed means of the middle 90 % of each coordinate, robust to wrong labels. `unit`: px per eye distance."""
    good = upright(pose) & (data.source == source)
    places = to_eye_frame(data.points, pose)[good] * unit
    k = len(data.keypoints)
    mean, spread = np.full((k, 2), np.nan), np.full((k, 2), np.nan)
    count = data.observed[good].sum(axis=0)
    for i in np.flatnonzero(count >= FEWEST):
        own = places[data.observed[good, i], i]
        low, high = np.percentile(own, [5, 95], axis=0)
        for axis in range(2):
            v = own[(own[:, axis] >= low[axis]) & (own[:, axis] <= high[axis]), axis]
            mean[i, axis], spread[i, axis] = v.mean(), own[:, axis].std()
    return MeanShape(mean, count, spread)


def point_differences(data: LabeledFaces, first: MeanShape, second: MeanShape) -> list[PointDifference]:
    """The points that both sources label, by descending distance; not the eyes, which define the frame."""
    found = []
    eyes = eye_indices(data.keypoints) or ()
    for k, name in enumerate(data.keypoints.names):
        if k not in eyes and np.isfinite(first.points[k]).all() and np.isfinite(second.points[k]).all():
            dx, dy = (second.points[k] - first.points[k]).tolist()
            variance = first.spread[k] ** 2 / first.count[k] + second.spread[k] ** 2 / second.count[k]
            ex, ey = (1.96 * np.sqrt(variance)).tolist()
            found.append(PointDifference(name, dx, dy, ex, ey, (int(first.count[k]), int(second.count[k]))))
    return sorted(found, key=lambda d: -np.hypot(d.dx, d.dy))


def aligned_mean_face(
    data: LabeledFaces, pose: HeadPose, source: int, unit: float, middle: tuple[float, float], most: int = 3000
) -> NDArray[np.uint8] | None:
    """The mean, uint8 (96, 96), of a source's faces with the eyes level around `middle` (px), `unit` px apart."""
    rows = np.flatnonzero(upright(pose) & (data.source == source))[:most]
    if not len(rows):
        return None
    total = np.zeros(data.faces.shape[1:], np.float64)
    for i in rows:
        angle, zoom = np.radians(pose.roll[i]), unit / pose.eye_distance[i]
        cos, sin = zoom * np.cos(angle), zoom * np.sin(angle)
        matrix = np.array([[cos, sin, 0], [-sin, cos, 0]])
        matrix[:, 2] = np.array(middle) - matrix[:, :2] @ pose.middle[i]
        total += cv2.warpAffine(
            np.asarray(data.faces[i]),
            matrix,
            total.shape[::-1],
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
    return np.asarray(np.rint(total / len(rows)), np.uint8)

"""The square of a photo that contains a face, and its 96 x 96 grey pixels.

The square is upright. It surrounds a labeled box, or follows from the points such that the eyes are where the
competition's eyes are. Photo and face both have pixel centers at whole numbers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facepoints.data.tables.csv_file import Fault
from facepoints.keypoints import FACE_SIZE, KeypointSet

EYES = np.array([[66.0, 37.0], [30.0, 38.0]])
"""Left and right eye center of the competition's faces: rounded medians, px."""

ROOM = 4.0
"""Smallest distance of a point from the edge of the face, px, if the points determine the square."""

BOX_MARGIN = 0.05
"""Margin around a box on each side, as a fraction of its longer side. The eye distance, 36 px on the competition's
faces, becomes 32 px with boxes of OpenCV's frontal cascade (172 faces) and about 39 px with boxes from brows to chin:
no single margin fits both."""

POINTS_MARGIN = 0.3
"""Margin around the points of a face without eyes: brows to mouth span 60 of the competition's 96 px."""

_MIDDLE = (FACE_SIZE - 1) / 2


@dataclass(frozen=True)
class Crop:
    """Maps x in px of the photo to `scale * x + shift_x` in px of the face, and y likewise."""

    scale: float
    shift_x: float
    shift_y: float

    def points(self, on_photo: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Points (..., 2) from px of the photo to px of the face."""
        moved: NDArray[np.float64] = on_photo * np.float64(self.scale) + (self.shift_x, self.shift_y)
        return moved

    def face(self, photo: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The face (96, 96) in a grey photo (h, w); outside of the photo its edge pixels are repeated.

        Each pixel of the face is the exact mean of the area that it covers (like OpenCV's INTER_AREA, but with
        sub-pixel offsets), or a linear interpolation if the photo is coarser.
        """
        rows, down = _weights(self.scale, self.shift_y, photo.shape[0])
        columns, across = _weights(self.scale, self.shift_x, photo.shape[1])
        square = photo[np.ix_(rows, columns)].astype(np.float32)
        return np.rint(down @ square @ across.T).clip(0, 255).astype(np.uint8)


def _weights(scale: float, shift: float, length: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Along one axis: the m photo pixels that a face covers, and their weights for each face pixel (96, m)."""
    center = (np.arange(FACE_SIZE)[:, None] - shift) / scale  # of each face pixel, in px of the photo
    half = max(1 / scale, 1.0) / 2
    pixel = np.arange(math.floor(center[0, 0] - half), math.ceil(center[-1, 0] + half) + 1)
    covered = np.minimum(center + half, pixel + 0.5) - np.maximum(center - half, pixel - 0.5)
    return pixel.clip(0, length - 1), (covered.clip(0) / (2 * half)).astype(np.float32)


def crop_of_box(x: float, y: float, w: float, h: float) -> Crop:
    """The square around a box: first column x and row y, width and height; in px of the photo."""
    scale = FACE_SIZE / ((1 + 2 * BOX_MARGIN) * max(w, h))
    return Crop(scale, _MIDDLE - scale * (x + w / 2 - 0.5), _MIDDLE - scale * (y + h / 2 - 0.5))


def crop_of_points(points: NDArray[np.float64], observed: NDArray[np.bool_], keypoints: KeypointSet) -> Crop:
    """The square for points (k, 2) px of the photo, observed (k,); raises Fault if they do not determine a size.

    With both eyes, their middle is mapped to (48, 37.5) and their distance to 36 px, or less if another point would be
    closer than ROOM to the edge. Without them: the square around the points, with POINTS_MARGIN.
    """
    given = points[observed]
    left, right = (_eye(side, points, observed, keypoints) for side in ("left", "right"))
    if left is not None and right is not None:
        middle, anchor = (left + right) / 2, EYES.mean(axis=0)
        apart = (math.dist(left, right), math.dist(*EYES))
        away = given - middle
        reach = np.where(away > 0, FACE_SIZE - 1 - ROOM - anchor, anchor - ROOM)
        scales = [b / a for a, b in [apart, *zip(np.abs(away).flat, reach.flat, strict=True)] if a > 0]
    else:
        lowest, highest = (given.min(axis=0), given.max(axis=0)) if len(given) else (np.zeros(2), np.zeros(2))
        middle, anchor = (lowest + highest) / 2, np.full(2, _MIDDLE)
        size = float((highest - lowest).max())
        scales = [FACE_SIZE / ((1 + 2 * POINTS_MARGIN) * size)] if size > 0 else []
    if not scales:
        count = f"{len(given)} point{'s'[: len(given) != 1]}"
        raise Fault(
            f"{count} and no box do not determine the size of the face, expected both eyes or two distinct points"
        )
    shift = anchor - min(scales) * middle
    return Crop(min(scales), float(shift[0]), float(shift[1]))


def _eye(
    side: str, points: NDArray[np.float64], observed: NDArray[np.bool_], keypoints: KeypointSet
) -> NDArray[np.float64] | None:
    """Position of an eye (2,): its labeled center, else the mean of its other points if all are labeled."""
    names = keypoints.names
    for center in (f"{side}_eye_center", f"{side}_eye"):
        if center in names and observed[names.index(center)]:
            return np.asarray(points[names.index(center)])
    around = [i for i, name in enumerate(names) if name.startswith(f"{side}_eye_") and not name.endswith("_center")]
    return np.asarray(points[around].mean(axis=0)) if len(around) > 1 and observed[around].all() else None

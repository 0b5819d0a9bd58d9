"""Rotated square regions of a photo, and the mapping to crops of 96 x 96 pixels and back.

Pixel centers are whole numbers, in the photo and in the crop. Angles are radians, clockwise as displayed: 0 is an
upright face, pi / 2 one whose forehead is to the right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from facepoints.data.alignment import as_complex, squares_of_points
from facepoints.errors import BadChoice
from facepoints.keypoints import FACE_SIZE

Gray = NDArray[np.uint8]
"""A grey photo, (h, w)."""

MIDDLE = (FACE_SIZE - 1) / 2
"""Center of a crop, px of the crop."""

_FINER = 2
"""Oversampling of crops of larger squares: linear sampling alone would alias."""


@dataclass(frozen=True)
class Regions:
    """n squares in a photo, one for each face: the input of the network."""

    center: NDArray[np.float64]
    """(n, 2), px of the photo"""
    side: NDArray[np.float64]
    """(n,), px of the photo"""
    roll: NDArray[np.float64]
    """(n,), radians clockwise"""
    likelihood_ratio: NDArray[np.float64] | None = None
    """(n,): of face to non-face, according to the face detector; None: unknown"""

    def __len__(self) -> int:
        return len(self.side)

    @classmethod
    def of_boxes(cls, boxes: ArrayLike) -> Regions:
        """Upright squares with the center and the longer side of boxes (n, 4): x, y, w, h in px of the photo."""
        each = np.asarray(boxes, np.float64).reshape(-1, 4)
        center = each[:, :2] + each[:, 2:] / 2 - 0.5  # a box counts pixels, so its first column is its left edge
        return cls(center, each[:, 2:].max(axis=1, initial=0.0), np.zeros(len(each)))

    @classmethod
    def of_points(cls, points: NDArray[np.floating[Any]], mean_shape: NDArray[np.floating[Any]]) -> Regions:
        """Squares whose crops align points (n, k, 2), px of the photo, with the mean shape (k, 2), px of a crop.

        Least squares over similarity transforms (Procrustes).
        """
        return cls(*squares_of_points(points, mean_shape))

    @classmethod
    def joined(cls, parts: Sequence[Regions]) -> Regions:
        """All regions of the parts, in order."""
        if not parts:
            return cls(np.zeros((0, 2)), np.zeros(0), np.zeros(0))
        center, side, roll = ([p.center for p in parts], [p.side for p in parts], [p.roll for p in parts])
        known = [p.likelihood_ratio for p in parts if p.likelihood_ratio is not None]
        ratio = np.concatenate(known) if len(known) == len(parts) else None
        return cls(np.concatenate(center), np.concatenate(side), np.concatenate(roll), ratio)

    def take(self, which: NDArray[Any] | slice) -> Regions:
        """The regions at these positions, or where a mask is true."""
        ratio = None if self.likelihood_ratio is None else self.likelihood_ratio[which]
        return Regions(self.center[which], self.side[which], self.roll[which], ratio)

    def grown(self, factor: float) -> Regions:
        """The same squares with their sides multiplied by a factor."""
        return replace(self, side=self.side * factor)

    @property
    def boxes(self) -> NDArray[np.float64]:
        """(n, 4): x, y, w, h of the squares without their rotation, px of the photo."""
        corner = self.center + 0.5 - self.side[:, None] / 2
        return np.concatenate([corner, self.side[:, None], self.side[:, None]], axis=1)

    def on_photo(self, points: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """Points (n, k, 2) from px of the crops to px of the photo."""
        scaled_rotation = (self.side / FACE_SIZE * np.exp(1j * self.roll))[:, None]
        moved = as_complex(self.center)[:, None] + scaled_rotation * (as_complex(points) - complex(MIDDLE, MIDDLE))
        return np.stack([moved.real, moved.imag], axis=2).astype(np.float32)

    def crops(self, gray: Gray) -> NDArray[np.uint8]:
        """The crops (n, 96, 96) of a grey photo (h, w); outside of the photo its edge pixels are repeated."""
        if gray.ndim != 2 or gray.dtype != np.uint8 or not gray.size:
            raise BadChoice(f"the photo is {gray.dtype} of shape {gray.shape}, expected grey uint8 (h, w)")
        made = np.empty((len(self), FACE_SIZE, FACE_SIZE), np.uint8)
        for i in range(len(self)):
            made[i] = _crop(gray, self.center[i], float(self.side[i]), float(self.roll[i]))
        return made


def _crop(gray: Gray, center: NDArray[np.float64], side: float, roll: float) -> Gray:
    """One crop (96, 96): reduced by an integer factor first if the square is large, then rotated and sampled."""
    fine = FACE_SIZE * _FINER if side > FACE_SIZE else FACE_SIZE
    factor = max(1, int(side / fine))
    corner, part = _surroundings(gray, center, side, roll, factor)
    step = side / fine / factor  # px of the part for each sample
    cos, sin = step * np.cos(roll), step * np.sin(roll)
    x, y = (center - corner + 0.5) / factor - 0.5
    middle = (fine - 1) / 2
    back = np.array([[cos, -sin, x - cos * middle + sin * middle], [sin, cos, y - sin * middle - cos * middle]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    sampled = cv2.warpAffine(part, back, (fine, fine), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    if fine == FACE_SIZE:
        return np.asarray(sampled, np.uint8)
    return np.asarray(cv2.resize(sampled, (FACE_SIZE, FACE_SIZE), interpolation=cv2.INTER_AREA), np.uint8)


def _surroundings(
    gray: Gray, center: NDArray[np.float64], side: float, roll: float, factor: int
) -> tuple[NDArray[np.float64], Gray]:
    """Position of the first pixel, and the pixels, of the upright part of the photo around a square, reduced."""
    reach = side / 2 * (abs(np.cos(roll)) + abs(np.sin(roll))) + 2 * factor
    limit = np.array([gray.shape[1], gray.shape[0]])
    first = np.clip(np.floor(center - reach), 0, limit - 1).astype(int)
    size = np.clip(np.ceil(center + reach).astype(int) + 1, first + 1, limit) - first
    part: Gray = gray[first[1] : first[1] + size[1], first[0] : first[0] + size[0]]
    if factor == 1:
        return first.astype(np.float64), part
    over_x, over_y = -size % factor  # whole blocks, so that the factor is exact at the photo's edge
    if over_x or over_y:
        part = np.asarray(cv2.copyMakeBorder(part, 0, int(over_y), 0, int(over_x), cv2.BORDER_REPLICATE), np.uint8)
    small = (part.shape[1] // factor, part.shape[0] // factor)
    return first.astype(np.float64), np.asarray(cv2.resize(part, small, interpolation=cv2.INTER_AREA), np.uint8)

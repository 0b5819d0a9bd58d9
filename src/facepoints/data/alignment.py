"""The rotated square of a photo that frames a face as the competition's images do."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from facepoints.keypoints import FACE_SIZE

_MIDDLE = (FACE_SIZE - 1) / 2


def squares_of_points(
    points: NDArray[np.floating[Any]], mean_shape: NDArray[np.floating[Any]]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """The squares whose crops bring points (n, k, 2), px of the photo, closest to mean_shape (k, 2), px of a crop.

    Returns centers (n, 2) and sides (n,) in px of the photo, and rolls (n,) in radians clockwise. Least squares over
    similarity transforms, after Umeyama (1991), "Least-squares estimation of transformation parameters between two
    point patterns"; in the plane it is one division of complex numbers.
    """
    photo, crop = as_complex(points), as_complex(mean_shape)
    middle, mean = photo.mean(axis=1), crop.mean()
    away = crop - mean
    turn = (photo - middle[:, None]) @ away.conj() / np.maximum((away * away.conj()).real.sum(), 1e-9)
    center = middle + turn * (complex(_MIDDLE, _MIDDLE) - mean)
    return np.stack([center.real, center.imag], axis=1), FACE_SIZE * np.abs(turn), np.angle(turn)


def as_complex(points: NDArray[np.floating[Any]]) -> NDArray[np.complex128]:
    """Points (..., 2) as x + iy: a rotation is a product."""
    return points[..., 0].astype(np.float64) + 1j * points[..., 1]

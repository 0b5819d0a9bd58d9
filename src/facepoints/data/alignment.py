"""Which square of a photo holds a face as the competition's images do, turned as the face is."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from facepoints.keypoints import FACE_SIZE

_MIDDLE = (FACE_SIZE - 1) / 2


def squares_of_points(
    points: NDArray[np.floating[Any]], mean_shape: NDArray[np.floating[Any]]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """The squares in whose crops points (n, k, 2), px of the photo, come nearest to typical (k, 2), px of a crop.

    Gives centers (n, 2) and sides (n,) in px of the photo, rolls (n,) in radians clockwise. Nearest by least squares
    over moves, turns and sizes: Umeyama (1991), "Least-squares estimation of transformation parameters", which in a
    plane is one division of complex numbers.
    """
    photo, crop = as_complex(points), as_complex(mean_shape)
    middle, usual = photo.mean(axis=1), crop.mean()
    away = crop - usual
    turn = (photo - middle[:, None]) @ away.conj() / np.maximum((away * away.conj()).real.sum(), 1e-9)
    center = middle + turn * (complex(_MIDDLE, _MIDDLE) - usual)
    return np.stack([center.real, center.imag], axis=1), FACE_SIZE * np.abs(turn), np.angle(turn)


def as_complex(points: NDArray[np.floating[Any]]) -> NDArray[np.complex128]:
    """Points (..., 2) as x + iy: a turn is a product."""
    return points[..., 0].astype(np.float64) + 1j * points[..., 1]

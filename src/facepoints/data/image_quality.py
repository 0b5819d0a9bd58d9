"""Sharpness, brightness and contrast of faces."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Quality:
    """Quality of n images."""

    brightness: NDArray[np.float64]
    """(n,) mean grey value, 0 to 255"""
    contrast: NDArray[np.float64]
    """(n,) standard deviation of grey values"""
    sharpness: NDArray[np.float64]
    """(n,) standard deviation of the Laplacian divided by the contrast, low is blurred (after Pech-Pacheco et al. 2000;
    the division keeps dark images from counting as blurred)"""


def quality(faces: NDArray[np.uint8]) -> Quality:
    """Brightness, contrast and sharpness of faces (n, h, w)."""
    values = np.empty((3, len(faces)))
    for i, face in enumerate(faces):
        face = np.asarray(face)
        mean, contrast = cv2.meanStdDev(face)
        edges = cv2.meanStdDev(cv2.Laplacian(face, cv2.CV_16S))[1]
        values[:, i] = mean[0, 0], contrast[0, 0], edges[0, 0] / max(contrast[0, 0], 1.0)
    return Quality(*values)

"""Degradations of a small grey picture: lighting, blur, noise, occlusion, compression."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Picture = NDArray[np.uint8]


def degrade(picture: Picture, rng: Generator) -> Picture:
    """A grey picture (h, w) with random degradations, each applied with its own probability."""
    if rng.random() < 0.12:
        picture = _occluded(picture, rng)
    if rng.random() < 0.15:
        picture = _shaded(picture, rng)
    if rng.random() < 0.7:
        picture = _relit(picture, rng)
    if rng.random() < 0.2:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.4, 1.3)), np.uint8)
    if rng.random() < 0.25:
        noise = rng.standard_normal(picture.shape, np.float32) * np.float32(rng.uniform(1, 12))
        picture = np.clip(picture + noise, 0, 255).astype(np.uint8)
    if rng.random() < 0.15:
        done, file = cv2.imencode(".jpg", picture, (cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 90))))
        picture = np.asarray(cv2.imdecode(file, cv2.IMREAD_GRAYSCALE), np.uint8) if done else picture
    return picture


def _relit(picture: Picture, rng: Generator) -> Picture:
    """Random exposure, contrast and gamma."""
    tone = np.arange(256, dtype=np.float64) / 255
    tone = tone ** np.exp(rng.normal(0, 0.3))
    tone = (tone - 0.5) * np.exp(rng.normal(-0.1, 0.3)) + 0.5 + rng.normal(0, 0.08)
    return np.asarray(cv2.LUT(picture, np.clip(tone * 255, 0, 255).astype(np.uint8)), np.uint8)


def _shaded(picture: Picture, rng: Generator) -> Picture:
    """Light from one side."""
    height, width = picture.shape
    right, down = rng.normal(0, 0.5, 2)
    slope = right * np.linspace(-1, 1, width)[None] + down * np.linspace(-1, 1, height)[:, None]
    return np.asarray(np.clip(picture * np.exp(slope), 0, 255), np.uint8)


def _occluded(picture: Picture, rng: Generator) -> Picture:
    """A uniform bar, like a hand, a rail or a microphone in front of the face."""
    made = picture.copy()
    center = rng.uniform(0, 1, 2) * picture.shape[::-1]
    size = np.exp(rng.uniform(np.log(4), np.log([60, 16])))
    bar = cv2.boxPoints((center.tolist(), size.tolist(), float(rng.uniform(0, 180))))
    cv2.fillConvexPoly(made, bar.astype(np.int32), (int(rng.integers(256)),), cv2.LINE_AA)
    return np.asarray(made, np.uint8)

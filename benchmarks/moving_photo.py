"""Videos with known points: one photo, shifted, rotated and scaled from frame to frame together with its points."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

EYES = 60.0
"""Eye distance in the frames at scale 1 if both eyes are labeled, px."""


def moving_photo(
    photo: NDArray[np.uint8],
    points: NDArray[np.floating[Any]],
    path: NDArray[np.floating[Any]],
    *,
    size: tuple[int, int] = (640, 480),
    noise: float = 0.0,
    seed: int = 0,
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.float64]]]:
    """Frames (h, w, 3) of a photo (h, w) or (h, w, 3), and where its points (k, 2), px of the photo, lie in them.

    path (n, 4), a line for each frame: how far the points' middle lies right of and below the frame's middle (px), the
    scale, and the turn (radians, clockwise). At scale 1 the first two points, the eyes, lie EYES apart. size: width
    and height of the frames; noise: standard deviation of a camera's noise, grey levels, new in each frame.
    """
    still = photo if photo.ndim == 3 else cv2.cvtColor(photo, cv2.COLOR_GRAY2BGR)
    middle = points.mean(axis=0, dtype=np.float64)
    unit = EYES / float(np.linalg.norm(points[0] - points[1]))
    if unit < 1:  # made small once, with means: sampling a large photo would alias
        still = cv2.resize(still, None, fx=unit, fy=unit, interpolation=cv2.INTER_AREA)
        sizes = np.array(still.shape[1::-1]) / photo.shape[1::-1]
        middle, placed, unit = (middle + 0.5) * sizes - 0.5, (points + 0.5) * sizes - 0.5, 1.0
    else:
        placed = points.astype(np.float64)
    rng = np.random.default_rng(seed)
    for right, down, scale, turn in np.asarray(path, np.float64).tolist():
        to = scale * unit * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        shift = (np.array(size) - 1) / 2 + (right, down) - to @ middle
        frame = cv2.warpAffine(still, np.column_stack([to, shift]), size, borderMode=cv2.BORDER_REPLICATE)
        if noise:
            grain = rng.standard_normal(frame.shape, np.float32)
            frame = np.clip(frame + noise * grain, 0, 255)
        yield np.asarray(frame, np.uint8), placed @ to.T + shift

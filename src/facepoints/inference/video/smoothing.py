"""Temporal smoothing of the points: a One Euro filter for each point, scaled by its expected error.

Casiez, Roussel and Vogel (2012), "1 € Filter: A Simple Speed-based Low-pass Filter for Noisy Input in Interactive
Systems", CHI: a low-pass filter whose cut-off frequency rises with the speed, so that resting points do not jitter
and moving points do not lag. Here speed is measured in expected errors per second: a point with a small expected
error follows smaller motions than an uncertain one.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facepoints.errors import BadChoice

Floats = NDArray[np.float64]

MIN_CUTOFF = 0.4
"""Hz: cut-off at rest. At 30 frames/s a fifth of white jitter remains: (a / (2 - a))^0.5 with a as in `_alpha`."""

SPEED_COEFFICIENT = 0.1
"""Increase of the cut-off, Hz, for a speed of one expected error per second: the paper's beta."""

_SPEED_CUTOFF = 3.0
"""Hz: cut-off of the speed estimate. With the paper's 1 Hz the filter reacts halfway through a fast motion."""


class Smoother:
    """Smooths the k points of one face, frame by frame. Strength 1 is the default; 2 halves the cut-off; 0 is off."""

    def __init__(self, strength: float = 1.0) -> None:
        if not (strength >= 0 and math.isfinite(strength)):
            raise BadChoice(
                f"smoothing strength {strength:g}: expected 0 (off), 1 (default) or another positive number"
            )
        self.strength = strength
        self._time = 0.0
        self._points: Floats | None = None
        self._speed: Floats | None = None

    def __call__(
        self, points: NDArray[np.floating[Any]], expected_error: NDArray[np.floating[Any]], time: float
    ) -> NDArray[np.float32]:
        """The smoothed points (k, 2) at a time in seconds, from points (k, 2) and expected errors (k,), px.

        Frames may be unevenly spaced. Times that do not increase count as a step of one millisecond: some files
        repeat a time.
        """
        now = points.astype(np.float64)
        if self._points is None or self._speed is None:
            self._points, self._speed, self._time = now, np.zeros_like(now), time
            return now.astype(np.float32)
        step = max(time - self._time, 1e-3)
        speed = (now - self._points) / step
        self._speed = self._speed + _alpha(_SPEED_CUTOFF, step) * (speed - self._speed)
        error = np.maximum(expected_error.astype(np.float64), 1e-6)
        cutoff = MIN_CUTOFF + SPEED_COEFFICIENT * np.linalg.norm(self._speed, axis=1) / error
        alpha = np.ones_like(cutoff) if self.strength == 0 else _alpha(cutoff / self.strength, step)
        self._points = self._points + alpha[:, None] * (now - self._points)
        self._time = time
        return self._points.astype(np.float32)


def _alpha(cutoff: Any, step: float) -> Any:
    """Weight of the new value in a first-order low-pass filter with a time step in seconds."""
    angle = 2 * math.pi * cutoff * step
    return angle / (angle + 1)

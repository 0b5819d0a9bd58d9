"""Points over time, without the jitter: a One Euro filter for each point, led by its expected error.

After Casiez, Roussel and Vogel (2012), "1 € Filter: A Simple Speed-based Low-pass Filter for Noisy Input in
Interactive Systems", CHI: a low-pass filter whose cut-off rises with the speed, so that what is still stays still
and what moves does not lag. Here speed counts in expected errors: a point that the network is sure of is let go by
a smaller motion than one that it only guesses.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facepoints.errors import BadChoice

Floats = NDArray[np.float64]

RESTING = 0.4
"""Hz: cut-off at rest. At 30 frames/s it leaves a fifth of white jitter: (a / (2 - a))^0.5 with a as in `_share`."""

OPENING = 0.1
"""How many Hz the cut-off rises for each expected error per second of speed."""

_SPEED_CUTOFF = 3.0
"""Hz: cut-off of the speed itself. The paper's 1 Hz notices a nod only when it is half over."""


class Smoother:
    """Smooths the k points of one face, frame by frame. Strength 1 is the usual, 2 twice as slow, 0 changes nothing."""

    def __init__(self, strength: float = 1.0) -> None:
        if not (strength >= 0 and math.isfinite(strength)):
            raise BadChoice(f"smoothing strength {strength:g}: expected 0 (off), 1 (usual) or more")
        self.strength = strength
        self._time = 0.0
        self._points: Floats | None = None
        self._speed: Floats | None = None

    def __call__(
        self, points: NDArray[np.floating[Any]], expected_error: NDArray[np.floating[Any]], time: float
    ) -> NDArray[np.float32]:
        """The smoothed points (k, 2) at a time in seconds, from points (k, 2) and expected errors (k,), px.

        Frames may come at any pace. A time that does not go on (some files repeat one) counts as a thousandth of a
        second.
        """
        now = points.astype(np.float64)
        if self._points is None or self._speed is None:
            self._points, self._speed, self._time = now, np.zeros_like(now), time
            return now.astype(np.float32)
        step = max(time - self._time, 1e-3)
        speed = (now - self._points) / step
        self._speed = self._speed + _share(_SPEED_CUTOFF, step) * (speed - self._speed)
        error = np.maximum(expected_error.astype(np.float64), 1e-6)
        cutoff = RESTING + OPENING * np.linalg.norm(self._speed, axis=1) / error
        share = np.ones_like(cutoff) if self.strength == 0 else _share(cutoff / self.strength, step)
        self._points = self._points + share[:, None] * (now - self._points)
        self._time = time
        return self._points.astype(np.float32)


def _share(cutoff: Any, step: float) -> Any:
    """The part of the way to a new value that a first-order low-pass goes in one step (s): the paper's alpha."""
    turn = 2 * math.pi * cutoff * step
    return turn / (turn + 1)

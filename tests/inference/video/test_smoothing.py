"""Smoothing: resting points do not jitter, moving points do not lag, and the expected error sets the scale."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from facepoints.errors import BadChoice
from facepoints.inference.video.smoothing import Smoother

EYES = 60.0
"""Distance of the eyes, px."""
ERROR = np.full(15, 0.05 * EYES)
Path = NDArray[np.float64]


def smooth(path: Path, error: Path = ERROR, strength: float = 1.0, fps: float = 30.0) -> NDArray[Any]:
    smoother = Smoother(strength)
    return np.array([smoother(points, error, i / fps) for i, points in enumerate(path)])


def still(frames: int, noise: float, seed: int = 0) -> Path:
    """(frames, 15, 2): points that camera noise moves by `noise` px."""
    return 100 + np.random.default_rng(seed).normal(0, noise, (frames, 15, 2))


def fast_motion(frames: int, fps: float = 30.0) -> Path:
    """(frames,): y of one fast up-and-down motion, two a second and 0.4 eye distances deep, between rests."""
    t = np.arange(frames) / fps
    return 0.4 * EYES * np.sin(4 * np.pi * t) * ((t > 1) & (t < 2))


def lag(path: Path, truth: Path) -> float:
    """Frames by which a path follows the truth, by least squares."""
    shifts, t = np.arange(-1, 4, 0.05), np.arange(len(path))
    return float(min(shifts, key=lambda s: np.square(np.interp(t - s, t, truth) - path)[5:-5].sum()))


@pytest.mark.parametrize("fps", [24, 30, 60])
def test_jitter_of_a_still_face_falls_to_a_third(fps: int) -> None:
    path = still(8 * fps, 0.01 * EYES)
    assert path[fps:].std(axis=0).mean() > 3 * smooth(path, fps=fps)[fps:].std(axis=0).mean()


@pytest.mark.parametrize("fps", [24, 30, 60])
def test_a_fast_motion_lags_by_less_than_a_frame(fps: int) -> None:
    truth = fast_motion(3 * fps, fps)
    path = still(3 * fps, 0.01 * EYES) + truth[:, None, None] * [0, 1]
    assert 0 <= lag(smooth(path, fps=fps)[:, :, 1].mean(axis=1) - 100, truth) < 1


def test_points_with_a_larger_expected_error_are_smoothed_more() -> None:
    error = np.where(np.arange(15) < 7, 1.0, 5.0) * ERROR
    jitter = smooth(still(300, 0.02 * EYES), error)[30:].std(axis=0).mean(axis=1)
    assert jitter[:7].min() > jitter[7:].max()


def test_strength_zero_changes_nothing_and_more_smooths_more() -> None:
    path = still(120, 1.0)
    np.testing.assert_allclose(smooth(path, strength=0.0), path, atol=1e-4)
    jitter = [smooth(path, strength=s)[30:].std() for s in (0.0, 0.3, 1.0, 3.0)]
    assert jitter == sorted(jitter, reverse=True)


def test_it_is_the_same_at_any_scale_and_place() -> None:
    path = still(60, 2.0)
    np.testing.assert_allclose(smooth(path * 7 - 40, ERROR * 7), smooth(path) * 7 - 40, atol=1e-2)


def test_uneven_frame_times_smooth_by_time_not_by_frame() -> None:
    """After a second without frames the last point counts for almost nothing."""
    error = np.array([1e9])  # as good as infinitely slow: only the cut-off at rest is left
    often, once = Smoother(), Smoother()
    for i in range(31):
        dense = often(np.array([[float(i > 0), 0.0]]), error, i / 30)
    once(np.zeros((1, 2)), error, 0.0)
    sparse = once(np.array([[1.0, 0.0]]), error, 1.0)
    assert 0.6 < sparse[0, 0] < dense[0, 0] < 1
    assert once(np.array([[5.0, 0.0]]), error, 1.0)[0, 0] == pytest.approx(sparse[0, 0], abs=0.05)  # a repeated time


@pytest.mark.parametrize("strength", [-1.0, float("nan"), float("inf")])
def test_a_strength_that_is_none_is_refused(strength: float) -> None:
    with pytest.raises(BadChoice, match="expected 0"):
        Smoother(strength)

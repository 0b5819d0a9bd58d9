"""Synthetic videos: the points move exactly with the picture."""

from __future__ import annotations

import numpy as np
import pytest

from moving_photo import EYES, moving_photo

PATH = np.array([[0, 0, 1, 0], [30, -12, 1.3, 0.4], [-25.5, 8, 0.8, -1.2]])


@pytest.mark.parametrize("enlarged", [0.5, 1.0, 3.0])
def test_points_stay_on_their_features(enlarged: float) -> None:
    """Each point is a bright blob; its center of light is where the truth says."""
    points = np.array([[90.0, 60.0], [50.0, 62.0], [70.0, 95.0]]) * enlarged
    rows, columns = np.mgrid[: round(150 * enlarged), : round(140 * enlarged)]
    away = np.min([np.hypot(columns - x, rows - y) for x, y in points], axis=0)
    photo = np.asarray(255 * np.exp(-0.5 * (away / (2 * enlarged)) ** 2), np.uint8)
    for frame, true in moving_photo(photo, points, PATH, size=(320, 240)):
        assert frame.shape == (240, 320, 3)
        for x, y in true:
            left, top = round(x) - 14, round(y) - 14
            light = frame[top : top + 29, left : left + 29, 0].astype(float)
            rows, columns = np.mgrid[:29, :29]
            center = [(light * columns).sum() / light.sum() + left, (light * rows).sum() / light.sum() + top]
            np.testing.assert_allclose(center, [x, y], atol=0.3)


def test_the_path_sets_position_scale_and_rotation() -> None:
    points = np.array([[80.0, 50.0], [40.0, 50.0], [60.0, 80.0]])
    made = [true for _, true in moving_photo(np.zeros((120, 120), np.uint8), points, PATH, size=(320, 240))]
    for true, (right, down, scale, turn) in zip(made, PATH, strict=True):
        across = true[0] - true[1]
        np.testing.assert_allclose(true.mean(axis=0), (159.5 + right, 119.5 + down))
        np.testing.assert_allclose(np.hypot(*across), EYES * scale)
        np.testing.assert_allclose(np.arctan2(across[1], across[0]), turn)


def test_noise_is_new_in_each_frame_and_the_same_for_a_seed() -> None:
    points = np.array([[80.0, 50.0], [40.0, 50.0]])
    photo = np.full((120, 120), 128, np.uint8)
    first, again = (
        [frame for frame, _ in moving_photo(photo, points, PATH[[0, 0]], size=(64, 48), noise=5)] for _ in range(2)
    )
    np.testing.assert_array_equal(first, again)
    assert 4 < np.std(first[0].astype(float) - 128) < 6
    assert (first[0] != first[1]).mean() > 0.5

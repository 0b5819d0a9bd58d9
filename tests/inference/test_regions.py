"""Regions: mapping to crops and back."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from facepoints.errors import BadChoice
from facepoints.inference.regions import MIDDLE, Regions
from facepoints.keypoints import FACE_SIZE

MEAN_SHAPE = np.array([[66.0, 37.0], [30.0, 38.0], [48.0, 58.0], [49.0, 80.0]], np.float32)


def region(x: float, y: float, side: float, roll: float) -> Regions:
    return Regions(np.array([[x, y]]), np.array([side]), np.array([np.radians(roll)]))


def a_photo(dot: NDArray[np.float64], size: float, shape: tuple[int, int] = (500, 700)) -> NDArray[np.uint8]:
    """Black, with a soft white dot."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    return np.asarray(
        np.rint(255 * np.exp(-((x - dot[0]) ** 2 + (y - dot[1]) ** 2) / (2 * size**2))), np.float64
    ).astype(np.uint8)


def test_a_box_as_large_as_a_crop_is_the_crop() -> None:
    photo = np.random.default_rng(0).integers(0, 256, (200, 300), np.uint8)
    (crop,) = Regions.of_boxes([[31, 17, FACE_SIZE, FACE_SIZE]]).crops(photo)
    assert (crop == photo[17 : 17 + FACE_SIZE, 31 : 31 + FACE_SIZE]).all()


@pytest.mark.parametrize("roll", [0, 30, -90, 180])
@pytest.mark.parametrize("side", [60.0, 96.0, 150.0, 391.5])
def test_what_the_crop_shows_is_found_again_in_the_photo(side: float, roll: float) -> None:
    where = region(350.3, 249.1, side, roll)
    dot = where.on_photo(np.array([[[60.0, 33.0]]]))[0, 0].astype(np.float64)
    crop = where.crops(a_photo(dot, size=3 * side / FACE_SIZE)).astype(np.float64)[0]
    y, x = np.mgrid[:FACE_SIZE, :FACE_SIZE]
    np.testing.assert_allclose([(crop * x).sum() / crop.sum(), (crop * y).sum() / crop.sum()], [60, 33], atol=0.1)


def test_large_squares_are_averaged_not_sampled() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (960, 960), np.uint8)
    crop = Regions.of_boxes([[0, 0, 960, 960]]).crops(noise)[0]
    exact = cv2.resize(noise, (FACE_SIZE, FACE_SIZE), interpolation=cv2.INTER_AREA)
    np.testing.assert_allclose(crop.astype(float), exact, atol=1)


@pytest.mark.parametrize(("x", "y", "side", "roll"), [(100, 80, 200, 0), (3.5, -20, 41, 77), (900, 12, 3000, -179)])
def test_points_ask_for_the_region_that_they_lie_in(x: float, y: float, side: float, roll: float) -> None:
    there = region(x, y, side, roll)
    found = Regions.of_points(there.on_photo(MEAN_SHAPE[None]), MEAN_SHAPE)
    np.testing.assert_allclose(found.center, there.center, atol=side / 1000)
    np.testing.assert_allclose(found.side, there.side, rtol=1e-4)
    np.testing.assert_allclose(np.exp(1j * found.roll), np.exp(1j * there.roll), atol=1e-4)


def test_boxes_make_regions_and_regions_make_boxes() -> None:
    boxes = np.array([[3.5, -7, 20, 20], [0, 0, 300, 300]])
    np.testing.assert_allclose(Regions.of_boxes(boxes).boxes, boxes)
    (point,) = Regions.of_boxes([[10, 20, 50, 30]]).on_photo(np.array([[[MIDDLE, MIDDLE]]]))[0]
    np.testing.assert_allclose(point, [10 + 24.5, 20 + 14.5])  # the middle of 50 columns and 30 rows


@pytest.mark.parametrize("far", [(-500, -500), (10, 3000), (5000, 40)])
def test_beyond_the_photo_its_edge_goes_on(far: tuple[float, float]) -> None:
    photo = np.random.default_rng(0).integers(0, 256, (50, 70), np.uint8)
    crop = region(*far, side=300.0, roll=20).crops(photo)
    assert crop.shape == (1, FACE_SIZE, FACE_SIZE)
    assert photo.min() <= crop.min() <= crop.max() <= photo.max()


def test_no_regions_give_no_crops() -> None:
    assert Regions.joined([]).crops(np.zeros((9, 9), np.uint8)).shape == (0, FACE_SIZE, FACE_SIZE)
    assert len(Regions.of_boxes([])) == 0


@pytest.mark.parametrize("photo", [np.zeros((9, 9, 3), np.uint8), np.zeros((9, 9)), np.zeros((0, 9), np.uint8)])
def test_what_is_no_gray_photo_is_refused(photo: NDArray[np.uint8]) -> None:
    with pytest.raises(BadChoice, match=r"expected grey uint8 \(h, w\)"):
        Regions.of_boxes([[0, 0, 5, 5]]).crops(photo)

"""Image, points and observed move together: a dot drawn at a point is found where the point went."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from facepoints.data.dataset import LabeledFaces
from facepoints.keypoints import FACE_SIZE, FIFTEEN, KeypointSet
from facepoints.training.augmentation import (
    Batch,
    augment,
    before_and_after,
    draw_before_and_after,
    draw_matrices,
    move,
    to_images,
)
from facepoints.training.recipe import Recipe

N = 90
DOT = 2.0  # px, standard deviation of a dot: smooth enough to be found to a hundredth of a pixel
PLAIN = Recipe()

GEOMETRY = {
    "rotation": PLAIN.replace(rotation=40.0),
    "any rotation": PLAIN.replace(rotation=180.0),
    "angles": PLAIN.replace(angles=(-15.0, 0.0, 15.0)),
    "shift": PLAIN.replace(shift=12.0),
    "scale": PLAIN.replace(scale=0.3),
    "shear": PLAIN.replace(shear=20.0),
    "flip": PLAIN.replace(flip=1.0),
    "half flipped": PLAIN.replace(flip=0.5),
    "all": PLAIN.replace(flip=0.5, rotation=40.0, shift=8.0, scale=0.3, shear=15.0),
}
LIGHT = {
    "brightness": PLAIN.replace(brightness=0.5),
    "contrast": PLAIN.replace(contrast=2.0),
    "gamma": PLAIN.replace(gamma=2.0),
    "blur": PLAIN.replace(blur=1.0),
    "noise": PLAIN.replace(noise=0.5),
}
EVERYTHING = GEOMETRY["all"].replace(brightness=0.5, contrast=2.0, gamma=2.0, blur=0.5, noise=0.3)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def dots() -> Batch:
    """N black faces. Point i % 15 of the i-th is observed, and there, between the pixels, is a dot."""
    points = torch.rand(N, 15, 2, generator=generator(1)) * 36 + 30
    own = torch.arange(N) % 15
    middle = points[torch.arange(N), own].view(N, 1, 1, 2)
    y, x = torch.meshgrid(torch.arange(96.0), torch.arange(96.0), indexing="ij")
    squared = (torch.stack([x, y], dim=-1) - middle).square().sum(dim=3)
    images = torch.exp(-squared / (2 * DOT**2)).unsqueeze(1)
    return Batch(images, points, torch.nn.functional.one_hot(own, 15).bool(), torch.arange(N) % 2)


def found(images: Tensor) -> Tensor:
    """The centres of the dots in images (n, 1, 96, 96): (n, 2), (x, y) in pixels."""
    y, x = torch.meshgrid(torch.arange(96.0), torch.arange(96.0), indexing="ij")
    weight = images / images.sum(dim=(2, 3), keepdim=True)
    return torch.stack([(weight[:, 0] * axis).sum(dim=(1, 2)) for axis in (x, y)], dim=1)


@pytest.fixture
def noisy() -> Batch:
    """Faces of noise, with points all over and about half of them observed."""
    chance = generator(2)
    observed = torch.rand(N, 15, generator=chance) < 0.5
    images = torch.rand(N, 1, 96, 96, generator=chance)
    return Batch(images, torch.rand(N, 15, 2, generator=chance) * 95, observed, torch.arange(N) % 2)


def test_dots_are_drawn_where_their_points_are() -> None:
    before = dots()
    assert (found(before.images) - before.points[before.observed]).abs().max() < 0.01


@pytest.mark.parametrize("name", GEOMETRY)
@pytest.mark.parametrize("seed", range(3))
def test_a_dot_is_found_at_the_moved_point(name: str, seed: int) -> None:
    before = dots()
    after = augment(before, GEOMETRY[name], FIFTEEN, generator(seed))
    whole = after.observed.any(dim=1)  # a dot may have left the image
    place = after.points[after.observed]
    inner = ((place > 8) & (place < FACE_SIZE - 1 - 8)).all(dim=1)  # so that no part of the dot is cut off
    assert inner.sum() > 0.8 * N
    distance = (found(after.images)[whole] - place).norm(dim=1)[inner]
    assert distance.max() < 0.1
    moved = (after.points[after.observed] - before.points[before.observed][whole]).norm(dim=1)
    assert moved.max() > 1  # or there would be nothing to follow


@pytest.mark.parametrize("width", [16, 40, 64])
def test_blur_moves_nothing(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = torch.randint
    monkeypatch.setattr(
        torch, "randint", lambda low, high, size, **rest: drawn(width, width + 1, size, **rest)
    )  # the widths of which one is drawn for each batch
    before = dots()
    after = augment(before, LIGHT["blur"], FIFTEEN, generator())
    # at 16 pixels the dot is a third of one: its centre can't be known much better
    assert (found(after.images) - before.points[before.observed]).norm(dim=1).max() < (0.6 if width == 16 else 0.1)
    assert after.images.amax() < 0.95 * before.images.amax()
    assert torch.equal(after.points, before.points)


@pytest.mark.parametrize("recipe", [*LIGHT.values()], ids=LIGHT)
def test_light_changes_images_alone(noisy: Batch, recipe: Recipe) -> None:
    after = augment(noisy, recipe, FIFTEEN, generator())
    changed = (after.images - noisy.images).abs().amax(dim=(1, 2, 3))
    assert (changed > 1e-3).float().mean() > 0.9  # by chance a few hardly change
    assert after.points is noisy.points
    assert after.observed is noisy.observed
    assert after.source is noisy.source


def test_flipping_twice_gives_the_original(noisy: Batch) -> None:
    once = augment(noisy, GEOMETRY["flip"], FIFTEEN, generator())
    twice = augment(once, GEOMETRY["flip"], FIFTEEN, generator(1))
    torch.testing.assert_close(twice.images, noisy.images, atol=1e-4, rtol=0)
    torch.testing.assert_close(twice.points, noisy.points, atol=1e-4, rtol=0)
    assert torch.equal(twice.observed, noisy.observed)
    assert not torch.allclose(once.images, noisy.images, atol=0.1)


def test_a_mirror_swaps_left_and_right(noisy: Batch) -> None:
    after = augment(noisy, GEOMETRY["flip"], FIFTEEN, generator())
    torch.testing.assert_close(after.images, noisy.images.flip(3), atol=1e-4, rtol=0)
    for side, other in (("left", "right"), ("right", "left")):
        for part in ("{}_eye_center", "{}_eyebrow_outer_end", "mouth_{}_corner"):
            here, there = FIFTEEN.index(part.format(side)), FIFTEEN.index(part.format(other))
            torch.testing.assert_close(after.points[:, here, 0], 95 - noisy.points[:, there, 0])
            torch.testing.assert_close(after.points[:, here, 1], noisy.points[:, there, 1])
            assert torch.equal(after.observed[:, here], noisy.observed[:, there])
    nose = FIFTEEN.index("nose_tip")
    torch.testing.assert_close(after.points[:, nose, 0], 95 - noisy.points[:, nose, 0])
    assert torch.equal(after.observed[:, nose], noisy.observed[:, nose])


def test_half_of_the_faces_are_mirrored_when_half_are_asked_for() -> None:
    _, mirrored = draw_matrices(2000, PLAIN.replace(flip=0.5), generator())
    assert 0.45 < mirrored.float().mean() < 0.55
    assert not draw_matrices(100, PLAIN.replace(rotation=9.0), generator())[1].any()


@pytest.mark.parametrize("name", GEOMETRY)
def test_exactly_the_points_that_leave_the_image_become_unobserved(noisy: Batch, name: str) -> None:
    recipe = GEOMETRY[name]
    after = augment(noisy, recipe, FIFTEEN, generator(3))
    _, mirrored = draw_matrices(N, recipe, generator(3))  # the same ones: they are drawn first
    swap = torch.from_numpy(FIFTEEN.mirror)
    known = torch.where(mirrored.unsqueeze(1), noisy.observed[:, swap], noisy.observed)
    inside = ((after.points > -0.5) & (after.points < 95.5)).all(dim=2)
    assert torch.equal(after.observed, known & inside)
    if name not in ("flip", "half flipped"):
        assert (known & ~inside).any()  # some do leave


def test_points_just_outside_are_learned_where_the_recipe_says_so(noisy: Batch) -> None:
    recipe = PLAIN.replace(crop_jitter=1.0, shift=10.0)
    within, beyond = (augment(noisy, recipe.replace(out_of_frame_margin=b), FIFTEEN, generator(3)) for b in (0.0, 8.0))
    assert torch.equal(within.points, beyond.points)
    assert torch.equal(within.images, beyond.images)
    out = (-0.5 - within.points).maximum(within.points - 95.5).amax(dim=2)
    assert torch.equal(beyond.observed, noisy.observed & (out < 8))
    assert torch.equal(within.observed, noisy.observed & (out < 0))
    assert (beyond.observed & ~within.observed).any()


def test_a_point_on_the_border_moves_out_with_half_a_pixel() -> None:
    points = torch.tensor([[[95.0, 50.0]]])
    batch = Batch(torch.zeros(1, 1, 96, 96), points, torch.ones(1, 1).bool(), torch.zeros(1).long())
    for shift, stays in ((0.49, True), (0.51, False)):
        matrix = torch.tensor([[[1.0, 0.0, shift], [0.0, 1.0, 0.0]]])
        moved = move(batch, matrix, torch.zeros(1).bool(), KeypointSet(("nose_tip",)))
        assert bool(moved.observed) == stays


def test_what_is_not_observed_may_be_anything(noisy: Batch) -> None:
    broken = noisy._replace(points=torch.where(noisy.observed.unsqueeze(2), noisy.points, float("nan")))
    whole, after = (augment(batch, EVERYTHING, FIFTEEN, generator()) for batch in (noisy, broken))
    assert torch.equal(whole.images, after.images)
    assert torch.equal(whole.observed, after.observed)
    assert torch.equal(whole.points[whole.observed], after.points[after.observed])


def test_a_recipe_without_augmentation_changes_nothing(noisy: Batch) -> None:
    after = augment(noisy, PLAIN, FIFTEEN, generator())
    assert all(new is old for new, old in zip(after, noisy, strict=True))


@pytest.mark.parametrize("recipe", [EVERYTHING, *LIGHT.values(), GEOMETRY["all"]])
@pytest.mark.parametrize("grey", [0.0, 0.5, 1.0, None])
def test_images_stay_between_black_and_white(noisy: Batch, recipe: Recipe, grey: float | None) -> None:
    batch = noisy if grey is None else noisy._replace(images=torch.full_like(noisy.images, grey))
    images = augment(batch, recipe, FIFTEEN, generator()).images
    assert images.min() >= 0
    assert images.max() <= 1 + 1e-6  # sampling adds up weights that are rounded
    assert images.shape == noisy.images.shape
    assert images.dtype == torch.float32


def test_the_given_batch_is_left_alone(noisy: Batch) -> None:
    before = [tensor.clone() for tensor in noisy]
    augment(noisy, EVERYTHING, FIFTEEN, generator())
    assert all(torch.equal(new, old) for new, old in zip(noisy, before, strict=True))


def test_the_generator_decides_everything(noisy: Batch) -> None:
    torch.manual_seed(1)
    first = augment(noisy, EVERYTHING, FIFTEEN, generator(5))
    torch.manual_seed(2)
    again = augment(noisy, EVERYTHING, FIFTEEN, generator(5))
    other = augment(noisy, EVERYTHING, FIFTEEN, generator(6))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first.images, other.images)
    assert not torch.equal(first.points, other.points)


def turned(matrix: Tensor) -> Tensor:
    """The angle of each matrix that neither mirrors nor shears, degrees clockwise: (n,)."""
    return torch.rad2deg(torch.atan2(matrix[:, 1, 0], matrix[:, 0, 0]))


def test_fixed_angles_are_the_only_ones() -> None:
    matrix, _ = draw_matrices(600, PLAIN.replace(angles=(-15.0, 0.0, 15.0), rotation=90.0, scale=0.2), generator())
    angles, number = torch.unique(turned(matrix).round(decimals=2), return_counts=True)
    assert angles.tolist() == [-15, 0, 15]
    assert number.min() > 150


def test_a_positive_angle_turns_clockwise() -> None:
    matrix, mirrored = draw_matrices(1, PLAIN.replace(angles=(90.0,)), generator())
    top = torch.tensor([[[47.5, 10.0]]])
    batch = Batch(torch.zeros(1, 1, 96, 96), top, torch.ones(1, 1).bool(), torch.zeros(1).long())
    right = move(batch, matrix, mirrored, KeypointSet(("nose_tip",))).points
    torch.testing.assert_close(right, torch.tensor([[[85.0, 47.5]]]), atol=1e-4, rtol=0)


def test_changes_fill_their_range_and_stay_in_it() -> None:
    rotated, _ = draw_matrices(2000, PLAIN.replace(rotation=20.0), generator())
    assert 19 < turned(rotated).abs().max() <= 20.001
    scaled, _ = draw_matrices(2000, PLAIN.replace(scale=0.25), generator())
    size = torch.linalg.det(scaled[:, :, :2]).sqrt()
    assert 1 / 1.2501 < size.min() < 1 / 1.24
    assert 1.24 < size.max() < 1.2501
    assert abs(float(size.log().mean())) < 0.01  # as often smaller as larger
    shifted, _ = draw_matrices(2000, PLAIN.replace(shift=6.0), generator())
    assert (shifted[:, :, 2].abs().amax(dim=0) > 5.9).all()
    assert shifted[:, :, 2].abs().max() <= 6.001
    sheared, _ = draw_matrices(2000, PLAIN.replace(shear=10.0), generator())
    slant = math.tan(math.radians(10))
    assert 0.98 * slant < sheared[:, 0, 1].abs().max() <= 1.0001 * slant


@pytest.mark.parametrize("name", sorted(set(GEOMETRY) - {"shift", "all"}))
def test_the_middle_of_the_face_stays_but_for_the_shift(name: str) -> None:
    matrix, _ = draw_matrices(50, GEOMETRY[name], generator())
    middle = torch.tensor([47.5, 47.5, 1.0])
    torch.testing.assert_close(matrix @ middle, middle[:2].expand(50, 2), atol=1e-3, rtol=0)


def test_noise_and_blur_touch_their_share(noisy: Batch) -> None:
    after = augment(noisy, PLAIN.replace(blur=0.3), FIFTEEN, generator())
    share = (after.images != noisy.images).flatten(1).any(dim=1).float().mean()
    assert 0.1 < share < 0.5


def test_images_are_grey_values_over_255() -> None:
    faces = torch.tensor([0, 51, 255]).byte().view(3, 1, 1).expand(3, 96, 96)
    images = to_images(faces)
    assert images.shape == (3, 1, 96, 96)
    torch.testing.assert_close(images[:, 0, 0, 0], torch.tensor([0.0, 0.2, 1.0]))


def test_pairs_to_look_at(few_faces: LabeledFaces) -> None:
    some = few_faces.take(np.arange(4))
    faces, points, observed = (torch.from_numpy(a) for a in (some.faces, some.points, some.observed))
    before, after = before_and_after(faces, points, observed, EVERYTHING, some.keypoints, seed=1)
    assert torch.equal(before.points, points)
    assert torch.equal(before.images, to_images(faces))
    assert not torch.equal(after.points, points)
    sheet = draw_before_and_after(some, EVERYTHING, versions=2)
    fewer = draw_before_and_after(some, EVERYTHING, versions=1)
    assert sheet.dtype == np.uint8
    assert sheet.shape[0] > fewer.shape[0] > FACE_SIZE
    assert cv2.cvtColor(sheet, cv2.COLOR_BGR2GRAY).std() > 10

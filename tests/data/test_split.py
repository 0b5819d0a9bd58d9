"""Training and validation rows: complete, disjoint, repeatable, and no picture on both sides."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from facepoints.data.dataset import LabeledFaces
from facepoints.data.split import Split, split, split_groups, split_last
from facepoints.errors import BadChoice
from facepoints.keypoints import KeypointSet

Faces = NDArray[np.uint8]

STRANGERS = 300


def strangers(n: int, seed: int = 0) -> Faces:
    """n pictures that have nothing in common, as smooth as faces are: (n, 96, 96)."""
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(0, 255, (n, 12, 12)).astype(np.float32)
    return np.stack([cv2.resize(picture, (96, 96)) for picture in coarse]).astype(np.uint8)


def labeled(faces: Faces, source: NDArray[np.int64]) -> LabeledFaces:
    n = len(faces)
    points, observed = np.full((n, 1, 2), 40, np.float32), np.ones((n, 1), bool)
    return LabeledFaces(faces, points, observed, source, KeypointSet(("nose_tip",)), np.arange(n))


def darker(face: Faces) -> Faces:
    return (face * 0.6 + 10).astype(np.uint8)


def jpeg(face: Faces) -> Faces:
    return np.asarray(cv2.imdecode(cv2.imencode(".jpg", face, [cv2.IMWRITE_JPEG_QUALITY, 30])[1], 0))


def shifted(face: Faces) -> Faces:
    return np.roll(face, 1, axis=1)


CHANGES: dict[str, Callable[[Faces], Faces]] = {
    "the same": lambda face: face,
    "darker": darker,
    "jpeg": jpeg,
    "a pixel aside": shifted,
}


@pytest.fixture(scope="module")
def data() -> LabeledFaces:
    """300 different faces, 100 of source A, 200 of B; then near-duplicates of 20 of A, 5 for each change, some of B."""
    faces = strangers(STRANGERS)
    near_duplicates = [change(faces[i]) for j, change in enumerate(CHANGES.values()) for i in range(5 * j, 5 * j + 5)]
    source = np.repeat([0, 1, 0, 1], [100, 200, 10, 10])
    return labeled(np.concatenate([faces, near_duplicates]), source)


@pytest.mark.parametrize("how", ["groups", "last"])
@pytest.mark.parametrize("fraction", [0.05, 0.2, 0.5])
def test_the_sides_are_disjoint_complete_and_in_order(data: LabeledFaces, how: str, fraction: float) -> None:
    rows = split(data, how, fraction, seed=0)
    both = np.concatenate([rows.training, rows.validation])
    np.testing.assert_array_equal(np.sort(both), np.arange(len(data)))
    assert (np.diff(rows.training) > 0).all()
    assert (np.diff(rows.validation) > 0).all()


def test_the_same_seed_gives_the_same_rows_and_another_others(data: LabeledFaces) -> None:
    first, again, other = (split_groups(data, 0.2, seed).validation for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("change", CHANGES)
def test_a_near_duplicate_stays_on_the_same_side(data: LabeledFaces, change: str) -> None:
    first = 5 * list(CHANGES).index(change)
    own, copy = np.arange(first, first + 5), np.arange(STRANGERS + first, STRANGERS + first + 5)
    validated = [np.isin(np.arange(len(data)), split_groups(data, 0.3, seed).validation) for seed in range(10)]
    for side in validated:
        np.testing.assert_array_equal(side[own], side[copy])
    assert np.any(validated, axis=0)[own].any()  # they are in validation at least once


@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.5])
@pytest.mark.parametrize("seed", range(5))
def test_both_sources_keep_their_proportion(data: LabeledFaces, fraction: float, seed: int) -> None:
    rows = split_groups(data, fraction, seed)
    for source in (0, 1):
        got = np.count_nonzero(data.source[rows.validation] == source)
        # a group of two may be rounded, and near-duplicates of the other source are included
        assert got == pytest.approx(fraction * np.count_nonzero(data.source == source), abs=1 + 10 * (source == 1))


@pytest.mark.parametrize(("n", "fraction"), [(7049, 0.2), (2140, 0.2), (10, 0.15), (11, 0.1), (3, 0.5)])
def test_last_is_keras_validation_split(n: int, fraction: float) -> None:
    # keras.src.trainers.data_adapters.array_slicing.train_validation_split: int(floor(n * (1 - split)))
    first = int(np.floor(n * (1.0 - fraction)))
    data = labeled(np.zeros((n, 1, 1), np.uint8), np.zeros(n, np.int64))
    rows = split_last(data, fraction)
    assert (rows.training[-1], rows.validation[0], rows.validation[-1]) == (first - 1, first, n - 1)


def test_how_chooses_the_split(data: LabeledFaces) -> None:
    def same(a: Split, b: Split) -> bool:
        return np.array_equal(a.validation, b.validation)

    assert same(split(data, "last", 0.2, 3), split_last(data, 0.2))
    assert same(split(data, "groups", 0.2, 3), split_groups(data, 0.2, 3))
    assert not same(split_last(data, 0.2), split_groups(data, 0.2, 3))


@pytest.mark.parametrize(
    ("how", "n", "fraction", "message"),
    [
        ("groups", 10, 0.0, "between 0 and 1"),
        ("last", 10, 1.0, "between 0 and 1"),
        ("groups", 1, 0.5, "at least 2"),
        ("last", 0, 0.5, "at least 2"),
        ("groups", 2, 0.05, "leaves 2 training and 0 validation rows; both need some"),
        ("last", 2, 0.6, "leaves 0 training and 2 validation rows; both need some"),
    ],
)
def test_impossible_splits_are_refused(how: str, n: int, fraction: float, message: str) -> None:
    data = labeled(strangers(10)[:n], np.zeros(n, np.int64))
    with pytest.raises(BadChoice, match=message):
        split(data, how, fraction, seed=0)


def test_one_person_s_pictures_cannot_be_split() -> None:
    data = labeled(np.repeat(strangers(1), 5, axis=0), np.zeros(5, np.int64))
    with pytest.raises(BadChoice, match="both need some"):
        split_groups(data, 0.5, seed=0)


def test_a_group_too_large_is_passed_over_and_smaller_ones_follow() -> None:
    one, others = strangers(1), strangers(40, seed=1)
    faces = np.concatenate([np.repeat(one, 60, axis=0), others])
    data = labeled(faces, np.zeros(100, np.int64))
    for seed in range(5):  # whichever place the large group has in the order
        validation = split_groups(data, 0.2, seed).validation
        assert len(validation) == 20
        assert validation.min() >= 60

"""Keypoint sets: columns, mirror pairs, subsets."""

from __future__ import annotations

import pytest

from facepoints.errors import BadChoice
from facepoints.keypoints import FIFTEEN, FOUR, SIXTY_EIGHT, KeypointSet


@pytest.mark.parametrize("keypoints", [FIFTEEN, SIXTY_EIGHT, FIFTEEN.only(FOUR)])
def test_mirroring_twice_is_the_identity_and_swaps_sides(keypoints: KeypointSet) -> None:
    mirror = keypoints.mirror
    assert (mirror[mirror] == range(len(keypoints))).all()
    assert keypoints.lone_sides() == ()
    for name, partner in zip(keypoints.names, mirror.tolist(), strict=True):
        side = name.replace("left", "RIGHT").replace("right", "left").replace("RIGHT", "right")
        assert keypoints.names[partner] == side


def test_the_sizes_and_common_names() -> None:
    assert (len(FIFTEEN), len(SIXTY_EIGHT), len(FOUR)) == (15, 68, 4)
    shared = set(FIFTEEN.names) & set(SIXTY_EIGHT.names)
    assert shared == set(FIFTEEN.names) - {"left_eye_center", "right_eye_center"}


def test_columns_are_x_before_y() -> None:
    assert KeypointSet(("nose", "chin")).columns == ("nose_x", "nose_y", "chin_x", "chin_y")


def test_a_subset_keeps_this_sets_order() -> None:
    assert FIFTEEN.only(("nose_tip", "left_eye_center")).names == ("left_eye_center", "nose_tip")
    with pytest.raises(BadChoice, match="did you mean 'nose_tip'"):
        FIFTEEN.only(("nose_tp",))


def test_a_point_without_its_other_side_is_reported() -> None:
    assert KeypointSet(("left_eye", "nose")).lone_sides() == ("left_eye",)
    assert KeypointSet(("left_eye", "nose")).mirror.tolist() == [0, 1]


@pytest.mark.parametrize("names", [(), ("nose", "nose")])
def test_names_must_be_given_and_differ(names: tuple[str, ...]) -> None:
    with pytest.raises(BadChoice, match="keypoint names"):
        KeypointSet(names)

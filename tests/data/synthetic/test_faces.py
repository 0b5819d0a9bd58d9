"""Synthetic faces: exact points, both sources' labels, deterministic and independent of the number of faces."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from facepoints.data.synthetic.faces import (
    LABEL_NOISE,
    SOURCE_B_OFFSET,
    draw_faces,
    synthetic_submission,
    synthetic_training,
)
from facepoints.data.synthetic.paint import disc, stain
from facepoints.data.synthetic.person import head, random_person
from facepoints.data.synthetic.portrait import LARGE, LARGER, draw_portrait, render
from facepoints.data.synthetic.relief import SPAN, Pose, heights
from facepoints.errors import BadChoice
from facepoints.keypoints import FIFTEEN, FOUR

FOUR_AT = [FIFTEEN.index(name) for name in FOUR]


@pytest.fixture(scope="module")
def some() -> Any:
    return draw_faces(150, seed=3)


@pytest.fixture(scope="module")
def training() -> Any:
    return synthetic_training(240, seed=5)


def test_shapes_and_that_everything_lies_in_the_image(some: Any) -> None:
    faces, points = some
    assert (faces.shape, faces.dtype) == ((150, 96, 96), np.uint8)
    assert (points.shape, points.dtype) == ((150, 15, 2), np.float32)
    assert points.min() > 0
    assert points.max() < 95
    assert faces.std(axis=(1, 2)).min() > 8  # something is on every picture


def test_same_seed_same_faces_however_many(some: Any) -> None:
    few, points = draw_faces(4, seed=3)
    assert np.array_equal(few, some[0][:4])
    assert np.array_equal(points, some[1][:4])
    assert not np.array_equal(few, draw_faces(4, seed=4)[0])
    small, large = synthetic_training(9, seed=2), synthetic_training(20, seed=2)
    for source in (0, 1):
        first = np.flatnonzero(small.source == source)
        same = np.flatnonzero(large.source == source)[: len(first)]
        assert np.array_equal(small.faces[first], large.faces[same])
        assert np.array_equal(small.points[first], large.points[same])
        assert np.array_equal(small.observed[first], large.observed[same])


def test_faces_are_framed_like_the_competition_s(some: Any) -> None:
    mean = dict(zip(FIFTEEN.names, some[1].mean(axis=0), strict=True))
    for name, place in (
        ("left_eye_center", (66, 37)),
        ("right_eye_center", (30, 37.5)),
        ("nose_tip", (48, 58)),
        ("mouth_center_bottom_lip", (48, 81)),
    ):
        assert np.abs(mean[name] - place).max() < 1.5, name


def test_mean_labels_agree_with_the_competition_s_label_table(training: Any) -> None:
    # over both sources, as far as each labels the point
    mean = training.points.sum(axis=0) / training.observed.sum(axis=0)[:, None]
    table = {"left_eye_center": (66.4, 37.7), "right_eye_center": (30.3, 38.0), "nose_tip": (48.4, 62.7)}
    for name, place in {**table, "mouth_center_bottom_lip": (48.6, 79.0)}.items():
        assert np.abs(mean[FIFTEEN.index(name)] - place).max() < 2, name


def test_anatomy_left_is_at_image_right_and_eyes_lie_between_their_corners(some: Any) -> None:
    points = dict(zip(FIFTEEN.names, some[1].transpose(1, 0, 2), strict=True))
    for name in FIFTEEN.names:
        if "left" in name:
            assert (points[name][:, 0] > points[name.replace("left", "right")][:, 0]).all(), name
    for side, outward in (("left", 1), ("right", -1)):
        inner, center, outer = (points[f"{side}_eye_{part}"] for part in ("inner_corner", "center", "outer_corner"))
        assert (outward * (center - inner)[:, 0] > 0).all()
        assert (outward * (outer - center)[:, 0] > 0).all()
    middle = (points["left_eye_center"] + points["right_eye_center"])[:, 1] / 2
    assert (middle < points["nose_tip"][:, 1]).all()
    assert (points["nose_tip"][:, 1] < points["mouth_center_top_lip"][:, 1]).all()
    assert (points["mouth_center_top_lip"][:, 1] < points["mouth_center_bottom_lip"][:, 1]).all()


@pytest.mark.parametrize("yaw", [-35, -12, 0, 20, 35])
def test_a_mark_painted_on_the_face_is_seen_at_its_projected_point(yaw: Any) -> None:
    person = random_person(np.random.default_rng(yaw + 50))
    relief = np.asarray(cv2.blur(head(person), (3, 3)), np.float32)
    points = np.column_stack([person.points, heights(relief, person.points)])
    yaw, pitch, roll = np.radians([yaw, 8, -10])
    pose = Pose(yaw, pitch, roll, 1.07, points[:2].mean(axis=0), np.array([49.2, 36.4]))
    fine = np.ones((2 * SPAN, 2 * SPAN), np.float32)
    near = 1 if yaw > 0 else 0  # the far eye may hide behind the nose
    for at in (near, 10, 14):
        paint = np.zeros_like(fine)
        stain(paint, [disc(person.points[at], 1.5)], 1.0)
        seen, _ = render(relief, paint, fine, pose)
        y, x = np.mgrid[:LARGE, :LARGE]
        spot = (np.array([(x * seen).sum(), (y * seen).sum()]) / seen.sum() + 0.5) / LARGER - 0.5
        # at large yaw, part of the mark lies behind the tip of the nose
        assert np.abs(spot - pose.project(points[at : at + 1])[0]).max() < (0.6 if abs(yaw) > 0.6 else 0.35), at


def test_pupils_are_the_dark_middle_of_eyes() -> None:
    offsets = []
    rows, columns = np.mgrid[-4:5, -4:5]
    for seed in range(120):
        face, points = draw_portrait(np.random.default_rng([9, seed]), softness=0.2)
        for x, y in points[:2]:
            patch = face[round(y) - 4 : round(y) + 5, round(x) - 4 : round(x) + 5]
            dark = np.clip(np.percentile(patch, 30) - patch, 0, None) + 1e-6
            spot = np.array([(dark * columns).sum(), (dark * rows).sum()]) / dark.sum()
            offsets.append(spot + [round(x) - x, round(y) - y])
    # glasses, squints and shadows move single ones
    across, down = np.median(offsets, axis=0)
    assert abs(across) < 0.4
    assert -1 < down < 0.3  # the upper lid's lashes are dark too
    assert np.median(np.abs(offsets), axis=0).max() < 1


def test_sources_label_like_the_competition_s(training: Any) -> None:
    a, b = training.source == 0, training.source == 1
    assert abs(a.mean() - 2284 / 7049) < 0.01
    assert (np.diff(training.source) >= 0).all()
    assert np.array_equal(training.row, np.arange(240))
    complete = training.observed[a].all(axis=1).mean()
    assert 0.85 < complete < 1
    lacking = 15 - training.observed[a].sum(axis=1)
    assert lacking.max() <= 4
    assert not np.delete(training.observed[b], FOUR_AT, axis=1).any()
    assert training.observed[b][:, FOUR_AT].mean() > 0.98
    assert (training.points[~training.observed] == 0).all()


def test_source_b_is_offset_lower_and_blurrier(training: Any) -> None:
    a, b = training.take(training.source == 0), training.take(training.source == 1)

    def mean(labeled: Any, name: Any) -> Any:
        at = FIFTEEN.index(name)
        return labeled.points[labeled.observed[:, at], at].mean(axis=0)

    # standard error of the difference is about 0.4 px
    for name in FOUR[:2]:
        assert np.abs(mean(b, name) - mean(a, name) - SOURCE_B_OFFSET).max() < 1.4
    assert mean(b, "nose_tip")[1] - mean(a, "nose_tip")[1] > 3 + SOURCE_B_OFFSET[1]
    assert mean(b, "mouth_center_bottom_lip")[1] < mean(a, "mouth_center_bottom_lip")[1] - 1
    detail = [np.median([cv2.Laplacian(f, cv2.CV_32F).std() / f.std() for f in s.faces]) for s in (a, b)]
    assert detail[1] < 0.8 * detail[0]
    assert LABEL_NOISE[1] > LABEL_NOISE[0]


def test_the_look_up_table_requests_the_same_values_as_the_competition_s() -> None:
    requested, labels = synthetic_submission(12, seed=5)
    assert list(requested.source) == [0] * 4 + [1] * 8
    assert np.array_equal(np.bincount(requested.requested_image), np.where(requested.source == 0, 30, 8))
    assert np.array_equal(requested.row_id, np.arange(1, len(labels) + 1))
    assert labels.dtype == np.float32
    assert len(labels) == len(requested.requested_image) == len(requested.requested_column) == 4 * 30 + 8 * 8
    last = requested.requested_image == 11
    assert [requested.keypoints.columns[c] for c in requested.requested_column[last]][:2] == [
        "left_eye_center_x",
        "left_eye_center_y",
    ]
    assert labels[last][0] > labels[last][2]  # left eye right of the right eye
    assert np.array_equal(synthetic_submission(12, seed=5)[1], labels)


def test_training_and_test_images_differ_even_for_one_seed() -> None:
    trained, (requested, _) = synthetic_training(6, seed=5), synthetic_submission(6, seed=5)
    assert not (trained.faces[:, None] == requested.faces[None]).all(axis=(2, 3)).any()


def test_no_faces_is_a_mistake() -> None:
    with pytest.raises(BadChoice, match="cannot draw 0 faces"):
        draw_faces(0)

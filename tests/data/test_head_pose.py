"""Pose from labels: a turned face has the roll it was turned by, and the eye frame does not notice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from facepoints.data.dataset import LabeledFaces
from facepoints.data.head_pose import MEAN_FACE, head_pose, rotation, to_eye_frame, upright
from facepoints.data.synthetic.faces import synthetic_training
from facepoints.exploration.source_difference import aligned_mean_face, mean_shape, point_differences
from facepoints.keypoints import FIFTEEN, FOUR


@pytest.fixture(scope="module")
def data() -> LabeledFaces:
    return synthetic_training(80)


def moved(data: LabeledFaces, degrees: float, scale: float = 1.0, shift: float = 0.0) -> LabeledFaces:
    a = np.radians(degrees)
    R = scale * np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
    return replace(data, points=((data.points - 47.5) @ R.T + 47.5 + shift).astype(np.float32))


def test_turning_clockwise_adds_to_the_roll_and_scale_to_the_distance(data: LabeledFaces) -> None:
    before, after = head_pose(data), head_pose(moved(data, 20, 1.1, 3))
    assert before is not None
    assert after is not None
    np.testing.assert_allclose(after.roll - before.roll, 20, atol=1e-3)
    np.testing.assert_allclose(after.eye_distance, 1.1 * before.eye_distance, rtol=1e-4)
    np.testing.assert_allclose(after.yaw, before.yaw, atol=0.02)
    np.testing.assert_allclose(after.pitch, before.pitch, atol=0.02)
    known = data.observed
    first, second = [
        to_eye_frame(d.points, p)[known] for d, p in ((data, before), (moved(data, 20, 1.1, 3), after)) if p is not None
    ]
    np.testing.assert_allclose(first, second, atol=1e-4)


def test_exchanged_eyes_show_as_a_head_upside_down(data: LabeledFaces) -> None:
    points = data.points.copy()
    points[:, [0, 1]] = points[:, [1, 0]]
    pose = head_pose(replace(data, points=points))
    assert pose is not None
    both = data.observed[:, :2].all(axis=1)
    assert (np.abs(pose.roll[both]) > 150).all()
    assert not upright(pose).any()


def test_unlabeled_eyes_give_no_pose(data: LabeledFaces) -> None:
    observed = data.observed.copy()
    observed[3, 0] = False
    pose = head_pose(replace(data, observed=observed))
    assert pose is not None
    assert np.isnan([pose.roll[3], pose.eye_distance[3], pose.yaw[3], pose.pitch[3]]).all()
    assert head_pose(data.only(("nose_tip",))) is None


@pytest.mark.parametrize("names", [FIFTEEN.names, FOUR, ("left_eye_center", "right_eye_center", "nose_tip")])
def test_yaw_and_pitch_of_a_mean_face_are_recovered_from_any_points(names: tuple[str, ...]) -> None:
    angles = np.array([(0, 0), (0, 0), (0, 0), (25, 0), (0, 20), (-30, -10)])
    pose = np.radians(np.array([(5, *pair, 0, 0, 0) for pair in angles]))
    points = 36 * MEAN_FACE @ rotation(pose)[:, :2].swapaxes(1, 2) + (48, 40)
    shown = [FIFTEEN.index(name) for name in FIFTEEN.only(names).names]
    n = len(points)
    faces = LabeledFaces(
        np.zeros((n, 96, 96), np.uint8),
        points[:, shown].astype(np.float32),
        np.ones((n, len(shown)), bool),
        np.zeros(n, np.int64),
        FIFTEEN.only(names),
        np.arange(n),
    )
    found = head_pose(faces)
    assert found is not None
    np.testing.assert_allclose(np.stack([found.yaw, found.pitch], axis=1), angles, atol=0.2)


def test_a_lower_nose_of_one_source_is_measured_in_px(data: LabeledFaces) -> None:
    half = data.take(data.source == 0)
    source = (np.arange(len(half)) % 2).astype(np.int64)
    points = np.concatenate([half.points, half.points])
    both = LabeledFaces(
        np.concatenate([half.faces] * 2),
        points,
        np.concatenate([half.observed] * 2),
        np.repeat([0, 1], len(half)).astype(np.int64),
        half.keypoints,
        np.arange(2 * len(half)),
    )
    assert len(source) >= 20
    nose = FIFTEEN.index("nose_tip")
    pose = head_pose(both)
    assert pose is not None
    # 5 px down each face, by its own eyes
    down = np.stack([-np.sin(np.radians(pose.roll)), np.cos(np.radians(pose.roll))], axis=1)
    unit = float(np.median(pose.eye_distance))
    second = both.source == 1
    points[second, nose] += (5 * down * (pose.eye_distance / unit)[:, None])[second]
    found = point_differences(both, mean_shape(both, pose, 0, unit), mean_shape(both, pose, 1, unit))
    assert (found[0].name, round(found[0].dx, 2), round(found[0].dy, 2)) == ("nose_tip", 0.0, 5.0)
    assert all(abs(d.dx) + abs(d.dy) < 1e-3 for d in found[1:])
    assert {"left_eye_center", "right_eye_center"}.isdisjoint(d.name for d in found)


def test_aligning_faces_brings_eyes_to_their_place(data: LabeledFaces) -> None:
    pose = head_pose(data)
    assert pose is not None
    faces = np.zeros_like(data.faces)
    for face, points in zip(faces, data.points, strict=True):
        for x, y in np.rint(points[:2]).astype(int).tolist():
            face[y, x] = 255
    mean = aligned_mean_face(replace(data, faces=faces), pose, 0, 36.0, (47.5, 36.0))
    assert mean is not None
    y, x = np.unravel_index(mean.argmax(), mean.shape)
    assert abs(y - 36) <= 1
    assert min(abs(x - 29.5), abs(x - 65.5)) <= 1

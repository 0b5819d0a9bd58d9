"""Measures: heads of known pose and expression, invariances, and calibrated error bars."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from facepoints.data.head_pose import MEAN_FACE, fit_pose, rotation
from facepoints.data.synthetic.faces import draw_faces
from facepoints.errors import BadChoice
from facepoints.inference.measures import COLUMNS, MEASURES, check_measurable, measure
from facepoints.keypoints import FIFTEEN, FOUR

EYES = 50.0
NAMES = list(MEASURES)


def projected(
    roll: float = 0, yaw: float = 0, pitch: float = 0, face: NDArray[np.float64] = MEAN_FACE, size: float = EYES
) -> NDArray[np.float64]:
    """(1, 15, 2): a head with these angles in degrees, its eyes `size` px apart in frontal view."""
    pose = np.array([[*np.radians([roll, yaw, pitch]), size, 300.0, 200.0]])
    return np.asarray(size * face @ rotation(pose)[0, :2].T[None] + pose[:, None, 4:], np.float64)


def of(points: NDArray[Any], error: float = 1.0) -> dict[str, float]:
    return dict(zip(NAMES, measure(points, np.full(points.shape[:2], error)).values[0].tolist(), strict=True))


def moved(name: str, by: tuple[float, float]) -> NDArray[np.float64]:
    """The mean face with a point elsewhere; by in eye distances, right and down."""
    face = MEAN_FACE.copy()
    face[FIFTEEN.index(name), :2] += by
    return face


@pytest.mark.parametrize(("roll", "yaw", "pitch"), list(product((-150, 0, 40), (-50, 0, 25, 60), (-35, 0, 30))))
def test_the_pose_of_a_mean_face_is_recovered(roll: float, yaw: float, pitch: float) -> None:
    found = of(projected(roll, yaw, pitch))
    np.testing.assert_allclose([found["roll"], found["yaw"], found["pitch"]], [roll, yaw, pitch], atol=0.05)


def test_signs_are_as_the_columns_say() -> None:
    left, right, nose = (FIFTEEN.index(n) for n in ("left_eye_center", "right_eye_center", "nose_tip"))
    tilted, turned, nodded = projected(roll=20)[0], projected(yaw=20)[0], projected(pitch=20)[0]
    assert tilted[left, 1] > tilted[right, 1]  # clockwise: the eye at image right is lower
    assert turned[nose, 0] > 300
    assert nodded[nose, 1] > projected()[0, nose, 1]


@pytest.mark.parametrize("pose", [(0, 0, 0), (25, 0, 0), (0, 40, 0), (0, 0, 30), (-10, -30, 20)])
def test_mouth_and_brows_measure_the_same_however_the_head_is_held(pose: tuple[float, float, float]) -> None:
    face = moved("mouth_center_bottom_lip", (0, 0.3))
    upright, held = of(projected(face=face)), of(projected(*pose, face=face))
    for name in ("mouth_opening", "mouth_width", "brow_height", "asymmetry"):
        assert held[name] == pytest.approx(upright[name], abs=0.01), name


def test_what_is_measured_is_what_was_changed() -> None:
    plain = of(projected())
    assert of(projected(face=moved("mouth_center_bottom_lip", (0, 0.3))))["mouth_opening"] == pytest.approx(
        plain["mouth_opening"] + 0.3, abs=1e-3
    )
    raised = MEAN_FACE.copy()
    raised[[i for i, name in enumerate(FIFTEEN.names) if "brow" in name], 1] -= 0.1
    assert of(projected(face=raised))["brow_height"] == pytest.approx(plain["brow_height"] + 0.1, abs=1e-3)
    assert of(projected(size=80))["eye_distance"] == pytest.approx(80, abs=0.01)
    assert of(projected(yaw=60))["eye_distance"] == pytest.approx(EYES / 2, abs=0.1)
    assert plain["asymmetry"] == pytest.approx(0, abs=1e-6)
    one_brow = of(projected(face=moved("left_eyebrow_inner_end", (0, -0.2))))["asymmetry"]
    assert one_brow == pytest.approx(0.1 * (2 / 15) ** 0.5, rel=0.1)  # half of 0.2 at each of two of fifteen points


def test_a_mirror_turns_signs_and_nothing_else() -> None:
    points = draw_faces(40, seed=4)[1].astype(np.float64)
    sigma = np.full(points.shape[:2], 1.0)
    mirrored = points[:, FIFTEEN.mirror] * (-1, 1) + (95, 0)
    signs = np.array([-1, -1] + [1] * 6)
    away = measure(mirrored, sigma).values - measure(points, sigma).values * signs
    assert np.abs(away[:, :3]).max() < 0.02
    assert np.abs(away[:, 3:]).max() < 0.001


def test_place_and_size_change_the_eye_distance_only() -> None:
    points = draw_faces(20, seed=5)[1].astype(np.float64)
    small, large = measure(points, np.full((20, 15), 1.0)), measure(points * 4 - 77, np.full((20, 15), 4.0))
    factor = np.where(np.array(NAMES) == "eye_distance", 4, 1)
    np.testing.assert_allclose(large.values, small.values * factor, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(large.errors, small.errors * factor, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("error", [0.5, 1.5])
def test_error_bars_equal_the_spread_of_noisy_points(error: float) -> None:
    points = projected(10, 20, -10, face=moved("left_eyebrow_outer_end", (0.05, 0.1)))
    claimed = measure(points, np.full((1, 15), error)).errors[0]
    noisy = points + np.random.default_rng(0).normal(0, error, (3000, 15, 2))
    spread = measure(noisy, np.full((3000, 15), error)).values.std(axis=0)
    np.testing.assert_allclose(claimed[:-1], spread[:-1], rtol=0.1)
    assert spread[-1] < claimed[-1] < 1.6 * spread[-1]  # asymmetry cannot fall below 0: its bar is on the safe side


def test_an_uncertain_point_widens_the_bars_of_what_it_is_part_of() -> None:
    error = np.full((1, 15), 1.0)
    error[0, FIFTEEN.index("mouth_center_bottom_lip")] = 10.0
    plain, doubtful = measure(projected(), np.full((1, 15), 1.0)).errors[0], measure(projected(), error).errors[0]
    wider = dict(zip(NAMES, (doubtful > 1.5 * plain).tolist(), strict=True))
    assert {name for name, is_wider in wider.items() if is_wider} == {"mouth_opening", "asymmetry"}


def test_uncertain_points_have_little_weight_in_the_pose() -> None:
    points, sigma = projected(yaw=20), np.full((1, 15), 1.0)
    points[0, FIFTEEN.index("nose_tip")] += 15
    sigma[0, FIFTEEN.index("nose_tip")] = 1.0
    misled = np.degrees(fit_pose(points, sigma)[0, 1])
    sigma[0, FIFTEEN.index("nose_tip")] = 50.0
    assert abs(np.degrees(fit_pose(points, sigma)[0, 1]) - 20) < 0.3 * abs(misled - 20)


def test_columns_pair_each_measure_with_its_error() -> None:
    measured = measure(draw_faces(2, seed=1)[1], np.full((2, 15), 1.0))
    columns = measured.columns()
    assert [list(c) for c in columns] == [list(COLUMNS)] * 2
    assert columns[1]["pitch"] == measured.values[1, NAMES.index("pitch")]
    assert columns[1]["pitch_error"] == measured.errors[1, NAMES.index("pitch")]
    assert measure(np.zeros((0, 15, 2)), np.zeros((0, 15))).columns() == []


@pytest.mark.parametrize("scene", ["one place", "far profile"])
def test_degenerate_points_give_finite_values(scene: str) -> None:
    points = np.zeros((1, 15, 2)) if scene == "one place" else projected(yaw=89)
    measured = measure(points, np.full((1, 15), 1.0))
    assert np.isfinite(measured.values).all()
    assert np.isfinite(measured.errors).all()


def test_models_without_the_fifteen_are_refused() -> None:
    with pytest.raises(BadChoice, match="measures need the fifteen points; this model has no left_eye_inner_corner"):
        check_measurable(FIFTEEN.only(FOUR))
    with pytest.raises(BadChoice, match="do not fit 15 keypoints"):
        measure(np.zeros((2, 15, 2)), np.zeros((1, 15)))

"""Scores: their definition, their invariances and the refused inputs."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from facepoints.errors import BadChoice
from facepoints.keypoints import FIFTEEN, FOUR, KeypointSet
from facepoints.metrics import (
    FAILURE_NME,
    face_nme,
    face_rmse,
    point_distances,
    quick_scores,
    squared_error_sums,
)
from facepoints.scores import Scores, score

Case = dict[str, Any]


def a_case(n: int = 60, seed: int = 0) -> Case:
    """Labels 20 to 76 px with gaps, source B with four points only, errors of about 1 px."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(20, 76, (n, 15, 2)).astype(np.float32)
    source = rng.integers(0, 2, n)
    observed = rng.random((n, 15)) < 0.9
    observed[source == 1] &= np.isin(FIFTEEN.names, FOUR)
    observed[:, 10] = True
    predicted = points + rng.normal(0, 1, points.shape)
    return {
        "predicted": predicted,
        "points": points,
        "observed": observed,
        "source": source,
        "keypoints": FIFTEEN,
    }


def measured(case: Case) -> Case:
    """The three arrays that the simpler functions take."""
    return {name: case[name] for name in ("predicted", "points", "observed")}


def close(one: Scores, other: Scores) -> bool:
    left, right = (json.loads(json.dumps(s.as_dict(), allow_nan=False)) for s in (one, other))

    def same(a: Any, b: Any) -> bool:
        if isinstance(a, dict):
            return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
        if isinstance(a, list):
            return all(map(same, a, b))
        return bool(a == b if a is None or b is None else abs(a - b) < 1e-9)

    return same(left, right)


def test_perfect_predictions_have_no_error() -> None:
    case = a_case()
    scores = score(**case | {"predicted": case["points"]})
    assert scores.rmse == scores.overall.mae == scores.overall.nme == scores.overall.distance_95 == 0
    assert scores.overall.rmse_interval == (0.0, 0.0)
    assert scores.overall.pck == {1: 1, 2: 1, 3: 1}
    assert scores.overall.failure_rate == 0
    assert scores.overall.auc == 1


def test_a_shift_by_three_and_four_is_five_pixels_far() -> None:
    case = a_case()
    shifted = case["points"] + np.array((3.0, 4.0))
    scores = score(**case | {"predicted": shifted})
    assert scores.rmse == pytest.approx(np.sqrt((9 + 16) / 2))
    assert (scores.overall.rmse_x, scores.overall.rmse_y) == pytest.approx((3, 4))
    assert scores.overall.mae == pytest.approx(3.5)
    assert scores.overall.median_distance == pytest.approx(5)
    assert scores.overall.pck == {1: 0, 2: 0, 3: 0}
    nose = scores.by_keypoint["nose_tip"]
    assert nose is not None
    assert (nose.bias_x, nose.bias_y) == pytest.approx((3, 4))
    assert face_rmse(shifted, case["points"], case["observed"]) == pytest.approx(np.sqrt(12.5))
    assert point_distances(shifted, case["points"], case["observed"])[case["observed"]] == pytest.approx(5)


@pytest.mark.parametrize("rubbish", [1e9, np.nan, np.inf])
def test_what_is_not_observed_changes_nothing(rubbish: float) -> None:
    case = a_case()
    spoiled = {name: case[name].copy() for name in ("predicted", "points")}
    for values in spoiled.values():
        values[~case["observed"]] = rubbish
    assert close(score(**case), score(**case | spoiled))
    assert quick_scores(**measured(case)) == quick_scores(**measured(case | spoiled))


def test_parts_pool_to_the_whole() -> None:
    scores = score(**a_case())
    squares = scores.rmse**2 * scores.overall.values
    parts = [part for part in scores.by_source.values() if part]
    points = [point for point in scores.by_keypoint.values() if point]
    assert sum(p.rmse**2 * p.values for p in parts) == pytest.approx(squares)
    assert sum(p.rmse**2 * 2 * p.count for p in points) == pytest.approx(squares)
    assert sum(p.faces for p in parts) == scores.overall.faces
    assert scores.overall.rmse_x**2 + scores.overall.rmse_y**2 == pytest.approx(2 * scores.rmse**2)
    sums, counts = squared_error_sums(**measured(a_case()))
    assert (sums.sum(), counts.sum()) == (pytest.approx(squares), scores.overall.values)


def test_the_order_of_faces_does_not_matter() -> None:
    case = a_case() | {"groups": np.arange(60) // 2}
    order = np.random.default_rng(5).permutation(60)
    mixed = {name: value if name == "keypoints" else value[order] for name, value in case.items()}
    assert close(score(**case), score(**mixed))


def test_the_interval_holds_the_estimate_and_shrinks_with_more_faces() -> None:
    widths = []
    for n in (50, 200, 800):
        part = score(**a_case(n)).overall
        assert part.rmse_interval is not None
        low, high = part.rmse_interval
        assert low < part.rmse < high
        widths.append(high - low)
    assert widths[0] > 1.4 * widths[1] > 1.4 * 1.4 * widths[2]


def test_copies_of_a_face_in_one_group_add_no_information() -> None:
    case = a_case(40)
    copies: Case = {name: value if name == "keypoints" else np.repeat(value, 4, axis=0) for name, value in case.items()}
    once, fooled = score(**case), score(**copies)
    grouped = score(**copies, groups=np.repeat(np.arange(40), 4))
    assert once.overall.rmse_interval == pytest.approx(grouped.overall.rmse_interval)
    assert fooled.overall.rmse_interval is not None
    assert once.overall.rmse_interval is not None
    assert np.ptp(fooled.overall.rmse_interval) < 0.7 * np.ptp(once.overall.rmse_interval)


def test_one_wrong_label_moves_the_rmse_but_hardly_the_median_face() -> None:
    case = a_case()
    wrong = case["points"].copy()
    wrong[7, 10] += 60
    before, after = score(**case).overall, score(**case | {"points": wrong}).overall
    assert after.rmse > 2 * before.rmse
    assert after.median_face_rmse == pytest.approx(before.median_face_rmse, rel=0.05)


def test_nme_failure_and_area_by_hand() -> None:
    eyes = KeypointSet(("left_eye_center", "right_eye_center"))
    points = np.array([[[60, 40], [20, 40]]] * 3, np.float32)  # eyes 40 px apart
    predicted = points.copy()
    predicted[0, :, 1] += 2  # NME 0.05
    predicted[1, :, 1] += 8  # NME 0.20
    part = score(predicted, points, np.ones((3, 2), np.bool_), np.zeros(3, np.int64), eyes).overall
    assert part.eye_distance == 40
    assert part.nme == pytest.approx(0.25 / 3)
    assert part.failure_rate == pytest.approx(1 / 3)
    grid = np.linspace(0, FAILURE_NME, 20_001)
    curve = [np.mean(np.array([0.05, 0.2, 0.0]) <= at) for at in grid]
    assert part.auc == pytest.approx(np.trapezoid(curve, grid) / FAILURE_NME, abs=1e-3)


def test_nme_is_unknown_without_a_unit() -> None:
    case = a_case()
    case["observed"][3, 0] = False
    case["observed"][4, :2] = True
    case["points"][4, 0] = case["points"][4, 1]
    nme = face_nme(**measured(case), keypoints=FIFTEEN)
    assert np.asarray(nme.mask)[[3, 4]].all()
    assert not nme.mask.all()
    lips = KeypointSet(tuple(f"point_{i}" for i in range(15)))
    part = score(**case | {"keypoints": lips}).overall
    assert (part.nme, part.failure_rate, part.auc, part.eye_distance) == (None, None, None, None)


def test_absent_groups_are_none_and_faces_without_labels_do_not_count() -> None:
    case = a_case()
    of_a = score(**case | {"source": np.zeros(60, np.int64)})
    assert of_a.by_source["B"] is None
    case["observed"][:, 5] = False
    case["observed"][:9] = False
    scores = score(**case)
    assert scores.by_keypoint[FIFTEEN.names[5]] is None
    assert scores.overall.faces == 51
    assert (face_rmse(**measured(case))[:9] == 0).all()
    kept = {name: value if name == "keypoints" else value[9:] for name, value in case.items()}
    assert close(scores, score(**kept))


def test_a_third_annotator_gets_a_name_too() -> None:
    case = a_case()
    case["source"][:20] = 2
    assert list(score(**case).by_source) == ["A", "B", "2"]


def test_one_face_has_no_interval() -> None:
    case = {name: value if name == "keypoints" else value[:1] for name, value in a_case().items()}
    assert score(**case).overall.rmse_interval is None


def test_quick_scores_agree_with_the_whole() -> None:
    case = a_case()
    quick, part = quick_scores(**measured(case)), score(**case).overall
    assert quick == pytest.approx({"rmse": part.rmse, "mae": part.mae, "pck": part.pck[2]})


def test_scores_survive_json() -> None:
    scores = score(**a_case())
    plain = scores.as_dict()
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert plain["rmse"] == scores.rmse
    assert plain["by_source"]["A"]["pck"]["1"] <= 1
    assert set(plain["by_keypoint"]) == set(FIFTEEN.names)


def nan_at(values: NDArray[np.floating[Any]], face: int, keypoint: int) -> NDArray[np.floating[Any]]:
    spoiled = values.copy()
    spoiled[face, keypoint, 1] = np.nan
    return spoiled


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: {"predicted": c["predicted"][:-1]}, r"predicted has shape \(59, 15, 2\)"),
        (lambda c: {"points": c["points"][:, :, 0]}, r"points have shape \(60, 15\), expected"),
        (lambda c: {"observed": c["observed"][:, :-1]}, r"observed is bool of shape \(60, 14\)"),
        (lambda c: {"observed": c["observed"].astype(int)}, "observed is int64"),
        (lambda c: {"source": c["source"][:-1]}, r"source is int64 of shape \(59,\)"),
        (lambda c: {"source": c["source"].astype(float)}, "source is float64"),
        (lambda c: {"groups": np.arange(59)}, r"groups is int64 of shape \(59,\)"),
        (lambda c: {"keypoints": FIFTEEN.only(FOUR)}, "has 4 names but there are 15 points"),
        (lambda c: {"observed": np.zeros((60, 15), np.bool_)}, "none of the 60 faces has an observed point"),
        (lambda c: {n: c[n][:0] for n in c if n != "keypoints"}, "there are no faces"),
        (lambda c: {"predicted": nan_at(c["predicted"], 8, 10)}, "face 8, keypoint 10: the prediction of y"),
        (lambda c: {"points": nan_at(c["points"], 8, 10)}, "face 8, keypoint 10: the label of y"),
    ],
)
def test_what_does_not_fit_is_refused(change: Any, message: str) -> None:
    case = a_case()
    with pytest.raises(BadChoice, match=message):
        score(**case | change(case))

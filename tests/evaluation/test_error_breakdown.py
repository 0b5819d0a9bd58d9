"""What makes faces hard is found where it was planted; errors have the ellipses that they were drawn with."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from facepoints.data.dataset import LabeledFaces
from facepoints.evaluation.error_breakdown import BINS, OUTLIER, pattern_scores, plausible, property_scores
from facepoints.evaluation.face_properties import face_properties
from facepoints.metrics import face_rmse
from facepoints.reports.evaluation.error_ellipses import scatters


def test_planted_hardness_is_found_first(data: LabeledFaces) -> None:
    rng = np.random.default_rng(0)
    dark = rng.random(len(data))
    faces = replace(data, faces=(data.faces * dark[:, None, None]).astype(np.uint8))
    predicted = data.points + rng.normal(0, 1, data.points.shape) * (1 + 4 * (dark < 0.2))[:, None, None]
    facts = face_properties(faces)
    groups, everyone = np.arange(len(data)), np.asarray(data.observed.any(axis=1))
    first, *_ = property_scores(faces, predicted, facts, groups, everyone)
    assert first.column in ("brightness", "contrast")
    assert first.worst in ("dark", "flat")
    assert first.excess > 0.4
    assert set(first.by_source) == {"A", "B"}
    for parts in first.by_source.values():
        assert len(parts) <= BINS
        assert parts[0].rmse > 2 * parts[-1].rmse
        assert all(part.low <= part.median <= part.high for part in parts)
        assert all(part.interval[0] <= part.rmse <= part.interval[1] for part in parts)


def test_a_wrongly_labeled_face_is_not_compared(data: LabeledFaces) -> None:
    rng = np.random.default_rng(0)
    predicted = data.points + rng.normal(0, 1, data.points.shape)
    predicted[17] += 3 * OUTLIER
    good = plausible(face_rmse(predicted, data.points, data.observed), data)
    assert np.flatnonzero(~good).tolist() == [5, 17]  # 5 has no label


def test_patterns_count_every_labeled_face_once(data: LabeledFaces) -> None:
    facts, labeled = face_properties(data), np.asarray(data.observed.any(axis=1))
    predicted = data.points + 1
    found = pattern_scores(data, predicted, facts, np.arange(len(data)), labeled)
    assert found[0].faces == max(one.faces for one in found)
    assert sum(one.faces for one in found) <= labeled.sum()
    assert all(one.rmse == pytest.approx(1) for one in found)
    assert facts.missing[5] == data.keypoints.names


def test_few_faces_have_no_scale(data: LabeledFaces) -> None:
    few = data.take(np.arange(20))
    assert property_scores(few, few.points + 1, face_properties(few), np.arange(20), np.ones(20, bool)) == []


def test_an_ellipse_has_the_place_shape_and_share_of_the_errors(data: LabeledFaces) -> None:
    rng = np.random.default_rng(4)
    n = 2000
    long, short, angle, bias = 3.0, 1.0, np.radians(30), np.array([1.5, -0.5])
    along = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    errors = (rng.normal(0, 1, (n, 2)) * [long, short]) @ along + bias
    one = data.take(np.zeros(n, np.int64))
    one = replace(one, observed=np.ones((n, 15), bool), points=np.full((n, 15, 2), 40, np.float32))
    (found, *_) = scatters(one, one.points + errors[:, None], 0)
    assert found.bias == pytest.approx(bias, abs=0.2)
    assert found.axes == pytest.approx((long, short), rel=0.06)
    assert found.angle % 180 == pytest.approx(30, abs=3)
    assert found.reach == pytest.approx((np.sqrt(2 * np.log(2)), np.sqrt(2 * np.log(10))), rel=0.05)

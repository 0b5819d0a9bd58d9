"""Folds keep near-duplicates together; predictions of several views agree."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from facepoints.auditing.cross_validation import FOLDS, audit_folds, fold_recipe, predict_views
from facepoints.data.dataset import LabeledFaces
from facepoints.data.similarity import group_alike
from facepoints.errors import BadChoice
from facepoints.keypoints import KeypointSet


def test_no_group_is_cut_and_every_fold_has_its_share_of_each_source(injected: Any) -> None:
    data = injected.data
    fold, group = audit_folds(data, 0), group_alike(data.faces)
    assert set(fold.tolist()) == set(range(FOLDS))
    assert all(len(set(fold[group == g].tolist())) == 1 for g in np.unique(group))
    for source in (0, 1):
        share = np.bincount(fold[data.source == source], minlength=FOLDS) / np.count_nonzero(data.source == source)
        assert np.abs(share - 1 / FOLDS).max() < 0.1
    assert np.array_equal(fold, audit_folds(data, 0))
    assert not np.array_equal(fold, audit_folds(data, 1))


def test_too_few_faces_are_refused_with_a_number(synthetic: LabeledFaces) -> None:
    with pytest.raises(BadChoice, match="12 faces are too few"):
        audit_folds(synthetic.take(np.arange(12)), 0)


def test_a_keypoint_without_its_partner_is_not_mirrored(synthetic: LabeledFaces) -> None:
    assert fold_recipe(synthetic, 0).flip == 0.5
    assert fold_recipe(synthetic.only(("left_eye_center", "nose_tip")), 0).flip == 0


class FindsDots:
    """A stand-in for a network: predicts the center of the brightest spot, plus the source's label offset."""

    label_offset = torch.tensor([[[0.0, 0.0]], [[2.0, -1.0]]])

    def predict(self, faces: Any, source: Any) -> Any:
        y, x = np.mgrid[:96, :96]
        weight = faces.astype(float) ** 2
        total = weight.sum(axis=(1, 2))
        found = np.stack([(weight * x).sum(axis=(1, 2)) / total, (weight * y).sum(axis=(1, 2)) / total], axis=1)
        return (found[:, None] + self.label_offset.numpy()[source]).astype(np.float32)


def test_predictions_of_rotated_scaled_and_mirrored_views_agree() -> None:
    places = np.array([[30.0, 40], [60, 55], [48, 20]])
    y, x = np.mgrid[:96, :96]
    faces = [255 * np.exp(-((x - px) ** 2 + (y - py) ** 2) / 18) for px, py in places]
    data = LabeledFaces(
        np.rint(np.stack(faces)).astype(np.uint8),
        np.zeros((3, 1, 2), np.float32),
        np.ones((3, 1), bool),
        np.array([0, 1, 1]),
        KeypointSet(("dot",)),
        np.arange(3),
    )
    points, spread = predict_views(FindsDots(), data)  # type: ignore[arg-type]
    assert np.abs(points[:, 0] - places - FindsDots.label_offset.numpy()[data.source, 0]).max() < 0.1
    assert spread.max() < 0.1
    # the label offset of a source is not part of the face: it must not rotate with it
    as_a, _ = predict_views(FindsDots(), replace(data, source=np.zeros(3, np.int64)))  # type: ignore[arg-type]
    assert np.allclose(points - as_a, [[[0, 0]], [[2, -1]], [[2, -1]]], atol=1e-3)

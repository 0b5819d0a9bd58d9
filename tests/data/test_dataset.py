"""Labeled faces: rows and keypoints can be chosen, and a fingerprint names exactly these data."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from facepoints.data.dataset import LabeledFaces, fingerprint, picture_digests
from facepoints.keypoints import FOUR


def test_taking_rows_keeps_everything_of_them(few_faces: LabeledFaces) -> None:
    some = few_faces.take(np.array([7, 2]))
    assert len(some) == 2
    for name in ("faces", "points", "observed", "source", "row"):
        np.testing.assert_array_equal(getattr(some, name), getattr(few_faces, name)[[7, 2]])
    masked = few_faces.take(few_faces.source == 1)
    assert (masked.source == 1).all()


def test_fewer_keypoints_take_their_columns_along(few_faces: LabeledFaces) -> None:
    four = few_faces.only(FOUR)
    assert set(four.keypoints.names) == set(FOUR)
    for k, name in enumerate(four.keypoints.names):
        own = few_faces.keypoints.index(name)
        np.testing.assert_array_equal(four.points[:, k], few_faces.points[:, own])
        np.testing.assert_array_equal(four.observed[:, k], few_faces.observed[:, own])
    assert few_faces.only(()) is few_faces


@pytest.mark.parametrize("field", ["faces", "points", "observed", "source"])
def test_any_change_gives_another_fingerprint(few_faces: LabeledFaces, field: str) -> None:
    changed = getattr(few_faces, field).copy()
    changed[3] = changed[3] + 1 if field != "observed" else ~changed[3]
    assert fingerprint(few_faces) == fingerprint(few_faces.take(np.arange(len(few_faces))))
    assert fingerprint(replace(few_faces, **{field: changed})) != fingerprint(few_faces)


def test_a_picture_is_named_whatever_its_labels(few_faces: LabeledFaces) -> None:
    names = picture_digests(few_faces.faces)
    assert len(set(names)) == len(few_faces)
    assert picture_digests(few_faces.faces[5:6]) == [names[5]]


def test_representations_give_rows_keypoints_and_labeled_share(few_faces: LabeledFaces) -> None:
    share = f"{100 * few_faces.observed.mean():.0f} %"
    assert repr(few_faces) == f"LabeledFaces(60 rows, 15 keypoints, {share} labeled)"
    page = few_faces._repr_html_()
    assert repr(few_faces) in page
    assert f"<td>nose_tip</td><td>{few_faces.observed[:, 10].sum()}</td>" in page
    assert "none labeled" in repr(few_faces.take(np.arange(0)))

"""Similarity of images: independent of brightness, symmetric pairs, connected groups."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from facepoints.data.similarity import ALIKE, embed, group_alike, similar_pairs

Faces = NDArray[np.uint8]


def strangers(n: int, seed: int = 0) -> Faces:
    """n pictures that have nothing in common, as smooth as faces are: (n, 96, 96)."""
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(0, 255, (n, 12, 12)).astype(np.float32)
    return np.stack([cv2.resize(picture, (96, 96)) for picture in coarse]).astype(np.uint8)


def darker(face: Faces) -> Faces:
    return (face * 0.6 + 10).astype(np.uint8)


def test_different_images_are_not_grouped_and_brightness_does_not_matter() -> None:
    faces = strangers(60)
    assert group_alike(faces).tolist() == list(range(60))
    similarity = (embed(faces) * embed(darker(faces))).sum(axis=1)
    assert similarity.min() > 0.99


def test_similarity_lies_between_minus_one_and_one() -> None:
    vectors = embed(strangers(20))
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3)


def test_groups_are_connected_components() -> None:
    """Each picture of a slow fade is like its neighbors; the first and the last are strangers, yet one group."""
    a, b, c = strangers(3, seed=4).astype(np.float32)
    fade = np.stack([a + (b - a) * t for t in np.linspace(0, 1, 9)]).astype(np.uint8)
    order = np.random.default_rng(0).permutation(10)
    faces = np.concatenate([fade, c[None].astype(np.uint8)])[order]
    first, last = np.flatnonzero(order == 0)[0], np.flatnonzero(order == 8)[0]
    assert (embed(faces)[first] @ embed(faces)[last]) < ALIKE
    group = group_alike(faces)
    members = np.flatnonzero(order < 9)
    assert set(group[members]) == {members.min()}
    assert group[order == 9] == np.flatnonzero(order == 9)


def test_pairs_are_given_once_across_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    faces = strangers(40)
    faces[[7, 23, 39]] = faces[2]
    whole, _ = similar_pairs(faces)
    monkeypatch.setattr("facepoints.data.similarity._BLOCK", 6)
    pairs, similarities = similar_pairs(faces)
    np.testing.assert_array_equal(pairs, whole)
    np.testing.assert_allclose(similarities, 1, atol=1e-3)
    assert {tuple(pair) for pair in whole.tolist()} == {(2, 7), (2, 23), (2, 39), (7, 23), (7, 39), (23, 39)}
    assert similar_pairs(faces[:0])[0].shape == (0, 2)


def test_pairs_of_two_sets_give_positions_in_both() -> None:
    faces = strangers(10)
    pairs, similarities = similar_pairs(darker(faces[[7, 2]]), 0.97, faces)
    assert pairs.tolist() == [[0, 7], [1, 2]]
    assert similarities.min() > 0.99

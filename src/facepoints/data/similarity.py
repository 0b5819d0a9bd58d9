"""Similar images: a descriptor of each face, pairs above a threshold, connected groups."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

ALIKE = 0.86
"""Likeness from which two pictures count as one group. Measured on 7,049 real faces: all 130 exact twins lie above
0.99; at 0.86 the further pairs are nearly all film frames of one person, and no group has more than a handful;
at 0.80 strangers under the same light begin to chain into one group of a hundred."""


_SIDE = 24  # pixels of the small picture that is compared


_BLOCK = 1024  # faces compared with all others at a time: 1024 x 7049 float32 are 29 MB


def embed(faces: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What a picture looks like, as unit vectors (n, 1152): the small picture, beside its fine structure alone.

    The inner product of two is their likeness, -1 to 1, blind to brightness and contrast. The plain picture alone
    confuses strangers under the same light; the fine structure alone (the picture less its Gaussian blur) confuses
    any two frontal faces that are blurred.
    """
    small = np.empty((len(faces), _SIDE, _SIDE), np.float32)
    fine = np.empty_like(small)
    for i, face in enumerate(faces):
        small[i] = cv2.resize(np.asarray(face), (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
        fine[i] = small[i] - cv2.GaussianBlur(small[i], (0, 0), 4)
    return np.hstack([_unit(small), _unit(fine)]) / np.float32(np.sqrt(2))


def _unit(pictures: NDArray[np.float32]) -> NDArray[np.float32]:
    flat = pictures.reshape(len(pictures), _SIDE * _SIDE)
    flat = flat - flat.mean(axis=1, keepdims=True)
    unit: NDArray[np.float32] = flat / (np.linalg.norm(flat, axis=1, keepdims=True) + 1e-6)
    return unit


def alike_pairs(faces: NDArray[np.uint8], likeness: float = ALIKE) -> NDArray[np.int64]:
    """All pairs (i, j), i < j, of faces (n, 96, 96) at least so alike: int (p, 2)."""
    vectors = embed(faces)
    pairs = []
    for start in range(0, len(vectors), _BLOCK):
        block = vectors[start : start + _BLOCK] @ vectors.T
        i, j = np.nonzero(block >= likeness)
        pairs.append(np.stack([i + start, j], axis=1)[i + start < j])
    return np.concatenate(pairs) if pairs else np.empty((0, 2), np.int64)


def group_alike(faces: NDArray[np.uint8], likeness: float = ALIKE) -> NDArray[np.int64]:
    """For each face the number of its group, int (n,): the lowest position among the faces it hangs together with."""
    group = np.arange(len(faces))
    i, j = alike_pairs(faces, likeness).T
    while True:
        lower = group.copy()
        np.minimum.at(lower, i, group[j])
        np.minimum.at(lower, j, group[i])
        lower = lower[lower]
        if np.array_equal(lower, group):
            return group
        group = lower

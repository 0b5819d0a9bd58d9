"""Similarity of images: pairs above a threshold and connected groups.

One index for the split (groups on one side), near-duplicates (candidates) and the overlap of training and test images.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

ALIKE = 0.86
"""Similarity from which two images belong to one group. Measured on 7,049 real faces: all 130 exact duplicates are
above 0.99; at 0.86 the further pairs are nearly all film frames of one person, and groups have a handful of rows; at
0.80 different persons under the same light chain into one group of a hundred."""

SAME_IMAGE = 0.97
"""Similarity from which two images are taken for the same one without a closer comparison."""

_SIDE = 24  # px of the small image that is compared
_BLOCK = 1024  # images compared with all others at a time: 1024 x 7049 float32 are 29 MB


def embed(faces: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Unit vectors (n, 1152) of images (n, h, w): the small image, and the small image less its Gaussian blur.

    The inner product of two is their similarity, -1 to 1, independent of brightness and contrast. The small image alone
    confuses different persons under the same light; the detail alone confuses any two blurred frontal faces.
    """
    small = np.empty((len(faces), _SIDE, _SIDE), np.float32)
    detail = np.empty_like(small)
    for i, face in enumerate(faces):
        small[i] = cv2.resize(np.asarray(face), (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
        detail[i] = small[i] - cv2.GaussianBlur(small[i], (0, 0), 4)
    return np.hstack([_unit(small), _unit(detail)]) / np.float32(np.sqrt(2))


def _unit(images: NDArray[np.float32]) -> NDArray[np.float32]:
    flat = images.reshape(len(images), _SIDE * _SIDE)
    flat = flat - flat.mean(axis=1, keepdims=True)
    unit: NDArray[np.float32] = flat / (np.linalg.norm(flat, axis=1, keepdims=True) + 1e-6)
    return unit


def similar_pairs(
    faces: NDArray[np.uint8], threshold: float = ALIKE, others: NDArray[np.uint8] | None = None
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Pairs of images (n, 96, 96) with at least this similarity: positions (p, 2) and similarities (p,).

    Without `others` (m, 96, 96) each pair (i, j) of `faces` is given once, i < j; with them i is a position in `faces`
    and j one in `others`.
    """
    vectors = embed(faces)
    compared = vectors if others is None else embed(others)
    pairs, similarities = [np.empty((0, 2), np.int64)], [np.empty(0, np.float32)]
    for start in range(0, len(vectors), _BLOCK):
        block = vectors[start : start + _BLOCK] @ compared.T
        i, j = np.nonzero(block >= threshold)
        kept = slice(None) if others is not None else i + start < j
        pairs.append(np.stack([i + start, j], axis=1)[kept])
        similarities.append(block[i, j][kept])
    return np.concatenate(pairs), np.concatenate(similarities)


def group_alike(faces: NDArray[np.uint8], threshold: float = ALIKE) -> NDArray[np.int64]:
    """Connected components of the similar pairs, int (n,): the lowest position in each face's component."""
    group = np.arange(len(faces))
    i, j = similar_pairs(faces, threshold)[0].T
    while True:
        lower = group.copy()
        np.minimum.at(lower, i, group[j])
        np.minimum.at(lower, j, group[i])
        lower = lower[lower]
        if np.array_equal(lower, group):
            return group
        group = lower

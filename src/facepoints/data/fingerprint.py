"""Short names for faces and labels: what a model was trained on is told by them, wherever the files lie."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from facepoints.data.faces import LabeledFaces


def fingerprint(data: LabeledFaces) -> str:
    """A short name for exactly these faces and labels: the same data, the same name."""
    digest = hashlib.blake2b(digest_size=12)
    for array in (data.faces, data.points, data.observed, data.source):
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def picture_digests(faces: NDArray[np.uint8]) -> list[str]:
    """A short name for each picture of faces (n, 96, 96), whatever its labels: the same picture, the same name."""
    return [hashlib.blake2b(np.ascontiguousarray(face).data, digest_size=8).hexdigest() for face in faces]

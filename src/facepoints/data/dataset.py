"""The two things that DATA holds: faces with labels to learn from, and faces that somebody asks about."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from facepoints.keypoints import KeypointSet


@dataclass(frozen=True)
class LabeledFaces:
    """n faces with what was labeled on them. Arrays may be memory-mapped and read-only."""

    faces: NDArray[np.uint8]
    """grey images, (n, 96, 96)"""
    points: NDArray[np.float32]
    """(n, k, 2), (x, y) in pixels; 0 where not observed: look at `observed`, never at the value"""
    observed: NDArray[np.bool_]
    """(n, k): was this point labeled?"""
    source: NDArray[np.int64]
    """(n,): who annotated the row, 0 (A) or 1 (B)"""
    keypoints: KeypointSet
    row: NDArray[np.int64]
    """(n,): the 0-based row of training.csv"""

    def __len__(self) -> int:
        return len(self.faces)

    def take(self, index: NDArray[np.int64] | NDArray[np.bool_]) -> LabeledFaces:
        """The faces at these positions (or where a mask is true), in that order."""
        return replace(
            self,
            faces=self.faces[index],
            points=self.points[index],
            observed=self.observed[index],
            source=self.source[index],
            row=self.row[index],
        )

    def only(self, names: tuple[str, ...]) -> LabeledFaces:
        """The same faces with fewer keypoints; no names means all."""
        if not names:
            return self
        fewer = self.keypoints.only(names)
        columns = [self.keypoints.index(name) for name in fewer.names]
        return replace(self, points=self.points[:, columns], observed=self.observed[:, columns], keypoints=fewer)


@dataclass(frozen=True)
class SubmissionFaces:
    """m test images and the look-up table: which coordinate of which image is asked for."""

    faces: NDArray[np.uint8]
    """(m, 96, 96)"""
    image_id: NDArray[np.int64]
    """(m,): ImageId of each face, as in test.csv"""
    source: NDArray[np.int64]
    """(m,): 0 (A) where the table asks for more than eight values of the image, else 1 (B)"""
    row_id: NDArray[np.int64]
    """(r,): RowId, in the order of the look-up table"""
    requested_image: NDArray[np.int64]
    """(r,): position in `faces` of the image asked about"""
    requested_column: NDArray[np.int64]
    """(r,): position in `keypoints.columns` of the coordinate asked for"""
    keypoints: KeypointSet


def fingerprint(data: LabeledFaces) -> str:
    """A short name for exactly these faces and labels: the same data, the same name."""
    digest = hashlib.blake2b(digest_size=12)
    for array in (data.faces, data.points, data.observed, data.source):
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def picture_digests(faces: NDArray[np.uint8]) -> list[str]:
    """A short name for each picture of faces (n, 96, 96), whatever its labels: the same picture, the same name."""
    return [hashlib.blake2b(np.ascontiguousarray(face).data, digest_size=8).hexdigest() for face in faces]

"""The two kinds of data sets: faces with labels, and test images with their requested coordinates."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from html import escape

import numpy as np
from numpy.typing import NDArray

from facepoints.keypoints import KeypointSet


@dataclass(frozen=True, repr=False)
class LabeledFaces:
    """n faces and their labels. Arrays may be memory-mapped and read-only."""

    faces: NDArray[np.uint8]
    """grey images, (n, 96, 96)"""
    points: NDArray[np.float32]
    """(n, k, 2), (x, y) in px of the face; 0 where not observed: test `observed`, never the value"""
    observed: NDArray[np.bool_]
    """(n, k): is this point labeled?"""
    source: NDArray[np.int64]
    """(n,): annotation source of the row, 0 (A) or 1 (B)"""
    keypoints: KeypointSet
    row: NDArray[np.int64]
    """(n,): 0-based row of the file"""

    def __len__(self) -> int:
        return len(self.faces)

    def __repr__(self) -> str:
        share = f"{100 * self.observed.mean():.0f} %" if self.observed.size else "none"
        return f"LabeledFaces({len(self):,} rows, {len(self.keypoints)} keypoints, {share} labeled)"

    def _repr_html_(self) -> str:
        counts = zip(self.keypoints.names, self.observed.sum(axis=0).tolist(), strict=True)
        rows = "".join(f"<tr><td>{escape(name)}</td><td>{count:,}</td></tr>" for name, count in counts)
        head = "<tr><th>keypoint</th><th>labeled rows</th></tr>"
        return f"<p>{escape(repr(self))}</p><table><thead>{head}</thead><tbody>{rows}</tbody></table>"

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
    """m test images and the look-up table: the r coordinates that a submission contains, in its order."""

    faces: NDArray[np.uint8]
    """(m, 96, 96)"""
    image_id: NDArray[np.int64]
    """(m,): ImageId of each face, as in test.csv"""
    source: NDArray[np.int64]
    """(m,): annotation source inferred from the table: 0 (A) with more than eight requested values, else 1 (B)"""
    row_id: NDArray[np.int64]
    """(r,): RowId, in the order of the look-up table"""
    requested_image: NDArray[np.int64]
    """(r,): position in `faces`"""
    requested_column: NDArray[np.int64]
    """(r,): position in `keypoints.columns`"""
    keypoints: KeypointSet


def fingerprint(data: LabeledFaces) -> str:
    """Digest of faces and labels: equal for equal data."""
    digest = hashlib.blake2b(digest_size=12)
    for array in (data.faces, data.points, data.observed, data.source):
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def picture_digests(faces: NDArray[np.uint8]) -> list[str]:
    """Digest of each image of faces (n, 96, 96), independent of its labels."""
    return [hashlib.blake2b(np.ascontiguousarray(face).data, digest_size=8).hexdigest() for face in faces]

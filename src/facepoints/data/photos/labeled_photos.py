"""Labeled photos: whole photos with points on their faces, cropped to faces of 96 x 96.

The CSV is read by `photo_table`, the crops are computed by `photo_crop`; docs/data.md has examples.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facepoints.data.dataset import LabeledFaces
from facepoints.data.images import read_image
from facepoints.data.photos.photo_crop import Crop, crop_of_box, crop_of_points
from facepoints.data.photos.photo_table import PhotoTable, read_photo_table
from facepoints.data.tables.cache import Cache, cached_table
from facepoints.data.tables.csv_file import Fault
from facepoints.data.tables.face_table import FaceTable
from facepoints.data.tables.label_columns import ON_A_FACE, SLACK
from facepoints.errors import BadFile
from facepoints.keypoints import FACE_SIZE

Progress = Callable[[int, int], None]
"""Called with (photos done, total)."""

_VERSION = 2  # of the cached crops: increase it when they change


@dataclass(frozen=True)
class LabeledPhotos:
    """n faces cropped from photos, with their transforms."""

    faces: LabeledFaces
    photo: tuple[Path, ...]
    """n: the file of each face"""
    to_face: NDArray[np.float64]
    """(n, 2, 3): maps (x, y, 1) in px of the photo to (x, y) in px of the face"""

    def on_photo(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Points (n, k, 2) from px of the n faces to px of their photos."""
        scale, shift = self.to_face[:, None, [0, 1], [0, 1]], self.to_face[:, None, :, 2]
        back: NDArray[np.float64] = (points - shift) / scale
        return back


def read_labeled_photos(
    path: Path,
    *,
    cache: Cache = "user",
    skip_broken: bool = False,
    on_skip: Callable[[str], None] | None = None,
    progress: Progress | None = None,
) -> LabeledPhotos:
    """The faces listed in a .csv (or .zip with one), cropped to 96 x 96 grey, with their points in px of the crop.

    One photo at a time is in memory. The crops are cached until the content of the CSV or the size or a time of a
    photo changes. With skip_broken, unreadable rows are left out (`row` keeps the numbers of the file) and on_skip is
    called with one line for each. progress is called after each photo.
    """
    table = read_photo_table(path, skip_broken)

    def crop() -> FaceTable:
        return _crop_all(table, skip_broken, progress)

    kind = f"photos{'_skip' if skip_broken else ''}_{_stamp(table)}"
    cropped = cached_table(path, kind, cache, crop)
    for line, fault in cropped.broken:
        if on_skip is not None:
            on_skip(f"{table.name} line {line:,} skipped: {fault}.")
    place = {row.line - 2: i for i, row in enumerate(table.rows)}
    kept = np.array([place[row] for row in cropped.row.tolist()])
    scale, shift = cropped.values[:, :1], cropped.values[:, 1:]
    to_face = np.zeros((len(kept), 2, 3))
    to_face[:, [0, 1], [0, 1]], to_face[:, :, 2] = scale, shift
    points = table.points[kept] * scale[:, None] + shift[:, None]
    return LabeledPhotos(
        LabeledFaces(
            faces=cropped.faces,
            points=np.nan_to_num(points, nan=0.0).astype(np.float32),
            observed=~np.isnan(points[:, :, 0]),
            source=table.source[kept],
            keypoints=table.keypoints,
            row=cropped.row,
        ),
        photo=tuple(table.folder / table.rows[i].photo for i in kept),
        to_face=to_face,
    )


def _stamp(table: PhotoTable) -> str:
    """A hash of the file attributes of all photos."""
    facts: list[object] = [_VERSION]
    for name in dict.fromkeys(row.photo for row in table.rows):
        try:
            stat = (table.folder / name).stat()
            facts.append((stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino, stat.st_dev))
        except (OSError, ValueError):
            facts.append(name)
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:24]


def _crop_all(table: PhotoTable, skip_broken: bool, progress: Progress | None) -> FaceTable:
    """The faces, with scale, shift_x, shift_y of their crops as values; each photo is opened once."""
    members: dict[str, list[int]] = {}
    for i, row in enumerate(table.rows):
        members.setdefault(row.photo, []).append(i)
    faces = np.zeros((len(table.rows), FACE_SIZE, FACE_SIZE), np.uint8)
    crops = np.zeros((len(table.rows), 3))
    faults: dict[int, str] = {}
    for row in table.rows if not skip_broken else []:  # fail before cropping, which can take an hour
        if not _is_file(table.folder / row.photo):
            raise table.bad(row, Fault(f"there is no photo {table.folder / row.photo}"))
    for done, (name, places) in enumerate(members.items(), start=1):
        for i, found in zip(places, _faces_in(name, places, table), strict=True):
            if not isinstance(found, Fault):
                crops[i], faces[i] = found
            elif skip_broken:
                faults[i] = str(found)
            else:
                raise table.bad(table.rows[i], found)
        if progress is not None:
            progress(done, len(members))
    kept = [i for i in range(len(table.rows)) if i not in faults]
    broken = sorted([*table.broken, *((table.rows[i].line, fault) for i, fault in faults.items())])
    if not kept:
        raise BadFile(f"{table.name} line {broken[0][0]:,}: {broken[0][1]}. So is every other row: correct the file.")
    return FaceTable(
        columns=("scale", "shift_x", "shift_y"),
        faces=faces[kept] if faults else faces,
        values=crops[kept],
        row=np.array([table.rows[i].line - 2 for i in kept], np.int64),
        broken=tuple(broken),
    )


_Found = tuple[tuple[float, float, float], NDArray[np.uint8]] | Fault
"""(scale, shift_x, shift_y) and the face (96, 96), or the fault"""


def _faces_in(name: str, places: list[int], table: PhotoTable) -> Iterator[_Found]:
    """The faces at these positions of the table, all of one photo."""
    try:
        photo = read_image(table.folder / name).gray
    except BadFile as error:
        yield from [Fault(str(error))] * len(places)
        return
    for i in places:
        try:
            crop = _crop_of(table, i, photo)
        except Fault as fault:
            yield fault
        else:
            yield (crop.scale, crop.shift_x, crop.shift_y), crop.face(photo)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name too long for the system, or with NUL in it
        return False


def _crop_of(table: PhotoTable, i: int, photo: NDArray[np.uint8]) -> Crop:
    """The crop of row i in its photo (h, w); raises Fault if points or box do not fit the photo."""
    row, points, (height, width) = table.rows[i], table.points[i], photo.shape
    observed = ~np.isnan(points[:, 0])
    size = f"the photo {row.photo} ({width} x {height} px)"
    limit = np.array([width, height]) - 0.5 + SLACK
    outside = observed & ((points < -0.5 - SLACK) | (points > limit)).any(axis=1)
    if outside.any():
        x, y = points[outside][0]
        raise Fault(f"{table.keypoints.names[int(outside.argmax())]} is at ({x:g}, {y:g}), outside {size}")
    if row.box is None:
        return crop_of_points(points, observed, table.keypoints)
    x, y, w, h = row.box
    if not (0 <= x + w / 2 <= width and 0 <= y + h / 2 <= height) or max(w, h) > 2 * max(width, height):
        raise Fault(f"the box ({x:g}, {y:g}, {w:g}, {h:g}) does not lie in {size}")
    crop = crop_of_box(x, y, w, h)
    on_face = crop.points(points)
    outside = observed & ((on_face < ON_A_FACE[0]) | (on_face > ON_A_FACE[1])).any(axis=1)
    if outside.any():
        what = f"{table.keypoints.names[int(outside.argmax())]} lies outside the square around the box"
        raise Fault(f"{what} ({x:g}, {y:g}, {w:g}, {h:g})")
    return crop

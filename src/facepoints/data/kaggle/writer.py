"""Writers of the competition's files, in its exact format; each file appears atomically."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from facepoints.data.dataset import LabeledFaces, SubmissionFaces
from facepoints.data.tables.face_table import IMAGE
from facepoints.data.tables.pixel_text import pixel_text
from facepoints.errors import BadFile
from facepoints.files import atomic_write


def write_training(data: LabeledFaces, path: Path) -> None:
    """Write training.csv or training.zip, by the path's suffix.

    `source` and `row` have no column: the reader infers them from the labels and the order.
    """

    def lines() -> Iterator[bytes]:
        yield ",".join((*data.keypoints.columns, IMAGE)).encode()
        flat = data.points.reshape(len(data), -1)
        known = np.repeat(data.observed, 2, axis=1)
        for i in range(len(data)):
            labels = (str(v) if given else "" for v, given in zip(flat[i], known[i], strict=True))
            yield ",".join(labels).encode() + b"," + pixel_text(data.faces[i])

    _check_finite(path, data.points[data.observed])
    _write_table(path, lines())


def write_submission_faces(data: SubmissionFaces, folder: Path, *, zipped: bool = True) -> None:
    """Write test.zip (or test.csv) and IdLookupTable.csv into a folder."""

    def faces() -> Iterator[bytes]:
        yield f"ImageId,{IMAGE}".encode()
        for number, face in zip(data.image_id.tolist(), data.faces, strict=True):
            yield f"{number},".encode() + pixel_text(face)

    def requested() -> Iterator[bytes]:
        yield b"RowId,ImageId,FeatureName,Location"
        images = data.image_id[data.requested_image]
        for row, image, column in zip(data.row_id, images, data.requested_column, strict=True):
            yield f"{row},{image},{data.keypoints.columns[column]},".encode()

    _write_table(folder / ("test.zip" if zipped else "test.csv"), faces())
    _write_table(folder / "IdLookupTable.csv", requested())


def write_submission(path: Path, row_id: NDArray[np.int64], location: NDArray[np.floating]) -> None:
    """Write RowId, Location (r,) as .csv or .zip, by the suffix. Rejects what the competition rejects."""
    if row_id.shape != location.shape or row_id.ndim != 1:
        raise BadFile(f"{path.name}: {row_id.shape} row numbers for {location.shape} values. Give one for each.")
    if len(np.unique(row_id)) != len(row_id):
        raise BadFile(f"{path.name}: a RowId occurs twice. Give each value its own.")
    _check_finite(path, location)

    def lines() -> Iterator[bytes]:
        yield b"RowId,Location"
        for row, value in zip(row_id, location, strict=True):
            yield f"{row},{value!s}".encode()

    _write_table(path, lines())


def _check_finite(path: Path, values: NDArray[np.floating]) -> None:
    wrong = np.flatnonzero(~np.isfinite(values.reshape(-1)))
    if len(wrong):
        what = f"{len(wrong):,} of {values.size:,} values are not finite, the first is number {wrong[0] + 1:,}"
        raise BadFile(f"{path.name}: {what}; nothing was written. Check the model that made them.")


def _write_table(path: Path, lines: Iterable[bytes]) -> None:
    ending = path.suffix.lower()
    if ending not in (".csv", ".zip"):
        raise BadFile(f"{path}: cannot tell the format. Let the name end in .csv or .zip.")
    if ending == ".zip" and path.with_suffix(".csv").exists():
        raise BadFile(f"{path.with_suffix('.csv')} exists and would be read instead of the zip. Remove it first.")
    with atomic_write(path) as temporary, temporary.open("xb") as file:
        if ending == ".csv":
            _write_lines(file, lines)
            return
        # A member opened by name is dated 1980, so the same faces give the same bytes.
        with (
            zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
            archive.open(f"{path.stem}.csv", "w", force_zip64=True) as stream,
        ):
            _write_lines(stream, lines)


def _write_lines(file: IO[bytes], lines: Iterable[bytes]) -> None:
    for line in lines:
        file.write(line + b"\n")

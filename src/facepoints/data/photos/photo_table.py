"""The CSV of labeled photos: file name, points, and optionally a box and a source in each row.

    image, left_eye_center_x, left_eye_center_y, ...        also `file` or `photo` for `image`
    ..., box_x, box_y, box_w, box_h                         optional: position of the face
    ..., source                                             optional: annotation source

File names are relative to the CSV. Points and boxes are in pixels of the photo as displayed, with its EXIF orientation
applied. The photos themselves are not opened here.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facepoints.data.tables.csv_file import CsvFile, Fault, open_csv
from facepoints.data.tables.face_table import IMAGE
from facepoints.data.tables.label_columns import coordinate, coordinate_reader, keypoints_in
from facepoints.errors import BadFile
from facepoints.keypoints import SOURCES, KeypointSet

PHOTO_COLUMNS = ("image", "file", "photo")
"""Names of the column with the file name."""

BOX_COLUMNS = ("box_x", "box_y", "box_w", "box_h")

SOURCE_COLUMN = "source"

_REMEDY = "Correct the row or pass --skip-broken."
_ANY_NUMBER = (-sys.float_info.max, sys.float_info.max)


@dataclass(frozen=True)
class PhotoRow:
    """One line of the CSV."""

    line: int
    photo: str
    """the file name in the CSV"""
    box: tuple[float, ...] | None
    """x, y, w, h in px of the photo"""
    source: str
    values: list[float]
    """the coordinates in px of the photo, in the file's order, NaN where empty"""


@dataclass(frozen=True)
class PhotoTable:
    """The n readable rows of the CSV."""

    name: str
    folder: Path
    keypoints: KeypointSet
    rows: list[PhotoRow]
    points: NDArray[np.float64]
    """(n, k, 2) px of the photo, NaN where not observed"""
    source: NDArray[np.int64]
    broken: list[tuple[int, str]]
    """(line, fault) of each skipped row"""

    def bad(self, row: PhotoRow, fault: Fault) -> BadFile:
        """The error for a row with a faulty photo or crop."""
        return BadFile(f"{self.name} line {row.line:,}: {fault}. {_REMEDY}")


def names_photos(path: Path) -> bool:
    """Whether this CSV contains file names of photos instead of a column Image with pixels."""
    with open_csv(path) as csv:
        return IMAGE not in csv.header and any(column in csv.header for column in PHOTO_COLUMNS)


def read_photo_table(path: Path, skip_broken: bool) -> PhotoTable:
    """The rows of a .csv, or a .zip with one; raises BadFile. With skip_broken, bad rows go to `broken`."""
    rows: list[PhotoRow] = []
    broken: list[tuple[int, str]] = []
    with open_csv(path) as csv:
        read_row, keypoints, order = _row_reader(csv)
        for line, text in csv.lines:
            try:
                rows.append(read_row(line, csv.fields(text)))
            except Fault as fault:
                if not skip_broken:
                    raise csv.bad(line, str(fault), _REMEDY) from fault
                broken.append((line, str(fault)))
        if not rows:
            nothing = broken[0] if broken else (2, "no faces, only column names")
            raise csv.bad(*nothing, "No row is readable: export the file again.")
        return PhotoTable(
            name=csv.name,
            folder=path.parent,
            keypoints=keypoints,
            rows=rows,
            points=np.array([row.values for row in rows])[:, order].reshape(len(rows), -1, 2),
            source=_source_numbers(csv, rows),
            broken=broken,
        )


def _row_reader(csv: CsvFile) -> tuple[Callable[[int, list[bytes]], PhotoRow], KeypointSet, list[int]]:
    """A reader of rows; the keypoints; and the positions of their coordinates in a row. Raises BadFile."""
    named = [column for column in PHOTO_COLUMNS if column in csv.header]
    if len(named) != 1:
        what = f"columns {' and '.join(named)}" if named else f"no column '{PHOTO_COLUMNS[0]}'"
        raise csv.bad(1, f"{what}, expected one with the photos' file names", "Correct the header.")
    if has_box := any(column in csv.header for column in BOX_COLUMNS):
        csv.need(BOX_COLUMNS)
    others = (named[0], *BOX_COLUMNS, SOURCE_COLUMN)
    read_coordinates = coordinate_reader(csv, others, _ANY_NUMBER)
    at = {column: i for i, column in enumerate(csv.header)}
    columns = tuple(column for column in csv.header if column not in others)
    keypoints = keypoints_in(columns)

    def read(line: int, fields: list[bytes]) -> PhotoRow:
        return PhotoRow(
            line=line,
            photo=_file_name(named[0], fields[at[named[0]]]),
            box=_box([fields[at[column]] for column in BOX_COLUMNS]) if has_box else None,
            source=_word(SOURCE_COLUMN, fields[at[SOURCE_COLUMN]]) if SOURCE_COLUMN in at else "",
            values=read_coordinates([fields[at[column]] for column in columns]),
        )

    return read, keypoints, [columns.index(column) for column in keypoints.columns]


def _word(column: str, field: bytes) -> str:
    try:
        word = field.decode().strip()
    except UnicodeDecodeError as error:
        raise Fault(f"{column} is not UTF-8") from error
    if not word:
        raise Fault(f"{column} is empty")
    return word


def _file_name(column: str, field: bytes) -> str:
    name = _word(column, field)
    if len(field) > 1000 and field[:9].replace(b" ", b"").isdigit():
        raise Fault(f"{column} holds pixels, expected a file name (a column of pixels is called {IMAGE})")
    return name


def _box(fields: list[bytes]) -> tuple[float, ...] | None:
    if not any(fields):
        return None
    if not all(fields):
        raise Fault(f"only some of {', '.join(BOX_COLUMNS)} are given, expected all or none")
    box = tuple(coordinate(*pair, _ANY_NUMBER) for pair in zip(BOX_COLUMNS, fields, strict=True))
    if min(box[2:]) <= 0:
        raise Fault(f"the box is {box[2]:g} x {box[3]:g} px, expected a width and a height above 0")
    return box


def _source_numbers(csv: CsvFile, rows: list[PhotoRow]) -> NDArray[np.int64]:
    """0 or 1 for the source of each row: A and B, or 0 and 1, keep their order; other names are sorted."""
    names = list(dict.fromkeys(row.source for row in rows))
    if len(names) > len(SOURCES):
        line = next(row.line for row in rows if row.source == names[2])
        what = f"source '{names[2]}' is the third, after '{names[0]}' and '{names[1]}'; expected at most two"
        raise csv.bad(line, what, "Merge sources that label alike, or remove the column.")
    order = next(order for order in (SOURCES, ("0", "1"), sorted(names)) if set(names) <= set(order))
    return np.array([order.index(row.source) for row in rows], np.int64)

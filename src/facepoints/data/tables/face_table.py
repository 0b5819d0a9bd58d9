"""A table of faces: a column `Image` of pixels and columns of numbers, read block by block."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facepoints.data.tables.csv_file import CsvFile, Fault, open_csv
from facepoints.data.tables.pixel_text import ROWS_AT_ONCE, parse_pixels, pixel_fault
from facepoints.errors import BadFile
from facepoints.keypoints import FACE_SIZE

IMAGE = "Image"

RowReader = Callable[[list[bytes]], list[float]]
"""The fields of one row, without its image, as numbers (NaN where empty); raises Fault."""


@dataclass(frozen=True)
class FaceTable:
    """n rows. Arrays may be memory-mapped and read-only."""

    columns: tuple[str, ...]
    """the c columns other than Image, in the file's order"""
    faces: NDArray[np.uint8]
    """(n, 96, 96)"""
    values: NDArray[np.float64]
    """(n, c), NaN where the field is empty"""
    row: NDArray[np.int64]
    """(n,): 0-based row of the file, counting broken rows"""
    broken: tuple[tuple[int, str], ...] = ()
    """(line, fault) of each skipped row"""


def read_face_table(path: Path, row_reader: Callable[[CsvFile], RowReader], skip_broken: bool) -> FaceTable:
    """Read a .csv or .zip. `row_reader` checks the header and returns the reader of rows, or raises BadFile."""
    with open_csv(path) as csv:
        csv.need([IMAGE])
        rows = _Rows(csv, row_reader(csv), skip_broken)
        for line, text in csv.lines:
            rows.add(line, text)
        return rows.finish()


class _Rows:
    """Collects rows and parses their pixels in blocks; a broken row raises, or is noted with skip_broken."""

    def __init__(self, csv: CsvFile, read_row: RowReader, skip_broken: bool) -> None:
        self.csv, self.read_row, self.skip_broken = csv, read_row, skip_broken
        self.image_at = csv.header.index(IMAGE)
        self.waiting: list[tuple[int, bytes, list[float]]] = []
        self.faces: list[NDArray[np.uint8]] = []
        self.values: list[list[float]] = []
        self.row: list[int] = []
        self.broken: list[tuple[int, str]] = []

    def add(self, line: int, text: bytes) -> None:
        try:
            fields = self.csv.fields(text)
            image = fields.pop(self.image_at)
            self.waiting.append((line, image, self.read_row(fields)))
        except Fault as fault:
            self._parse_waiting()  # an earlier broken row is reported first
            self._note(line, str(fault))
        if len(self.waiting) == ROWS_AT_ONCE:
            self._parse_waiting()

    def _parse_waiting(self) -> None:
        faces = parse_pixels([image for _, image, _ in self.waiting]) if self.waiting else None
        if faces is None:
            faults = [pixel_fault(image) for _, image, _ in self.waiting]
            for (line, _, _), fault in zip(self.waiting, faults, strict=True):
                if fault:
                    self._note(line, fault)
            self.waiting = [kept for kept, fault in zip(self.waiting, faults, strict=True) if not fault]
            faces = parse_pixels([image for _, image, _ in self.waiting]) if self.waiting else None
        if faces is not None:
            self.faces.append(faces)
            self.values.extend(values for _, _, values in self.waiting)
            self.row.extend(line - 2 for line, _, _ in self.waiting)
        self.waiting = []

    def _note(self, line: int, fault: str) -> None:
        if not self.skip_broken:
            raise self.csv.bad(line, fault, "Re-export the row or pass --skip-broken.")
        self.broken.append((line, fault))

    def finish(self) -> FaceTable:
        self._parse_waiting()
        if not self.faces:
            if self.broken:
                raise self.csv.bad(*self.broken[0], "All other rows are broken too: export the file again.")
            raise BadFile(f"{self.csv.name} line 2: no faces, only column names. Download or export it again.")
        columns = tuple(column for column in self.csv.header if column != IMAGE)
        return FaceTable(
            columns=columns,
            faces=np.concatenate(self.faces).reshape(-1, FACE_SIZE, FACE_SIZE),
            values=np.array(self.values, np.float64).reshape(-1, len(columns)),
            row=np.array(self.row, np.int64),
            broken=tuple(self.broken),
        )

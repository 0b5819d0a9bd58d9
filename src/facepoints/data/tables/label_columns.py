"""Keypoint set of a training file from its column names, and validation of its coordinates."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from facepoints.data.tables.csv_file import CsvFile, Fault, near
from facepoints.data.tables.face_table import IMAGE, FaceTable, RowReader
from facepoints.keypoints import FACE_SIZE, FIFTEEN, SIXTY_EIGHT, KeypointSet

SLACK = 1.0
"""Pixels that a coordinate may lie outside the image (-0.5 to 95.5): the competition's labels reach 95.9."""

ON_A_FACE = (-0.5 - SLACK, FACE_SIZE - 0.5 + SLACK)
"""Lowest and highest coordinate of a point on a face."""


def keypoints_in(columns: tuple[str, ...]) -> KeypointSet:
    """The keypoint set of <name>_x, <name>_y columns, in their order.

    Names that are all of the competition's set, or all of the 68 points, get the order of that set.
    """
    names = tuple(dict.fromkeys(column[:-2] for column in columns))
    known = (known for known in (FIFTEEN, SIXTY_EIGHT) if set(names) <= set(known.names))
    return next((known.only(names) for known in known), KeypointSet(names))


def coordinate_reader(
    csv: CsvFile, besides: tuple[str, ...] = (IMAGE,), bounds: tuple[float, float] = ON_A_FACE
) -> RowReader:
    """The function that reads a row's coordinates, in the file's order; raises BadFile for names without a pair.

    All columns except `besides` are coordinates, in px within `bounds`.
    """
    columns = tuple(column for column in csv.header if column not in besides)
    _check_names(csv, columns, besides)
    partners = [(columns.index(f"{column[:-2]}_x"), columns.index(f"{column[:-2]}_y")) for column in columns]
    pairs = sorted(set(partners))

    def read(fields: list[bytes]) -> list[float]:
        values = [coordinate(columns[i], field, bounds) if field else math.nan for i, field in enumerate(fields)]
        for x, y in pairs:
            if (values[x] != values[x]) != (values[y] != values[y]):
                given, absent = (y, x) if values[x] != values[x] else (x, y)
                raise Fault(f"{columns[given]} is given but {columns[absent]} is empty, expected both or neither")
        return values

    return read


def points_in(table: FaceTable, keypoints: KeypointSet) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Points (n, k, 2) px, 0 where not observed, and observed (n, k), in the order of `keypoints`."""
    order = [table.columns.index(column) for column in keypoints.columns]
    points = table.values[:, order].reshape(-1, len(keypoints), 2)
    observed = ~np.isnan(points[:, :, 0])
    return np.nan_to_num(points, nan=0.0).astype(np.float32), observed


def _check_names(csv: CsvFile, columns: tuple[str, ...], besides: tuple[str, ...]) -> None:
    known = (*FIFTEEN.columns, *besides)
    if not columns:
        raise csv.bad(1, "there are no coordinate columns such as nose_tip_x", "Is this the training file?")
    for column in columns:
        if column[-2:] not in ("_x", "_y") or not column[:-2]:
            what = f"column '{column}' is neither {' nor '.join(besides)} nor ends in _x or _y{near(column, known)}"
            raise csv.bad(1, what, "Rename or remove it.")
    for column in columns:
        partner = column[:-1] + ("y" if column.endswith("x") else "x")
        if partner not in columns:
            raise csv.bad(1, f"column '{column}' has no partner '{partner}'", "Add it or correct the names.")
    _check_spelling(csv, keypoints_in(columns))


def _check_spelling(csv: CsvFile, keypoints: KeypointSet) -> None:
    """Other names are allowed, but a name close to a missing one of the competition's is a spelling mistake."""
    absent = [name for name in FIFTEEN.names if name not in keypoints.names]
    if 2 * len(absent) > len(FIFTEEN):
        return
    for name in keypoints.names:
        if name not in (*FIFTEEN.names, *SIXTY_EIGHT.names) and (guess := near(name, absent)):
            raise csv.bad(1, f"no keypoint '{name}' in the competition's files{guess}", "Rename its two columns.")


def coordinate(column: str, field: bytes, bounds: tuple[float, float]) -> float:
    """A number of pixels within bounds; raises Fault."""
    try:
        value = float(field) if b"_" not in field else math.nan  # Python parses 1_0 as ten
    except ValueError:
        value = math.nan
    if bounds[0] <= value <= bounds[1]:
        return value
    shown = field[:20].decode("ascii", "backslashreplace")
    if math.isfinite(value):
        raise Fault(f"{column} is {shown}, outside the image (-0.5 to {FACE_SIZE - 0.5})")
    raise Fault(f"{column} is '{shown}', expected a number in pixels, or nothing if not labeled")

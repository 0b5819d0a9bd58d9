"""points.csv and points.json: what was found, written as it comes, in memory that does not grow."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from facepoints.files import atomic_write
from facepoints.inference.faces import Face
from facepoints.inference.measures import COLUMNS, check_measurable, measure
from facepoints.keypoints import KeypointSet

TABLE, TREE = "points.csv", "points.json"

PLACES = ("file", "frame", "time", "face", "box_x", "box_y", "box_w", "box_h", "score")
"""The table's first columns. frame and time (seconds) are empty for photos; face counts from 0 in each photo, and stays
with a person in a video. Then follow x, y and expected error of every point, px of the photo."""


class ResultFiles:
    """Both files of one folder; use it in a `with`, which puts them there when it ends well."""

    def __init__(self, out: Path, keypoints: KeypointSet, measured: bool = False) -> None:
        """measured: the table gets the columns of `facepoints.inference.measures`, too."""
        self._files = ExitStack()
        self._out = out
        self._measured = measured
        if measured:
            check_measurable(keypoints)
        self._header = [
            *PLACES,
            *(f"{name}_{part}" for name in keypoints.names for part in ("x", "y", "error")),
            *(COLUMNS if measured else ()),
        ]
        self._entries = 0

    def __enter__(self) -> ResultFiles:
        with ExitStack() as opened:
            table, tree = (opened.enter_context(atomic_write(self._out / name)) for name in (TABLE, TREE))
            self._tree = opened.enter_context(tree.open("w", encoding="utf-8"))
            self._table = csv.writer(
                opened.enter_context(table.open("w", encoding="utf-8", newline="")), lineterminator="\n"
            )
            self._table.writerow(self._header)
            self._tree.write("[")
            self._files = opened.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tree.write("\n]\n")
        self._files.__exit__(kind, error, trace)

    def add(
        self,
        file: str,
        faces: Sequence[Face],
        *,
        numbers: Sequence[int] | None = None,
        frame: int | None = None,
        time: float | None = None,
    ) -> None:
        """The faces of a photo or of one frame, and their numbers (0, 1, ... if not given)."""
        known = range(len(faces)) if numbers is None else numbers
        more = _measured(faces) if self._measured else [[]] * len(faces)
        at = ["" if frame is None else frame, "" if time is None else f"{time:.4f}"]
        for face, number, cells in zip(faces, known, more, strict=True):
            numbers_of = [f"{v:.2f}" for x, y, e in _rows(face) for v in (x, y, e)]
            box = [f"{v:.2f}" for v in face.box]
            self._table.writerow([file, *at, number, *box, f"{face.score:.3f}", *numbers_of, *cells])
        entry: dict[str, Any] = {"file": file}
        if frame is not None:
            entry |= {"frame": frame} | ({} if time is None else {"time": round(time, 4)})
        entry["faces"] = [
            as_json(face) | ({} if numbers is None else {"face": n}) for face, n in zip(faces, known, strict=True)
        ]
        self._tree.write(("," if self._entries else "") + "\n" + json.dumps(entry))
        self._entries += 1


def as_json(face: Face) -> dict[str, Any]:
    """A face as points.json and the server have it: box, score, points and expected errors by name; px, to 1/100."""
    rows = dict(zip(face.keypoints.names, _rows(face), strict=True))
    return {
        "box": [round(v, 2) for v in face.box],
        "score": round(face.score, 3),
        "points": {name: [round(x, 2), round(y, 2)] for name, (x, y, _) in rows.items()},
        "expected_error": {name: round(error, 2) for name, (_, _, error) in rows.items()},
    }


def _measured(faces: Sequence[Face]) -> list[list[str]]:
    """The measures of each face, in the order of COLUMNS."""
    if not faces:
        return []
    points, errors = np.stack([face.points for face in faces]), np.stack([face.expected_error for face in faces])
    measured = measure(points, errors, faces[0].keypoints)
    return [[f"{value:.4g}" for value in columns.values()] for columns in measured.columns()]


def _rows(face: Face) -> list[tuple[float, float, float]]:
    """x, y and expected error of each point."""
    return [(x, y, e) for (x, y), e in zip(face.points.tolist(), face.expected_error.tolist(), strict=True)]

"""points.csv and points.json, written face by face in constant memory."""

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

FACE_COLUMNS = ("file", "frame", "time", "face", "box_x", "box_y", "box_w", "box_h", "score")
"""First columns of points.csv. frame and time (s) are empty for photos; face counts from 0 in each photo and is the
track's id in a video. The x, y and expected error of every point follow, in px of the photo."""


class ResultFiles:
    """points.csv and points.json of one folder. A context manager: both files appear when its block succeeds."""

    def __init__(self, out: Path, keypoints: KeypointSet, measured: bool = False) -> None:
        """measured: add the columns of `facepoints.inference.measures` to points.csv."""
        self._files = ExitStack()
        self._out = out
        self._measured = measured
        if measured:
            check_measurable(keypoints)
        points = (f"{name}_{part}" for name in keypoints.names for part in ("x", "y", "error"))
        self._header = [*FACE_COLUMNS, *points, *(COLUMNS if measured else ())]
        self._separator = ""

    def __enter__(self) -> ResultFiles:
        with ExitStack() as opened:
            table, tree = (
                opened.enter_context(atomic_write(self._out / name)) for name in ("points.csv", "points.json")
            )
            self._tree = opened.enter_context(tree.open("w", encoding="utf-8"))
            rows = opened.enter_context(table.open("w", encoding="utf-8", newline=""))
            self._table = csv.writer(rows, lineterminator="\n")
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
        ids: Sequence[int] | None = None,
        frame: int | None = None,
        time: float | None = None,
    ) -> None:
        """Write the faces of one photo or video frame. ids: track ids; default: 0, 1, ... and no id in points.json."""
        measures = _measures(faces) if self._measured else [[]] * len(faces)
        place = ["" if frame is None else frame, "" if time is None else f"{time:.4f}"]
        entry: dict[str, Any] = {"file": file}
        if frame is not None:
            entry |= {"frame": frame} | ({} if time is None else {"time": round(time, 4)})
        entry["faces"] = []
        for i, (face, cells) in enumerate(zip(faces, measures, strict=True)):
            number = i if ids is None else ids[i]
            box = [f"{v:.2f}" for v in face.box]
            points = [f"{v:.2f}" for row in _rows(face) for v in row]
            self._table.writerow([file, *place, number, *box, f"{face.score:.3f}", *points, *cells])
            entry["faces"].append(as_json(face) | ({} if ids is None else {"face": number}))
        self._tree.write(f"{self._separator}\n{json.dumps(entry)}")
        self._separator = ","


def as_json(face: Face) -> dict[str, Any]:
    """A face as in points.json and in the server's responses: px of the photo, rounded to 0.01."""
    rows = dict(zip(face.keypoints.names, _rows(face), strict=True))
    return {
        "box": [round(v, 2) for v in face.box],
        "score": round(face.score, 3),
        "points": {name: [round(x, 2), round(y, 2)] for name, (x, y, _) in rows.items()},
        "expected_error": {name: round(error, 2) for name, (_, _, error) in rows.items()},
    }


def _measures(faces: Sequence[Face]) -> list[list[str]]:
    """The measures of each face, in the order of COLUMNS."""
    if not faces:
        return []
    points, errors = np.stack([face.points for face in faces]), np.stack([face.expected_error for face in faces])
    measured = measure(points, errors, faces[0].keypoints)
    return [[f"{value:.4g}" for value in columns.values()] for columns in measured.columns()]


def _rows(face: Face) -> list[tuple[float, float, float]]:
    """x, y and expected error of each point."""
    return [(x, y, e) for (x, y), e in zip(face.points.tolist(), face.expected_error.tolist(), strict=True)]

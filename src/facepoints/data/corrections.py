"""User corrections of label issues: corrections.json, as the audit page writes it, applied to data.

    {"format": 1, "corrections": [
        {"row": 213, "kind": "displaced", "keypoint": "nose_tip", "mark": "wrong", "points": {"nose_tip": [47.5, 60]}},
        {"row": 977, "kind": "mismatched", "keypoint": "", "mark": "fine", "points": {}}]}

`mark` is "wrong" or "fine". `points` are the points that the user moved, with their new position in px of the face.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from facepoints.data.dataset import LabeledFaces
from facepoints.errors import BadFile
from facepoints.keypoints import FACE_SIZE

MARKS = ("wrong", "fine")
FORMAT = 1
_FROM_PAGE = "Give the corrections.json that the audit page downloads"


@dataclass(frozen=True)
class Correction:
    """A user's decision on one label issue."""

    row: int
    """0-based row of training.csv"""
    kind: str
    """kind of the issue, as in audit.csv"""
    keypoint: str
    """the point of the issue; empty if it concerns the whole row"""
    mark: str
    """wrong or fine"""
    points: dict[str, tuple[float, float]] = field(default_factory=dict)
    """name -> (x, y) px: corrected positions"""


def read_corrections(path: Path) -> list[Correction]:
    """The corrections of a file; raises BadFile for any other content."""
    try:
        tree = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise BadFile(f"{path}: cannot be read ({error.strerror or error}). {_FROM_PAGE}.") from error
    except ValueError as error:
        raise BadFile(f"{path}: not a JSON file ({error}). {_FROM_PAGE}.") from error
    if not isinstance(tree, dict) or not isinstance(tree.get("corrections"), list):
        raise BadFile(f'{path}: expected {{"format": {FORMAT}, "corrections": [...]}}. {_FROM_PAGE}.')
    if tree.get("format") != FORMAT:
        raise BadFile(f"{path}: format is {tree.get('format')!r}, this facepoints reads {FORMAT}. {_FROM_PAGE}.")
    return [_correction(path, number, entry) for number, entry in enumerate(tree["corrections"], start=1)]


def _correction(path: Path, number: int, entry: Any) -> Correction:
    def bad(what: str) -> BadFile:
        return BadFile(f"{path} correction {number:,}: {what}. Correct it or download the file again.")

    if not isinstance(entry, dict):
        raise bad("not an object with row, kind, keypoint, mark and points")
    row, kind, keypoint = entry.get("row"), entry.get("kind", ""), entry.get("keypoint", "")
    mark, points = entry.get("mark"), entry.get("points", {})
    if not isinstance(row, int) or isinstance(row, bool) or row < 0:
        raise bad(f"row is {row!r}, expected the 0-based number of a row")
    if mark not in MARKS:
        raise bad(f"mark is {mark!r}, expected one of: {', '.join(MARKS)}")
    if not isinstance(kind, str) or not isinstance(keypoint, str) or not isinstance(points, dict):
        raise bad("kind and keypoint must be strings, points an object")
    moved = {}
    for name, place in points.items():
        if not (isinstance(place, list) and len(place) == 2 and all(_in_image(value) for value in place)):
            limits = f"[x, y] in pixels from -0.5 to {FACE_SIZE - 0.5}"
            raise bad(f"{name} is {json.dumps(place)[:40]}, expected {limits}")
        moved[name] = (float(place[0]), float(place[1]))
    return Correction(row, kind, keypoint, mark, moved)


def _in_image(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) and -0.5 <= value <= FACE_SIZE - 0.5


def apply_corrections(data: LabeledFaces, path: Path, corrections: list[Correction] | None = None) -> LabeledFaces:
    """The corrected data.

    Moved points get their new position. An issue marked "wrong" without moved points is removed: its point becomes
    unobserved, or all labels of its row; rows without labels are left out. "fine" changes nothing here; the audit and
    `without_label_issues` skip such issues. `corrections` is the content of the file, if already read.
    """
    corrections = read_corrections(path) if corrections is None else corrections
    points, observed = np.array(data.points), np.array(data.observed)
    position = {row: i for i, row in enumerate(data.row.tolist())}
    last = int(data.row.max()) if len(data) else -1
    # removals before moves: two issues may concern one row
    for c in corrections:
        if c.row > last:
            what = f"row {c.row:,} is not in the data, whose last row is {last:,}"
            raise BadFile(f"{path}: {what}. Give the corrections of the same files.")
        for name in (*c.points, *([c.keypoint] if c.keypoint else [])):
            if name not in data.keypoints.names:
                known = ", ".join(data.keypoints.names)
                raise BadFile(f"{path}: row {c.row:,} names a keypoint '{name}'; the data have: {known}.")
        if c.row in position and c.mark == "wrong" and not c.points:
            if c.keypoint:
                observed[position[c.row], data.keypoints.index(c.keypoint)] = False
            else:
                observed[position[c.row]] = False
    for c in corrections:
        for name, place in c.points.items() if c.row in position else ():
            at = position[c.row], data.keypoints.index(name)
            points[at], observed[at] = place, True
    points[~observed] = 0
    return replace(data, points=points, observed=observed).take(np.flatnonzero(observed.any(axis=1)))

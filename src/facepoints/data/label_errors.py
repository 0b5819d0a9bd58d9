"""Label issues: reading and writing audit.csv, and data without its issues."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from facepoints.data.corrections import Correction
from facepoints.data.dataset import LabeledFaces
from facepoints.errors import BadChoice, BadFile
from facepoints.files import write_text

KINDS = ("duplicate", "swapped", "displaced", "mismatched", "outside")
"""The values of the column `kind` of audit.csv."""
POINT_KINDS = ("displaced", "outside")
"""The kinds that concern a single point; the others concern the whole row."""
COLUMNS = ("row", "kind", "keypoint", "score", "other_row")
ISSUE_THRESHOLD = 0.5
"""Default score from which a label is left out: more likely wrong than right."""


@dataclass(frozen=True)
class LabelIssue:
    """One line of audit.csv."""

    row: int
    """0-based row of training.csv"""
    kind: str
    """one of KINDS"""
    keypoint: str
    """name of the point for POINT_KINDS; else empty"""
    score: float
    """0 to 1: probability of the issue; for `outside` the distance from the image in px, at most 1"""
    other_row: int | None = None
    """the near-duplicate, or the row that these labels seem to belong to"""
    reason: str = ""
    """one sentence; not in audit.csv"""


def write_label_issues(label_issues: list[LabelIssue], path: Path) -> None:
    """Write audit.csv in the given order: highest score first."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for s in label_issues:
        table.writerow((s.row, s.kind, s.keypoint, f"{s.score:.6f}", "" if s.other_row is None else s.other_row))
    write_text(path, text.getvalue())


def read_label_issues(path: Path) -> list[LabelIssue]:
    """The issues of an audit.csv, in its order; raises BadFile for any other content."""
    remedy = "Give the audit.csv that `facepoints audit` writes."
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise BadFile(f"{path}: cannot be read ({error.strerror or error}). {remedy}") from error
    except UnicodeDecodeError as error:
        raise BadFile(f"{path}: not a text file. {remedy}") from error
    lines = csv.reader(io.StringIO(text))
    header = next(lines, [])
    if tuple(header) != COLUMNS:
        shown = ",".join(header)[:60] or "nothing"
        raise BadFile(f"{path} line 1: expected {','.join(COLUMNS)}, found {shown}. Is this an audit.csv?")
    return [_label_issue(path, number, fields) for number, fields in enumerate(lines, start=2) if fields]


def _label_issue(path: Path, line: int, fields: list[str]) -> LabelIssue:
    def bad(what: str) -> BadFile:
        return BadFile(f"{path} line {line:,}: {what}. Correct the line or run the audit again.")

    if len(fields) != len(COLUMNS):
        raise bad(f"{len(fields)} fields, expected {len(COLUMNS)}")
    row, kind, keypoint, score, other = fields
    if not row.isdecimal() or not (other == "" or other.isdecimal()):
        raise bad(f"row is '{row}' and other_row '{other}', expected whole numbers (other_row may be empty)")
    if kind not in KINDS:
        raise bad(f"no kind '{kind}'; there are: {', '.join(KINDS)}")
    if kind in POINT_KINDS and not keypoint:
        raise bad(f"kind '{kind}' concerns one point, but keypoint is empty")
    try:
        value = float(score)
    except ValueError:
        raise bad(f"score is '{score}', expected a number from 0 to 1") from None
    if not 0 <= value <= 1:
        raise bad(f"score is {score}, expected a number from 0 to 1")
    return LabelIssue(int(row), kind, keypoint, value, int(other) if other else None)


def without_label_issues(
    data: LabeledFaces,
    path: Path,
    *,
    threshold: float = ISSUE_THRESHOLD,
    keep_best: float | None = None,
    corrections: list[Correction] | None = None,
) -> LabeledFaces:
    """The data without the issues of an audit.csv.

    Rows that are swapped or mismatched are left out; of the others only the point that is displaced or outside.
    Near-duplicates stay: splits keep them on one side, and averaging two annotations of one image reduces their error.
    Where two annotations contradict each other, the audit lists the wrong one separately.

    Issues with at least `threshold` are left out. With `keep_best` the rows with the highest scores are left out
    instead, until that share of all rows remains. Issues that a user has reviewed (`corrections`) are not applied.
    """
    if keep_best is not None and not 0 < keep_best <= 1:
        raise BadChoice(f"keep_best is {keep_best:g}, expected a share above 0, 1 at most (0.99 keeps the best 99 %)")
    reviewed = {(c.row, c.kind, c.keypoint) for c in corrections or []}
    label_issues = [
        s for s in read_label_issues(path) if s.kind != "duplicate" and (s.row, s.kind, s.keypoint) not in reviewed
    ]
    if keep_best is None:
        chosen = [s for s in label_issues if s.score >= threshold]
    else:
        rows = list(dict.fromkeys(s.row for s in sorted(label_issues, key=lambda s: -s.score)))
        # slightly more than the product: 100 * (1 - 0.99) is 0.99999... in binary
        worst = set(rows[: int(len(data) * (1 - keep_best) + 1e-6)])
        chosen = [s for s in label_issues if s.row in worst]
    position = {row: i for i, row in enumerate(data.row.tolist())}
    observed, kept = np.array(data.observed), np.ones(len(data), bool)
    for s in chosen:
        if s.row not in position:
            continue  # already left out, as broken or by a correction
        if s.kind not in POINT_KINDS:
            kept[position[s.row]] = False
        elif s.keypoint in data.keypoints.names:
            observed[position[s.row], data.keypoints.index(s.keypoint)] = False
    last = int(data.row.max()) if len(data) else -1
    missing = next((s.row for s in label_issues if s.row > last), None)
    if missing is not None:
        what = f"row {missing:,} is not in the data, whose last row is {last:,}"
        raise BadFile(f"{path}: {what}. Give the audit.csv of the same files.")
    points = np.where(observed[..., None], data.points, np.float32(0))
    return replace(data, points=points, observed=observed).take(kept & observed.any(axis=1))

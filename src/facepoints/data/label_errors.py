"""The list of suspects: audit.csv, in and out, and data without what is on it."""

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
"""What can be suspected of a row; one word in the column `kind` of audit.csv."""
OF_POINTS = ("displaced", "outside")
"""The kinds that concern a single point; the others concern the whole row."""
COLUMNS = ("row", "kind", "keypoint", "score", "other_row")
DOUBT = 0.5
"""Score from which a label is left out unless somebody says otherwise: it is wrong rather than right."""


@dataclass(frozen=True)
class LabelIssue:
    """One line of audit.csv."""

    row: int
    """0-based row of training.csv"""
    kind: str
    """one of KINDS"""
    keypoint: str
    """name of the point, where the kind concerns one; else empty"""
    score: float
    """0 to 1: the probability that it is so; for `outside` the pixels beyond the edge, 1 at most"""
    other_row: int | None = None
    """the twin, or the row whose labels these seem to be"""
    reason: str = ""
    """in one sentence; not in audit.csv"""


def write_label_issues(label_issues: list[LabelIssue], path: Path) -> None:
    """Write audit.csv whole, in the order given: the most suspicious first."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for s in label_issues:
        table.writerow((s.row, s.kind, s.keypoint, f"{s.score:.6f}", "" if s.other_row is None else s.other_row))
    write_text(path, text.getvalue())


def read_label_issues(path: Path) -> list[LabelIssue]:
    """The lines of an audit.csv, in its order; raises BadFile in one line for anything else."""
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        why = error.strerror or str(error)
        raise BadFile(f"{path}: cannot be read ({why}). Give the audit.csv that `facepoints audit` writes.") from error
    except UnicodeDecodeError as error:
        raise BadFile(f"{path}: not a text file. Give the audit.csv that `facepoints audit` writes.") from error
    lines = csv.reader(io.StringIO(text))
    header = next(lines, [])
    if tuple(header) != COLUMNS:
        shown = ",".join(header)[:60] or "nothing"
        raise BadFile(f"{path} line 1: expected {','.join(COLUMNS)}, found {shown}. Is this an audit.csv?")
    return [_label_issue(path, number, fields) for number, fields in enumerate(lines, start=2) if fields]


def _label_issue(path: Path, line: int, fields: list[str]) -> LabelIssue:
    def bad(what: str) -> BadFile:
        return BadFile(f"{path} line {line:,}: {what}. Mend the line or run the audit again.")

    if len(fields) != len(COLUMNS):
        raise bad(f"{len(fields)} fields, expected {len(COLUMNS)}")
    row, kind, keypoint, score, other = fields
    if not row.isdecimal() or not (other == "" or other.isdecimal()):
        raise bad(f"row is '{row}' and other_row '{other}', expected whole numbers (other_row may be empty)")
    if kind not in KINDS:
        raise bad(f"no kind '{kind}'; there are: {', '.join(KINDS)}")
    if kind in OF_POINTS and not keypoint:
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
    threshold: float = DOUBT,
    keep_best: float | None = None,
    corrections: list[Correction] | None = None,
) -> LabeledFaces:
    """The data without what an audit.csv holds for wrong.

    Rows that are swapped or foreign are left out; of the others only the point that is displaced or outside. Twins
    stay, both of them: splits keep them on one side, two annotations of one picture average each other's error, and
    where they contradict each other the audit has said, on a line of its own, which of the two does not fit.

    What scores at least `threshold` goes; with `keep_best` instead the worst rows go until that share of all rows is
    left untouched. Suspects that somebody looked at (`corrections`) are left to that verdict.
    """
    if keep_best is not None and not 0 < keep_best <= 1:
        raise BadChoice(f"keep_best is {keep_best:g}, expected a share above 0, 1 at most (0.99 keeps the best 99 %)")
    seen = {(c.row, c.kind, c.keypoint) for c in corrections or []}
    label_issues = [
        s for s in read_label_issues(path) if s.kind != "duplicate" and (s.row, s.kind, s.keypoint) not in seen
    ]
    if keep_best is None:
        chosen = [s for s in label_issues if s.score >= threshold]
    else:
        rows = list(dict.fromkeys(s.row for s in sorted(label_issues, key=lambda s: -s.score)))
        # a hair more than the product: 100 * (1 - 0.99) is 0.99999... in binary
        worst = set(rows[: int(len(data) * (1 - keep_best) + 1e-6)])
        chosen = [s for s in label_issues if s.row in worst]
    position = {row: i for i, row in enumerate(data.row.tolist())}
    observed, kept = np.array(data.observed), np.ones(len(data), bool)
    for s in chosen:
        if s.row not in position:
            continue  # left out before, as broken or by a correction
        if s.kind not in OF_POINTS:
            kept[position[s.row]] = False
        elif s.keypoint in data.keypoints.names:
            observed[position[s.row], data.keypoints.index(s.keypoint)] = False
    _check_rows(path, label_issues, data)
    points = np.where(observed[..., None], data.points, np.float32(0))
    return replace(data, points=points, observed=observed).take(kept & observed.any(axis=1))


def _check_rows(path: Path, label_issues: list[LabelIssue], data: LabeledFaces) -> None:
    last = int(data.row.max()) if len(data) else -1
    beyond = [s for s in label_issues if s.row > last]
    if beyond:
        what = f"row {beyond[0].row:,} is not in the data, whose last row is {last:,}"
        raise BadFile(f"{path}: {what}. Give the audit.csv of these very files.")

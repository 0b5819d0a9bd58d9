"""The report of an audit: audit.csv, and audit.html to review and correct each label issue.

audit.html is one self-contained file. It has a card for each issue and saves what the user marks as corrections.json.
"""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from markupsafe import Markup
from rich.console import Console
from rich.table import Table

from facepoints.auditing.audit import AuditResult
from facepoints.data.corrections import FORMAT
from facepoints.data.label_errors import ISSUE_THRESHOLD, KINDS, write_label_issues
from facepoints.files import write_text
from facepoints.reports.html import render


def write_audit(result: AuditResult, out: Path) -> None:
    """Write audit.csv and audit.html into the folder `out`."""
    write_label_issues(list(result.issues), out / "audit.csv")
    write_text(out / "audit.html", audit_page(result))


def print_counts(result: AuditResult, console: Console) -> None:
    """Print a table: for each kind the number of issues, and the rows with the highest scores."""
    table = Table("kind", title="Label issues and near-duplicates", title_justify="left")
    table.add_column("listed", justify="right")
    table.add_column(f"score ≥ {ISSUE_THRESHOLD:g}", justify="right")
    table.add_column("rows with the highest scores")
    for kind in KINDS:
        own = [issue for issue in result.issues if issue.kind == kind]
        first = ", ".join(str(issue.row) for issue in own[:6])
        table.add_row(kind, str(len(own)), str(sum(issue.score >= ISSUE_THRESHOLD for issue in own)), first)
    console.print(table)


def audit_page(result: AuditResult) -> str:
    """The page as HTML."""
    data, issues = result.data, result.issues
    position = {row: i for i, row in enumerate(data.row.tolist())}
    shown = {row for issue in issues for row in (issue.row, issue.other_row)}
    content = {
        "format": FORMAT,
        "data": _data_id(data.faces),
        "keypoints": data.keypoints.names,
        "kinds": KINDS,
        "faces": {row: _png(data.faces[position[row]]) for row in position if row in shown},
        "cards": _cards(result, position),
    }
    # "</script>" in a name must not end the script
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=False).replace("</", "<\\/")
    title = f"{len(issues):,} label issues among {len(data):,} faces"
    return render("audit.html", title=title, content=Markup(text))


def _cards(result: AuditResult, position: dict[int, int]) -> list[dict[str, Any]]:
    """The contents of each issue's card; points are [x, y] px, or null where not labeled."""
    data, cards = result.data, []
    between = {}
    for pair in result.near_duplicates:
        one, other = int(data.row[pair.first]), int(data.row[pair.second])
        matrix = np.vstack([pair.matrix, [0, 0, 1]])
        between[one, other], between[other, one] = matrix, np.linalg.inv(matrix)
    for issue in result.issues:
        i = position[issue.row]
        card: dict[str, Any] = {
            **{name: getattr(issue, name) for name in ("row", "kind", "keypoint", "reason")},
            "score": round(issue.score, 4),
            "source": int(data.source[i]),
            "given": _places(data.points[i], data.observed[i]),
            "expected": _places(result.posterior.expected[i], data.observed[i]),
        }
        if issue.other_row is not None and issue.other_row in position:
            j = position[issue.other_row]
            card |= {"other": issue.other_row, "other_points": _places(data.points[j], data.observed[j])}
            if (issue.other_row, issue.row) in between:
                matrix = between[issue.other_row, issue.row]
                moved = data.points[j] @ matrix[:2, :2].T + matrix[:2, 2]
                card["duplicate"] = _places(moved, data.observed[j])
        cards.append(card)
    return cards


def _places(points: Any, observed: Any) -> list[list[float] | None]:
    return [
        [round(float(x), 2), round(float(y), 2)] if known else None
        for (x, y), known in zip(points, observed, strict=True)
    ]


def _png(face: Any) -> str:
    """The face as base64 of a PNG: lossless, as single pixels matter."""
    return base64.b64encode(cv2.imencode(".png", np.asarray(face))[1].tobytes()).decode("ascii")


def _data_id(faces: Any) -> str:
    """An identifier of the data: the browser keeps the marks of each data set apart."""
    return hashlib.blake2b(np.ascontiguousarray(faces[:: max(1, len(faces) // 50)]).data, digest_size=6).hexdigest()

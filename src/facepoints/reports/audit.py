"""audit.html: a card for each suspect, to look at, to judge and to correct. One file that opens from disk."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from facepoints.auditing.posterior import Posterior
from facepoints.data.corrections import FORMAT
from facepoints.data.dataset import LabeledFaces
from facepoints.data.duplicates import NearDuplicates
from facepoints.data.label_errors import KINDS, LabelIssue
from facepoints.errors import BadFile
from facepoints.files import write_text
from facepoints.reports.style import STYLE


def write_page(
    path: Path,
    data: LabeledFaces,
    label_issues: list[LabelIssue],
    posterior: Posterior,
    near_duplicates: list[NearDuplicates],
) -> None:
    """Write the page, whole: template, script and style of our pages with the suspects put in."""
    position = {row: i for i, row in enumerate(data.row.tolist())}
    matrix = {}
    for pair in near_duplicates:
        one, other = int(data.row[pair.first]), int(data.row[pair.second])
        whole = np.vstack([pair.matrix, [0, 0, 1]])
        matrix[one, other], matrix[other, one] = whole, np.linalg.inv(whole)
    cards = [_card(data, posterior, s, position, matrix) for s in label_issues]
    shown = {s.row for s in label_issues} | {s.other_row for s in label_issues if s.other_row is not None}
    content = {
        "format": FORMAT,
        "data": _short_name(data),
        "keypoints": data.keypoints.names,
        "kinds": KINDS,
        "faces": {row: _picture(data.faces[position[row]]) for row in sorted(shown) if row in position},
        "cards": cards,
    }
    # "</script>" in a name must not end the script
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=False).replace("</", "<\\/")
    title = f"{len(label_issues):,} suspects among {len(data):,} faces"
    page = _part("audit_page.html").replace("{{title}}", html.escape(title))
    page = page.replace("{{style}}", STYLE + _part("audit_page.css")).replace("{{script}}", _part("audit_page.js"))
    write_text(path, page.replace("{{content}}", text))


def _card(
    data: LabeledFaces,
    posterior: Posterior,
    issue: LabelIssue,
    position: dict[int, int],
    matrix: dict[tuple[int, int], Any],
) -> dict[str, Any]:
    """What the page has to know of one suspect; points as [x, y] px or null where not labeled."""
    i = position[issue.row]
    card: dict[str, Any] = {
        "row": issue.row,
        "kind": issue.kind,
        "keypoint": issue.keypoint,
        "score": round(issue.score, 4),
        "reason": issue.reason,
        "source": int(data.source[i]),
        "given": _places(data.points[i], data.observed[i]),
        "expected": _places(posterior.expected[i], data.observed[i]),
    }
    if issue.other_row in position:
        j = position[issue.other_row]
        card["other"] = issue.other_row
        card["theirs"] = _places(data.points[j], data.observed[j])
        to_us = matrix.get((issue.other_row, issue.row))
        if to_us is not None:
            card["twin"] = _places(data.points[j] @ to_us[:2, :2].T + to_us[:2, 2], data.observed[j])
    return card


def _places(points: Any, observed: Any) -> list[list[float] | None]:
    return [
        [round(float(x), 2), round(float(y), 2)] if seen else None
        for (x, y), seen in zip(points, observed, strict=True)
    ]


def _picture(face: Any) -> str:
    """The face as a data address of a PNG: judging pixels needs every pixel."""
    _, content = cv2.imencode(".png", np.asarray(face))
    return base64.b64encode(content.tobytes()).decode("ascii")


def _short_name(data: LabeledFaces) -> str:
    """A name for these faces, under which a browser keeps what was marked: other data, other marks."""
    return hashlib.blake2b(np.ascontiguousarray(data.faces[:: max(1, len(data) // 50)]).data, digest_size=6).hexdigest()


def _part(name: str) -> str:
    place = files(__package__) / name
    try:
        return place.read_text("utf-8")
    except OSError as error:
        raise BadFile(f"{place}: absent. The installation is incomplete: install facepoints again.") from error

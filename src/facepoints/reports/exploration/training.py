"""The part of the page about training: what strategies would fill in, what augmentation does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facepoints.data.imputation import STRATEGIES, fill
from facepoints.exploration.findings import Exploration
from facepoints.exploration.imputation_error import GUESSES_NOTHING, HIDDEN
from facepoints.reports.html import (
    Content,
    Html,
    Section,
    bold,
    code,
    face_card,
    grid,
    heading,
    joined,
    note,
    row,
    table,
    text,
    titled,
)

FILLED_FACES = 4


def filling_section(found: Exploration) -> Section:
    """What the strategies for missing labels would tell a network."""
    title, data = "Filling missing labels", found.data
    rows: list[list[Content]] = []
    for f in found.fills:
        guess = "–" if f.rmse is None else f"{f.rmse:.2f}"
        unfilled = "–" if f.unfilled is None else f"{100 * f.unfilled:.1f} %"
        about = (STRATEGIES[f.strategy].__doc__ or "").strip().split("\n")[0]
        rows.append(
            [code(f.strategy), about, f"{f.rows_kept:,}", f"{f.labels_believed:,}", f"{f.guessed:,}", guess, unfilled]
        )
    header = [
        "strategy",
        "what it does",
        "rows kept",
        "points told",
        "of these guessed",
        "RMSE of guesses, px",
        "left empty",
    ]
    body = text(
        f"A fair test: {100 * HIDDEN:.0f} % of the known labels were hidden by lot, each strategy filled them from the "
        "rest, and the guesses were compared with the truth, per coordinate as the competition does."
    )
    body += table(header, rows, words=2)
    measured = [f for f in found.fills if f.rmse is not None]
    if measured:
        best = measured[0]
        body += note(
            bold(f"The best guess, {best.strategy}, is {best.rmse:.1f} px off. "),
            "On the competition’s files networks come within one to two. A guess taught as truth teaches the guess; ",
            code("mask"),
            " teaches what is known and nothing else.",
        )
    lacking = np.flatnonzero(~data.observed.all(axis=1) & data.observed.any(axis=1))
    if not len(lacking):
        return Section(title, body + text("Nothing is missing here, so nothing would be filled."))
    rng = np.random.default_rng(found.seed)
    chosen = np.sort(rng.permutation(lacking)[:FILLED_FACES])
    names = [name for name in STRATEGIES if name not in GUESSES_NOTHING]
    filled = {name: fill(data.points, data.observed, name, found.seed) for name in names}
    body += heading("What they would fill in") + text("Dots are labels, rings are guesses.")
    given = found.shown_points(chosen)
    for i, at in enumerate(chosen.tolist()):
        shown = [face_card(data.faces[at], f"row {data.row[at]}, as given", alt=f"row {data.row[at]}", points=given[i])]
        for name, result in filled.items():
            gap = result.observed[at] & ~data.observed[at]
            guessed = np.where(gap[:, None], result.points[at], np.nan)
            alt = f"row {data.row[at]} filled by {name}"
            shown.append(face_card(data.faces[at], name, alt=alt, points=given[i], guessed=guessed))
        body += row(shown, least=104)
    return Section(title, body)


def augmentation_section(found: Exploration) -> Section:
    """Every kind of augmentation on the same faces."""
    title = "Augmentation"
    if found.changed is None:
        words = text("Left out: it takes torch. Install it with ", code("pip install 'facepoints[train]'"), ".")
        return Section(title, words)
    faces, ensemble_networks = found.changed
    before = np.where(faces.observed[:, :, None], faces.points, np.nan)
    body = text("The same faces before and after each kind, at full strength; the points move along.")
    shown = [_changed_row("as they are", {}, faces.faces, before)]
    shown += [_changed_row(c.kind, c.fields, c.faces, c.points) for c in ensemble_networks]
    return Section(title, body + grid(shown, least=400))


def _changed_row(
    kind: str, fields: Mapping[str, object], faces: NDArray[np.uint8], points: NDArray[np.floating[Any]]
) -> Html:
    shown = [
        face_card(f, alt=f"face {i + 1} {kind}", points=p) for i, (f, p) in enumerate(zip(faces, points, strict=True))
    ]
    settings = " ".join(f"--set {name}={_setting(value)}" for name, value in fields.items())
    words: Html = bold(kind) + (joined([" ", code(settings)]) if settings else Html(""))
    return titled(words, row(shown, least=70))


def _setting(value: object) -> str:
    return ",".join(f"{v:g}" for v in value) if isinstance(value, tuple) else f"{value:g}"

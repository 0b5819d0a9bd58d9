"""Which labels are wrong, which rows are twins?

Twins are found by their pictures. Labels are held against what two judges expect who have not learned from them: a
model of the shapes that a source's points make, and networks trained on other rows. See `posterior` for how the two
become one probability.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from facepoints.auditing.cross_validation import expect_points
from facepoints.auditing.posterior import Posterior, judge_rows, likely_owner
from facepoints.data.corrections import Correction, apply_corrections, read_corrections
from facepoints.data.dataset import LabeledFaces
from facepoints.data.duplicates import NearDuplicates, find_near_duplicates, moved_by
from facepoints.data.label_errors import DOUBT, KINDS, LabelIssue, write_label_issues
from facepoints.errors import BadChoice
from facepoints.files import write_text
from facepoints.keypoints import FACE_SIZE
from facepoints.reports.audit import write_page

KEEP_BEST = 0.98
"""Share of the rows that the list leaves out as the best; a few in a hundred is what a person can look through."""


def audit_data(
    data: LabeledFaces,
    out: Path,
    console: Console,
    *,
    keep_best: float = KEEP_BEST,
    corrections: Path | None = None,
    resume: bool = True,
    seed: int = 0,
) -> list[LabelIssue]:
    """Find wrong labels and twins; write audit.csv and audit.html into `out`; give the list, most suspicious first.

    Listed are the worst rows but for the `keep_best` share, every label that is wrong rather than right, and all
    twins. The networks stay in out/networks: an audit that was stopped goes on where it was, one with corrections
    or another keep_best trains nothing. `corrections` are taken for true: what a person called fine is not listed.
    """
    if not 0 < keep_best <= 1:
        raise BadChoice(f"keep_best is {keep_best:g}, expected a share above 0, 1 at most (0.98 lists the worst 2 %)")
    said = read_corrections(corrections) if corrections else []
    judged = apply_corrections(data, corrections) if corrections else data
    with console.status("comparing pictures ..."):
        near_duplicates = find_near_duplicates(judged.faces)
    write_text(out / ".gitignore", "networks/\n")
    found = expect_points(data, out / "networks", console, resume=resume, seed=seed)
    with console.status("weighing the labels ..."):
        posterior = judge_rows(judged, found.take(np.isin(data.row, judged.row)))
        label_issues = _listed(judged, posterior, near_duplicates, keep_best, said)
        write_label_issues(label_issues, out / "audit.csv")
        write_page(out / "audit.html", judged, label_issues, posterior, near_duplicates)
    return label_issues


def print_label_issues(label_issues: list[LabelIssue], console: Console) -> None:
    """A table: for each kind how many there are and which are the most suspicious."""
    table = Table("kind", title="Suspects", title_justify="left")
    table.add_column("listed", justify="right")
    table.add_column(f"score ≥ {DOUBT:g}", justify="right")
    table.add_column("most suspicious rows")
    for kind in KINDS:
        own = [s for s in label_issues if s.kind == kind]
        first = ", ".join(str(s.row) for s in own[:6])
        table.add_row(kind, str(len(own)), str(sum(s.score >= DOUBT for s in own)), first)
    console.print(table)


def _listed(
    data: LabeledFaces,
    posterior: Posterior,
    near_duplicates: list[NearDuplicates],
    keep_best: float,
    said: list[Correction],
) -> list[LabelIssue]:
    """All suspects, the most suspicious first."""
    fine = {(c.row, c.kind, c.keypoint) for c in said if c.mark == "fine"}
    wrong = posterior.wrong
    order = np.argsort(-wrong, kind="stable")
    most = int(np.ceil(len(data) * (1 - keep_best) - 1e-6))
    odds_and_suspect: list[tuple[float, LabelIssue]] = []
    for place, i in enumerate(order.tolist()):
        if place >= most and wrong[i] < 0:
            break
        odds_and_suspect += _of_row(data, posterior, i)
    odds_and_suspect += _outside(data, posterior)
    odds_and_suspect += [_of_near_duplicates(data, posterior, pair) for pair in near_duplicates]
    # probabilities near 1 round to the same number: the odds part them
    ranked = sorted(odds_and_suspect, key=lambda pair: (-pair[1].score, -pair[0]))
    return [s for _, s in ranked if (s.row, s.kind, s.keypoint) not in fine]


def _of_row(data: LabeledFaces, posterior: Posterior, i: int) -> list[tuple[float, LabelIssue]]:
    """What is suspected of a row, with its log odds: one line for the row, or one for each displaced point."""
    kind, odds = posterior.kind(i), float(posterior.wrong[i])
    row, given = int(data.row[i]), data.observed[i]
    error = np.linalg.norm(data.points[i] - posterior.expected[i], axis=1)
    usual = posterior.usual[i]
    if kind == "displaced":
        rest = given & ~posterior.slipped[i]
        others = f"the others are off by {error[rest].mean():.1f} px" if rest.any() else "there is no other point"
        return [
            (
                # the further points of a row are a little less certain than the first
                odds - 0.01 * place,
                LabelIssue(
                    row,
                    kind,
                    data.keypoints.names[k],
                    probability(odds),
                    None,
                    f"{_words(data, k)} lies {error[k]:.1f} px from where it is expected "
                    f"({usual[k]:.1f} px are usual on such a face); {others}.",
                ),
            )
            for place, k in enumerate(_worst_first(posterior.slipped[i], error / usual))
        ]
    mean, normal = error[given].mean(), usual[given].mean()
    if kind == "swapped":
        after = np.linalg.norm(posterior.unswapped(data, i) - posterior.expected[i], axis=1)
        both = given & given[data.keypoints.mirror]
        reason = (
            f"Points lie {mean:.1f} px from where they are expected; with left and right exchanged it would be "
            f"{after[both].mean() if both.any() else mean:.1f} px ({normal:.1f} px are usual)."
        )
        return [(odds, LabelIssue(row, kind, "", probability(odds), None, reason))]
    owner = likely_owner(data, posterior, i)
    whose = f"; they would fit the picture of row {data.row[owner]}" if owner is not None else ""
    reason = f"All points are off together, by {mean:.1f} px on average ({normal:.1f} px are usual){whose}."
    other = int(data.row[owner]) if owner is not None else None
    return [(odds, LabelIssue(row, kind, "", probability(odds), other, reason))]


def _worst_first(chosen: NDArray[np.bool_], error: NDArray[np.floating]) -> list[int]:
    return sorted(np.flatnonzero(chosen).tolist(), key=lambda k: -float(error[k]))


def _outside(data: LabeledFaces, posterior: Posterior) -> list[tuple[float, LabelIssue]]:
    """Points beyond the picture's edge, whatever else is thought of the row."""
    edge = FACE_SIZE - 0.5
    beyond = np.maximum(-0.5 - data.points, data.points - edge).max(axis=2)
    found = []
    for i, k in np.argwhere(data.observed & (beyond > 0)).tolist():
        score = min(1.0, max(float(beyond[i, k]), probability(float(posterior.wrong[i])) * posterior.slipped[i, k]))
        reason = f"{_words(data, k)} lies {beyond[i, k]:.1f} px beyond the edge of the picture."
        found.append(
            (_odds(score), LabelIssue(int(data.row[i]), "outside", data.keypoints.names[k], score, None, reason))
        )
    return found


def _of_near_duplicates(data: LabeledFaces, posterior: Posterior, pair: NearDuplicates) -> tuple[float, LabelIssue]:
    """The line of two twins: `row` is the one whose labels fit worse."""
    i, j = sorted((pair.first, pair.second), key=lambda position: -posterior.wrong[position])
    apart = label_differences(data, pair)
    if pair.exact:
        how = "The same picture, pixel by pixel,"
    elif moved_by(pair.matrix) > 1:
        size = np.sqrt(abs(np.linalg.det(pair.matrix[:, :2])))
        how = f"The same picture, moved or resized ({100 * (size - 1):+.0f} %),"
    else:
        how = "The same picture, in other light or compressed anew,"
    labels = "no point is labeled in both"
    if len(apart):
        name, most = max(apart.items(), key=lambda item: item[1])
        labels = f"labels differ by {np.mean(list(apart.values())):.1f} px, at most {most:.1f} px ({_plain(name)})"
    reason = f"{how} is row {data.row[j]}; {labels}."
    issue = LabelIssue(int(data.row[i]), "duplicate", "", pair.agreement, int(data.row[j]), reason)
    return _odds(pair.agreement), issue


def label_differences(data: LabeledFaces, pair: NearDuplicates) -> dict[str, float]:
    """Name -> px: how far the labels of two twins are apart, in the second's picture, where both are given."""
    moved = data.points[pair.first] @ pair.matrix[:, :2].T + pair.matrix[:, 2]
    apart: NDArray[np.floating] = np.linalg.norm(moved - data.points[pair.second], axis=1)
    both = data.observed[pair.first] & data.observed[pair.second]
    return {name: float(apart[k]) for k, name in enumerate(data.keypoints.names) if both[k]}


def probability(odds: float) -> float:
    """0 to 1, from log odds."""
    return float(1 / (1 + np.exp(-np.clip(odds, -700, 700))))


def _odds(score: float) -> float:
    score = min(max(score, 1e-9), 1 - 1e-9)
    return float(np.log(score / (1 - score)))


def _words(data: LabeledFaces, k: int) -> str:
    words = _plain(data.keypoints.names[k])
    return words[0].upper() + words[1:]


def _plain(name: str) -> str:
    return name.replace("_", " ")

"""The list of label issues of an audit: which rows are listed, with which score, and the reason as a sentence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from facepoints.auditing.posterior import Posterior, matching_face
from facepoints.data.corrections import Correction
from facepoints.data.dataset import LabeledFaces
from facepoints.data.duplicates import NearDuplicates, moved_by
from facepoints.data.label_errors import LabelIssue
from facepoints.keypoints import FACE_SIZE

Ranked = tuple[float, LabelIssue]
"""log odds and issue: probabilities near 1 round to the same score, log odds still order them"""


def list_issues(
    data: LabeledFaces,
    posterior: Posterior,
    near_duplicates: Sequence[NearDuplicates],
    keep_best: float,
    corrections: Sequence[Correction],
) -> list[LabelIssue]:
    """All issues by descending score, without those that `corrections` mark as fine."""
    fine = {(c.row, c.kind, c.keypoint) for c in corrections if c.mark == "fine"}
    wrong = posterior.log_odds_wrong
    listed = int(np.ceil(len(data) * (1 - keep_best) - 1e-6))
    ranked: list[Ranked] = []
    for place, i in enumerate(np.argsort(-wrong, kind="stable").tolist()):
        if place >= listed and wrong[i] < 0:
            break
        ranked += _row_issues(data, posterior, i)
    ranked += _outside(data, posterior)
    ranked += [_duplicate(data, posterior, pair) for pair in near_duplicates]
    ranked.sort(key=lambda pair: (-pair[1].score, -pair[0]))
    return [issue for _, issue in ranked if (issue.row, issue.kind, issue.keypoint) not in fine]


def _row_issues(data: LabeledFaces, posterior: Posterior, i: int) -> list[Ranked]:
    """The issue of the row at position i, or one issue for each displaced point."""
    kind, odds = posterior.kind(i), float(posterior.log_odds_wrong[i])
    row, given, scale = int(data.row[i]), data.observed[i], posterior.error_scale[i]
    error = np.linalg.norm(data.points[i] - posterior.expected[i], axis=1)
    if kind == "displaced":
        rest = given & ~posterior.displaced[i]
        others = f"the other points by {error[rest].mean():.1f} px" if rest.any() else "no other point is labeled"
        displaced = np.flatnonzero(posterior.displaced[i])
        issues = []
        for place, k in enumerate(sorted(displaced.tolist(), key=lambda k: -float(error[k] / scale[k]))):
            reason = (
                f"{_plain(data.keypoints.names[k]).capitalize()} is {error[k]:.1f} px from its expected position "
                f"({scale[k]:.1f} px is normal for such a face); {others}."
            )
            issue = LabelIssue(row, kind, data.keypoints.names[k], probability(odds), None, reason)
            issues.append((odds - 0.01 * place, issue))  # keeps the points of a row in this order
        return issues
    mean, normal, other = error[given].mean(), scale[given].mean(), None
    if kind == "swapped":
        exchanged = np.linalg.norm(posterior.exchanged(data, i) - posterior.expected[i], axis=1)
        both = given & given[data.keypoints.mirror]
        reason = (
            f"Points are {mean:.1f} px from their expected positions, with left and right exchanged "
            f"{exchanged[both].mean() if both.any() else mean:.1f} px ({normal:.1f} px is normal)."
        )
    else:
        match = matching_face(data, posterior, i)
        other = int(data.row[match]) if match is not None else None
        fits = f"; they fit the image of row {other}" if other is not None else ""
        reason = f"All points are off, by {mean:.1f} px on average ({normal:.1f} px is normal){fits}."
    return [(odds, LabelIssue(row, kind, "", probability(odds), other, reason))]


def _outside(data: LabeledFaces, posterior: Posterior) -> list[Ranked]:
    """Points outside the image, whatever the posterior of the row."""
    outside = np.maximum(-0.5 - data.points, data.points - (FACE_SIZE - 0.5)).max(axis=2)
    found = []
    for i, k in np.argwhere(data.observed & (outside > 0)).tolist():
        row_score = probability(float(posterior.log_odds_wrong[i])) * posterior.displaced[i, k]
        score = min(1.0, max(float(outside[i, k]), row_score))
        name = data.keypoints.names[k]
        reason = f"{_plain(name).capitalize()} is {outside[i, k]:.1f} px outside the image."
        found.append((_log_odds(score), LabelIssue(int(data.row[i]), "outside", name, score, None, reason)))
    return found


def _duplicate(data: LabeledFaces, posterior: Posterior, pair: NearDuplicates) -> Ranked:
    """The issue of two near-duplicates: `row` is the one whose labels fit worse."""
    i, j = sorted((pair.first, pair.second), key=lambda position: -posterior.log_odds_wrong[position])
    if pair.exact:
        how = "Every pixel is the same as"
    elif moved_by(pair.matrix) > 1:
        size = np.sqrt(abs(np.linalg.det(pair.matrix[:, :2])))
        how = f"Moved or resized ({100 * (size - 1):+.0f} %) copy"
    else:
        how = "Copy with other brightness or compression"
    differences = label_differences(data, pair)
    labels = "no point is labeled in both"
    if differences:
        name, most = max(differences.items(), key=lambda item: item[1])
        mean = np.mean(list(differences.values()))
        labels = f"labels differ by {mean:.1f} px on average, by {most:.1f} px at most ({_plain(name)})"
    reason = f"{how} {'' if pair.exact else 'of '}row {data.row[j]}; {labels}."
    issue = LabelIssue(int(data.row[i]), "duplicate", "", pair.agreement, int(data.row[j]), reason)
    return _log_odds(pair.agreement), issue


def label_differences(data: LabeledFaces, pair: NearDuplicates) -> dict[str, float]:
    """Name -> distance in px of the labels of two near-duplicates, in the second image, where both are labeled."""
    moved = data.points[pair.first] @ pair.matrix[:, :2].T + pair.matrix[:, 2]
    distance = np.linalg.norm(moved - data.points[pair.second], axis=1)
    both = data.observed[pair.first] & data.observed[pair.second]
    return {data.keypoints.names[k]: float(distance[k]) for k in np.flatnonzero(both)}


def probability(log_odds: float) -> float:
    """Probability, 0 to 1, from log odds."""
    return float(1 / (1 + np.exp(-np.clip(log_odds, -700, 700))))


def _log_odds(score: float) -> float:
    score = min(max(score, 1e-9), 1 - 1e-9)
    return float(np.log(score / (1 - score)))


def _plain(name: str) -> str:
    return name.replace("_", " ")

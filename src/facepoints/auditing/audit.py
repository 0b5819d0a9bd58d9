"""Find label issues and near-duplicate rows in a data set.

Near-duplicates are found by comparing images. Labels are compared with two references that do not depend on them: a
model of each source's face shapes, and networks trained on other rows. `posterior` combines both into a probability.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console

from facepoints.auditing.cross_validation import predict_out_of_fold
from facepoints.auditing.issues import list_issues
from facepoints.auditing.posterior import Posterior, estimate_posterior
from facepoints.data.corrections import apply_corrections, read_corrections
from facepoints.data.dataset import LabeledFaces
from facepoints.data.duplicates import NearDuplicates, find_near_duplicates
from facepoints.data.label_errors import KINDS, LabelIssue
from facepoints.errors import BadChoice

KEEP_BEST = 0.98
"""Default share of the rows that is not listed: 2 % of the rows is a number that a person can review."""


@dataclass(frozen=True, repr=False)
class AuditResult:
    """Result of `audit`."""

    data: LabeledFaces
    """the audited faces, after corrections"""
    issues: tuple[LabelIssue, ...]
    """by descending score"""
    posterior: Posterior
    near_duplicates: tuple[NearDuplicates, ...]

    @property
    def counts(self) -> dict[str, int]:
        """Kind -> number of listed issues, for every kind."""
        found = Counter(issue.kind for issue in self.issues)
        return {kind: found[kind] for kind in KINDS}

    def __repr__(self) -> str:
        counts = ", ".join(f"{kind}={count}" for kind, count in self.counts.items())
        return f"AuditResult({len(self.data)} faces, {len(self.issues)} issues: {counts})"

    def _repr_html_(self) -> str:
        rows = "".join(f"<tr><td>{kind}</td><td>{count}</td></tr>" for kind, count in self.counts.items())
        return f"<table><tr><th>kind</th><th>issues</th></tr>{rows}</table>"


def audit(
    data: LabeledFaces,
    networks: Path | None = None,
    *,
    keep_best: float = KEEP_BEST,
    corrections: Path | None = None,
    resume: bool = True,
    seed: int = 0,
    console: Console | None = None,
) -> AuditResult:
    """Find label issues and near-duplicates.

    Issues are listed for the worst 1 - `keep_best` of the rows and for every row that is more likely wrong than right;
    all near-duplicates are listed. `corrections` is a corrections.json: it is applied first, and issues that the user
    marked as fine are not listed.

    `networks` is the folder of the trained networks (None: a temporary folder). With `resume` an interrupted audit
    continues there, and a repeated one with other corrections or another `keep_best` trains nothing.
    """
    if not 0 < keep_best <= 1:
        raise BadChoice(f"keep_best is {keep_best:g}, expected a share above 0, 1 at most (0.98 lists the worst 2 %)")
    console = console or Console(stderr=True)
    marked = read_corrections(corrections) if corrections else []
    corrected = apply_corrections(data, corrections, marked) if corrections else data
    with console.status("comparing images ..."):
        near_duplicates = find_near_duplicates(corrected.faces)
    with tempfile.TemporaryDirectory() as temporary:
        folder = networks or Path(temporary)
        predicted = predict_out_of_fold(data, folder, console, resume=resume, seed=seed)
    with console.status("comparing labels with predictions ..."):
        posterior = estimate_posterior(corrected, predicted.take(np.isin(data.row, corrected.row)))
        issues = list_issues(corrected, posterior, near_duplicates, keep_best, marked)
    return AuditResult(corrected, tuple(issues), posterior, tuple(near_duplicates))

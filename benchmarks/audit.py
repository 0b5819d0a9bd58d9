"""Recall of the audit: errors are injected into a copy of the data, and the audit has to find them.

    python benchmarks/audit.py DATA [--seeds 3] [--each 15] [--near-duplicates 130] [--own 0] [--out audit.json]

DATA is a folder with training.zip, or `synthetic`. Real files have wrong labels of their own, which take places at the
top of the list: --own gives their number, by which more places count. (--without AUDIT_CSV leaves the issues of an
audit out instead. That is optimistic, because it removes the false alarms as well.)
Every seed trains its own networks, minutes each; --once trains them once, on the labels before the injection. That
changes nothing for the rows with errors (no network was trained on their labels) and little for the others.
"""

from __future__ import annotations

import itertools
import json
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from facepoints.auditing.cross_validation import OutOfFoldPoints, predict_out_of_fold
from facepoints.auditing.posterior import estimate_posterior
from facepoints.data.duplicates import find_near_duplicates
from facepoints.data.label_errors import without_label_issues
from facepoints.data.loading import load_training
from injected_errors import Injected, inject

TOP = 80
"""Length of the list that a reviewer would read: the injected errors should be among these rows."""
BINS = (0.01, 0.1, 0.5, 0.9, 0.99, 1.0)
"""Limits of the score ranges in which wrong rows are counted."""
RECALL, PAIR_RECALL, OTHER_PAIRS = 0.90, 0.99, 0.05
"""The goals: injected wrong rows among TOP; injected near-duplicates found; share of other pairs in the list."""


@dataclass
class Outcome:
    """The result of one seed."""

    seed: int
    found: dict[str, float] = field(default_factory=dict)
    """kind -> share of the injected rows among the TOP rows with the highest scores"""
    named: float = 0.0
    """share of the found rows with the right kind"""
    doubted: int = 0
    """rows without an injected error and with a score above 0.5"""
    by_score: list[tuple[float, int, int]] = field(default_factory=list)
    """for each range of BINS: its lower limit, rows, injected rows"""
    missed: list[tuple[int, str, int]] = field(default_factory=list)
    """row, kind and rank of the injected rows that are not among the TOP"""
    pairs_found: float = 0.0
    pairs_missed: dict[str, int] = field(default_factory=dict)
    """change of the second picture -> number of pairs that were not found"""
    other_pairs: float = 0.0
    """share of the listed pairs that were not injected"""
    cpu_seconds: float = 0.0


def main(
    data: Annotated[str, typer.Argument(metavar="DATA", help="folder with training.zip, or 'synthetic'")],
    seeds: Annotated[int, typer.Option(help="number of injections", min=1)] = 3,
    each: Annotated[int, typer.Option(help="wrong rows of each kind", min=1)] = 15,
    near_duplicates: Annotated[int, typer.Option(help="pairs of near-duplicates", min=1)] = 130,
    own: Annotated[int, typer.Option(help="wrong rows of the data itself: so many more places count", min=0)] = 0,
    without: Annotated[Path | None, typer.Option(help="an audit.csv: leave its label issues out first")] = None,
    once: Annotated[bool, typer.Option(help="train the networks only once, before the injection")] = False,
    networks: Annotated[
        Path | None, typer.Option(help="keep the networks here, to continue after an interruption")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="also write the figures to this JSON file")] = None,
) -> None:
    """Inject errors, audit, and count the errors found."""
    console = Console()
    clean = load_training(data)
    if without is not None:
        clean = without_label_issues(clean, without)
    known = {(pair.first, pair.second) for pair in find_near_duplicates(clean.faces)}
    outcomes = []
    with tempfile.TemporaryDirectory() as scratch:
        place = networks or Path(scratch)
        for seed in range(seeds):
            injected = inject(clean, each=each, near_duplicates=near_duplicates, seed=seed)
            started = time.process_time()
            if once:
                found = predict_out_of_fold(clean, place / "once", console)
            else:
                found = predict_out_of_fold(injected.data, place / f"seed-{seed}", console)
            outcome = count_wrong(injected, found, seed, once, TOP + own)
            count_pairs(outcome, injected, known)
            outcome.cpu_seconds = time.process_time() - started
            outcomes.append(outcome)
    show(outcomes, console)
    if out is not None:
        out.write_text(json.dumps([vars(o) for o in outcomes], indent=2) + "\n", encoding="utf-8")


def count_wrong(injected: Injected, found: OutOfFoldPoints, seed: int, once: bool, places: int) -> Outcome:
    """Count the injected rows among the rows with the highest scores."""
    data = injected.data
    rows = np.arange(len(data))
    if once:  # the networks predicted the pictures before near-duplicates replaced some of them
        replaced = {second for pair in injected.near_duplicates for second in pair}
        rows = np.array([row for row in rows.tolist() if row not in replaced])
    posterior = estimate_posterior(data.take(rows), found.take(rows))
    order = rows[np.argsort(-posterior.log_odds_wrong, kind="stable")]
    top = set(order[:places].tolist())
    place = {int(row): i for i, row in enumerate(rows)}
    outcome = Outcome(seed)
    for kind, number in Counter(injected.wrong.values()).items():
        outcome.found[kind] = sum(row in top for row, k in injected.wrong.items() if k == kind) / number
    right = [posterior.kind(place[row]) == kind for row, kind in injected.wrong.items() if row in top]
    outcome.named = float(np.mean(right)) if right else 0.0
    outcome.doubted = sum(int(row) not in injected.wrong for row in rows[posterior.log_odds_wrong > 0])
    score = 1 / (1 + np.exp(-np.clip(posterior.log_odds_wrong, -50, 50)))
    for low, high in itertools.pairwise(BINS):
        within = rows[(score >= low) & ((score < high) | (high == 1))]
        outcome.by_score.append((low, len(within), sum(int(row) in injected.wrong for row in within)))
    ranked = order.tolist()
    outcome.missed = [
        (int(data.row[row]), kind, ranked.index(row) + 1) for row, kind in injected.wrong.items() if row not in top
    ]
    return outcome


def count_pairs(outcome: Outcome, injected: Injected, known: set[tuple[int, int]]) -> None:
    """Count the injected pairs found and other pairs; pairs of the data itself do not count."""
    listed = {(pair.first, pair.second) for pair in find_near_duplicates(injected.data.faces)}
    hits = listed & set(injected.near_duplicates)
    others = listed - set(injected.near_duplicates) - known
    outcome.pairs_found = len(hits) / len(injected.near_duplicates)
    outcome.pairs_missed = dict(
        Counter(injected.near_duplicates[pair] for pair in set(injected.near_duplicates) - listed)
    )
    outcome.other_pairs = len(others) / max(1, len(hits) + len(others))


def show(outcomes: list[Outcome], console: Console) -> None:
    table = Table(
        "seed", title="Injected errors among the rows with the highest scores", title_justify="left", box=None
    )
    for heading in (
        "swapped",
        "displaced",
        "mismatched",
        "kind right",
        "others ≥ 0.5",
        "near-duplicates",
        "other pairs",
        "CPU s",
    ):
        table.add_column(heading, justify="right")
    for o in outcomes:
        shares = [f"{o.found.get(kind, 0):.0%}" for kind in ("swapped", "displaced", "mismatched")]
        pairs = [f"{o.pairs_found:.1%}", f"{o.other_pairs:.1%}"]
        table.add_row(str(o.seed), *shares, f"{o.named:.0%}", str(o.doubted), *pairs, f"{o.cpu_seconds:.0f}")
    console.print(table)
    for o in outcomes:
        places = ", ".join(f"row {row} ({kind}) in place {place}" for row, kind, place in sorted(o.missed))
        pairs_missed = ", ".join(f"{number} after {change}" for change, number in o.pairs_missed.items())
        console.print(
            f"seed {o.seed} missed: {places or 'no row'}; {pairs_missed or 'no'} near-duplicates", highlight=False
        )
    console.print(calibration(outcomes))
    goals: dict[str, bool] = {
        f"at least {RECALL:.0%} of injected wrong rows": all(
            np.mean(list(o.found.values())) >= RECALL for o in outcomes
        ),
        f"at least {PAIR_RECALL:.0%} of injected near-duplicates": all(o.pairs_found >= PAIR_RECALL for o in outcomes),
        f"at most {OTHER_PAIRS:.0%} other pairs": all(o.other_pairs <= OTHER_PAIRS for o in outcomes),
    }
    for goal, met in goals.items():
        console.print(f"{'met' if met else 'MISSED'}: {goal}", style="green" if met else "bold red")


def calibration(outcomes: list[Outcome]) -> Table:
    """Number of rows and of injected errors for each range of scores."""
    table = Table("score", title="Calibration of the scores", title_justify="left", box=SIMPLE)
    table.add_column("rows", justify="right")
    table.add_column("injected", justify="right")
    for (low, high), counts in zip(
        itertools.pairwise(BINS), zip(*(o.by_score for o in outcomes), strict=True), strict=True
    ):
        rows, injected = sum(c[1] for c in counts), sum(c[2] for c in counts)
        table.add_row(f"{low:g} to {high:g}", str(rows), str(injected))
    return table


if __name__ == "__main__":
    typer.run(main)

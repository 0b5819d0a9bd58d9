"""Does the audit find what is wrong? Faults are planted into a copy of the data, and the audit has to find them.

    python benchmarks/audit.py DATA [--seeds 3] [--each 15] [--twins 130] [--own 0] [--out audit.json]

DATA is a folder with training.zip, or `synthetic`. Real files have wrong labels of their own, which take places among the
most suspicious: --own says how many, and so many more places count. (--without AUDIT_CSV leaves an audit's suspects
out instead. That flatters: with the wrong labels it takes the false alarms away.)
Every seed trains its own networks, minutes each; --once trains them once, on the labels before the planting, which
changes nothing for the rows judged (no network has seen their labels) and little for the others.
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
"""Rows that somebody would look at: the planted ones should be among so many most suspicious."""
BINS = (0.01, 0.1, 0.5, 0.9, 0.99, 1.0)
"""Between these scores it is counted how many rows are wrong."""
RECALL, TWIN_RECALL, TWIN_OTHERS = 0.90, 0.99, 0.05
"""The goals: planted wrong rows among TOP; planted twins found; share of other pairs among those listed."""


@dataclass
class Outcome:
    """What one seed gave."""

    seed: int
    found: dict[str, float] = field(default_factory=dict)
    """kind -> share of the planted rows among the TOP most suspicious"""
    named: float = 0.0
    """share of the found rows whose kind is right"""
    doubted: int = 0
    """rows without a planted fault that are held for wrong rather than right"""
    by_score: list[tuple[float, int, int]] = field(default_factory=list)
    """from each of BINS to the next: the lower score, rows, planted ones among them"""
    missed: list[tuple[int, str, int]] = field(default_factory=list)
    """row, kind and place of the planted rows that are not among the TOP"""
    twins_found: float = 0.0
    twins_missed: dict[str, int] = field(default_factory=dict)
    """what was done to the second of the pairs that were not found -> how many"""
    twins_other: float = 0.0
    """share of the pairs listed that were not planted"""
    cpu_seconds: float = 0.0


def main(
    data: Annotated[str, typer.Argument(metavar="DATA", help="folder with training.zip, or 'synthetic'")],
    seeds: Annotated[int, typer.Option(help="how often faults are planted", min=1)] = 3,
    each: Annotated[int, typer.Option(help="wrong rows of each kind", min=1)] = 15,
    near_duplicates: Annotated[int, typer.Option(help="pairs of twins", min=1)] = 130,
    own: Annotated[int, typer.Option(help="wrong rows that the data had before: so many more places", min=0)] = 0,
    without: Annotated[Path | None, typer.Option(help="an audit.csv: leave its suspects out first")] = None,
    once: Annotated[bool, typer.Option(help="train the networks only once, before the planting")] = False,
    networks: Annotated[Path | None, typer.Option(help="keep the networks here, to go on after a stop")] = None,
    out: Annotated[Path | None, typer.Option(help="also write the figures to this JSON file")] = None,
) -> None:
    """Plant faults, audit, and count what was found."""
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
            count_twins(outcome, injected, known)
            outcome.cpu_seconds = time.process_time() - started
            outcomes.append(outcome)
    show(outcomes, console)
    if out is not None:
        out.write_text(json.dumps([vars(o) for o in outcomes], indent=2) + "\n", encoding="utf-8")


def count_wrong(injected: Injected, found: OutOfFoldPoints, seed: int, once: bool, places: int) -> Outcome:
    """How many planted rows are among so many most suspicious."""
    data = injected.data
    rows = np.arange(len(data))
    if once:  # the networks were asked about the pictures before twins took the place of some
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


def count_twins(outcome: Outcome, injected: Injected, known: set[tuple[int, int]]) -> None:
    """How many planted pairs are found, and how many others; pairs that the data had before do not count."""
    listed = {(pair.first, pair.second) for pair in find_near_duplicates(injected.data.faces)}
    hits = listed & set(injected.near_duplicates)
    others = listed - set(injected.near_duplicates) - known
    outcome.twins_found = len(hits) / len(injected.near_duplicates)
    outcome.twins_missed = dict(
        Counter(injected.near_duplicates[pair] for pair in set(injected.near_duplicates) - listed)
    )
    outcome.twins_other = len(others) / max(1, len(hits) + len(others))


def show(outcomes: list[Outcome], console: Console) -> None:
    table = Table("seed", title="Planted faults among the most suspicious rows", title_justify="left", box=None)
    for heading in (
        "swapped",
        "displaced",
        "mismatched",
        "kind right",
        "others ≥ 0.5",
        "near_duplicates",
        "other pairs",
        "CPU s",
    ):
        table.add_column(heading, justify="right")
    for o in outcomes:
        shares = [f"{o.found.get(kind, 0):.0%}" for kind in ("swapped", "displaced", "mismatched")]
        pairs = [f"{o.twins_found:.1%}", f"{o.twins_other:.1%}"]
        table.add_row(str(o.seed), *shares, f"{o.named:.0%}", str(o.doubted), *pairs, f"{o.cpu_seconds:.0f}")
    console.print(table)
    for o in outcomes:
        places = ", ".join(f"row {row} ({kind}) in place {place}" for row, kind, place in sorted(o.missed))
        pairs_missed = ", ".join(f"{number} after {change}" for change, number in o.twins_missed.items())
        console.print(f"seed {o.seed} missed: {places or 'no row'}; {pairs_missed or 'no'} twins", highlight=False)
    console.print(calibration(outcomes))
    goals: dict[str, bool] = {
        f"at least {RECALL:.0%} of planted wrong rows": all(
            np.mean(list(o.found.values())) >= RECALL for o in outcomes
        ),
        f"at least {TWIN_RECALL:.0%} of planted twins": all(o.twins_found >= TWIN_RECALL for o in outcomes),
        f"at most {TWIN_OTHERS:.0%} other pairs": all(o.twins_other <= TWIN_OTHERS for o in outcomes),
    }
    for goal, met in goals.items():
        console.print(f"{'met' if met else 'MISSED'}: {goal}", style="green" if met else "bold red")


def calibration(outcomes: list[Outcome]) -> Table:
    """For each range of scores how many rows have it, and how many of them were planted."""
    table = Table("score", title="What a score means", title_justify="left", box=SIMPLE)
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

"""The result of a comparison as a sentence and a table, for the terminal and the page."""

from __future__ import annotations

import statistics
from collections.abc import Callable

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from facepoints.evaluation.compare import CandidateResult, Comparison
from facepoints.evaluation.significance import RESAMPLES, Difference
from facepoints.reports.evaluation.training import duration

ALPHA = 0.05
"""Significance level: a difference with a larger p-value is not significant."""

_WIDE = 150  # columns of a terminal that shows all columns

Cell = Callable[[CandidateResult], str]


def verdict(found: Comparison) -> str:
    """The best model, and the models that are not significantly worse."""
    best, *others = found.results
    equal = [result for result in others if not _is_worse(result)]
    words = f"{best.name} is best with {best.scores.rmse:.2f} px"
    if not equal:
        return f"{words}; all others are significantly worse."
    names = [result.name for result in equal]
    listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    return f"{words}; the difference to {listed} is not significant."


def columns(found: Comparison) -> list[tuple[str, Cell]]:
    """(header, cell) of each column with content, after the name."""
    sources = [name for name, part in found.results[0].scores.by_source.items() if part is not None]
    shown: list[tuple[str, Cell]] = [
        ("RMSE, px", lambda r: f"{r.scores.rmse:.3f}"),
        ("95 % interval", lambda r: f"{r.interval[0]:.2f}–{r.interval[1]:.2f}"),
        ("to the best", lambda r: _difference(r.to_best)),
        ("p", lambda r: _p_value(r.to_best)),
    ]
    if any(len(result.by_seed) > 1 for result in found.results):
        shown.append(("trainings", _trainings))
        shown.append(("p over seeds", lambda r: _p_value(r.to_best_over_seeds)))
    if len(sources) > 1:
        shown += [(f"source {name}", _of_source(name)) for name in sources]
    shown.append(("median per face", lambda r: f"{r.scores.overall.median_face_rmse:.2f}"))
    if any(result.facts.parameters for result in found.results):
        shown.append(("parameters", lambda r: "–" if r.facts.parameters is None else f"{r.facts.parameters:,}"))
    if any(result.ms_per_face is not None for result in found.results):
        shown.append(("ms / face", lambda r: "–" if r.ms_per_face is None else f"{r.ms_per_face:.2f}"))
    if any(result.facts.training_seconds for result in found.results):
        shown.append(
            ("training", lambda r: "–" if r.facts.training_seconds is None else duration(r.facts.training_seconds))
        )
    return shown


def print_comparison(found: Comparison, console: Console) -> None:
    """The verdict and a table: the most important columns in 80 characters, all in 150."""
    console.print(Text(verdict(found), style="bold"))
    console.print(Text(f"Scored on {found.rows_description}."), style="dim")
    table = Table(title="RMSE, best first", title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    table.pad_edge = False
    table.add_column("", overflow="fold")
    shown = columns(found)
    if console.width < _WIDE:
        short: dict[str, Cell] = {"to the best": lambda r: "best" if r.to_best is None else f"{r.to_best.value:+.3f}"}
        kept = ("RMSE, px", "95 % interval", "to the best", "p", "p over seeds")
        shown = [(header, short.get(header, cell)) for header, cell in shown if header in kept]
    for header, _ in shown:
        table.add_column(header, justify="right", no_wrap=True)
    for result in found.results:
        table.add_row(escape(result.name), *(cell(result) for _, cell in shown))
    console.print(table)


def _is_worse(result: CandidateResult) -> bool:
    """Significantly worse than the best, both over faces and over seeds."""
    p_values = [d.p_value for d in (result.to_best, result.to_best_over_seeds) if d is not None]
    return max(p_values) < ALPHA


def _difference(difference: Difference | None) -> str:
    if difference is None:
        return "best"
    return f"{difference.value:+.3f} ({difference.low:+.2f} to {difference.high:+.2f})"


def _p_value(difference: Difference | None) -> str:
    if difference is None:
        return ""
    least = 2 / (RESAMPLES + 1)
    if difference.p_value <= 1.001 * least:
        return f"< {2 * least:.4f}"
    return f"{difference.p_value:.3f}" if difference.p_value < 0.1 else f"{difference.p_value:.2f}"


def _trainings(result: CandidateResult) -> str:
    if len(result.by_seed) < 2:
        return f"{result.by_seed[0]:.3f}"
    return f"{statistics.mean(result.by_seed):.3f} ± {statistics.stdev(result.by_seed):.3f} ({len(result.by_seed)})"


def _of_source(name: str) -> Cell:
    def cell(result: CandidateResult) -> str:
        part = result.scores.by_source.get(name)
        return "–" if part is None else f"{part.rmse:.2f}"

    return cell

"""What a comparison says, in a sentence and as a table: for the terminal, and in the same words for the page."""

from __future__ import annotations

import statistics
from collections.abc import Callable

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from facepoints.evaluation.compared import Compared, Rival
from facepoints.evaluation.paired_bootstrap import RESAMPLES
from facepoints.evaluation.story_on_page import duration
from facepoints.evaluation.student import Difference

DOUBTFUL = 0.05
"""Probability of luck from which a difference is not called one."""

_WIDE = 150  # columns of a terminal that has room for every column

Cell = Callable[[Rival], str]


def verdict(found: Compared) -> str:
    """Which is best, and from which of the others it cannot be told apart."""
    best, *others = found.rivals
    equal = [rival for rival in others if not _is_worse(rival)]
    words = f"{best.name} is best with {best.scores.rmse:.2f} px"
    if not equal:
        return f"{words}; every other one is worse by more than luck explains."
    names = [rival.name for rival in equal]
    listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    return f"{words}, but {listed} may be as good: the difference can be luck."


def columns(found: Compared) -> list[tuple[str, Cell]]:
    """(header, cell) of each column that has something to say; the first one is the name."""
    sources = [name for name, part in found.rivals[0].scores.by_source.items() if part is not None]
    shown: list[tuple[str, Cell]] = [
        ("RMSE, px", lambda r: f"{r.scores.rmse:.3f}"),
        ("95 % interval", lambda r: f"{r.interval[0]:.2f}–{r.interval[1]:.2f}"),
        ("to the best", lambda r: _difference(r.to_best)),
        ("luck", lambda r: _luck(r.to_best)),
    ]
    if any(len(rival.by_seed) > 1 for rival in found.rivals):
        shown.append(("trainings", _trainings))
        shown.append(("luck of seeds", lambda r: _luck(r.to_best_over_seeds)))
    if len(sources) > 1:
        shown += [(f"source {name}", _of_source(name)) for name in sources]
    shown.append(("median face", lambda r: f"{r.scores.overall.median_face_rmse:.2f}"))
    if any(rival.facts.parameters for rival in found.rivals):
        shown.append(("parameters", lambda r: "–" if r.facts.parameters is None else f"{r.facts.parameters:,}"))
    if any(rival.ms_per_face is not None for rival in found.rivals):
        shown.append(("ms / face", lambda r: "–" if r.ms_per_face is None else f"{r.ms_per_face:.2f}"))
    if any(rival.facts.training_seconds for rival in found.rivals):
        shown.append(
            ("training", lambda r: "–" if r.facts.training_seconds is None else duration(r.facts.training_seconds))
        )
    return shown


def print_compared(found: Compared, console: Console) -> None:
    """The verdict, and a table: the most important columns in 80 characters, all of them in 150."""
    console.print(Text(verdict(found), style="bold"))
    console.print(Text(f"Scored on {found.rows_in_words}."), style="dim")
    table = Table(title="RMSE, best first", title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    table.pad_edge = False
    table.add_column("", overflow="fold")
    shown = columns(found)
    if console.width < _WIDE:
        short: dict[str, Cell] = {"to the best": lambda r: "best" if r.to_best is None else f"{r.to_best.value:+.3f}"}
        kept = ("RMSE, px", "95 % interval", "to the best", "luck", "luck of seeds")
        shown = [(header, short.get(header, cell)) for header, cell in shown if header in kept]
    for header, _ in shown:
        table.add_column(header, justify="right", no_wrap=True)
    for rival in found.rivals:
        table.add_row(escape(rival.name), *(cell(rival) for _, cell in shown))
    console.print(table)


def _is_worse(rival: Rival) -> bool:
    """Than the best, whether faces or seeds are drawn anew."""
    lucks = [d.luck for d in (rival.to_best, rival.to_best_over_seeds) if d is not None]
    return max(lucks) < DOUBTFUL


def _difference(difference: Difference | None) -> str:
    if difference is None:
        return "best"
    return f"{difference.value:+.3f} ({difference.low:+.2f} to {difference.high:+.2f})"


def _luck(difference: Difference | None) -> str:
    if difference is None:
        return ""
    least = 2 / (RESAMPLES + 1)
    if difference.luck <= 1.001 * least:
        return f"< {100 * 2 * least:.2f} %"
    return f"{100 * difference.luck:.1f} %"


def _trainings(rival: Rival) -> str:
    if len(rival.by_seed) < 2:
        return f"{rival.by_seed[0]:.3f}"
    return f"{statistics.mean(rival.by_seed):.3f} ± {statistics.stdev(rival.by_seed):.3f} ({len(rival.by_seed)})"


def _of_source(name: str) -> Cell:
    def cell(rival: Rival) -> str:
        part = rival.scores.by_source.get(name)
        return "–" if part is None else f"{part.rmse:.2f}"

    return cell

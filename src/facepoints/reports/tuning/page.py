"""What a search found, as a page and in the terminal: history, what each field did, the best values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from facepoints.files import write_text
from facepoints.reports.charts import bars
from facepoints.reports.html import (
    Content,
    Html,
    Section,
    code,
    details,
    facts,
    figure,
    grid,
    joined,
    note,
    page,
    safe,
    table,
    text,
)
from facepoints.reports.tuning.charts import curves, history, parallel, slice_of
from facepoints.tuning.results import BEST, LEAST, Found, Tried

PAGE = "study.html"
_SHOWN = 5


def write_page(found: Found, out: Path) -> None:
    """Write study.html whole."""
    write_text(out / PAGE, study_page(found))


def print_study(found: Found, console: Console) -> None:
    """The best trials, and what mattered."""
    if found.best is None:
        console.print(f"No trial of {len(found.trials)} is complete: there is nothing to choose from yet")
        return
    listing = Table("trial", title=f"The best of {len(found.finished)} trials", title_justify="left")
    listing.add_column("RMSE, px", justify="right")
    listing.add_column("differs from the recipe in")
    for trial in _ranked(found)[:_SHOWN]:
        listing.add_row(str(trial.number), f"{trial.rmse:.3f}", escape(_changes(found, trial)))
    console.print(listing)
    if found.importance:
        shares = ", ".join(f"{field} {share:.0%}" for field, share in list(found.importance.items())[:4])
        console.print(f"What mattered most: {shares}")


def study_page(found: Found) -> str:
    """The whole page."""
    sections = [_best_section(found), _history_section(found)]
    if found.finished:
        sections += [_fields_section(found), _parallel_section(found)]
    sections.append(_trials_section(found))
    return page(f"Search around {found.recipe.name or 'a recipe'}", _lead(found), sections)


def _lead(found: Found) -> Html:
    numbers: list[tuple[Content, Content]] = [
        (f"{len(found.finished):,}", f"finished trials of up to {found.epochs} epochs"),
        (f"{len(found.having('pruned')):,}", "of them given up early"),
    ]
    if found.best is not None:
        numbers.append((f"{found.best.rmse:.3f} px", f"best validation RMSE, trial {found.best.number}"))
    if found.first is not None:
        numbers.append((f"{found.first.rmse:.3f} px", "the recipe as it is, trained as briefly"))
    seconds = sum(trial.seconds or 0.0 for trial in found.finished)
    numbers.append((_duration(seconds), "spent on training"))
    workers = {trial.worker for trial in found.finished if trial.worker}
    if len(workers) > 1:
        numbers.append((str(len(workers)), "processes worked on it"))
    return facts(numbers)


def _best_section(found: Found) -> Section:
    if found.best is None:
        waiting = text(f"No trial is complete yet: {len(found.trials)} are begun or queued. The same command goes on.")
        return Section("Best values", waiting)
    best = found.best
    rows: list[list[Content]] = [
        [code(field), str(domain), str(getattr(found.recipe, field)), str(best.values.get(field, ""))]
        for field, domain in found.space.items()
    ]
    values = table(["field", "searched", "recipe", f"trial {best.number}"], rows, words=2)
    use = text(
        "As a recipe with its full number of epochs: ", code(f"facepoints train {BEST} --data DATA"), ". ", _where(best)
    )
    warning = note(
        "All trials were judged on the same validation rows, and the best was chosen by them: its RMSE flatters a "
        "little, the more the more trials there were. Rows that the search never saw say what the gain is worth."
    )
    return Section("Best values", values + use + warning)


def _where(trial: Tried) -> Html:
    folder = f"trials/{trial.number:04}"
    machine = f", on {trial.worker}" if trial.worker else ""
    return joined(["The short training itself is the run ", code(folder), f"{machine}."])


def _history_section(found: Found) -> Section:
    words = "A dot is a complete trial, a ring one that was given up (its best epoch). {} the best"
    first = "; green: the recipe as it is" if found.first is not None else ""
    told = words.format("Vermilion:") + first + ". Point at one to see its values."
    both = [figure(history(found), told), figure(curves(found), "The same trials, epoch by epoch.")]
    return Section("History", grid(both, least=560))


def _fields_section(found: Found) -> Section:
    if found.importance:
        importance = text(
            "What separates the best quarter of the trials from the others, as a share of each field (PED-ANOVA, "
            "Watanabe et al., IJCAI 2023). Few trials make it a hint, no more.",
        ) + bars([(field, 100 * share) for field, share in found.importance.items()], unit=" %", most=100)
    else:
        importance = text(f"Which field matters can be said from {LEAST} finished trials on.", muted=True)
    order = list(found.importance) or list(found.space)
    return Section("Fields", importance + grid([slice_of(found, field) for field in order], least=330))


def _parallel_section(found: Found) -> Section:
    told = (
        "A line is a trial, through its value of each field to its RMSE. Blue: the best quarter; vermilion: the best."
    )
    return Section("All trials at once", figure(parallel(found), told))


def _trials_section(found: Found) -> Section:
    fields = list(found.space)

    def line(trial: Tried) -> list[Content]:
        rmse = "–" if trial.rmse is None else f"{trial.rmse:.3f}"
        seconds = "–" if trial.seconds is None else _duration(trial.seconds)
        return [str(trial.number), trial.state, rmse, len(trial.curve), seconds, *(_cell(trial, f) for f in fields)]

    ranked = _ranked(found)
    others = [trial for trial in found.trials if trial not in ranked]
    header: list[Content] = ["trial", "state", "RMSE, px", "epochs", "time", *map(safe, fields)]
    listing = table(header, [line(trial) for trial in [*ranked, *others]], words=2)
    return Section("Trials", details(f"All {len(found.trials)} trials, best first", listing))


def _cell(trial: Tried, field: str) -> str:
    return str(trial.values.get(field, "–"))


def _ranked(found: Found) -> list[Tried]:
    """Complete trials, best first, then pruned ones."""
    return sorted(found.finished, key=lambda t: (t.state != "complete", float("inf") if t.rmse is None else t.rmse))


def _changes(found: Found, trial: Tried) -> str:
    own: dict[str, Any] = {field: getattr(found.recipe, field) for field in found.space}
    changes = [f"{field} {value}" for field, value in trial.values.items() if own.get(field) != value]
    return ", ".join(changes) or "nothing"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"

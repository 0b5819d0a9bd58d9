"""The report of a hyperparameter search: best.toml, study.json, study.html, and a table for the terminal."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from facepoints.files import write_text
from facepoints.reports.html import render
from facepoints.reports.tuning.charts import charts
from facepoints.tuning.results import FEWEST_FOR_IMPORTANCE, StudyResult, TrialResult
from facepoints.tuning.space import in_words

BEST, PAGE = "best.toml", "study.html"
_SHOWN = 5


def write_study(result: StudyResult, out: Path) -> None:
    """Write into the folder `out`:

    best.toml    the recipe with the best values and its own number of epochs, for `facepoints train`
    study.json   search space, trials with values and curves, importance of each field
    study.html   the report
    """
    if result.best is not None and result.best_recipe is not None:
        write_text(out / BEST, result.best_recipe.to_toml())
        content = {
            "study": result.name,
            "recipe": result.recipe.as_table(),
            "epochs": result.epochs,
            "space": in_words(result.space),
            "finished": len(result.finished),
            "pruned": len(result.in_state("pruned")),
            "best": {"number": result.best.number, "rmse": result.best.rmse, "values": result.best.values},
            "importance": result.importance,
            "trials": [asdict(trial) for trial in result.trials],
        }
        write_text(out / "study.json", json.dumps(content, indent=1))
    write_text(out / PAGE, study_page(result))


def print_study(result: StudyResult, console: Console) -> None:
    """Print the best trials and the most important fields."""
    if result.best is None:
        console.print(f"None of {len(result.trials)} trials is complete")
        return
    table = Table("trial", title=f"The best of {len(result.finished)} trials", title_justify="left")
    table.add_column("RMSE, px", justify="right")
    table.add_column("differences from the recipe")
    for trial in result.ranked[:_SHOWN]:
        table.add_row(str(trial.number), _px(trial), escape(result.changes(trial)))
    console.print(table)
    if result.importance:
        shares = ", ".join(f"{field} {share:.0%}" for field, share in list(result.importance.items())[:4])
        console.print(f"Most important fields: {shares}")


def study_page(result: StudyResult) -> str:
    """The page as HTML."""
    made = charts(result)
    fields = [field for field in (*result.importance, *result.space) if field in made]
    others = [trial for trial in result.trials if trial not in result.finished]
    return render(
        "study.html",
        result=result,
        lead=_lead(result),
        values=[
            [field, str(domain), getattr(result.recipe, field), result.best.values.get(field, "")]
            for field, domain in result.space.items()
            if result.best is not None
        ],
        importance=[[field, f"{share:.0%}"] for field, share in result.importance.items()],
        fewest=FEWEST_FOR_IMPORTANCE,
        charts=made,
        field_charts=[made[field] for field in dict.fromkeys(fields)],
        header=["trial", "state", "RMSE, px", "epochs", "time", *result.space],
        trials=[_row(trial, result) for trial in (*result.ranked, *others)],
    )


def _lead(result: StudyResult) -> list[tuple[str, str]]:
    facts = [
        (f"{len(result.finished):,}", f"finished trials of up to {result.epochs} epochs"),
        (f"{len(result.in_state('pruned')):,}", "of them pruned"),
    ]
    if result.best is not None:
        facts.append((f"{result.best.rmse:.3f} px", f"best validation RMSE, trial {result.best.number}"))
    if result.baseline is not None:
        facts.append((f"{result.baseline.rmse:.3f} px", "unchanged recipe, as many epochs"))
    facts.append((_duration(sum(trial.seconds or 0.0 for trial in result.finished)), "of training"))
    workers = {trial.worker for trial in result.finished if trial.worker}
    return [*facts, (str(len(workers)), "processes")] if len(workers) > 1 else facts


def _row(trial: TrialResult, result: StudyResult) -> list[str]:
    seconds = "–" if trial.seconds is None else _duration(trial.seconds)
    values = [str(trial.values.get(field, "–")) for field in result.space]
    return [str(trial.number), trial.state, _px(trial), str(len(trial.curve)), seconds, *values]


def _px(trial: TrialResult) -> str:
    return "–" if trial.rmse is None else f"{trial.rmse:.3f}"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"

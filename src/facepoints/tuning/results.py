"""What a search found: its trials as plain facts, written beside the best recipe.

best.toml             the best trial's recipe, with the full number of epochs; `facepoints train` takes it
study.json            the study: space, trials with their values and curves, importance of each field
trials/0007/          a trial's run folder; weights are kept of the first and of the best one
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from facepoints.files import write_text
from facepoints.training.recipe import Recipe
from facepoints.training.run_folder import MODEL_FILE
from facepoints.tuning.space import Space, in_words

BEST = "best.toml"

LEAST = 8
"""Finished trials below which nobody can say which field matters."""

BEST_SHARE = 0.25
"""The trials that the others are held against: the best quarter. PED-ANOVA's own tenth is two trials of twenty."""


@dataclass(frozen=True)
class Tried:
    """One trial."""

    number: int
    state: str
    """complete, pruned, failed, running or waiting"""
    rmse: float | None
    """of the best epoch on the validation rows, pixels; of a pruned trial, the best one that it came to"""
    values: dict[str, Any]
    """field -> value"""
    curve: dict[int, float]
    """epoch -> validation RMSE, pixels"""
    seconds: float | None
    worker: str
    """machine:folder"""


@dataclass(frozen=True)
class Found:
    """What a study knows at one moment."""

    name: str
    recipe: Recipe
    space: Space
    epochs: int
    trials: tuple[Tried, ...]
    importance: dict[str, float]
    """field -> share of what varying it did to the RMSE (PED-ANOVA); empty while trials are too few"""

    def having(self, *states: str) -> list[Tried]:
        """The trials in these states."""
        return [trial for trial in self.trials if trial.state in states]

    @property
    def finished(self) -> list[Tried]:
        """Complete and pruned trials."""
        return self.having("complete", "pruned")

    @property
    def best(self) -> Tried | None:
        """The complete trial of the lowest RMSE."""
        complete = [(trial.rmse, trial.number, trial) for trial in self.having("complete") if trial.rmse is not None]
        return min(complete)[2] if complete else None

    @property
    def first(self) -> Tried | None:
        """The complete trial that trained the recipe as it is, if the space holds it."""
        own = {field: getattr(self.recipe, field) for field in self.space}
        return next((trial for trial in self.having("complete") if trial.values == own), None)


_STATES = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
    TrialState.WAITING: "waiting",
}


def collect(study: Study, recipe: Recipe, space: Space, epochs: int) -> Found:
    """The study as plain facts."""
    trials = tuple(_tried(trial) for trial in study.get_trials(deepcopy=False))
    return Found(study.study_name, recipe, space, epochs, trials, _importance(study, trials))


def _importance(study: Study, trials: Sequence[Tried]) -> dict[str, float]:
    """field -> share, most important first; empty where trials are too few.

    A trial that was given up counts with the best that it came to: without them, what is bad would look rare.
    """
    rmse = {trial.number: trial.rmse for trial in trials if trial.state in ("complete", "pruned")}
    judged = [t for t in study.get_trials(deepcopy=False) if rmse.get(t.number) is not None]
    if len(judged) < LEAST:
        return {}
    copy = optuna.create_study()
    for trial in judged:
        value = rmse[trial.number]
        copy.add_trial(optuna.create_trial(params=trial.params, distributions=trial.distributions, value=value))
    evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=BEST_SHARE)
    found = optuna.importance.get_param_importances(copy, evaluator=evaluator)
    return {field: float(share) for field, share in found.items()}


def _tried(trial: FrozenTrial) -> Tried:
    curve = {epoch: float(rmse) for epoch, rmse in sorted(trial.intermediate_values.items())}
    rmse = trial.value if trial.state is TrialState.COMPLETE else min(curve.values(), default=None)
    return Tried(
        trial.number,
        _STATES[trial.state],
        rmse,
        dict(trial.user_attrs.get("values", trial.params)),
        curve,
        trial.duration.total_seconds() if trial.duration else None,
        str(trial.user_attrs.get("worker", "")),
    )


def write_found(found: Found, out: Path, best: Recipe) -> None:
    """best.toml and study.json, each whole."""
    write_text(out / BEST, best.to_toml())
    assert found.best is not None
    about = {
        "study": found.name,
        "recipe": found.recipe.as_table(),
        "epochs": found.epochs,
        "space": in_words(found.space),
        "finished": len(found.finished),
        "pruned": len(found.having("pruned")),
        "best": {"number": found.best.number, "rmse": found.best.rmse, "values": found.best.values},
        "importance": found.importance,
        "trials": [asdict(trial) for trial in found.trials],
    }
    write_text(out / "study.json", json.dumps(about, indent=1))


def lighten(trials: Path, found: Found) -> None:
    """Drop what resuming would need, and weights of all but the first and the best trial: they are gigabytes."""
    kept = {f"{trial.number:04}" for trial in (found.first, found.best) if trial is not None}
    running = {f"{trial.number:04}" for trial in found.having("running")}
    for folder in trials.iterdir() if trials.is_dir() else ():
        if folder.name not in running:
            (folder / "last.safetensors").unlink(missing_ok=True)
            if folder.name not in kept:
                (folder / MODEL_FILE).unlink(missing_ok=True)

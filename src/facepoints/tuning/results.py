"""The result of a hyperparameter search as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import optuna
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from facepoints.training.recipe import Recipe
from facepoints.training.run_folder import MODEL_FILE
from facepoints.tuning.space import Space

FEWEST_FOR_IMPORTANCE = 8
"""Minimum number of finished trials for the importance of fields."""
BEST_SHARE = 0.25
"""PED-ANOVA compares the best quarter of the trials with all. Optuna's default, a tenth, is two trials of twenty."""


@dataclass(frozen=True)
class TrialResult:
    """One trial."""

    number: int
    state: str
    """complete, pruned, failed, running or waiting"""
    rmse: float | None
    """validation RMSE in px: of the final weights; of a pruned trial, of its best epoch"""
    values: dict[str, Any]
    """field -> value"""
    curve: dict[int, float]
    """epoch -> validation RMSE, px"""
    seconds: float | None
    worker: str
    """machine:folder"""


@dataclass(frozen=True, repr=False)
class StudyResult:
    """Result of `tune`: a study at one moment."""

    name: str
    recipe: Recipe
    space: Space
    epochs: int
    """of a trial"""
    trials: tuple[TrialResult, ...]
    importance: dict[str, float]
    """field -> share of the effect on the RMSE (PED-ANOVA), descending; empty while trials are too few"""

    def in_state(self, *states: str) -> list[TrialResult]:
        """The trials in these states."""
        return [trial for trial in self.trials if trial.state in states]

    @property
    def finished(self) -> list[TrialResult]:
        """Complete and pruned trials."""
        return self.in_state("complete", "pruned")

    @property
    def ranked(self) -> list[TrialResult]:
        """Complete trials by RMSE, then pruned ones."""
        return sorted(
            self.finished, key=lambda t: (t.state != "complete", float("inf") if t.rmse is None else t.rmse, t.number)
        )

    @property
    def best(self) -> TrialResult | None:
        """The complete trial of the lowest RMSE."""
        return next((trial for trial in self.ranked if trial.state == "complete"), None)

    @property
    def baseline(self) -> TrialResult | None:
        """The complete trial of the unchanged recipe, if it lies in the search space."""
        own = {field: getattr(self.recipe, field) for field in self.space}
        return next((trial for trial in self.in_state("complete") if trial.values == own), None)

    @property
    def best_recipe(self) -> Recipe | None:
        """The recipe with the best trial's values and its own number of epochs."""
        if self.best is None:
            return None
        name = self.recipe.name
        return self.recipe.replace(name=f"{name}-tuned", summary=f"{name} with tuned values", **self.best.values)

    def changes(self, trial: TrialResult) -> str:
        """The trial's differences from the recipe: "width 32, dropout 0.1"."""
        changes = [f"{field} {value}" for field, value in trial.values.items() if value != getattr(self.recipe, field)]
        return ", ".join(changes) or "unchanged recipe"

    def __repr__(self) -> str:
        best = "" if self.best is None else f", best {self.best.rmse:.3f} px (trial {self.best.number})"
        return f"StudyResult({self.name!r}, {len(self.finished)} finished trials{best})"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{trial.number}</td><td>{trial.state}</td><td>{trial.rmse:.3f}</td>"
            f"<td>{escape(self.changes(trial))}</td></tr>"
            for trial in self.ranked[:10]
            if trial.rmse is not None
        )
        return f"<table><tr><th>trial</th><th>state</th><th>RMSE, px</th><th>differences</th></tr>{rows}</table>"


_STATES = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
    TrialState.WAITING: "waiting",
}


def study_result(study: Study, recipe: Recipe, space: Space, epochs: int) -> StudyResult:
    """The study as plain data."""
    trials = tuple(_trial_result(trial) for trial in study.get_trials(deepcopy=False))
    return StudyResult(study.study_name, recipe, space, epochs, trials, _importance(trials, space))


def optuna_study(trials: tuple[TrialResult, ...], space: Space) -> Study:
    """The finished trials as an Optuna study in memory. A pruned trial is complete with the RMSE of its best epoch:
    without them, bad values would seem rare."""
    study = optuna.create_study()
    for trial in trials:
        if trial.state in ("complete", "pruned") and trial.rmse is not None and set(trial.values) == set(space):
            distributions = {field: domain.distribution for field, domain in space.items()}
            curve = trial.curve
            study.add_trial(
                optuna.create_trial(
                    params=trial.values, distributions=distributions, value=trial.rmse, intermediate_values=curve
                )
            )
    return study


def _importance(trials: tuple[TrialResult, ...], space: Space) -> dict[str, float]:
    study = optuna_study(trials, space)
    if len(study.trials) < FEWEST_FOR_IMPORTANCE:
        return {}
    evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=BEST_SHARE)
    found = optuna.importance.get_param_importances(study, evaluator=evaluator)
    return {field: float(share) for field, share in found.items()}


def _trial_result(trial: FrozenTrial) -> TrialResult:
    curve = {epoch: float(rmse) for epoch, rmse in sorted(trial.intermediate_values.items())}
    rmse = trial.value if trial.state is TrialState.COMPLETE else min(curve.values(), default=None)
    return TrialResult(
        trial.number,
        _STATES[trial.state],
        rmse,
        dict(trial.user_attrs.get("values", trial.params)),
        curve,
        trial.duration.total_seconds() if trial.duration else None,
        str(trial.user_attrs.get("worker", "")),
    )


def remove_weights(trials: Path, result: StudyResult) -> None:
    """Delete checkpoints, and the weights of all but the unchanged recipe and the best trial: they are gigabytes."""
    kept = {f"{trial.number:04}" for trial in (result.baseline, result.best) if trial is not None}
    running = {f"{trial.number:04}" for trial in result.in_state("running")}
    for folder in trials.iterdir() if trials.is_dir() else ():
        if folder.name not in running:
            (folder / "last.safetensors").unlink(missing_ok=True)
            if folder.name not in kept:
                (folder / MODEL_FILE).unlink(missing_ok=True)

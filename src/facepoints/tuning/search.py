"""Many recipes, one yardstick: Optuna proposes, each trial is a short training, all are judged on the same rows."""

from __future__ import annotations

import math
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
import torch
from lightning.pytorch import Callback, Trainer
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial

from facepoints.data.dataset import LabeledFaces, fingerprint
from facepoints.data.split import Split, split
from facepoints.errors import BadChoice
from facepoints.training.fit import fit
from facepoints.training.recipe import Recipe
from facepoints.training.run_folder import MODEL_FILE
from facepoints.training.trainer import Machine
from facepoints.tuning.progress import SearchProgress
from facepoints.tuning.results import Found, collect, lighten, write_found
from facepoints.tuning.space import Space, draw
from facepoints.tuning.storage import (
    alone_in,
    close_database,
    open_database,
    open_journal,
    plain_errors,
    quiet_optuna,
    shown,
)
from facepoints.tuning.study import About, enough, open_study, repeat_lost_trials


@dataclass(frozen=True)
class Plan:
    """What to search, and how long."""

    recipe: Recipe
    space: Space
    epochs: int
    """of each trial"""
    trials: int | None = None
    """finished ones of the whole study, whoever trained them; None: until the time is over"""
    seconds: float | None = None
    """after which this process starts no further trial"""

    def trial_recipe(self, values: Mapping[str, Any]) -> Recipe:
        """The recipe of a trial."""
        return self.recipe.replace(epochs=self.epochs, **values)

    def best_recipe(self, values: Mapping[str, Any]) -> Recipe:
        """The recipe to train in earnest, with as many epochs as the first one."""
        recipe = self.recipe
        return recipe.replace(name=f"{recipe.name}-tuned", summary=f"{recipe.name}, as a search found it", **values)


def search(
    plan: Plan,
    data: LabeledFaces,
    out: Path,
    progress: SearchProgress,
    *,
    storage: str | None = None,
    name: str = "",
    machine: Machine | None = None,
    report: Callable[[Found, Path], None] = lambda found, out: None,
) -> Found:
    """Run trials until the plan is fulfilled; leave best.toml and study.json in `out`, each trial's run in out/trials.

    `report` is told what was found and `out` after each trial and at the end, however it comes.

    The same call goes on with a study that was stopped; several processes, each with an `out` of its own, work on one
    study in the same `storage`. Raises BadRun where the study there is about something else.
    """
    name = name or plan.recipe.name
    teacher = plan.recipe.teacher
    if teacher and not (Path(teacher) / MODEL_FILE).exists():
        raise BadChoice(f"teacher={teacher}: each trial would train it; train it once and give --set teacher=RUN")
    recipe = plan.recipe
    rows = split(data.only(recipe.keypoints), recipe.split, recipe.validation_fraction, recipe.seed)
    about = About(recipe, plan.space, plan.epochs, fingerprint(data))
    place, alone = shown(storage) if storage else str(out), storage is None
    with quiet_optuna(), plain_errors(storage):
        database = open_database(storage) if storage else None  # before the folder: out of reach, it leaves none
        try:
            with alone_in(out):
                study = open_study(about, database or open_journal(out), name, place, trials=plan.trials, alone=alone)
                repeat_lost_trials(study, _worker(out), alone=alone)
                return _Search(study, plan, data, rows, out, progress, machine, report).run()
        finally:
            if database:
                close_database(database)


@dataclass(frozen=True)
class _Search:
    """A study at work; what Optuna calls for each trial, and after it."""

    study: Study
    plan: Plan
    data: LabeledFaces
    rows: Split
    out: Path
    progress: SearchProgress
    machine: Machine | None
    report: Callable[[Found, Path], None]

    def run(self) -> Found:
        """Trials until there are enough."""
        plan = self.plan
        try:
            if not enough(self.study, plan.trials):
                with self.progress.over(self._found(), plan.trials, plan.seconds):
                    self.study.optimize(self.train, timeout=plan.seconds, callbacks=[self.ended])
        finally:
            found = self._keep()
        return found

    def ended(self, study: Study, trial: FrozenTrial) -> None:
        """A trial is over."""
        found = self._keep()
        self.progress.trial_ended(found, trial.number)
        lighten(self.out / "trials", found)
        if enough(study, self.plan.trials):
            study.stop()

    def _found(self) -> Found:
        return collect(self.study, self.plan.recipe, self.plan.space, self.plan.epochs)

    def _keep(self) -> Found:
        found = self._found()
        if found.best is not None:
            write_found(found, self.out, self.plan.best_recipe(found.best.values))
        self.report(found, self.out)
        return found

    def train(self, trial: Trial) -> float:
        """Draw a recipe, train it, give its validation RMSE."""
        trial.set_user_attr("worker", _worker(self.out))
        values = draw(self.plan.space, trial)
        trial.set_user_attr("values", values)  # as trained: rounded, where the sampler gave twelve digits
        self.progress.trial_began(trial.number)
        folder = self.out / "trials" / f"{trial.number:04}"
        watch = _EpochReport(trial, self.progress)
        try:
            scores = fit(
                self.plan.trial_recipe(values),
                self.data,
                folder,
                rows=self.rows,
                force=True,
                machine=self.machine,
                callbacks=[watch],
            )
        except torch.OutOfMemoryError:
            raise optuna.TrialPruned("too large for this device") from None
        except KeyboardInterrupt:
            trial.set_user_attr("stopped", True)
            raise
        return scores.rmse


class _EpochReport(Callback):
    """Tells the study each epoch's validation RMSE, and ends a training that Optuna gives up."""

    def __init__(self, trial: Trial, progress: SearchProgress) -> None:
        self.trial = trial
        self.progress = progress

    def on_validation_end(self, trainer: Trainer, module: Any) -> None:
        rmse = float(module.validation_metrics["rmse"])
        loss = float(module.train_metrics["loss"])
        epoch = trainer.current_epoch + 1
        if not (math.isfinite(rmse) and math.isfinite(loss)):
            raise optuna.TrialPruned(f"diverged in epoch {epoch}")
        self.trial.report(rmse, epoch)
        self.progress.epoch_ended(epoch, rmse)
        if epoch < (trainer.max_epochs or 0) and self.trial.should_prune():
            raise optuna.TrialPruned(f"given up after epoch {epoch}")


def _worker(out: Path) -> str:
    """Who trains: this machine, in this folder."""
    return f"{platform.node()}:{out.resolve()}"

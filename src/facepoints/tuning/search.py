"""Hyperparameter search: Optuna proposes values, each trial is a short training, all are scored on the same rows."""

from __future__ import annotations

import math
import platform
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
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
from facepoints.tuning.results import StudyResult, remove_weights, study_result
from facepoints.tuning.space import Space, sample
from facepoints.tuning.storage import default_url, exclusive, one_line_errors, open_storage, quiet_optuna, shown
from facepoints.tuning.study import StudyIdentity, enough, open_study, repeat_lost_trials

REPORT_EVERY = 30.0
"""Seconds between reports: drawing the charts takes a second or two."""


@dataclass(frozen=True)
class Plan:
    """What to search, and how long."""

    recipe: Recipe
    space: Space
    epochs: int
    """of each trial"""
    trials: int | None = None
    """finished trials of the whole study, by all processes; None: no limit"""
    seconds: float | None = None
    """after which this process starts no further trial"""

    def trial_recipe(self, values: Mapping[str, Any]) -> Recipe:
        """The recipe of a trial."""
        return self.recipe.replace(epochs=self.epochs, **values)


def tune(
    plan: Plan,
    data: LabeledFaces,
    out: Path,
    progress: SearchProgress,
    *,
    storage: str | None = None,
    name: str = "",
    machine: Machine | None = None,
    report: Callable[[StudyResult, Path], None] = lambda result, out: None,
) -> StudyResult:
    """Run trials until the plan is fulfilled; each trial's run folder is in out/trials.

    `report(result, out)` is called after trials, at most every REPORT_EVERY seconds, and at the end, also after an
    exception.

    The same call continues an interrupted search; several processes, each with its own `out`, work on one study in the
    same `storage`. Raises BadRun if the study there is of another search.
    """
    recipe = plan.recipe
    name = name or recipe.name
    if recipe.teacher and not (Path(recipe.teacher) / MODEL_FILE).exists():
        raise BadChoice(
            f"teacher={recipe.teacher}: every trial would train it; train it once and pass --set teacher=RUN"
        )
    rows = split(data.only(recipe.keypoints), recipe.split, recipe.validation_fraction, recipe.seed)
    identity = StudyIdentity(recipe, plan.space, plan.epochs, fingerprint(data))
    shared = storage is not None
    url = storage or default_url(out)
    with quiet_optuna(), one_line_errors(out), ExitStack() as stack:
        if not shared:  # a shared database is opened first: if it is unreachable no folder is created
            stack.enter_context(exclusive(out))
        database = stack.enter_context(open_storage(url, shared=shared))
        if shared:
            stack.enter_context(exclusive(out))
        study = open_study(identity, database, name, shown(url), trials=plan.trials, shared=shared)
        repeat_lost_trials(study, _worker(out), shared=shared)
        return _Search(study, plan, data, rows, out, progress, machine, report).run()


@dataclass
class _Search:
    """A running study: what Optuna calls for each trial, and after it."""

    study: Study
    plan: Plan
    data: LabeledFaces
    rows: Split
    out: Path
    progress: SearchProgress
    machine: Machine | None
    report: Callable[[StudyResult, Path], None]
    reported: float = 0.0
    """time of the last report"""

    def run(self) -> StudyResult:
        """Run trials until there are enough."""
        plan = self.plan
        try:
            if not enough(self.study, plan.trials):
                with self.progress.over(self._result(), plan.trials, plan.seconds):
                    self.study.optimize(self.train, timeout=plan.seconds, callbacks=[self.ended])
        finally:
            result = self._result()
            self.report(result, self.out)
        return result

    def ended(self, study: Study, trial: FrozenTrial) -> None:
        """Report a finished trial."""
        result = self._result()
        if time.monotonic() - self.reported > REPORT_EVERY:
            self.report(result, self.out)
            self.reported = time.monotonic()
        self.progress.trial_ended(result, trial.number)
        remove_weights(self.out / "trials", result)
        if enough(study, self.plan.trials):
            study.stop()

    def _result(self) -> StudyResult:
        return study_result(self.study, self.plan.recipe, self.plan.space, self.plan.epochs)

    def train(self, trial: Trial) -> float:
        """Sample values, train the recipe with them, and return its validation RMSE in px."""
        trial.set_user_attr("worker", _worker(self.out))
        values = sample(self.plan.space, trial)
        trial.set_user_attr("values", values)  # as trained: the sampler's values are rounded to four digits
        self.progress.trial_began(trial.number)
        try:
            scores = fit(
                self.plan.trial_recipe(values),
                self.data,
                self.out / "trials" / f"{trial.number:04}",
                rows=self.rows,
                force=True,
                machine=self.machine,
                callbacks=[_EpochReport(trial, self.progress)],
            )
        except torch.OutOfMemoryError:
            raise optuna.TrialPruned("too large for this device") from None
        except KeyboardInterrupt:
            trial.set_user_attr("stopped", True)
            raise
        return scores.rmse


class _EpochReport(Callback):
    """Reports each epoch's validation RMSE to the study, and stops a training that Optuna prunes."""

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
        self.progress.epoch_ended(epoch)
        if epoch < (trainer.max_epochs or 0) and self.trial.should_prune():
            raise optuna.TrialPruned(f"pruned after epoch {epoch}")


def _worker(out: Path) -> str:
    """This process: machine and folder."""
    return f"{platform.node()}:{out.resolve()}"

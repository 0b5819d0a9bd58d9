"""The study that Optuna keeps: made or found again, checked to be about the same, its lost trials queued again.

The sampler is TPE, which Optuna's tutorial "Efficient Optimization Algorithms" (from Ozaki et al., IEICE Transactions
J103-D, 2020) recommends for deep learning where trials are few and some fields are choices; multivariate, as fields
hang together (Falkner et al., "BOHB", ICML 2018). Its variant for groups is for spaces whose fields come and go; ours
stay. The pruner is Hyperband, the tutorial's companion of TPE, once each of its brackets can give TPE more than the ten
trials that it starts with; for shorter searches Hyperband's documentation advises against it, and the median decides.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner
from optuna.samplers import TPESampler
from optuna.storages import BaseStorage, RetryHeartbeatStaleTrialCallback
from optuna.study import Study
from optuna.trial import TrialState

from facepoints.errors import BadRun
from facepoints.training.recipe import Recipe
from facepoints.tuning.space import Space, in_words, nearest
from facepoints.tuning.storage import ATTEMPTS

STARTUP = 10
"""Trials drawn at random before TPE models anything: Optuna's default."""

_REDUCTION = 3  # Hyperband's default: a third of the trials goes on at each rung
_IDENTITY = "facepoints"
_FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)


@dataclass(frozen=True)
class About:
    """What a study is about: whoever works on it must mean the same."""

    recipe: Recipe
    space: Space
    epochs: int
    data: str
    """fingerprint"""

    def as_table(self) -> dict[str, Any]:
        """The same as JSON holds it."""
        space = in_words(self.space)
        return {"recipe": self.recipe.as_table(), "epochs": self.epochs, "space": space, "data": self.data}


def open_study(about: About, storage: BaseStorage, name: str, place: str, *, trials: int | None, alone: bool) -> Study:
    """The study of this name, a new one where there is none; raises BadRun if it is about something else.

    `place` names the storage in errors; `alone`: nobody else works on it, so that its random draws can be repeated.
    """
    study = _found(storage, name) or _made(about, storage, name) or optuna.load_study(storage=storage, study_name=name)
    _refuse_another(_identity(study, about.as_table()), about.as_table(), f"the study '{name}' in {place}")
    if not study.get_trials(deepcopy=False):
        study.enqueue_trial(nearest(about.space, about.recipe))
    # going on, a seed must not repeat the random draws made before; nor, with several processes, each other's
    seed = about.recipe.seed * 100_003 + len(study.get_trials(deepcopy=False)) if alone else None
    study.sampler = TPESampler(seed=seed, n_startup_trials=STARTUP, multivariate=True, constant_liar=True)
    study.pruner = choose_pruner(about.epochs, trials)
    return study


def _found(storage: BaseStorage, name: str) -> Study | None:
    try:
        return optuna.load_study(storage=storage, study_name=name)
    except KeyError:
        return None


def _made(about: About, storage: BaseStorage, name: str) -> Study | None:
    """A new study that says what it is about and has the recipe queued; None if another process was faster."""
    try:
        study = optuna.create_study(storage=storage, study_name=name, direction="minimize")
    except optuna.exceptions.DuplicatedStudyError:
        return None
    study.set_user_attr(_IDENTITY, about.as_table())
    study.enqueue_trial(nearest(about.space, about.recipe))
    return study


def choose_pruner(epochs: int, trials: int | None) -> BasePruner:
    """Hyperband where the search is long enough for it, else the median rule (reasons: see the module's text)."""
    brackets = int(math.log(epochs, _REDUCTION)) + 1
    if trials is not None and trials > 2 * STARTUP * brackets:
        return HyperbandPruner(min_resource=1, max_resource=epochs, reduction_factor=_REDUCTION)
    return MedianPruner(n_startup_trials=5, n_warmup_steps=1 + epochs // 3)


def _identity(study: Study, own: dict[str, Any]) -> dict[str, Any]:
    """What a study says that it is about. Whoever made it may not have come to that yet, or been killed before."""
    for _ in range(20):
        if (about := study.user_attrs.get(_IDENTITY)) is not None:
            return dict(about)
        if study.get_trials(deepcopy=False):
            break
        time.sleep(0.1)
    else:
        study.set_user_attr(_IDENTITY, own)
        return own
    raise BadRun(f"the study '{study.study_name}' was not made by `facepoints tune`; choose another name with --study")


def _refuse_another(there: dict[str, Any], here: dict[str, Any], what: str) -> None:
    """Raise BadRun if two identities differ, with the first difference."""
    remedy = "Choose another --out, or with --storage another --study, or repeat the command that began it"
    fields = [f for f in here["recipe"] if f not in ("name", "summary")]
    for field in fields:
        if there["recipe"].get(field, here["recipe"][field]) != here["recipe"][field]:
            values = f"{field} is {there['recipe'][field]!r} there, {here['recipe'][field]!r} here"
            raise BadRun(f"{what} is about another recipe ({values}). {remedy}")
    if there["epochs"] != here["epochs"]:
        raise BadRun(f"{what} has trials of {there['epochs']} epochs, not {here['epochs']}. {remedy}")
    for field in [*there["space"], *here["space"]]:
        then, now = (space.get(field, "nothing") for space in (there["space"], here["space"]))
        if then != now:
            raise BadRun(f"{what} has another search space ({field} varies over {then} there, {now} here). {remedy}")
    if there["data"] != here["data"]:
        raise BadRun(f"{what} is about other data. {remedy}")


def repeat_lost_trials(study: Study, worker: str, *, alone: bool) -> None:
    """Put trials that a killed or stopped process of ours left back into the queue.

    `alone`: nobody else works on the study, so whatever is still running there died.
    """
    again = RetryHeartbeatStaleTrialCallback(max_retry=ATTEMPTS)
    trials = study.get_trials(deepcopy=False)
    repeated = {number for trial in trials for number in trial.system_attrs.get("retry_history", [])}
    for trial in trials:
        ours = alone or trial.user_attrs.get("worker") == worker
        if trial.state is TrialState.RUNNING and ours:
            study.tell(trial.number, state=TrialState.FAIL)
            again(study, trial)
        elif trial.state is TrialState.FAIL and trial.user_attrs.get("stopped") and trial.number not in repeated:
            again(study, trial)


def enough(study: Study, trials: int | None) -> bool:
    """Are as many trials finished, or at work elsewhere, as are wanted?"""
    if trials is None:
        return False
    if not any(trial.state is TrialState.RUNNING for trial in study.get_trials(deepcopy=False)):
        return len(study.get_trials(deepcopy=False, states=_FINISHED)) >= trials
    optuna.storages.fail_stale_trials(study)  # the dead are not waited for
    return len(study.get_trials(deepcopy=False, states=(*_FINISHED, TrialState.RUNNING))) >= trials

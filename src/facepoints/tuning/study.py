"""The Optuna study of a search: created or loaded, checked to be of the same search, lost trials queued again.

The sampler is TPE, which Optuna's tutorial "Efficient Optimization Algorithms" (from Ozaki et al., IEICE Transactions
J103-D, 2020) recommends for deep learning with few trials and categorical fields; multivariate, as fields interact
(Falkner et al., "BOHB", ICML 2018). The pruner is Hyperband, the tutorial's companion of TPE, if each of its brackets
can give TPE more than its ten startup trials; for shorter searches Hyperband's documentation advises against it, and
the median pruner is used.
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
"""Random trials before TPE: Optuna's default."""

_REDUCTION = 3  # Hyperband's default: a third of the trials continues at each rung
_IDENTITY = "facepoints"
_FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)


@dataclass(frozen=True)
class StudyIdentity:
    """What all processes that work on a study must have in common."""

    recipe: Recipe
    space: Space
    epochs: int
    data: str
    """fingerprint"""

    def as_table(self) -> dict[str, Any]:
        """The same in types of JSON."""
        space = in_words(self.space)
        return {"recipe": self.recipe.as_table(), "epochs": self.epochs, "space": space, "data": self.data}


def open_study(
    identity: StudyIdentity, storage: BaseStorage, name: str, place: str, *, trials: int | None, shared: bool
) -> Study:
    """The study of this name, created if absent; raises BadRun if it is of another search.

    `place` is the name of the storage in errors. A study that is not `shared` samples reproducibly.
    """
    own = identity.as_table()
    try:
        study = optuna.create_study(storage=storage, study_name=name, direction="minimize")
        study.set_user_attr(_IDENTITY, own)
    except optuna.exceptions.DuplicatedStudyError:
        study = optuna.load_study(storage=storage, study_name=name)
        _refuse_another(_stored_identity(study, own), own, f"the study '{name}' in {place}")
    if not study.get_trials(deepcopy=False):
        study.enqueue_trial(nearest(identity.space, identity.recipe), skip_if_exists=True)
    # a resumed search must not repeat the random numbers of the first part, nor processes those of each other
    seed = None if shared else identity.recipe.seed * 100_003 + len(study.get_trials(deepcopy=False))
    study.sampler = TPESampler(seed=seed, n_startup_trials=STARTUP, multivariate=True, constant_liar=True)
    study.pruner = choose_pruner(identity.epochs, trials)
    return study


def choose_pruner(epochs: int, trials: int | None) -> BasePruner:
    """Hyperband if the search is long enough for it, else the median pruner (see the module's docstring)."""
    brackets = int(math.log(epochs, _REDUCTION)) + 1
    if trials is not None and trials > 2 * STARTUP * brackets:
        return HyperbandPruner(min_resource=1, max_resource=epochs, reduction_factor=_REDUCTION)
    return MedianPruner(n_startup_trials=5, n_warmup_steps=1 + epochs // 3)


def _stored_identity(study: Study, own: dict[str, Any]) -> dict[str, Any]:
    """The identity in the study. The process that created the study may not have written it yet, or never will."""
    for _ in range(20):
        if (stored := study.user_attrs.get(_IDENTITY)) is not None:
            return dict(stored)
        if study.get_trials(deepcopy=False):
            raise BadRun(
                f"the study '{study.study_name}' was not created by `facepoints tune`; choose another name with --study"
            )
        time.sleep(0.1)
    study.set_user_attr(_IDENTITY, own)
    return own


def _refuse_another(there: dict[str, Any], here: dict[str, Any], what: str) -> None:
    """Raise BadRun with the first difference of two identities."""
    remedy = "Choose another --out (with --storage: another --study), or repeat the command that started it"
    for field in here["recipe"]:
        value = there["recipe"].get(field, here["recipe"][field])
        if field not in ("name", "summary") and value != here["recipe"][field]:
            values = f"{field} is {value!r} there, {here['recipe'][field]!r} here"
            raise BadRun(f"{what} has another recipe ({values}). {remedy}")
    if there["epochs"] != here["epochs"]:
        raise BadRun(f"{what} has trials of {there['epochs']} epochs, not {here['epochs']}. {remedy}")
    for field in [*there["space"], *here["space"]]:
        then, now = (space.get(field, "nothing") for space in (there["space"], here["space"]))
        if then != now:
            raise BadRun(f"{what} has another search space ({field} varies over {then} there, {now} here). {remedy}")
    if there["data"] != here["data"]:
        raise BadRun(f"{what} has other data. {remedy}")


def repeat_lost_trials(study: Study, worker: str, *, shared: bool) -> None:
    """Queue the trials again that a killed or interrupted process of this worker left.

    In a study that is not `shared` every running trial is lost.
    """
    retry = RetryHeartbeatStaleTrialCallback(max_retry=ATTEMPTS)
    trials = study.get_trials(deepcopy=False)
    repeated = {number for trial in trials for number in trial.system_attrs.get("retry_history", [])}
    for trial in trials:
        ours = not shared or trial.user_attrs.get("worker") == worker
        if trial.state is TrialState.RUNNING and ours:
            study.tell(trial.number, state=TrialState.FAIL)
            retry(study, trial)
        elif trial.state is TrialState.FAIL and trial.user_attrs.get("stopped") and trial.number not in repeated:
            retry(study, trial)


def enough(study: Study, trials: int | None) -> bool:
    """Are as many trials finished, or running in other processes, as requested?"""
    if trials is None:
        return False
    if not any(trial.state is TrialState.RUNNING for trial in study.get_trials(deepcopy=False)):
        return len(study.get_trials(deepcopy=False, states=_FINISHED)) >= trials
    optuna.storages.fail_stale_trials(study)  # lost trials do not count
    return len(study.get_trials(deepcopy=False, states=(*_FINISHED, TrialState.RUNNING))) >= trials

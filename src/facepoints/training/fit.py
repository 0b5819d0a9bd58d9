"""Training: split the rows, impute missing points, train the network, keep the best epoch, score it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch import Callback
from numpy.typing import NDArray

from facepoints.data.corrections import Correction
from facepoints.data.dataset import LabeledFaces, picture_digests
from facepoints.data.imputation import fill
from facepoints.data.label_errors import without_label_issues
from facepoints.data.similarity import group_alike
from facepoints.data.split import Split, split
from facepoints.errors import AlreadyTrained, BadChoice
from facepoints.models.checkpoint import load_model, save_model
from facepoints.models.model import Model
from facepoints.models.networks import Size
from facepoints.scores import Scores, score
from facepoints.training.builtin_recipes import find
from facepoints.training.distillation import prepare_targets
from facepoints.training.ensemble import check_ensemble_networks, train_ensemble
from facepoints.training.lightning_module import KeypointModule
from facepoints.training.loggers import Trackers
from facepoints.training.progress import TrainingProgress
from facepoints.training.recipe import Recipe
from facepoints.training.run_folder import MODEL_FILE, RunFolder, read_json, trained_on
from facepoints.training.trainer import (
    Machine,
    is_first_process,
    keep_freed_memory,
    new_trainer,
    own_callbacks,
    quiet_lightning,
)
from facepoints.training.uncertainty import learn_expected_error


def fit(
    recipe: Recipe,
    data: LabeledFaces,
    folder: Path,
    *,
    rows: Split | None = None,
    corrections: list[Correction] | None = None,
    resume: bool = False,
    force: bool = False,
    machine: Machine | None = None,
    trackers: Trackers | None = None,
    callbacks: list[Callback] | None = None,
) -> Scores:
    """Train a recipe on labeled faces into a run folder; return the best epoch's scores on the validation rows.

    rows: training and validation rows, instead of the recipe's own split. corrections: the user's decisions on label
    issues; labels confirmed there are trained on although the recipe's list of issues contains them. resume: continue
    a stopped training after its last complete epoch, with the same result as without the stop. force: replace the
    training that the folder holds. Raises BadRun where the folder holds a training and neither applies; an interrupt
    raises KeyboardInterrupt with a message about what is kept.
    """
    keep_freed_memory()
    machine = machine or Machine()
    run = RunFolder(folder, recipe)
    chosen = data.only(recipe.keypoints)
    if recipe.flip and chosen.keypoints.lone_sides():
        alone = ", ".join(chosen.keypoints.lone_sides())
        raise BadChoice(f"flip={recipe.flip:g} needs both sides of each point, but {alone} has no partner; set flip=0")
    rows = rows or split(chosen, recipe.split, recipe.validation_fraction, recipe.seed)
    training = _without_issues(chosen, rows.training, recipe, corrections)
    about_rows = trained_on(data, rows, training)
    if not force:
        # further processes started by Lightning find the files of the first one
        run.refuse_to_overwrite(about_rows, resume=resume or not is_first_process())

    fit_alike = partial(fit, data=data, corrections=corrections, machine=machine, callbacks=callbacks)
    task = _Task(run, data, rows, training, about_rows, fit_alike, callbacks or [], trackers, force)
    try:
        if recipe.folds:
            _fit_ensemble(task)
        else:
            _fit_network(task, machine)
        if recipe.expected_error:
            _fit_expected_error(task, _without_issues(chosen, rows.validation, recipe, corrections))
    except KeyboardInterrupt as stop:
        raise KeyboardInterrupt(run.progress or str(stop) or "no epoch was complete") from None
    scores = finish(run, data, rows)
    if trackers:
        trackers.attach()
    return scores


@dataclass(frozen=True)
class _Task:
    """Everything that the steps of one training share."""

    run: RunFolder
    data: LabeledFaces
    rows: Split
    training: LabeledFaces
    """the training rows without label issues, with the recipe's keypoints"""
    about_rows: dict[str, Any]
    fit_alike: Callable[..., Scores]
    callbacks: list[Callback]
    trackers: Trackers | None
    force: bool

    def fit_another(self, recipe: Recipe, folder: Path, rows: Split, *, force: bool) -> None:
        """Train another recipe, or resume it; a complete run is left as it is unless by `force`."""
        trackers = self.trackers.for_member(recipe, folder, resume=not force) if self.trackers else None
        with suppress(AlreadyTrained):
            self.fit_alike(recipe, folder=folder, rows=rows, resume=not force, force=force, trackers=trackers)

    def announce(self, training: str) -> None:
        for progress in self.progress():
            progress.announce(training)

    def progress(self) -> list[TrainingProgress]:
        return [callback for callback in self.callbacks if isinstance(callback, TrainingProgress)]


def _fit_network(task: _Task, machine: Machine) -> None:
    """Train one network with Lightning, after its teacher if it has one."""
    run, data, rows, recipe = task.run, task.data, task.rows, task.run.recipe
    chosen, training = data.only(recipe.keypoints), _imputed(task.training, recipe)
    torch.manual_seed(recipe.seed)
    model = Model(recipe.network, chosen.keypoints, size_of(recipe), recipe.as_table())
    known = data.take(rows.training)
    model.fit_mean_shape(known.points, known.observed, known.source, data.keypoints)
    targets = None
    if recipe.teacher:
        model.heatmap_network("teacher")
        targets = prepare_targets(_teacher(task), training)
    module = KeypointModule(recipe, model, training, chosen.take(rows.validation), targets)

    with quiet_lightning():
        callbacks = [*own_callbacks(recipe, run), *task.callbacks]
        loggers = list(task.trackers.loggers.values()) if task.trackers else []
        trainer = new_trainer(recipe, machine, [*callbacks, *([task.trackers] if task.trackers else [])], loggers)
        if task.force and is_first_process():
            run.clear()  # only after everything else has succeeded
        run.write_start(task.about_rows, parameters=sum(p.numel() for p in model.network.parameters()))
        try:
            # with force, another process may not have deleted the old file yet
            last = str(run.last) if run.last.exists() and not task.force else None
            trainer.fit(module, ckpt_path=last, weights_only=None)
        except SystemExit:  # Lightning's reaction to Ctrl-C
            raise KeyboardInterrupt from None


def _fit_ensemble(task: _Task) -> None:
    """Train the networks of an ensemble one after the other, and save them as one model."""
    run = task.run
    check_ensemble_networks(run.recipe)
    if task.force and is_first_process():
        run.clear()

    def train(member: Recipe, folder: Path, rows: Split) -> None:
        task.announce(f"network {folder.name}")
        # old members are deleted already; with force, a resumed training would repeat new ones
        task.fit_another(member, folder, rows, force=False)

    run.write_start(task.about_rows, parameters=0)  # the number is known after the training
    joined = train_ensemble(run, task.data, task.rows, size_of(run.recipe), train)
    run.write_start(task.about_rows, parameters=sum(p.numel() for p in joined.network.parameters()))
    save_model(run.model, joined, {})
    if task.trackers and is_first_process():
        task.trackers.begin()  # after the members' runs have ended: Weights & Biases has one open run at a time


def finish(run: RunFolder, data: LabeledFaces, rows: Split) -> Scores:
    """Score the best epoch's model on the validation rows and write the run's last files."""
    model, _ = run.load_best()
    validation = data.only(model.keypoints.names).take(rows.validation)
    predicted = model.predict(validation.faces, validation.source)
    labels = validation.points, validation.observed, validation.source, validation.keypoints
    scores = score(predicted, *labels, groups=group_alike(validation.faces))
    run.write_end(scores)
    return scores


def _teacher(task: _Task) -> Model:
    """The teacher: an existing run, or the recipe of that name, trained first on the same rows."""
    recipe, folder = task.run.recipe, Path(task.run.recipe.teacher)
    if not (folder / MODEL_FILE).exists():
        first, folder = find(recipe.teacher), task.run.folder / "teacher"
        first = first.replace(drop_label_issues=recipe.drop_label_issues, keypoints=recipe.keypoints, seed=recipe.seed)
        task.announce(f"the teacher first, {first.name}")
        task.fit_another(first, folder, task.rows, force=task.force)
        task.announce(f"now {recipe.name}")
    pictures = read_json(folder / "run.json")["training_pictures"]
    leaked = len(set(picture_digests(task.data.faces[task.rows.validation])) & set(pictures))
    if leaked:
        raise BadChoice(
            f"teacher: {folder} was trained on {leaked:,} validation faces of this run, which would bias its scores. "
            "Train it with the same split and seed, or give the name of a recipe"
        )
    return load_model(folder / MODEL_FILE)[0]


def _fit_expected_error(task: _Task, validation: LabeledFaces) -> None:
    """Train the head for expected errors of the best epoch's model; if interrupted, it is trained again."""

    def progress(done: int, total: int) -> None:
        for shown in task.progress():
            shown.show_passes(done, total)

    model, facts = task.run.load_best()
    learn_expected_error(model, task.training, validation, task.run.recipe, progress)
    save_model(task.run.model, model, facts)


def size_of(recipe: Recipe) -> Size:
    """The size of the recipe's network."""
    return Size(recipe.width, recipe.kernel, recipe.dense_units, recipe.dropout)


def _without_issues(
    chosen: LabeledFaces, rows: NDArray[np.int64], recipe: Recipe, corrections: list[Correction] | None
) -> LabeledFaces:
    """These rows without the labels that the recipe's list of label issues considers wrong."""
    some = chosen.take(rows)
    if not recipe.drop_label_issues:
        return some
    clean = without_label_issues(chosen, Path(recipe.drop_label_issues), corrections=corrections)
    return clean.take(np.isin(clean.row, some.row))


def _imputed(training: LabeledFaces, recipe: Recipe) -> LabeledFaces:
    """The rows to train on, with missing points imputed as the recipe says."""
    filled = fill(training.points, training.observed, recipe.missing, recipe.seed)
    return replace(training.take(filled.kept), points=filled.points, observed=filled.observed)

"""Training, readable as a sentence: split the rows, fill the gaps, fit the model, keep the best, score it."""

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

from facepoints.data.corrections import Correction
from facepoints.data.dataset import LabeledFaces, picture_digests
from facepoints.data.imputation import fill
from facepoints.data.label_errors import without_label_issues
from facepoints.data.similarity import group_alike
from facepoints.data.split import Split, split
from facepoints.errors import AlreadyTrained, BadChoice
from facepoints.models.checkpoint import load_model, save_model
from facepoints.models.heatmaps import MultiSourceNetwork
from facepoints.models.model import Model
from facepoints.models.networks import HEATMAP_NETWORKS, Size
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
    """Train a recipe on labeled faces; leave a run folder; give the best epoch's scores on the validation rows.

    `rows` are the positions to train and to validate on, where the recipe's own split is not wanted; `corrections`
    are what somebody said of suspects, which the recipe's list of them does not overrule.
    With `resume` a training that was stopped goes on after its last whole epoch, to the same end as if it had never
    stopped. `trackers` hear of it and get the finished files. Raises BadRun where the folder holds a finished, an
    unfinished or another training; `force` starts anew.
    """
    keep_freed_memory()
    machine = machine or Machine()
    run = RunFolder(folder, recipe)
    chosen = data.only(recipe.keypoints)
    if recipe.flip and chosen.keypoints.lone_sides():
        alone = ", ".join(chosen.keypoints.lone_sides())
        raise BadChoice(f"flip={recipe.flip:g} needs both sides of each point, but {alone} has no partner; set flip=0")
    rows = rows or split(chosen, recipe.split, recipe.validation_fraction, recipe.seed)
    training = _trusted(chosen, rows, recipe, corrections)
    about_rows = trained_on(data, rows, training)
    if not force:
        # a process that Lightning started beside the first one finds what that one has begun
        run.refuse_to_overwrite(about_rows, resume=resume or not is_first_process())

    alike = partial(fit, data=data, corrections=corrections, machine=machine, callbacks=callbacks)
    task = _Task(run, data, rows, training, about_rows, alike, callbacks or [], trackers, force)
    if recipe.folds:
        _fit_ensemble(task)
    else:
        _fit_network(task, machine)
    if recipe.expected_error:
        _teach_expected_error(task, _trusted(chosen, replace(rows, training=rows.validation), recipe, corrections))
    scores = finish(run, data, rows)
    if trackers:
        trackers.attach()
    return scores


@dataclass(frozen=True)
class _Task:
    """What fit has made out: what is to be trained, on what, for whom."""

    run: RunFolder
    data: LabeledFaces
    rows: Split
    training: LabeledFaces
    """the training rows that are trusted, with the recipe's keypoints"""
    about_rows: dict[str, Any]
    fit_alike: Callable[..., Scores]
    callbacks: list[Callback]
    trackers: Trackers | None
    force: bool

    def another(self, recipe: Recipe, folder: Path, rows: Split, *, force: bool) -> None:
        """Train another recipe alike, or go on with it; nothing happens where that is done, unless by `force`."""
        trackers = self.trackers.beside(recipe, folder, resume=not force) if self.trackers else None
        with suppress(AlreadyTrained):
            self.fit_alike(recipe, folder=folder, rows=rows, resume=not force, force=force, trackers=trackers)

    def announce(self, what: str) -> None:
        for shown in self.shown():
            shown.announce(what)

    def shown(self) -> list[TrainingProgress]:
        return [callback for callback in self.callbacks if isinstance(callback, TrainingProgress)]


def _fit_network(task: _Task, machine: Machine) -> None:
    """Train one network with Lightning, after its teacher if it has one; the run's folder keeps its best epoch."""
    run, data, rows, recipe = task.run, task.data, task.rows, task.run.recipe
    chosen, filled = data.only(recipe.keypoints), _filled(task.training, recipe)
    torch.manual_seed(recipe.seed)
    model = Model(recipe.network, chosen.keypoints, size_of(recipe), recipe.as_table())
    known = data.take(rows.training)
    model.fit_mean_shape(known.points, known.observed, known.source, data.keypoints)
    targets = None
    if recipe.teacher:
        if not isinstance(model.network, MultiSourceNetwork):
            raise BadChoice(
                f"teacher: needs a network with maps ({', '.join(HEATMAP_NETWORKS)}), not '{recipe.network}'"
            )
        targets = prepare_targets(_teacher(task), filled)
    fitting = KeypointModule(recipe, model, filled, chosen.take(rows.validation), targets)

    with quiet_lightning():
        tracking, loggers = ([task.trackers], [*task.trackers.loggers.values()]) if task.trackers else ([], [])
        trainer = new_trainer(recipe, machine, [*own_callbacks(recipe, run), *task.callbacks, *tracking], loggers)
        if task.force and is_first_process():
            run.clear()  # not before all else has proven possible
        run.write_start(task.about_rows, parameters=sum(p.numel() for p in model.network.parameters()))
        try:
            # anew by force, whatever another process may not have cleared yet
            last = str(run.last) if run.last.exists() and not task.force else None
            trainer.fit(fitting, ckpt_path=last, weights_only=None)
        except SystemExit:  # how Lightning answers Ctrl-C
            raise KeyboardInterrupt from None


def _fit_ensemble(task: _Task) -> None:
    """Train the networks of an ensemble, one after the other, and keep them in one model."""
    run = task.run
    check_ensemble_networks(run.recipe)
    if task.force and is_first_process():
        run.clear()

    def train(member: Recipe, place: Path, kept: Split) -> None:
        task.announce(f"network {place.name}")
        # whatever was to be replaced is gone; killed and resumed, the new members stay
        task.another(member, place, kept, force=False)

    run.write_start(task.about_rows, parameters=0)  # not known before they are joined
    joined = train_ensemble(run, task.data, task.rows, size_of(run.recipe), train)
    run.write_start(task.about_rows, parameters=sum(p.numel() for p in joined.network.parameters()))
    save_model(run.model, joined, {})
    if task.trackers and is_first_process():
        task.trackers.begin()  # not before its networks have ended theirs: Weights & Biases keeps one run at a time


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
    """The model that teaches: a run that is there, or the recipe of that name, first trained on the same rows."""
    recipe, folder = task.run.recipe, Path(task.run.recipe.teacher)
    if not (folder / MODEL_FILE).exists():
        first, folder = find(recipe.teacher), task.run.folder / "teacher"
        first = first.replace(drop_label_issues=recipe.drop_label_issues, keypoints=recipe.keypoints, seed=recipe.seed)
        task.announce(f"the teacher first, {first.name}")
        task.another(first, folder, task.rows, force=task.force)
        task.announce(f"now {recipe.name}")
    pictures = read_json(folder / "run.json").get("training_pictures", [])
    leaked = len(set(picture_digests(task.data.faces[task.rows.validation])) & set(pictures))
    if leaked:
        raise BadChoice(
            f"teacher: {folder} was trained on {leaked:,} of the faces that this run validates on, and would flatter "
            "it. Train it with the same split and seed, or give the name of a recipe"
        )
    return load_model(folder / MODEL_FILE)[0]


def _teach_expected_error(task: _Task, unseen: LabeledFaces) -> None:
    """Put the head for expected errors into the best epoch's model; killed in between, it is learned anew."""

    def progress(done: int, total: int) -> None:
        for shown in task.shown():
            shown.after_points(done, total)

    model, facts = task.run.load_best()
    learn_expected_error(model, task.training, unseen, task.run.recipe, progress)
    save_model(task.run.model, model, facts)


def size_of(recipe: Recipe) -> Size:
    """How large the recipe wants its network."""
    return Size(recipe.width, recipe.kernel, recipe.dense_units, recipe.dropout)


def _trusted(chosen: LabeledFaces, rows: Split, recipe: Recipe, corrections: list[Correction] | None) -> LabeledFaces:
    """The training rows, without the labels that the recipe's list of suspects holds for wrong."""
    training = chosen.take(rows.training)
    if not recipe.drop_label_issues:
        return training
    # of training only: what is scored must not depend on what is left out
    trusted = without_label_issues(chosen, Path(recipe.drop_label_issues), corrections=corrections)
    return trusted.take(np.isin(trusted.row, training.row))


def _filled(training: LabeledFaces, recipe: Recipe) -> LabeledFaces:
    """The rows to train on, with the points that the recipe's strategy for missing ones gives them."""
    filled = fill(training.points, training.observed, recipe.missing, recipe.seed)
    return replace(training.take(filled.kept), points=filled.points, observed=filled.observed)

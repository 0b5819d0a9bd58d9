"""Training, readable as a sentence: split the rows, fill the gaps, fit the model, keep the best, score it."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.loggers import Logger

from facepoints.data.corrections import Correction
from facepoints.data.faces import LabeledFaces
from facepoints.data.fingerprint import picture_digests
from facepoints.data.missing import fill
from facepoints.data.split import Split, group_alike, split
from facepoints.data.suspects import without_suspects
from facepoints.errors import AlreadyTrained, BadChoice
from facepoints.models.checkpoint import load_model, save_model
from facepoints.models.model import Model
from facepoints.models.networks import WITH_MAPS, Size
from facepoints.models.point_maps import AllAnswers
from facepoints.scoring import Scores, score
from facepoints.training.committee import check_kinds, train_committee
from facepoints.training.expected_error import learn_expected_error
from facepoints.training.fitting import Fitting
from facepoints.training.lesson import prepare_lesson
from facepoints.training.memory import keep_freed_memory
from facepoints.training.progress import TrainingProgress
from facepoints.training.recipe import Recipe
from facepoints.training.recipe_book import find
from facepoints.training.run_folder import (
    MODEL_FILE,
    RunFolder,
    SafeCheckpoints,
    read_json,
    trained_on,
)


@dataclass(frozen=True)
class Machine:
    """Where a training runs; never what is trained."""

    accelerator: str = "auto"
    devices: int = 1
    nodes: int = 1


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
    loggers: list[Logger] | None = None,
    callbacks: list[Callback] | None = None,
) -> Scores:
    """Train a recipe on labeled faces; leave a run folder; give the best epoch's scores on the validation rows.

    `rows` are the positions to train and to validate on, where the recipe's own split is not wanted; `corrections`
    are what somebody said of suspects, which the recipe's list of them does not overrule.
    With `resume` a training that was stopped goes on after its last whole epoch, to the same end as if it had never
    stopped. Raises BadRun where the folder holds a finished, an unfinished or another training; `force` starts anew.
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
        run.refuse_to_overwrite(about_rows, resume=resume)

    another = partial(
        fit, data=data, corrections=corrections, resume=not force, force=force, machine=machine, callbacks=callbacks
    )
    if recipe.folds:
        check_kinds(recipe)
        if force:
            run.clear()
        _fit_committee(run, data, rows, about_rows, another, callbacks or [])
    else:
        trainer = partial(_trainer, recipe, machine, [*_callbacks(recipe, run), *(callbacks or [])], loggers or [])
        _fit_network(run, data, rows, training, about_rows, another, trainer, callbacks or [], force=force)
    if recipe.expected_error:
        unseen = _trusted(chosen, replace(rows, training=rows.validation), recipe, corrections)
        _teach_expected_error(run, training, unseen, callbacks or [])
    return finish(run, data, rows)


def _fit_network(
    run: RunFolder,
    data: LabeledFaces,
    rows: Split,
    training: LabeledFaces,
    about_rows: dict[str, Any],
    another: Callable[..., Scores],
    new_trainer: Callable[[], Trainer],
    callbacks: list[Callback],
    *,
    force: bool,
) -> None:
    """Train one network with Lightning, after its teacher if it has one; the run's folder keeps its best epoch."""
    recipe, chosen = run.recipe, data.only(run.recipe.keypoints)
    validation = chosen.take(rows.validation)
    torch.manual_seed(recipe.seed)
    model = Model(recipe.network, chosen.keypoints, size_of(recipe), recipe.as_table())
    known = data.take(rows.training)
    model.learn_typical(known.points, known.observed, known.source, data.keypoints)
    lesson = None
    if recipe.teacher:
        if not isinstance(model.network, AllAnswers):
            raise BadChoice(f"teacher: needs a network with maps ({', '.join(WITH_MAPS)}), not '{recipe.network}'")
        teacher = _teacher(run, data, rows, another, callbacks)
        lesson = prepare_lesson(teacher, _filled(training, recipe))
    fitting = Fitting(recipe, model, _filled(training, recipe), validation, lesson)

    with _quiet_lightning():
        trainer = new_trainer()
        if force:
            run.clear()  # not before all else has proven possible
        run.write_start(about_rows, parameters=sum(p.numel() for p in model.network.parameters()))
        try:
            trainer.fit(fitting, ckpt_path=str(run.last) if run.last.exists() else None, weights_only=None)
        except SystemExit:  # how Lightning answers Ctrl-C
            raise KeyboardInterrupt from None


def _fit_committee(
    run: RunFolder,
    data: LabeledFaces,
    rows: Split,
    about_rows: dict[str, Any],
    another: Callable[..., Scores],
    callbacks: list[Callback],
) -> None:
    """Train the networks of a committee, one after the other, and keep them in one model."""

    def train(member: Recipe, place: Path, kept: Split) -> None:
        _announce(f"network {place.name}", callbacks)
        another(member, folder=place, rows=kept)

    run.write_start(about_rows, parameters=0)  # not known before they are joined
    joined = train_committee(run, data, rows, size_of(run.recipe), train)
    run.write_start(about_rows, parameters=sum(p.numel() for p in joined.network.parameters()))
    save_model(run.model, joined, {})


def finish(run: RunFolder, data: LabeledFaces, rows: Split) -> Scores:
    """Score the best epoch's model on the validation rows and write the run's last files."""
    model, _ = run.load_best()
    validation = data.only(model.keypoints.names).take(rows.validation)
    predicted = model.predict(validation.faces, validation.source)
    labels = validation.points, validation.observed, validation.source, validation.keypoints
    scores = score(predicted, *labels, groups=group_alike(validation.faces))
    run.write_end(scores)
    return scores


def _teacher(
    run: RunFolder, data: LabeledFaces, rows: Split, another: Callable[..., Scores], callbacks: list[Callback]
) -> Model:
    """The model that teaches: a run that is there, or the recipe of that name, first trained on the same rows."""
    recipe, folder = run.recipe, Path(run.recipe.teacher)
    if not (folder / MODEL_FILE).exists():
        first, folder = find(recipe.teacher), run.folder / "teacher"
        first = first.but(drop_suspects=recipe.drop_suspects, keypoints=recipe.keypoints, seed=recipe.seed)
        _announce(f"the teacher first, {first.name}", callbacks)
        with suppress(AlreadyTrained):
            another(first, folder=folder, rows=rows)
        _announce(f"now {recipe.name}", callbacks)
    pictures = read_json(folder / "run.json").get("training_pictures", [])
    leaked = len(set(picture_digests(data.faces[rows.validation])) & set(pictures))
    if leaked:
        raise BadChoice(
            f"teacher: {folder} was trained on {leaked:,} of the faces that this run validates on, and would flatter "
            "it. Train it with the same split and seed, or give the name of a recipe"
        )
    return load_model(folder / MODEL_FILE)[0]


def _announce(what: str, callbacks: list[Callback]) -> None:
    for callback in callbacks:
        if isinstance(callback, TrainingProgress):
            callback.announce(what)


def _teach_expected_error(
    run: RunFolder, training: LabeledFaces, unseen: LabeledFaces, callbacks: list[Callback]
) -> None:
    """Put the head for expected errors into the best epoch's model; killed in between, it is learned anew."""
    shown = [callback for callback in callbacks if isinstance(callback, TrainingProgress)]

    def progress(done: int, total: int) -> None:
        for callback in shown:
            callback.after_points(done, total)

    model, facts = run.load_best()
    learn_expected_error(model, training, unseen, run.recipe, progress)
    save_model(run.model, model, facts)


def size_of(recipe: Recipe) -> Size:
    """How large the recipe wants its network."""
    return Size(recipe.width, recipe.kernel, recipe.dense_units, recipe.dropout)


def _trusted(chosen: LabeledFaces, rows: Split, recipe: Recipe, corrections: list[Correction] | None) -> LabeledFaces:
    """The training rows, without the labels that the recipe's list of suspects holds for wrong."""
    training = chosen.take(rows.training)
    if not recipe.drop_suspects:
        return training
    # of training only: what is scored must not depend on what is left out
    trusted = without_suspects(chosen, Path(recipe.drop_suspects), corrections=corrections)
    return trusted.take(np.isin(trusted.row, training.row))


def _filled(training: LabeledFaces, recipe: Recipe) -> LabeledFaces:
    """The rows to train on, with the points that the recipe's strategy for missing ones gives them."""
    filled = fill(training.points, training.observed, recipe.missing, recipe.seed)
    return replace(training.take(filled.kept), points=filled.points, observed=filled.observed)


def _trainer(recipe: Recipe, machine: Machine, callbacks: list[Callback], loggers: list[Logger]) -> Trainer:
    try:
        return Trainer(
            accelerator=machine.accelerator,
            devices=machine.devices,
            num_nodes=machine.nodes,
            precision=recipe.precision,  # type: ignore[arg-type]
            max_epochs=recipe.epochs,
            gradient_clip_val=recipe.clip or None,
            callbacks=callbacks,
            logger=loggers or False,
            plugins=[SafeCheckpoints()],
            num_sanity_val_steps=0,
            log_every_n_steps=1,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,  # Batches knows its rank
        )
    except (MisconfigurationException, ImportError, ValueError) as error:
        wanted = f"accelerator '{machine.accelerator}', {machine.devices} devices, {machine.nodes} machines"
        raise BadChoice(
            f"{wanted}: cannot train there ({str(error).splitlines()[0]}). Try accelerator 'auto'"
        ) from error


def _callbacks(recipe: Recipe, run: RunFolder) -> list[Callback]:
    keep = ModelCheckpoint(
        dirpath=run.folder,
        filename=run.last.stem,
        monitor=None,
        save_on_train_epoch_end=True,
        enable_version_counter=False,
    )
    keep.FILE_EXTENSION = run.last.suffix
    callbacks: list[Callback] = [run, keep]
    if recipe.patience:
        callbacks.append(EarlyStopping("validation_rmse", patience=recipe.patience, mode="min"))
    return callbacks


class _quiet_lightning:  # noqa: N801 - reads as the context manager that it is
    """Without Lightning's advice on devices, workers and folders, which concerns nobody who types a command."""

    def __enter__(self) -> None:
        self._loggers = [logging.getLogger(n) for n in ("lightning.pytorch", "lightning.fabric", "lightning")]
        self._levels = [logger.level for logger in self._loggers]
        for logger in self._loggers:
            logger.setLevel(logging.ERROR)
        self._warnings = warnings.catch_warnings()
        self._warnings.__enter__()
        warnings.filterwarnings("ignore", module=r"lightning\..*|torch\..*")

    def __exit__(self, *error: Any) -> None:
        self._warnings.__exit__(*error)
        for logger, level in zip(self._loggers, self._levels, strict=True):
            logger.setLevel(level)

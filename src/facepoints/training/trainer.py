"""Lightning's Trainer set up from a recipe and a machine."""

from __future__ import annotations

import ctypes
import logging
import os
import platform
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only

from facepoints.errors import BadChoice
from facepoints.training.recipe import Recipe
from facepoints.training.run_folder import RunFolder, SafeCheckpoints


@dataclass(frozen=True)
class Machine:
    """Where a training runs; never what is trained."""

    accelerator: str = "auto"
    devices: int = 1
    nodes: int = 1


def new_trainer(recipe: Recipe, machine: Machine, callbacks: list[Callback], loggers: list[Logger]) -> Trainer:
    """The Trainer; raises BadChoice where the machine does not have what is asked for."""
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
            use_distributed_sampler=False,  # Batches selects the rows of its rank
        )
    except (MisconfigurationException, ImportError, ValueError) as error:
        where = f"accelerator '{machine.accelerator}', {machine.devices} devices, {machine.nodes} machines"
        reason = str(error).splitlines()[0]
        raise BadChoice(f"{where}: cannot train there ({reason}). Try accelerator 'auto'") from error


def is_first_process() -> bool:
    """True in the process that writes; Lightning starts one process per device with the same command."""
    return not getattr(rank_zero_only, "rank", 0) and os.environ.get("NODE_RANK", "0") in ("", "0")


def own_callbacks(recipe: Recipe, run: RunFolder) -> list[Callback]:
    """Callbacks that write the run folder and stop early."""
    last = ModelCheckpoint(
        dirpath=run.folder,
        filename=run.last.stem,
        monitor=None,
        save_on_train_epoch_end=True,
        enable_version_counter=False,
    )
    last.FILE_EXTENSION = run.last.suffix
    callbacks: list[Callback] = [run, last]
    if recipe.patience:
        callbacks.append(EarlyStopping("validation_rmse", patience=recipe.patience, mode="min"))
    return callbacks


@contextmanager
def quiet_lightning() -> Iterator[None]:
    """Silence Lightning's hints on devices, workers and folders."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric", "lightning")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"lightning\..*|torch\..*")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3  # malloc.h


def keep_freed_memory() -> bool:
    """Make the C library keep freed large blocks for the next step; False where it is not glibc.

    Fresh blocks cost a page fault for every 4 KB: on one core, 394 faces/s become 466 with the flagship's network.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    settings = ((_MMAP_THRESHOLD, 2**30), (_TRIM_THRESHOLD, 2**31 - 1), (_TOP_PAD, 2**28))
    accepted = [mallopt(name, value) for name, value in settings]
    return all(accepted)

"""Lightning's Trainer as a recipe and a machine want it, without its advice to people who wrote the loop."""

from __future__ import annotations

import ctypes
import logging
import os
import platform
import warnings
from dataclasses import dataclass
from typing import Any

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


def is_first_process() -> bool:
    """Of a training on several devices the process that writes; Lightning starts the others with the same command."""
    return not getattr(rank_zero_only, "rank", 0) and os.environ.get("NODE_RANK", "0") in ("", "0")


def own_callbacks(recipe: Recipe, run: RunFolder) -> list[Callback]:
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


class quiet_lightning:  # noqa: N801 - reads as the context manager that it is
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


_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3  # malloc.h


def keep_freed_memory() -> bool:
    """Ask the C library to keep large blocks for the next step: fresh ones cost a page fault for every 4 KB.

    Measured on one core: 394 faces/s become 466 with the flagship's network. Only glibc can be asked; tells whether
    it was.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    settings = ((_MMAP_THRESHOLD, 2**30), (_TRIM_THRESHOLD, 2**31 - 1), (_TOP_PAD, 2**28))
    asked = [mallopt(name, value) for name, value in settings]
    return all(asked)

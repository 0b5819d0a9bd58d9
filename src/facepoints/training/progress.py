"""Progress of a training: one bar over all epochs in a terminal, lines elsewhere."""

from __future__ import annotations

import time
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

INTERVAL = 20.0
"""Seconds without a line after which one is printed, where the output is not a terminal."""


class TrainingProgress(Callback):
    """Shows the loss of the last steps, the validation RMSE (last and best), px, and the time left."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._progress: Progress | None = None
        self._task = TaskID(0)
        self._loss = 0.0
        self._printed = time.monotonic()

    def announce(self, training: str) -> None:
        """Print which of several trainings begins."""
        self._print(f"{training} ...")

    def show_passes(self, done: int, total: int) -> None:
        """Passes over the rows while the head for expected errors is trained."""
        if done == total or self.console.is_terminal or self._due():
            end = "\r" if self.console.is_terminal and done < total else "\n"
            self._print(f"expected errors: {done} of {total} passes", end)

    def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
        self._printed = time.monotonic()
        if not (trainer.is_global_zero and self.console.is_terminal):
            return
        self._progress = Progress(
            TextColumn("[bold]epoch {task.fields[epoch]}/{task.fields[epochs]}"),
            BarColumn(bar_width=None),
            TextColumn("loss {task.fields[loss]}{task.fields[scores]}"),
            TimeElapsedColumn(),
            TextColumn("[dim]left[/]"),
            TimeRemainingColumn(compact=True),
            console=self.console,
            speed_estimate_period=120,
            expand=True,
        )
        epochs, steps, done = trainer.max_epochs or 0, int(trainer.num_training_batches), trainer.current_epoch
        shown: dict[str, Any] = {"epoch": done + 1, "epochs": epochs, "loss": "-", "scores": ""}
        self._task = self._progress.add_task("", total=epochs * steps, completed=done * steps, **shown)
        self._progress.start()

    def on_train_batch_end(
        self, trainer: Trainer, module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if self._progress is not None:
            loss = float(outputs["loss"])
            self._loss = loss if batch_idx == 0 else 0.95 * self._loss + 0.05 * loss
            self._progress.update(self._task, advance=1, epoch=trainer.current_epoch + 1, loss=f"{self._loss:.2f}")
        elif trainer.is_global_zero and self._due():
            steps = f"step {batch_idx + 1:,} of {int(trainer.num_training_batches):,}"
            self._print(f"{_epoch(trainer)}: {steps}, loss {float(outputs['loss']):.3f}")

    def on_train_epoch_end(self, trainer: Trainer, module: Any) -> None:
        if not trainer.is_global_zero:
            return
        rmse = module.validation_metrics["rmse"]
        callbacks: list[Any] = trainer.callbacks  # type: ignore[attr-defined]
        best = min([rmse, *(float(callback.best) for callback in callbacks if hasattr(callback, "best"))])
        scores = f" · validation {rmse:.2f} px (best {best:.2f})"
        if self._progress is not None:
            self._progress.update(self._task, scores=scores)
        else:
            self._print(f"{_epoch(trainer)}: loss {module.train_metrics['loss']:.3f}{scores}")

    def on_train_end(self, trainer: Trainer, module: LightningModule) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

    def on_exception(self, trainer: Trainer, module: LightningModule, exception: BaseException) -> None:
        self.on_train_end(trainer, module)

    def _due(self) -> bool:
        return time.monotonic() - self._printed >= INTERVAL

    def _print(self, line: str, end: str = "\n") -> None:
        self._printed = time.monotonic()
        self.console.print(line, end=end, highlight=False, markup=False)


def _epoch(trainer: Trainer) -> str:
    return f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}"

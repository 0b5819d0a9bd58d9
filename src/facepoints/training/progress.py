"""How far a training is: one bar over all epochs in a terminal, one line per epoch elsewhere."""

from __future__ import annotations

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn


class TrainingProgress(Callback):
    """Loss of the last steps, validation RMSE in pixels (last and best) and time left."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._progress: Progress | None = None
        self._task = TaskID(0)
        self._loss = 0.0
        self._scores = ""

    def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
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
        epochs, steps = trainer.max_epochs or 0, int(trainer.num_training_batches)
        done = trainer.current_epoch * steps
        self._task = self._progress.add_task(
            "",
            total=epochs * steps,
            completed=done,
            epoch=trainer.current_epoch + 1,
            epochs=epochs,
            loss="-",
            scores="",
        )
        self._progress.start()

    def on_train_batch_end(
        self, trainer: Trainer, module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if self._progress is None:
            return
        loss = float(outputs["loss"])
        self._loss = loss if batch_idx == 0 else 0.95 * self._loss + 0.05 * loss
        self._progress.update(self._task, advance=1, epoch=trainer.current_epoch + 1, loss=f"{self._loss:.2f}")

    def on_train_epoch_end(self, trainer: Trainer, module: Any) -> None:
        if not trainer.is_global_zero:
            return
        rmse = module.validation_metrics["rmse"]
        best = min(rmse, self._best(trainer))
        self._scores = f" · validation {rmse:.2f} px (best {best:.2f})"
        if self._progress is not None:
            self._progress.update(self._task, scores=self._scores)
        else:
            of = f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}"
            self.console.print(f"{of}: loss {module.train_metrics['loss']:.3f}{self._scores}", highlight=False)

    def announce(self, what: str) -> None:
        """One of several trainings begins."""
        self.console.print(f"{what} ...", highlight=False, markup=False)

    def after_points(self, done: int, total: int) -> None:
        """The head for expected errors has passed over the rows so many times."""
        self.console.print(
            f"expected errors: {done} of {total} passes", highlight=False, end="\r" if done < total else "\n"
        )

    @staticmethod
    def _best(trainer: Trainer) -> float:
        callbacks: list[Any] = trainer.callbacks  # type: ignore[attr-defined]
        bests = [float(callback.best) for callback in callbacks if hasattr(callback, "best")]
        return min(bests, default=float("inf"))

    def on_train_end(self, trainer: Trainer, module: LightningModule) -> None:
        self._stop()

    def on_exception(self, trainer: Trainer, module: LightningModule, exception: BaseException) -> None:
        self._stop()

    def _stop(self) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None

"""Progress of a search: best trial so far, finished and pruned trials, time left."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from facepoints.tuning.results import StudyResult


class SearchProgress:
    """One bar over all trials in a terminal; everywhere a line for each finished trial."""

    def __init__(self, console: Console, epochs: int) -> None:
        self.console = console
        self.epochs = epochs
        self._bar: Progress | None = None
        self._task = TaskID(0)
        self._number = 0
        self._finished = self._before = 0
        self._trials: int | None = None
        self._seconds: float | None = None
        self._began = time.monotonic()

    @contextmanager
    def over(self, result: StudyResult, trials: int | None, seconds: float | None) -> Iterator[None]:
        """Show progress within the block; `result` is the study before it."""
        self._trials, self._seconds, self._began = trials, seconds, time.monotonic()
        self._finished = self._before = len(result.finished)
        if not self.console.is_terminal:
            yield
            return
        self._bar = Progress(
            TextColumn("[bold]{task.fields[at]}"),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[state]}"),
            TimeElapsedColumn(),
            TextColumn("[dim]{task.fields[left]}[/]"),
            console=self.console,
            expand=True,
        )
        with self._bar:
            self._task = self._bar.add_task("", total=1, at="", state=self._state(result), left="")
            yield
        self._bar = None

    def trial_began(self, number: int) -> None:
        """A training starts."""
        self._number = number
        self.epoch_ended(0)

    def epoch_ended(self, epoch: int) -> None:
        """An epoch of it is complete."""
        self._update(epoch, f"trial {self._number}, epoch {min(epoch + 1, self.epochs)}/{self.epochs}")

    def trial_ended(self, result: StudyResult, number: int) -> None:
        """Print the line of a complete, pruned or failed trial."""
        self._finished = len(result.finished)
        trial = next(trial for trial in result.trials if trial.number == number)
        score = "no result" if trial.rmse is None else f"{trial.rmse:.3f} px"
        if trial.state == "pruned":
            score += f", pruned after epoch {max(trial.curve, default=0)}"
        style = "bold green" if result.best is not None and result.best.number == number else "default"
        left = "" if self._bar else f" · {self._state(result)} · {self._left(0)}".rstrip(" ·")
        line = f"[{style}]trial {number}: {score}[/] [dim]{result.changes(trial)}[/]{left}"
        self.console.print(line, highlight=False, soft_wrap=True)
        if self._bar is not None:
            self._bar.update(self._task, state=self._state(result))
            self._update(0, "")

    def _update(self, epoch: int, at: str) -> None:
        if self._bar is None:
            return
        share = epoch / self.epochs
        spent = time.monotonic() - self._began
        parts = [] if self._trials is None else [(self._finished + share) / self._trials]
        parts += [] if self._seconds is None else [spent / self._seconds]
        self._bar.update(self._task, completed=min(1.0, max(parts, default=0.0)), at=at, left=self._left(share))

    def _state(self, result: StudyResult) -> str:
        of = "" if self._trials is None else f"/{self._trials}"
        best = "" if result.best is None else f", best {result.best.rmse:.3f} px (trial {result.best.number})"
        return f"{len(result.finished)}{of} done, {len(result.in_state('pruned'))} pruned{best}"

    def _left(self, share: float) -> str:
        """Time left, from the speed of all processes since this one joined the study."""
        spent = time.monotonic() - self._began
        lefts = [] if self._seconds is None else [self._seconds - spent]
        done = self._finished - self._before + share
        if self._trials is not None and done > 0.2:
            lefts.append(spent / done * (self._trials - self._finished - share))
        if not lefts:
            return ""
        seconds = max(0.0, min(lefts))
        return f"{seconds / 60:.0f} min left" if seconds >= 90 else f"{seconds:.0f} s left"

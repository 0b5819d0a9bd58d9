"""How far a search is: best so far, trials done and pruned, time left."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from facepoints.tuning.results import Found


class SearchProgress:
    """One bar over all trials in a terminal; a line per finished trial, there and elsewhere."""

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
    def over(self, found: Found, trials: int | None, seconds: float | None) -> Iterator[None]:
        """Show the search while the block lasts; `found` is what the study holds already."""
        self._trials, self._seconds, self._began = trials, seconds, time.monotonic()
        self._finished = self._before = len(found.finished)
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
            self._task = self._bar.add_task("", total=1, at="", state=self._state(found), left="")
            yield
        self._bar = None

    def trial_began(self, number: int) -> None:
        """A training starts."""
        self._number = number
        self._update(0, f"trial {number}, epoch 1/{self.epochs}")

    def epoch_ended(self, epoch: int, rmse: float) -> None:
        """An epoch of it is judged."""
        self._update(epoch, f"trial {self._number}, epoch {min(epoch + 1, self.epochs)}/{self.epochs}")

    def trial_ended(self, found: Found, number: int) -> None:
        """A trial is complete, pruned or failed: its line, and what all found so far."""
        self._finished = len(found.finished)
        trial = next(trial for trial in found.trials if trial.number == number)
        result = "no result" if trial.rmse is None else f"{trial.rmse:.3f} px"
        if trial.state == "pruned":
            result += f", given up after epoch {max(trial.curve, default=0)}"
        changes = {f: v for f, v in trial.values.items() if v != getattr(found.recipe, f)}
        words = ", ".join(f"{field} {value}" for field, value in changes.items()) or "the recipe as it is"
        mark = "[bold green]" if found.best is not None and found.best.number == number else "[default]"
        left = "" if self._bar else f" · {self._state(found)} · {self._left(0)}".rstrip(" ·")
        self.console.print(f"{mark}trial {number}: {result}[/] [dim]{words}[/]{left}", highlight=False, soft_wrap=True)
        if self._bar is not None:
            self._bar.update(self._task, state=self._state(found))
            self._update(0, "")

    def _update(self, epoch: int, at: str) -> None:
        if self._bar is None:
            return
        share = epoch / self.epochs
        spent = time.monotonic() - self._began
        parts = [] if self._trials is None else [(self._finished + share) / self._trials]
        parts += [] if self._seconds is None else [spent / self._seconds]
        self._bar.update(self._task, completed=min(1.0, max(parts, default=0.0)), at=at, left=self._left(share))

    def _state(self, found: Found) -> str:
        of = "" if self._trials is None else f"/{self._trials}"
        best = "" if found.best is None else f", best {found.best.rmse:.3f} px (trial {found.best.number})"
        return f"{len(found.finished)}{of} done, {len(found.having('pruned'))} pruned{best}"

    def _left(self, share: float) -> str:
        """Time left, from how fast the study, with all who work on it, went since we joined."""
        spent = time.monotonic() - self._began
        lefts = [] if self._seconds is None else [self._seconds - spent]
        done = self._finished - self._before + share
        if self._trials is not None and done > 0.2:
            lefts.append(spent / done * (self._trials - self._finished - share))
        if not lefts:
            return ""
        seconds = max(0.0, min(lefts))
        return f"{seconds / 60:.0f} min left" if seconds >= 90 else f"{seconds:.0f} s left"

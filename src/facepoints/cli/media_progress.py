"""Progress of `predict`: a bar in a terminal, otherwise a line every few seconds."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

EVERY = 10.0
"""Seconds between two lines if the output is not a terminal."""


class MediaProgress:
    """Frames or photos done, throughput and time left. A context manager; call it after each frame or photo."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar = Progress(
            TextColumn("[bold]{task.description}", markup=True),
            BarColumn(),
            TextColumn("{task.fields[state]}"),
            TextColumn("[dim]left[/]"),
            TimeRemainingColumn(compact=True),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._name = ""
        self._task = TaskID(0)
        self._started = self._printed = 0.0

    def __enter__(self) -> MediaProgress:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def __call__(self, name: str, done: int, total: int | None, unit: str) -> None:
        """total: None if the video file does not state its number of frames."""
        now = time.monotonic()
        if name != self._name:
            self._name, self._started, self._printed = name, now, now
            for task in self._bar.task_ids:
                self._bar.remove_task(task)
            self._task = self._bar.add_task(escape(name), total=total, state="")
        rate = done / max(now - self._started, 1e-3)
        state = f"{done:,}{f' of {total:,}' if total else ''} {unit}, {rate:,.1f} {unit}/s"
        self._bar.update(self._task, completed=done, state=state)
        if not self._console.is_terminal and now - self._printed >= EVERY:
            self._printed = now
            left = f", {max(total - done, 0) / rate:,.0f} s left" if total else ""
            self._console.print(f"{name}: {state}{left}", highlight=False, markup=False, soft_wrap=True)

"""How far photos or a video are: a bar in a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

EVERY = 10.0
"""Seconds between two lines where there is no terminal."""


class _Pace(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:,.{task.speed < 9.5:d}f} {task.fields['unit']}/s" if task.speed else "")


class _Done(ProgressColumn):
    def render(self, task: Task) -> Text:
        of = f" of {task.total:,.0f}" if task.total else ""
        return Text(f"{task.completed:,.0f}{of} {task.fields['unit']}")


class MediaProgress:
    """Frames (or photos) done, how many a second, and time left. Use it in a `with`; call it after each."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar = Progress(
            TextColumn("[bold]{task.description}", markup=True),
            BarColumn(),
            _Done(),
            _Pace(),
            TextColumn("[dim]left[/]"),
            TimeRemainingColumn(compact=True),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._name = ""
        self._task = TaskID(0)
        self._started = self._said = 0.0

    def __enter__(self) -> MediaProgress:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def __call__(self, name: str, done: int, total: int | None, unit: str = "frames") -> None:
        """total: None where a video does not say."""
        now = time.monotonic()
        if name != self._name:
            self._name, self._started, self._said = name, now, now
            for task in self._bar.task_ids:
                self._bar.remove_task(task)
            self._task = self._bar.add_task(escape(name), total=total, unit=unit)
        self._bar.update(self._task, completed=done)
        if not self._console.is_terminal and now - self._said >= EVERY:
            self._said = now
            pace = done / max(now - self._started, 1e-3)
            left = f", {max(total - done, 0) / pace:,.0f} s left" if total else ""
            of = f" of {total:,}" if total else ""
            line = f"{name}: {done:,}{of} {unit}, {pace:,.1f} {unit}/s{left}"
            self._console.print(line, highlight=False, markup=False, soft_wrap=True)

"""`facepoints explore`: look at everything once, then tell it: tables in the terminal, a page, numbers, pictures.

explore.html     one self-contained page
explore.json     all its numbers
*.png            its pictures
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from facepoints.data.dataset import LabeledFaces, SubmissionFaces
from facepoints.data.head_pose import HeadPose
from facepoints.drawing import write_png
from facepoints.errors import BadFile
from facepoints.exploration.explore import gather
from facepoints.exploration.findings import Exploration
from facepoints.exploration.label_offset import Interval
from facepoints.files import write_text
from facepoints.metrics import source_name
from facepoints.reports.exploration.page import explore_page
from facepoints.reports.exploration.sheets import sheets


def explore_data(
    data: LabeledFaces,
    asked: SubmissionFaces | None,
    out: Path,
    console: Console,
    *,
    files: list[Path] | None = None,
    seed: int = 0,
) -> None:
    """Explore the data, print tables to the console and write the files named above into the folder `out`.

    `files` are the files that the data came from, for their sizes; `asked` are the test images, if there are any.
    """
    if not len(data):
        raise BadFile("there are no faces to explore. Give a folder with training.csv or training.zip.")
    with _progress(console) as progress:
        task = progress.add_task("counting", total=20)

        def step(name: str, work: float = 0) -> None:
            progress.update(task, description=name, advance=work)

        found = gather(data, asked, files or [], seed, step)
        step("drawing", 2)
        pictures = sheets(found)
        step("writing the page", 3)
        write_text(out / "explore.html", explore_page(found))
        write_text(out / "explore.json", json.dumps(numbers(found), indent=2, allow_nan=False) + "\n")
        for name, picture in pictures.items():
            write_png(out / name, picture)
        step("done", 2)
    print_exploration(found, console)
    console.print(f"The page is [bold]{out / 'explore.html'}[/], its numbers are in explore.json", soft_wrap=True)


def numbers(found: Exploration) -> dict[str, Any]:
    """Everything that can be said in numbers, as JSON has it: None where nothing is known."""
    data = found.data
    return {
        "faces": len(data),
        "keypoints": list(data.keypoints.names),
        "bytes_in_memory": found.memory,
        "files": _plain(found.files),
        "describe": _plain(found.columns),
        "missing": _plain(found.missing),
        "patterns": _plain(found.patterns),
        "sources": _plain(found.sources),
        "heads": _heads(found.pose),
        "pictures": _summaries(_plain(found.quality)),
        "source_differences": {
            "px_to_an_eye_distance": found.unit,
            "points": _plain(found.differences),
        },
        "label_offsets": _plain(found.offsets),
        "fill": _plain(found.fills),
        "test": None
        if found.test is None
        else {**_plain(found.test), "pictures": _summaries(_plain(found.test_quality))},
    }


def print_exploration(found: Exploration, console: Console) -> None:
    """What matters most, for a terminal of 80 columns."""
    data = found.data
    table = _table("What is in these files", "")
    for file in found.files:
        table.add_row(file.name, f"{file.bytes / 1e6:,.1f} MB")
    table.add_row("faces", f"{len(data):,}")
    table.add_row("in memory", f"{found.memory / 1e6:,.1f} MB")
    table.add_row("keypoints", f"{len(data.keypoints)}")
    table.add_row("complete rows", f"{int(data.observed.all(axis=1).sum()):,}")
    for source in found.sources.found:
        low, high = source.labels_of_a_row
        labels = f"{low}" if low == high else f"{low} to {high}"
        table.add_row(f"source {source.name}", f"{source.rows:,} rows, {labels} points each")
    if found.test is not None:
        table.add_row("test images", f"{found.test.images:,}, {len(found.test.near_duplicates)} twins in training")
    console.print(table)

    table = _table("Coordinates, px", "missing", "mean", "std", "min", "25 %", "50 %", "75 %", "max")
    for c in found.columns:
        values = (c.mean, c.std, c.minimum, c.quarter, c.median, c.three_quarters, c.maximum)
        share = f"{100 * (1 - c.count / len(data)):.1f} %"
        table.add_row(c.name, share, *("–" if v is None else f"{v:.1f}" for v in values))
    console.print(table)

    if found.differences:
        first, second = (source.name for source in found.sources.found)
        table = _table(f"Source {second} less source {first}, eyes laid upon each other, px", "right", "down")
        for d in found.differences:
            table.add_row(d.name, f"{d.dx:+.1f}", f"{d.dy:+.1f}")
        console.print(table)
    if found.offsets is not None:
        table = _table("Where labels lie beside what they name, px", "right", "down")
        for number, offset in found.offsets.by_source.items():
            table.add_row(f"source {source_name(number)}", _within(offset.x), _within(offset.y))
        if found.offsets.difference:
            table.add_row("difference", *(_within(i) for i in found.offsets.difference))
        console.print(table)
    table = _table("Known labels hidden and filled", "rows kept", "RMSE, px")
    for f in found.fills:
        table.add_row(f.strategy, f"{f.rows_kept:,}", "guesses nothing" if f.rmse is None else f"{f.rmse:.2f}")
    console.print(table)


def _heads(pose: HeadPose | None) -> dict[str, Any] | None:
    if pose is None:
        return None
    angles = {"roll_degrees": pose.roll, "yaw_degrees": pose.yaw, "pitch_degrees": pose.pitch}
    return _summaries({"eye_distance": pose.eye_distance, **angles})


def _summaries(values: dict[str, Any]) -> dict[str, Any]:
    """For each array its count, mean, std and percentiles."""
    summaries: dict[str, Any] = {}
    for name, array in values.items():
        known = array[np.isfinite(array)]
        summaries[name] = {"count": len(known)}
        if len(known):
            percentiles = {str(p): float(np.percentile(known, p)) for p in (0, 5, 25, 50, 75, 95, 100)}
            summaries[name] |= {"mean": float(known.mean()), "std": float(known.std()), "percentiles": percentiles}
    return summaries


def _plain(value: Any) -> Any:
    """Facts as JSON has them; arrays stay for `_summaries`."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    return value


def _within(interval: Interval) -> str:
    return f"{interval.value:+.2f} ({interval.low:+.2f} to {interval.high:+.2f})"


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("", overflow="fold")
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    return table


def _progress(console: Console) -> Progress:
    columns = (TextColumn("{task.description:<36}"), BarColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, transient=True)

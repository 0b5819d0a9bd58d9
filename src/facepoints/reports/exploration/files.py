"""The report of an exploration: explore.html, explore.json, its images as PNG files, and tables for the terminal."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from facepoints.drawing import write_png
from facepoints.exploration.explore import Exploration
from facepoints.exploration.label_offset import Interval
from facepoints.files import write_text
from facepoints.metrics import source_name
from facepoints.reports.exploration.page import explore_page
from facepoints.reports.exploration.sheets import sheets
from facepoints.reports.exploration.sources import interval

Step = Callable[[str, float], None]


def write_exploration(result: Exploration, out: Path, step: Step = lambda name, work: None) -> None:
    """Write the page, its numbers and its images into the folder `out`. `step` as for `explore`; its sum is 7."""
    step("drawing", 0)
    images = sheets(result)
    step("writing the page", 3)
    write_text(out / "explore.html", explore_page(result))
    write_text(out / "explore.json", json.dumps(numbers(result), indent=2, allow_nan=False) + "\n")
    for name, image in images.items():
        write_png(out / name, image)
    step("done", 4)


@contextmanager
def exploration_progress(console: Console) -> Iterator[Step]:
    """A progress bar over `explore` and `write_exploration`."""
    columns = (TextColumn("{task.description:<36}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("counting", total=18)
        yield lambda name, work: progress.update(task, description=name, advance=work)


def numbers(result: Exploration) -> dict[str, Any]:
    """All numbers for JSON; None where unknown."""
    pose, test = result.pose, None
    if result.test is not None:
        test = {**_plain(result.test), "image_quality": _summaries(_plain(result.test_quality))}
    return {
        "faces": len(result.data),
        "keypoints": list(result.data.keypoints.names),
        "bytes_in_memory": result.memory,
        "files": _plain(result.files),
        "describe": _plain(result.columns),
        "missing": _plain(result.missing),
        "patterns": _plain(result.patterns),
        "sources": _plain(result.sources),
        "head_pose": pose
        and _summaries(
            {
                "eye_distance": pose.eye_distance,
                "roll_degrees": pose.roll,
                "yaw_degrees": pose.yaw,
                "pitch_degrees": pose.pitch,
            }
        ),
        "image_quality": _summaries(_plain(result.quality)),
        "source_differences": {"eye_distance": result.eye_distance, "points": _plain(result.differences)},
        "label_offsets": _plain(result.offsets),
        "imputation": _plain(result.imputation),
        "test": test,
    }


def print_exploration(result: Exploration, console: Console) -> None:
    """Print the most important numbers for a terminal of 80 columns."""
    data = result.data
    table = _table("Data set", "")
    for file in result.files:
        table.add_row(file.name, f"{file.bytes / 1e6:,.1f} MB")
    table.add_row("faces", f"{len(data):,}")
    table.add_row("in memory", f"{result.memory / 1e6:,.1f} MB")
    table.add_row("keypoints", f"{len(data.keypoints)}")
    table.add_row("complete rows", f"{int(data.observed.all(axis=1).sum()):,}")
    for source in result.sources.found:
        low, high = source.labels_per_row
        labels = f"{low}" if low == high else f"{low} to {high}"
        table.add_row(f"source {source.name}", f"{source.rows:,} rows, {labels} points each")
    if result.test is not None:
        duplicates = len({image for image, _, _ in result.test.near_duplicates})
        table.add_row("test images", f"{result.test.images:,}")
        table.add_row("  near-duplicates in training", f"{duplicates:,}")
    console.print(table)

    table = _table("Coordinates, px", "missing", "mean", "std", "min", "25 %", "50 %", "75 %", "max")
    for c in result.columns:
        values = (c.mean, c.std, c.minimum, c.quarter, c.median, c.three_quarters, c.maximum)
        share = f"{100 * (1 - c.count / len(data)):.1f} %"
        table.add_row(c.name, share, *("–" if v is None else f"{v:.1f}" for v in values))
    console.print(table)

    if result.differences:
        first, second = (source.name for source in result.sources.found)
        table = _table(f"Source {second} minus source {first}, eyes aligned, px", "right", "down")
        for d in result.differences:
            table.add_row(d.name, f"{d.dx:+.1f}", f"{d.dy:+.1f}")
        console.print(table)
    if result.offsets is not None:
        table = _table("Constant label offset with 95 % interval, px", "right", "down")
        rows: dict[str, tuple[Interval, Interval]] = {
            f"source {source_name(s)}": (offset.x, offset.y) for s, offset in result.offsets.by_source.items()
        }
        if result.offsets.difference:
            rows["difference"] = result.offsets.difference
        for name, both in rows.items():
            table.add_row(name, *map(interval, both))
        console.print(table)
    table = _table("Imputation of hidden labels", "rows kept", "RMSE, px")
    for error in result.imputation:
        table.add_row(
            error.strategy, f"{error.rows_kept:,}", "no imputation" if error.rmse is None else f"{error.rmse:.2f}"
        )
    console.print(table)


def _summaries(values: dict[str, Any]) -> dict[str, Any]:
    """Count, mean, std and percentiles of each array."""
    summaries: dict[str, Any] = {}
    for name, array in values.items():
        known = array[np.isfinite(array)]
        summaries[name] = {"count": len(known)}
        if len(known):
            percentiles = {str(p): float(np.percentile(known, p)) for p in (0, 5, 25, 50, 75, 95, 100)}
            summaries[name] |= {"mean": float(known.mean()), "std": float(known.std()), "percentiles": percentiles}
    return summaries


def _plain(value: Any) -> Any:
    """Dataclasses as dicts; arrays stay for `_summaries`."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    return value


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("", overflow="fold")
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    return table

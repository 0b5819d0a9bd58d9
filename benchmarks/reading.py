"""Time and memory for reading the competition's files: facepoints against pandas as notebooks use it.

    python benchmarks/reading.py FOLDER_WITH_TRAINING_ZIP [--pairs 3] [--out reading.json]

Every reading is a process of its own. They alternate, so that other load slows all of them.
Seconds are for reading and accessing each pixel once (a memory-mapped file is read only then), without imports; the
peak is that of the whole process.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

FIRST, SECOND, PEAK = 6.0, 100.0, 350.0
"""The goals: times faster from the zip, times faster from the cache, MB at most."""

NAMES = {
    "notebook": "pandas, split, np.array per row",
    "zip": "facepoints, from the zip",
    "cache": "facepoints, again",
}


def main(
    data: Annotated[Path, typer.Argument(help="folder with training.zip", exists=True, file_okay=False)],
    pairs: Annotated[int, typer.Option(help="rounds; medians are shown", min=1)] = 3,
    out: Annotated[Path | None, typer.Option(help="also write the figures to this JSON file")] = None,
    contestant: Annotated[str | None, typer.Option(hidden=True)] = None,
    cache: Annotated[Path | None, typer.Option(hidden=True)] = None,
) -> None:
    """Compare reading training.zip as notebooks do, as facepoints does, and as it does the second time."""
    if contestant is not None:
        print(json.dumps(measure(contestant, data / "training.zip", cache)))
        return
    console = Console()
    rounds: list[dict[str, dict[str, float]]] = []
    with tempfile.TemporaryDirectory() as folder, console.status("filling the cache") as status:
        run("cache", data, Path(folder))
        for number in range(1, pairs + 1):
            taken = {}
            for name in NAMES:
                status.update(f"round {number} of {pairs}: {NAMES[name]}")
                taken[name] = run(name, data, Path(folder))
            rounds.append(taken)
    figures = summary(rounds)
    show(figures, console)
    if out is not None:
        out.write_text(json.dumps({**figures, "rounds": rounds}, indent=2) + "\n", encoding="utf-8")
        console.print(f"written to {out}")


def run(name: str, data: Path, cache: Path) -> dict[str, float]:
    """One reading in a process of its own: its seconds, its peak in MB, and a checksum of what it read."""
    command = [sys.executable, __file__, str(data), "--contestant", name, "--cache", str(cache)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    measured: dict[str, float] = json.loads(done.stdout)
    return measured


def measure(name: str, path: Path, cache: Path | None) -> dict[str, float]:
    """Read, in this process. Notebooks that write dtype=float take twice as long as this one with dtype=int."""
    if name == "notebook":
        import pandas as pd

        start = time.perf_counter()
        table = pd.read_csv(path)
        faces = np.stack(table["Image"].apply(lambda text: np.array(text.split(), dtype=int)).to_list())
        _points = table.drop(columns="Image").to_numpy(np.float32)
    else:
        from facepoints.data.kaggle.competition import read_training

        start = time.perf_counter()
        faces = read_training(path, cache=None if name == "zip" else cache).faces
    faces.max()
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)
    return {"seconds": seconds, "peak_mb": peak, "pixel_sum": float(faces.sum(dtype=np.int64))}


def summary(rounds: list[dict[str, dict[str, float]]]) -> dict[str, Any]:
    """Medians over the rounds; ratios are taken within a round, then their median."""
    if len({taken["pixel_sum"] for each in rounds for taken in each.values()}) != 1:
        raise SystemExit("the contestants read different pixels: one of them is wrong")
    seconds = {name: median(each[name]["seconds"] for each in rounds) for name in NAMES}
    peak = {name: max(each[name]["peak_mb"] for each in rounds) for name in NAMES}
    faster = {n: median(e["notebook"]["seconds"] / e[n]["seconds"] for e in rounds) for n in NAMES}
    met = {
        f"from the zip at least {FIRST:.0f}x faster": faster["zip"] >= FIRST,
        f"second start at least {SECOND:.0f}x faster": faster["cache"] >= SECOND,
        f"peak below {PEAK:.0f} MB": max(peak["zip"], peak["cache"]) < PEAK,
    }
    return {"seconds": seconds, "peak_mb": peak, "times_faster": faster, "goals_met": met}


def show(figures: dict[str, Any], console: Console) -> None:
    table = Table("reading training.zip")
    for heading in ("seconds", "times faster", "peak MB"):
        table.add_column(heading, justify="right")
    for name, words in NAMES.items():
        faster = figures["times_faster"][name]
        table.add_row(words, f"{figures['seconds'][name]:.3f}", f"{faster:,.1f}", f"{figures['peak_mb'][name]:,.0f}")
    console.print(table)
    for goal, met in figures["goals_met"].items():
        console.print(f"{'met' if met else 'MISSED'}: {goal}", style="green" if met else "bold red")


if __name__ == "__main__":
    typer.run(main)

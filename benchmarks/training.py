"""Training speed in faces per second: facepoints and Keras on the same network, and the augmentation alone.

    python benchmarks/training.py [--keras PYTHON] [--pairs 3] [--out training.json]

Whole training epochs through `fit`, on pictures of noise (speed does not depend on the content). cnn-leaky
alternates with the same network in Keras, in any Python that has TensorFlow (default: this one; without it the
comparison is left out with a message).
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from facepoints.data.dataset import LabeledFaces
from facepoints.data.split import Split
from facepoints.files import write_text
from facepoints.keypoints import FIFTEEN
from facepoints.training.augmentation import Batch, augment
from facepoints.training.builtin_recipes import find
from facepoints.training.fit import fit

GOALS = {"cnn-masked": 600, "augmentation of cnn-masked, one core": 5_000}
KERAS = "cnn-leaky in Keras"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keras", default=sys.executable, metavar="PYTHON", help="a Python that has TensorFlow")
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    console = Console()
    keras = has_tensorflow(args.keras)
    if not keras:
        console.print(f"Keras is left out: {args.keras} has no TensorFlow (pip install tensorflow-cpu, then --keras)")
    found: dict[str, list[float]] = {}
    for _ in range(args.pairs):
        found.setdefault("augmentation of cnn-masked, one core", []).append(augmentation_speed())
        found.setdefault("cnn-masked", []).append(training_speed("cnn-masked", 3_000))
        found.setdefault("cnn-leaky", []).append(training_speed("cnn-leaky", 640))
        if keras:
            found.setdefault(KERAS, []).append(keras_speed(args.keras, 640))
    table = Table("what", "faces / s, median", "min - max", "goal", title=f"Training, {args.pairs} rounds")
    for name, speeds in found.items():
        goal = GOALS.get(name)
        median = statistics.median(speeds)
        verdict = "" if goal is None else f"{goal:,} {'reached' if median >= goal else 'MISSED'}"
        table.add_row(name, f"{median:,.0f}", f"{min(speeds):,.0f} - {max(speeds):,.0f}", verdict)
    console.print(table)
    if keras:
        ratios = [a / b for a, b in zip(found["cnn-leaky"], found[KERAS], strict=True)]
        console.print(f"cnn-leaky against Keras, pair by pair: {statistics.median(ratios):.2f} times as fast")
    if args.out:
        write_text(args.out, json.dumps(found, indent=1))


def noise_faces(n: int) -> LabeledFaces:
    """n pictures of noise with random points."""
    rng = np.random.default_rng(0)
    faces = rng.integers(0, 256, (n, 96, 96), np.uint8)
    points = rng.uniform(10, 85, (n, 15, 2)).astype(np.float32)
    number = np.arange(n)
    return LabeledFaces(faces, points, np.ones((n, 15), bool), number % 2, FIFTEEN, number)


def training_speed(name: str, rows: int, epochs: int = 3) -> float:
    """Faces per second of whole epochs, validation of a few faces and writing the run folder included."""
    data = noise_faces(rows + 32)
    recipe = find(name).replace(epochs=epochs, warmup_epochs=0, squared_epochs=0, patience=0)
    with tempfile.TemporaryDirectory() as folder:
        split = Split(np.arange(rows), np.arange(rows, rows + 32))
        fit(recipe, data, Path(folder) / "run", rows=split)
        history = json.loads((Path(folder) / "run" / "history.json").read_text("utf-8"))
    return rows / min(float(epoch["seconds"]) for epoch in history[1:])  # the first epoch also prepares


def augmentation_speed(faces: int = 64, batches: int = 20) -> float:
    """Faces per second on one core, in batches as cnn-masked has them; the median batch."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    recipe, generator = find("cnn-masked"), torch.Generator().manual_seed(0)
    points, observed = torch.rand(faces, 15, 2) * 95, torch.ones(faces, 15, dtype=torch.bool)
    batch = Batch(torch.rand(faces, 1, 96, 96), points, observed, torch.zeros(faces, dtype=torch.long))
    seconds = []
    for _ in range(batches + 3):
        start = time.perf_counter()
        augment(batch, recipe, FIFTEEN, generator)
        seconds.append(time.perf_counter() - start)
    torch.set_num_threads(threads)
    return faces / statistics.median(seconds[3:])


def has_tensorflow(python: str) -> bool:
    """True if this Python can import TensorFlow."""
    return subprocess.run([python, "-c", "import tensorflow"], capture_output=True, check=False).returncode == 0


def keras_speed(python: str, rows: int) -> float:
    """Faces per second of the same network in Keras, best of two epochs after the first."""
    script = Path(__file__).with_name("keras_leaky.py")
    done = subprocess.run([python, str(script), str(rows)], capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


if __name__ == "__main__":
    main()

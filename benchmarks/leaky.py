"""Accuracy of cnn-leaky against the same network in Keras, trained on the same rows for as many epochs.

    python benchmarks/leaky.py DATA [--rows 2000] [--epochs 6] [--keras PYTHON] [--out leaky.json]

Every n-th row of DATA, the last fifth of them for validation as in Keras' own split, missing points filled with the
training rows' means, batch 32, Adam at 1e-3, mean squared error. Both are scored on observed values. Without
TensorFlow in PYTHON (default: this one) only cnn-leaky is trained, with a message.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from facepoints.data.dataset import LabeledFaces
from facepoints.data.imputation import fill
from facepoints.data.loading import load_training
from facepoints.data.split import Split, split_last
from facepoints.files import write_text
from facepoints.metrics import quick_scores
from facepoints.training.builtin_recipes import find
from facepoints.training.fit import fit
from facepoints.training.progress import TrainingProgress
from training import has_tensorflow


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="folder with the competition's files, or 'synthetic'")
    parser.add_argument("--rows", type=int, default=2_000, help="about so many rows, evenly over the file")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--keras", default=sys.executable, metavar="PYTHON", help="a Python that has TensorFlow")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    console = Console()
    data = load_training(args.data)
    data = data.take(np.arange(0, len(data), max(1, len(data) // args.rows)))
    rows = split_last(data, 0.2)
    found = {"facepoints": ours(data, rows, args.epochs, console)}
    if has_tensorflow(args.keras):
        found["Keras"] = theirs(data, rows, args.epochs, args.keras)
    else:
        console.print(f"Keras is left out: {args.keras} has no TensorFlow (pip install tensorflow-cpu, then --keras)")
    words = f"Validation RMSE in px, {len(rows.training):,} training and {len(rows.validation):,} validation rows"
    table = Table("epoch", *found, title=words, title_justify="left")
    for epoch, scores in enumerate(zip(*found.values(), strict=True), start=1):
        table.add_row(str(epoch), *(f"{rmse:.2f}" for rmse in scores))
    table.add_row("best", *(f"{min(scores):.2f}" for scores in found.values()))
    console.print(table)
    if args.out:
        write_text(args.out, json.dumps(found, indent=1))


def ours(data: LabeledFaces, rows: Split, epochs: int, console: Console) -> list[float]:
    """Validation RMSE after each epoch of the recipe."""
    with tempfile.TemporaryDirectory() as folder:
        recipe = find("cnn-leaky").replace(epochs=epochs, patience=0)
        fit(recipe, data, Path(folder) / "run", rows=rows, callbacks=[TrainingProgress(console)])
        history = json.loads((Path(folder) / "run" / "history.json").read_text("utf-8"))
    return [epoch["validation_rmse"] for epoch in history]


def theirs(data: LabeledFaces, rows: Split, epochs: int, python: str) -> list[float]:
    """Validation RMSE after each epoch of the Keras network."""
    training, validation = data.take(rows.training), data.take(rows.validation)
    filled = fill(training.points, training.observed, "mean", 0)
    with tempfile.TemporaryDirectory() as folder:
        given, predicted = Path(folder) / "rows.npz", Path(folder) / "predicted.npy"
        np.savez(
            given,
            faces=(training.faces[filled.kept] / 255).astype(np.float32),
            points=filled.points.reshape(len(filled.points), -1),
            validation=(validation.faces / 255).astype(np.float32),
        )
        script = Path(__file__).with_name("keras_leaky.py")
        subprocess.run([python, str(script), str(given), str(epochs), str(predicted)], check=True)
        points = np.load(predicted).reshape(epochs, len(validation), -1, 2)
    return [quick_scores(each, validation.points, validation.observed)["rmse"] for each in points]


if __name__ == "__main__":
    main()

"""The run folder of a training, and how a stopped training resumes in it.

recipe.toml           what was trained
run.json              training and validation rows, time, machine, versions
history.csv, .json    one line per epoch
model.safetensors     the best epoch by validation RMSE
last.safetensors      the last epoch with the state that resuming needs
scores.json           scores of the best epoch; written last, so present only when the training is complete
members               the run folders of an ensemble's networks
teacher               the run folder of a teacher that was trained first
trackers.json         run names of the experiment trackers
curves.png            loss, RMSE, MAE and PCK over the epochs
"""

from __future__ import annotations

import csv
import io
import json
import math
import platform
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.plugins.io import CheckpointIO

from facepoints.data.dataset import LabeledFaces, fingerprint, picture_digests
from facepoints.data.split import Split
from facepoints.errors import AlreadyTrained, BadRun
from facepoints.files import atomic_write, write_text
from facepoints.metrics import QUICK_PCK_DISTANCE
from facepoints.models.checkpoint import load_model, load_tree, save_model, save_tree
from facepoints.models.model import Model
from facepoints.scores import Scores
from facepoints.training.recipe import Recipe, read_toml

MODEL_FILE = "model.safetensors"
"""The best epoch's model in a run folder."""

TRACKED = "trackers.json"
"""In a run folder: the experiment trackers' runs, continued by a resumed training."""

OLD = {
    "": ("scores.json", "last.safetensors", MODEL_FILE, "history.csv", "history.json", "curves.png", TRACKED),
    "evaluation": (
        *("evaluate.html", "scores.json", "per_point.csv", "per_face.csv", "plots.png", "network.png"),
        *("worst.png", "median.png", "random.png", "label_issues.png", "ellipses_*.png"),
    ),
    "tensorboard": ("events.out.tfevents.*", "hparams.yaml"),
}
"""Folder -> files of a training and its evaluation, deleted before the run is replaced."""


class SafeCheckpoints(CheckpointIO):
    """Saves Lightning's training state in the format of the model file, without pickle."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        save_tree(Path(path), checkpoint)

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: Any = None) -> dict[str, Any]:
        return dict(load_tree(Path(path)))

    def remove_checkpoint(self, path: Any) -> None:
        Path(path).unlink(missing_ok=True)


class RunFolder(Callback):
    """Callback that updates the folder after each epoch; files are written atomically."""

    def __init__(self, folder: Path, recipe: Recipe) -> None:
        self.folder = folder
        self.recipe = recipe
        self.history: list[dict[str, float]] = []
        self.best = float("inf")
        self._epoch_started = 0.0

    @property
    def model(self) -> Path:
        return self.folder / MODEL_FILE

    @property
    def last(self) -> Path:
        return self.folder / "last.safetensors"

    @property
    def scores(self) -> Path:
        return self.folder / "scores.json"

    @property
    def members(self) -> Path:
        """Run folders of an ensemble's networks."""
        return self.folder / "members"

    @property
    def progress(self) -> str:
        """What the folder keeps of an interrupted training; empty: nothing."""
        networks = len(list(self.members.glob("*/scores.json")))
        if networks:
            return f"{self.folder} keeps {networks} trained network{'s' if networks > 1 else ''}"
        if not self.last.exists():
            return ""
        epochs = len(read_json(self.folder / "history.json"))
        return f"{self.folder} keeps {epochs} of {self.recipe.epochs} epochs"

    def clear(self) -> None:
        """Delete the training that the folder holds; other files stay."""
        for member in self.members.glob("*"):
            RunFolder(member, self.recipe).clear()
            _delete(member, ("recipe.toml", "run.json"))
        _delete(self.members, ())
        for folder, patterns in OLD.items():
            _delete(self.folder / folder, patterns)

    def refuse_to_overwrite(self, trained_on: dict[str, Any], *, resume: bool) -> None:
        """Raises BadRun where a training would overwrite or continue another one."""
        if self.last.exists() or self.scores.exists() or self.members.exists():
            self._refuse_another(trained_on)
            if self.scores.exists():
                raise AlreadyTrained(f"{self.folder} is already trained; use it, or train it anew with --force")
            if not resume:
                raise BadRun(f"{self.folder}: a stopped training; go on with --resume or start anew with --force")

    def _refuse_another(self, trained_on: dict[str, Any]) -> None:
        kept = read_toml(self.folder / "recipe.toml")
        changed = self.recipe.differences(kept)
        if changed:
            name, value = next(iter(changed.items()))
            raise BadRun(
                f"{self.folder}: holds another recipe ({name} is {getattr(kept, name)!r} there, {value!r} here); "
                "choose another folder or replace it with --force"
            )
        about = read_json(self.folder / "run.json")
        if not isinstance(about, dict):
            raise BadRun(f"{self.folder / 'run.json'}: damaged; replace the run with --force")
        for field, what in (
            ("data", "was trained on other data"),
            ("validation_rows", "has other validation rows"),
            ("training_labels", "omits other rows or labels (have the label issues or the corrections changed?)"),
        ):
            if about.get(field) != trained_on[field]:
                raise BadRun(f"{self.folder}: {what}; choose another folder or replace it with --force")

    def write_start(self, trained_on: dict[str, Any], parameters: int) -> None:
        """Write recipe.toml and run.json before the training."""
        about = {
            "recipe": self.recipe.name,
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
            "parameters": parameters,
            **trained_on,
            "machine": {"processor": platform.machine(), "system": platform.system()},
            "versions": {name: version(name) for name in ("facepoints", "torch", "lightning", "numpy")},
        }
        write_text(self.folder / "recipe.toml", self.recipe.to_toml())
        write_text(self.folder / "run.json", json.dumps(about, indent=1))

    def load_best(self) -> tuple[Model, dict[str, Any]]:
        return load_model(self.model)

    def write_end(self, scores: Scores) -> None:
        """Write curves.png and, last of all, scores.json."""
        about = dict(scores.as_dict())
        if self.history:
            draw_curves(self.history, self.folder / "curves.png", title=self.recipe.name)
            best = min(self.history, key=lambda epoch: epoch["validation_rmse"])
            about |= {"best_epoch": best["epoch"], "epochs": len(self.history)}
            about["seconds"] = round(sum(epoch["seconds"] for epoch in self.history), 2)
        else:  # of an ensemble: its members have the curves
            parts = [read_json(path) for path in sorted(self.members.glob("*/scores.json"))]
            about["epochs"], about["seconds"] = (sum(part[field] for part in parts) for field in ("epochs", "seconds"))
        write_text(self.scores, json.dumps(about, indent=1))

    # called by Lightning

    def state_dict(self) -> dict[str, Any]:
        return {"history": self.history, "best": self.best}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.history, self.best = state["history"], state["best"]

    def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
        # Lightning does not save that it stopped early: a training killed then would continue
        if any(stopping.wait_count >= stopping.patience for stopping in trainer.early_stopping_callbacks):
            trainer.should_stop = True

    def on_train_epoch_start(self, trainer: Trainer, module: LightningModule) -> None:
        self._epoch_started = time.monotonic()

    def on_train_epoch_end(self, trainer: Trainer, module: Any) -> None:
        epoch: dict[str, float] = {"epoch": trainer.current_epoch + 1}
        epoch["seconds"] = round(time.monotonic() - self._epoch_started, 3)
        epoch["learning_rate"] = trainer.optimizers[0].param_groups[0]["lr"]
        epoch |= {f"training_{name}": value for name, value in module.train_metrics.items()}
        epoch |= {f"validation_{name}": value for name, value in module.validation_metrics.items()}
        if not math.isfinite(epoch["training_loss"] + epoch["validation_rmse"]):
            what = f"the training diverged in epoch {epoch['epoch']}: its loss is not a number"
            raise BadRun(f"{self.folder}: {what}. Lower learning_rate or limit gradients with clip=1")
        self.history.append(epoch)
        if not trainer.is_global_zero:
            return
        if epoch["validation_rmse"] < self.best:
            self.best = epoch["validation_rmse"]
            save_model(self.model, module.evaluated_model, {"validation_rmse": self.best, "epoch": epoch["epoch"]})
        write_history(self.history, self.folder)


def trained_on(data: LabeledFaces, rows: Split, training: LabeledFaces) -> dict[str, Any]:
    """The rows as recorded in run.json: the data, their split, and the labels left for training."""
    return {
        "data": {"rows": len(data), "fingerprint": fingerprint(data)},
        "training_rows": len(rows.training),
        "training_pictures": picture_digests(data.faces[rows.training]),
        "training_labels": fingerprint(training),
        "validation_rows": data.row[rows.validation].tolist(),
    }


def write_history(history: list[dict[str, float]], folder: Path) -> None:
    """Write history.csv for spreadsheets and history.json for programs."""
    text = io.StringIO()
    table = csv.DictWriter(text, fieldnames=list(history[0]), lineterminator="\n")
    table.writeheader()
    table.writerows(history)
    write_text(folder / "history.csv", text.getvalue())
    write_text(folder / "history.json", json.dumps(history, indent=1))


def read_json(path: Path) -> Any:
    """The content of a JSON file of a run; raises BadRun where it is absent or damaged."""
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise BadRun(f"{path}: absent or damaged ({error}); expected what `facepoints train` leaves") from error


def _delete(folder: Path, patterns: tuple[str, ...]) -> None:
    """Delete the matching files, and the folder if that leaves it empty."""
    for path in (path for pattern in patterns for path in folder.glob(pattern)):
        path.unlink(missing_ok=True)
    with suppress(OSError):  # absent, or it has other files
        folder.rmdir()


PANELS = (
    ("loss", "loss"),
    ("rmse", "RMSE, pixels"),
    ("mae", "MAE, pixels"),
    ("pck", f"points within {QUICK_PCK_DISTANCE} px of their label, %"),
)


def draw_curves(history: Sequence[dict[str, float]], path: Path, title: str) -> None:
    """Write the four curves of a history (one dict per epoch, as in history.json) as one PNG."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    epochs = [int(epoch["epoch"]) for epoch in history]
    best = min(history, key=lambda epoch: epoch["validation_rmse"])
    figure = Figure(figsize=(10, 6.6), layout="constrained", dpi=110)
    figure.suptitle(f"{title}: best epoch {int(best['epoch'])}, validation RMSE {best['validation_rmse']:.3f} px")
    for axes, (name, label) in zip(figure.subplots(2, 2).flat, PANELS, strict=True):
        factor = 100 if name == "pck" else 1
        for part, color, style in (("training", "#7a8793", "--"), ("validation", "#c8541b", "-")):
            values = [factor * epoch[f"{part}_{name}"] for epoch in history]
            marker = "o" if len(values) < 3 else None
            axes.plot(epochs, values, style, color=color, label=part, linewidth=1.8, marker=marker, markersize=4)
        axes.plot(int(best["epoch"]), factor * best[f"validation_{name}"], "o", color="#c8541b", markersize=6)
        if name == "pck":
            axes.set_ylim(0, 100)
        elif max(values) > 8 * min(values) > 0:
            axes.set_yscale("log")  # the first epochs would flatten the rest
        axes.set_ylabel(label)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    figure.axes[0].legend(frameon=False)
    for axes in figure.axes[2:]:
        axes.set_xlabel("epoch")
    with atomic_write(path) as partial:
        figure.savefig(partial, format="png")

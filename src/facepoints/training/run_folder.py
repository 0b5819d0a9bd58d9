"""The folder that a training leaves, and how a training that was stopped finds back into it.

recipe.toml           what was trained
run.json              on which rows, when, on what machine
history.csv, .json    one line per epoch
model.safetensors     the best epoch by validation RMSE
last.safetensors      the last epoch, with everything that resuming needs
scores.json           the best epoch's scores; present only when the training is complete
members               an ensemble's networks, each in a run folder of its own
teacher               a teacher that was trained first, likewise
trackers.json         which runs of which trackers it is
curves.png            loss, RMSE, MAE and PCK over the epochs
"""

from __future__ import annotations

import csv
import io
import json
import math
import platform
import time
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
from facepoints.files import write_text
from facepoints.models.checkpoint import load_model, load_tree, save_model, save_tree
from facepoints.models.model import Model
from facepoints.scores import Scores
from facepoints.training.curves import draw_curves
from facepoints.training.recipe import Recipe, read_toml

MODEL_FILE = "model.safetensors"
"""The best epoch's model in a run folder."""

TRACKED = "trackers.json"
"""In a run folder: which run of which tracker it is, so that a resumed training goes on in the same."""

OLD = {
    "": ("scores.json", "last.safetensors", MODEL_FILE, "history.csv", "history.json", "curves.png", TRACKED),
    "evaluation": (
        *("evaluate.html", "scores.json", "per_point.csv", "per_face.csv", "plots.png", "network.png"),
        *("worst.png", "median.png", "random.png", "doubted.png", "ellipses_*.png"),
    ),
    "tensorboard": ("events.out.tfevents.*", "hparams.yaml"),
}
"""What a training and those who look at it leave in the run folder and in its folders: not true of the next one."""


class SafeCheckpoints(CheckpointIO):
    """Lightning's training state in the same safe format as the model: no pickle."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        save_tree(Path(path), checkpoint)

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: Any = None) -> dict[str, Any]:
        checkpoint: dict[str, Any] = load_tree(Path(path))
        return checkpoint

    def remove_checkpoint(self, path: Any) -> None:
        Path(path).unlink(missing_ok=True)


class RunFolder(Callback):
    """Keeps the folder up to date while Lightning trains, one epoch at a time, each file whole."""

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
        """Where an ensemble's networks have their own run folders."""
        return self.folder / "members"

    def clear(self) -> None:
        """Forget the training that the folder holds; whatever is not ours stays."""
        for member in self.members.glob("*"):
            RunFolder(member, self.recipe).clear()
            for left in ("recipe.toml", "run.json"):
                (member / left).unlink(missing_ok=True)
            with suppress(OSError):
                member.rmdir()
        with suppress(OSError):
            self.members.rmdir()
        for folder, patterns in OLD.items():
            for path in (path for pattern in patterns for path in (self.folder / folder).glob(pattern)):
                path.unlink(missing_ok=True)
            if folder:
                with suppress(OSError):  # somebody's own files are in it, or it is not there
                    (self.folder / folder).rmdir()

    def refuse_to_overwrite(self, trained_on: dict[str, Any], *, resume: bool) -> None:
        """Check what the folder holds before anything is written; raises BadRun where it would be lost."""
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
            ("validation_rows", "keeps other rows for validation"),
            ("training_labels", "left out other rows or labels (have the suspects or the corrections changed?)"),
        ):
            # older runs say less: what is not known is no contradiction
            if field in about and about[field] != trained_on[field]:
                raise BadRun(f"{self.folder}: {what}; choose another folder or replace it with --force")

    def write_start(self, trained_on: dict[str, Any], parameters: int) -> None:
        """recipe.toml and run.json: what is going to be trained, on what."""
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
        """curves.png and, as the very last, scores.json: the training is complete."""
        about = {**scores.as_dict()}
        if self.history:
            draw_curves(self.history, self.folder / "curves.png", title=self.recipe.name)
            best = min(self.history, key=lambda epoch: epoch["validation_rmse"])
            about["best_epoch"] = best["epoch"]
            about["epochs"] = len(self.history)
            about["seconds"] = round(sum(epoch["seconds"] for epoch in self.history), 2)
        else:  # an ensemble's: its members have the curves
            parts = [read_json(path) for path in sorted(self.members.glob("*/scores.json"))]
            about["epochs"], about["seconds"] = (sum(part[field] for part in parts) for field in ("epochs", "seconds"))
        write_text(self.scores, json.dumps(about, indent=1))

    # what Lightning calls

    def state_dict(self) -> dict[str, Any]:
        return {"history": self.history, "best": self.best}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.history, self.best = state["history"], state["best"]

    def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
        # Lightning keeps why it stopped early, not that it did: killed just then, a training would go on
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
            what = f"the training diverged in epoch {epoch['epoch']}: its loss is no number any more"
            raise BadRun(f"{self.folder}: {what}. Lower learning_rate or limit gradients with clip=1")
        self.history.append(epoch)
        if not trainer.is_global_zero:
            return
        if epoch["validation_rmse"] < self.best:
            self.best = epoch["validation_rmse"]
            save_model(self.model, module.evaluated_model, {"validation_rmse": self.best, "epoch": epoch["epoch"]})
        write_history(self.history, self.folder)


def trained_on(data: LabeledFaces, rows: Split, training: LabeledFaces) -> dict[str, Any]:
    """What run.json says of the rows: all of `data`, how they are split, and what is left of them to train on."""
    return {
        "data": {"rows": len(data), "fingerprint": fingerprint(data)},
        "training_rows": len(rows.training),
        "training_pictures": picture_digests(data.faces[rows.training]),
        "training_labels": fingerprint(training),
        "validation_rows": data.row[rows.validation].tolist(),
    }


def write_history(history: list[dict[str, float]], folder: Path) -> None:
    """history.csv for spreadsheets and history.json for programs: one line, one object per epoch."""
    text = io.StringIO()
    table = csv.DictWriter(text, fieldnames=list(history[0]), lineterminator="\n")
    table.writeheader()
    table.writerows(history)
    write_text(folder / "history.csv", text.getvalue())
    write_text(folder / "history.json", json.dumps(history, indent=1))


def read_json(path: Path) -> Any:
    """A JSON file of a run; raises BadRun where it is absent or damaged."""
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise BadRun(f"{path}: absent or damaged ({error}); expected what `facepoints train` leaves") from error

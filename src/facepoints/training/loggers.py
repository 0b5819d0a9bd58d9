"""Trackers that people use: Lightning's own loggers, with the recipe, the pictures and the weights in them.

Lightning calls them for the curves. The recipe goes in when training starts (an ensemble's once its networks are
trained, each of which is a run of its own); pictures and weights once the run folder is complete, through each
tracker's own client, as Lightning knows neither our files nor when they are whole.
"""

from __future__ import annotations

import json
import logging
import os
import warnings
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import CSVLogger, Logger, MLFlowLogger, TensorBoardLogger, WandbLogger

from facepoints.errors import BadRun, MissingExtra, unknown
from facepoints.files import write_text
from facepoints.training.recipe import Recipe
from facepoints.training.run_folder import MODEL_FILE, TRACKED
from facepoints.training.trainer import is_first_process

PROJECT = "facepoints"
"""What trackers call the collection that runs are put in."""


class Trackers(Callback):
    """The loggers that a training was asked for; a callback, as the recipe must not reach a run that never starts."""

    def __init__(self, names: Sequence[str], recipe: Recipe, folder: Path, *, uri: str | None, resume: bool) -> None:
        self.names = list(dict.fromkeys(names))
        self.recipe = recipe
        self.folder = folder
        self.uri = uri
        kept = _kept(folder) if resume else {}
        self.loggers: dict[str, Logger] = {}
        for name in self.names:
            if name not in _TRACKERS:
                raise unknown("logger", name, _TRACKERS)
            module, extra, make = _TRACKERS[name]
            if find_spec(module) is None:
                raise MissingExtra(f"--logger {name} needs {module}. Run: pip install 'facepoints[{extra}]'")
            self.loggers[name] = make(recipe, folder, uri, kept.get(name))

    def beside(self, recipe: Recipe, folder: Path, *, resume: bool) -> Trackers:
        """The same trackers for a training that belongs to this one (an ensemble's network, a teacher): its own run."""
        uri = _store(self.uri, self.folder) if "mlflow" in self.loggers else self.uri
        return Trackers(self.names, recipe, folder, uri=uri, resume=resume)

    def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
        if trainer.is_global_zero:
            self.begin()

    def begin(self) -> None:
        """Tell the recipe, and note which runs they are."""
        # an empty list would be left out
        fields = {k: ", ".join(map(str, v)) if isinstance(v, list) else v for k, v in self.recipe.as_table().items()}
        for logger in self.loggers.values():
            logger.log_hyperparams(fields)
        runs = {name: str(self.loggers[name].version) for name in ("mlflow", "wandb") if name in self.loggers}
        if runs:
            write_text(self.folder / TRACKED, json.dumps(runs))

    def attach(self) -> None:
        """Hand over what the finished run folder holds: pictures, recipe, scores and the best weights."""
        if not is_first_process():
            return
        names = "curves.png", "recipe.toml", "scores.json", MODEL_FILE
        files = [path for path in (self.folder / name for name in names) if path.exists()]  # an ensemble has no curves
        for name, logger in self.loggers.items():
            if name == "mlflow":
                _attach_mlflow(logger, files)
            elif name == "wandb":
                _attach_wandb(logger, files)
            logger.finalize("success")  # an ensemble's own run saw no trainer that would do it


def _kept(folder: Path) -> dict[str, str]:
    path = folder / TRACKED
    if not path.exists():
        return {}
    try:
        return dict(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError) as error:
        raise BadRun(f"{path}: damaged ({error}); remove it, and the trackers begin new runs") from error


def _tensorboard(recipe: Recipe, folder: Path, uri: str | None, run: str | None) -> Logger:
    return TensorBoardLogger(folder, name="", version="tensorboard", default_hp_metric=False)


def _csv(recipe: Recipe, folder: Path, uri: str | None, run: str | None) -> Logger:
    return CSVLogger(folder, name="", version="csv")


def _store(uri: str | None, folder: Path) -> str:
    """Where MLflow's runs are kept: where somebody said, else in the run's folder."""
    return uri or os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{folder.resolve() / 'mlflow.db'}"


def _mlflow(recipe: Recipe, folder: Path, uri: str | None, run: str | None) -> Logger:
    # MLflow tells its makers what is used unless it is asked not to
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")  # a quarter of a minute; its seven take four
    for noisy in ("alembic", "mlflow"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    folder.mkdir(parents=True, exist_ok=True)
    uri = _store(uri, folder)
    artifacts = None
    if uri.startswith("sqlite:///"):  # MLflow would put them into whatever folder it is called from
        artifacts = (Path(uri.removeprefix("sqlite:///")).resolve().parent / "mlflow-artifacts").as_uri()
    try:  # before a training that a store out of reach would stop half way
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of MLflow about SQLAlchemy and its own stores: no business of who trains
            from mlflow.tracking import MlflowClient

            client = MlflowClient(uri)
            _ = client.get_run(run) if run else client.search_experiments(max_results=1)
    except Exception as error:  # MLflow, SQLAlchemy and requests each have errors of their own for it
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise BadRun(f"MLflow's store {uri}: cannot be used ({lines[0]}). Check --tracker-uri") from error
    return MLFlowLogger(PROJECT, recipe.name, uri, artifact_location=artifacts, run_id=run)


def _wandb(recipe: Recipe, folder: Path, uri: str | None, run: str | None) -> Logger:
    # nothing leaves this machine unless the person has told Weights & Biases who they are, or what it may do
    asked = "WANDB_MODE" in os.environ or "WANDB_API_KEY" in os.environ
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
    os.environ.setdefault("WANDB_SILENT", "true")
    folder.mkdir(parents=True, exist_ok=True)
    return WandbLogger(recipe.name, folder, offline=not asked, project=PROJECT, id=run, resume="allow")


_TRACKERS: dict[str, tuple[str, str, Callable[[Recipe, Path, str | None, str | None], Logger]]] = {
    "tensorboard": ("tensorboard", "train", _tensorboard),
    "csv": ("csv", "", _csv),
    "mlflow": ("mlflow", "mlflow", _mlflow),
    "wandb": ("wandb", "wandb", _wandb),
}
"""name -> the module it needs, the extra that brings it, and how it is made"""


def _attach_mlflow(logger: Any, files: Sequence[Path]) -> None:
    for file in files:
        logger.experiment.log_artifact(logger.run_id, str(file))


def _attach_wandb(logger: Any, files: Sequence[Path]) -> None:
    import wandb

    run = logger.experiment
    model = wandb.Artifact(f"{PROJECT}-{run.id}", type="model")
    for file in files:
        if file.suffix == ".png":
            run.log({file.stem: wandb.Image(str(file))})
        else:
            model.add_file(str(file))
    run.log_artifact(model)
    run.finish()

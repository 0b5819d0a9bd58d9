"""Experiment trackers: Lightning's loggers, extended by the recipe, plots and weights of the run.

Lightning calls them for the curves. The recipe is logged when training starts (an ensemble's after its networks, each
of which is a run of its own); plots and weights are uploaded once the run folder is complete.
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
"""Name of the trackers' project or experiment."""


class Trackers(Callback):
    """The trackers of a training; a callback, so that nothing is logged for a training that cannot start."""

    def __init__(self, names: Sequence[str], recipe: Recipe, folder: Path, *, uri: str | None, resume: bool) -> None:
        self.names = list(dict.fromkeys(names))
        self.recipe = recipe
        self.folder = folder
        self.uri = uri
        runs = _tracked_runs(folder) if resume else {}
        self.loggers: dict[str, Logger] = {}
        for name in self.names:
            if name not in _TRACKERS:
                raise unknown("logger", name, _TRACKERS)
            module, extra, make = _TRACKERS[name]
            if find_spec(module) is None:
                raise MissingExtra(f"--logger {name} needs {module}. Run: pip install 'facepoints[{extra}]'")
            self.loggers[name] = make(recipe, folder, uri, runs.get(name))

    def for_member(self, recipe: Recipe, folder: Path, *, resume: bool) -> Trackers:
        """The same trackers with a run of its own for a training within this one: an ensemble's network, a teacher."""
        uri = _mlflow_store(self.uri, self.folder) if "mlflow" in self.loggers else self.uri
        return Trackers(self.names, recipe, folder, uri=uri, resume=resume)

    def on_train_start(self, trainer: Trainer, module: LightningModule) -> None:
        if trainer.is_global_zero:
            self.begin()

    def begin(self) -> None:
        """Log the recipe, and write down the trackers' run names for a resumed training."""
        # lists as text: an empty one would be left out
        fields = {k: ", ".join(map(str, v)) if isinstance(v, list) else v for k, v in self.recipe.as_table().items()}
        for logger in self.loggers.values():
            logger.log_hyperparams(fields)
        runs = {name: str(self.loggers[name].version) for name in ("mlflow", "wandb") if name in self.loggers}
        if runs:
            write_text(self.folder / TRACKED, json.dumps(runs))

    def attach(self) -> None:
        """Upload plots, recipe, scores and the best weights of the finished run folder."""
        if not is_first_process():
            return
        names = "curves.png", "recipe.toml", "scores.json", MODEL_FILE
        files = [path for path in (self.folder / name for name in names) if path.exists()]  # an ensemble has no curves
        for name, logger in self.loggers.items():
            if name == "mlflow":
                _attach_mlflow(logger, files)
            elif name == "wandb":
                _attach_wandb(logger, files)
            logger.finalize("success")  # for an ensemble no Trainer does it


def _tracked_runs(folder: Path) -> dict[str, str]:
    path = folder / TRACKED
    if not path.exists():
        return {}
    try:
        return dict(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError) as error:
        raise BadRun(f"{path}: damaged ({error}); remove it, and the trackers begin new runs") from error


def _mlflow_store(uri: str | None, folder: Path) -> str:
    """MLflow's tracking URI: the given one, else that of the environment, else a database in the run folder."""
    return uri or os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{folder.resolve() / 'mlflow.db'}"


def _mlflow(recipe: Recipe, folder: Path, uri: str | None, run: str | None) -> Logger:
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")  # 15 seconds; its default of seven takes 4 minutes
    for noisy in ("alembic", "mlflow"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    folder.mkdir(parents=True, exist_ok=True)
    uri = _mlflow_store(uri, folder)
    artifacts = None
    if uri.startswith("sqlite:///"):  # MLflow's default is the current folder
        artifacts = (Path(uri.removeprefix("sqlite:///")).resolve().parent / "mlflow-artifacts").as_uri()
    try:  # fail before the training, not in its middle
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # MLflow's on SQLAlchemy and its own stores
            from mlflow.tracking import MlflowClient

            client = MlflowClient(uri)
            _ = client.get_run(run) if run else client.search_experiments(max_results=1)
    except Exception as error:  # MLflow, SQLAlchemy and requests have no common base class
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise BadRun(f"MLflow's store {uri}: cannot be used ({lines[0]}). Check --tracker-uri") from error
    return MLFlowLogger(PROJECT, recipe.name, uri, artifact_location=artifacts, run_id=run)


def _wandb(recipe: Recipe, folder: Path, uri: str | None, run: str | None) -> Logger:
    # nothing is uploaded unless the user has configured Weights & Biases
    offline = not {"WANDB_MODE", "WANDB_API_KEY"} & set(os.environ)
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
    os.environ.setdefault("WANDB_SILENT", "true")
    folder.mkdir(parents=True, exist_ok=True)
    return WandbLogger(recipe.name, folder, offline=offline, project=PROJECT, id=run, resume="allow")


_TRACKERS: dict[str, tuple[str, str, Callable[[Recipe, Path, str | None, str | None], Logger]]] = {
    "tensorboard": (
        "tensorboard",
        "train",
        lambda recipe, folder, uri, run: TensorBoardLogger(folder, "", "tensorboard", default_hp_metric=False),
    ),
    "csv": ("csv", "", lambda recipe, folder, uri, run: CSVLogger(folder, "", "csv")),
    "mlflow": ("mlflow", "mlflow", _mlflow),
    "wandb": ("wandb", "wandb", _wandb),
}
"""Name -> required module, the extra that installs it, and the constructor (recipe, folder, URI, run to resume)."""


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

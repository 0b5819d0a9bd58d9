"""A tracker holds the recipe, the curves, the pictures and the weights of a training; a resumed one goes on in it."""

from __future__ import annotations

import json
import sqlite3
import sys
from pathlib import Path

import pytest
from lightning.pytorch import Callback, LightningModule, Trainer

from facepoints.data.dataset import LabeledFaces
from facepoints.data.split import Split
from facepoints.errors import BadChoice, BadRun, FacepointsError, MissingExtra
from facepoints.training import loggers as trackers_module
from facepoints.training.fit import fit
from facepoints.training.loggers import PROJECT, Trackers
from facepoints.training.recipe import Recipe

SMALL = Recipe(name="small", network="plain", width=2, dense_units=8, epochs=3, batch_size=16)


class StopAfter(Callback):
    def __init__(self, epochs: int) -> None:
        self.epochs = epochs

    def on_train_epoch_end(self, trainer: Trainer, module: LightningModule) -> None:
        if trainer.current_epoch + 1 == self.epochs:
            raise KeyboardInterrupt


def train(
    names: list[str],
    data: LabeledFaces,
    rows: Split,
    folder: Path,
    *,
    uri: str | None = None,
    resume: bool = False,
    also: tuple[Callback, ...] = (),
) -> None:
    trackers = Trackers(names, SMALL, folder, uri=uri, resume=resume)
    fit(SMALL, data, folder, rows=rows, resume=resume, trackers=trackers, callbacks=[*also])


def test_csv_and_tensorboard_hold_the_curves(few_faces: LabeledFaces, plain_split: Split, tmp_path: Path) -> None:
    train(["csv", "tensorboard"], few_faces, plain_split, tmp_path / "run")
    header, *lines = (tmp_path / "run" / "csv" / "metrics.csv").read_text().splitlines()
    assert "validation_rmse" in header
    assert len(lines) == SMALL.epochs
    assert "network: plain" in (tmp_path / "run" / "csv" / "hparams.yaml").read_text()
    assert list((tmp_path / "run" / "tensorboard").glob("events.*"))


def test_mlflow_holds_everything(
    few_faces: LabeledFaces, plain_split: Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("mlflow", reason="mlflow is not installed")
    from mlflow.tracking import MlflowClient

    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "run"
    Trackers(["mlflow"], SMALL, Path("run"), uri=None, resume=False)
    with sqlite3.connect(folder / "mlflow.db") as store:
        assert store.execute("select count(*) from runs").fetchone() == (0,), "a training that is refused leaves no run"
    store.close()

    with pytest.raises(KeyboardInterrupt):
        train(["mlflow"], few_faces, plain_split, folder, also=(StopAfter(2),))
    train(["mlflow"], few_faces, plain_split, folder, resume=True)

    client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    experiment = client.get_experiment_by_name(PROJECT)
    assert experiment is not None
    [run] = client.search_runs([experiment.experiment_id])  # a resumed training is no second run
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "small"
    assert run.data.params["network"] == "plain"
    assert set(run.data.params) == set(SMALL.as_table())
    history = json.loads((folder / "history.json").read_text())
    curve = client.get_metric_history(run.info.run_id, "validation_rmse")
    kept = {point.step: point.value for point in curve}
    assert list(dict(sorted(kept.items())).values()) == pytest.approx([epoch["validation_rmse"] for epoch in history])
    artifacts = {file.path for file in client.list_artifacts(run.info.run_id)}
    assert artifacts == {"curves.png", "recipe.toml", "scores.json", "model.safetensors"}
    weights = client.download_artifacts(run.info.run_id, "model.safetensors", str(tmp_path))
    assert Path(weights).read_bytes() == (folder / "model.safetensors").read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"run", "model.safetensors"}, "nothing lies about"


def test_a_committees_networks_have_runs_of_their_own(
    few_faces: LabeledFaces, plain_split: Split, tiny: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("mlflow", reason="mlflow is not installed")
    from mlflow.tracking import MlflowClient

    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    folder, both = tmp_path / "run", tiny.replace(name="both", folds=2, epochs=1, width=4, expected_error=False)
    fit(
        both,
        few_faces,
        folder,
        rows=plain_split,
        trackers=Trackers(["mlflow", "csv"], both, folder, uri=None, resume=False),
    )

    client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    experiment = client.get_experiment_by_name(PROJECT)
    assert experiment is not None
    runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    assert set(runs) == {"both", "both-0-heatmap", "both-1-heatmap"}
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    assert runs["both"].data.params["folds"] == "2"
    for name, run in runs.items():
        artifacts = {file.path for file in client.list_artifacts(run.info.run_id)}
        assert {"scores.json", "model.safetensors"} <= artifacts
        if name != "both":
            assert client.get_metric_history(run.info.run_id, "validation_rmse")
            assert (folder / "members" / name / "csv" / "metrics.csv").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["run"], "nothing lies about"


@pytest.mark.parametrize(
    ("name", "uri", "kind", "words"),
    [
        ("tensorbord", None, BadChoice, "did you mean 'tensorboard'"),
        ("absent", None, MissingExtra, "pip install 'facepoints[absent]'"),
        ("mlflow", "http://127.0.0.1:1", BadRun, "cannot be used"),
        ("mlflow", "gopher://store", BadRun, "--tracker-uri"),
    ],
)
def test_what_cannot_track_is_one_line(
    name: str, uri: str | None, kind: type[FacepointsError], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name == "mlflow":
        pytest.importorskip("mlflow", reason="mlflow is not installed")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setitem(trackers_module._TRACKERS, "absent", ("no_such_module", "absent", trackers_module._mlflow))
    with pytest.raises(kind) as refused:
        Trackers([name], SMALL, tmp_path / "run", uri=uri, resume=False)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_wandb_stays_at_home(
    few_faces: LabeledFaces, plain_split: Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("wandb", reason="wandb is not installed")
    for name in ("WANDB_MODE", "WANDB_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    train(["wandb"], few_faces, plain_split, tmp_path / "run")
    assert list((tmp_path / "run" / "wandb").glob("offline-run-*/*.wandb"))
    assert "wandb" in sys.modules

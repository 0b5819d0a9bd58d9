"""Two processes search together in a PostgreSQL database, from its first moment on."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from facepoints.data.dataset import LabeledFaces
from facepoints.data.kaggle.writer import write_training
from facepoints.tuning.storage import open_storage

TRIALS = 8
COMMAND = ["tune", "cnn-flip", "--epochs=2", f"--trials={TRIALS}", "--set=width=2", "--set=dense_units=8"]
VARY = ["--vary=learning_rate=1e-4..1e-2", "--vary=dropout", "--vary=batch_size=8,16"]


def server_programs() -> Path | None:
    """The folder with initdb and postgres: Debian keeps it off the path."""
    places = [Path(found).resolve().parent for found in [shutil.which("initdb")] if found]
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((place for place in places if (place / "initdb").exists() and (place / "postgres").exists()), None)


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """The URL of a database on a private server, which dies with the tests."""
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    programs = server_programs()
    if programs is None:
        pytest.skip("no PostgreSQL server is installed (Debian: apt-get install postgresql)")
    own = {}
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))  # the folders of pytest are for root's eyes only
    if os.geteuid() == 0:  # whom PostgreSQL refuses to serve
        own = {"user": "nobody"}
        shutil.chown(folder, "nobody")
    data = folder / "data"
    init = [programs / "initdb", "-D", data, "-U", "me", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C"]
    subprocess.run(init, check=True, capture_output=True, cwd=folder, **own)  # type: ignore[call-overload]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    serve = [programs / "postgres", "-D", data, "-h", "127.0.0.1", "-p", str(port), "-k", folder, "-F"]
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(serve, stdout=log, stderr=log, cwd=folder, **own)  # type: ignore[call-overload]
    try:
        for _ in range(150):
            with socket.socket() as door:
                if door.connect_ex(("127.0.0.1", port)) == 0 and "ready to accept" in (folder / "log").read_text():
                    break
            time.sleep(0.1)
        else:
            pytest.fail((folder / "log").read_text())
        yield f"postgresql+psycopg://me@127.0.0.1:{port}/postgres"
    finally:
        server.send_signal(signal.SIGINT)  # whoever is still connected is not waited for
        server.wait(20)
        shutil.rmtree(folder)


def start(data: Path, database: str, out: Path) -> subprocess.Popen[str]:
    words = [*COMMAND, *VARY, "--data", str(data), "--storage", database, "--out", str(out)]
    command = [sys.executable, "-c", "from facepoints.cli.main import main; main()", *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.mark.filterwarnings("ignore:.*experimental:optuna.exceptions.ExperimentalWarning")
def test_two_processes_work_on_one_study(few_faces: LabeledFaces, tmp_path: Path, database: str) -> None:
    write_training(few_faces, tmp_path / "data" / "training.zip")
    workers = [start(tmp_path / "data", database, tmp_path / name) for name in ("one", "two")]
    said = [worker.communicate(timeout=600)[0] for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0], said
    with open_storage(database, shared=True) as storage:
        trials = optuna.load_study(storage=storage, study_name="cnn-flip").trials
    finished = [trial for trial in trials if trial.state in (TrialState.COMPLETE, TrialState.PRUNED)]
    assert len(finished) == len(trials) == TRIALS
    assert {Path(trial.user_attrs["worker"]).name for trial in trials} == {"one", "two"}
    assert len({tuple(trial.params.values()) for trial in trials}) == TRIALS, "no values are tried twice"
    for name in ("one", "two"):
        assert (tmp_path / name / "best.toml").exists()
        own = {path.name for path in (tmp_path / name / "trials").iterdir()}
        assert own == {f"{t.number:04}" for t in trials if t.user_attrs["worker"].endswith(name)}

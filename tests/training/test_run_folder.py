"""What a run says of its rows, and what is no longer mixed up with it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facepoints.data.corrections import Correction
from facepoints.data.dataset import LabeledFaces, fingerprint, picture_digests
from facepoints.data.label_errors import LabelIssue, write_label_issues
from facepoints.data.split import Split
from facepoints.errors import AlreadyTrained, BadRun
from facepoints.evaluation.evaluate import evaluate
from facepoints.evaluation.trained_run import open_run
from facepoints.reports.evaluation.files import write_report
from facepoints.training import run_folder
from facepoints.training.fit import fit
from facepoints.training.loggers import Trackers
from facepoints.training.recipe import Recipe

LABEL_ISSUES = [LabelIssue(3, "mismatched", "", 0.9), LabelIssue(6, "displaced", "nose_tip", 0.9)]


@pytest.fixture(scope="module")
def quick() -> Recipe:
    return Recipe(name="quick", network="plain", width=2, dense_units=8, epochs=1, batch_size=16)


@pytest.fixture(autouse=True)
def _no_curves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_folder, "draw_curves", lambda history, path, title: path.touch())


@pytest.fixture
def with_label_issues(quick: Recipe, tmp_path: Path) -> Recipe:
    """A recipe that leaves out two suspects."""
    write_label_issues(LABEL_ISSUES, tmp_path / "audit.csv")
    return quick.replace(drop_label_issues=str(tmp_path / "audit.csv"))


def about(run: Path) -> dict[str, Any]:
    words: dict[str, Any] = json.loads((run / "run.json").read_text())
    return words


def test_a_run_tells_which_pictures_it_learned_from(tiny_run: Path, few_faces: LabeledFaces) -> None:
    names = picture_digests(few_faces.faces)
    assert len(set(names)) == 60
    assert picture_digests(few_faces.faces[::-1]) == names[::-1]
    one = np.array(few_faces.faces[:1])
    one[0, 50, 50] ^= 1
    assert picture_digests(one)[0] not in names
    told = about(tiny_run)
    validation = np.isin(few_faces.row, told["validation_rows"])
    assert told["training_pictures"] == [names[i] for i in np.flatnonzero(~validation)]


def test_other_label_issues_or_rows_are_another_training(
    with_label_issues: Recipe, few_faces: LabeledFaces, plain_split: Split, tmp_path: Path
) -> None:
    run, listed = tmp_path / "run", Path(with_label_issues.drop_label_issues)
    fit(with_label_issues, few_faces, run, rows=plain_split)
    same, fewer, other = plain_split, plain_split.training[1:], plain_split.training + 1
    for rows, label_issues, corrections, message in (
        (same, LABEL_ISSUES, None, "already trained"),
        (same, LABEL_ISSUES[:1], None, "omits other rows or labels"),
        (same, LABEL_ISSUES, [Correction(3, "mismatched", "", "fine")], "omits other rows or labels"),
        (Split(fewer, same.validation), LABEL_ISSUES, None, "omits other rows or labels"),
        (Split(np.setdiff1d(other, [60]), same.training[:12]), LABEL_ISSUES, None, "has other validation rows"),
    ):
        write_label_issues(label_issues, listed)
        with pytest.raises(BadRun, match=message) as error:
            fit(with_label_issues, few_faces, run, rows=rows, corrections=corrections, resume=True)
        assert isinstance(error.value, AlreadyTrained) == (message == "already trained")


def test_a_damaged_run_file_is_named(tiny: Recipe, tiny_run: Path, few_faces: LabeledFaces, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(tiny_run, run)
    (run / "run.json").write_text("[]")
    with pytest.raises(BadRun, match=r"run\.json: damaged"):
        fit(tiny, few_faces, run)


def test_confirmed_labels_are_trained_on(
    with_label_issues: Recipe, few_faces: LabeledFaces, plain_split: Split, tmp_path: Path
) -> None:
    fine = [Correction(s.row, s.kind, s.keypoint, "fine") for s in LABEL_ISSUES]
    fit(with_label_issues, few_faces, tmp_path / "none", rows=plain_split)
    fit(with_label_issues, few_faces, tmp_path / "fine", rows=plain_split, corrections=fine)
    everything = fingerprint(few_faces.take(plain_split.training))
    assert about(tmp_path / "none")["training_labels"] != everything
    assert about(tmp_path / "fine")["training_labels"] == everything


def test_training_and_evaluation_give_the_same_intervals(
    tiny_run: Path, few_faces: LabeledFaces, tmp_path: Path
) -> None:
    near_duplicates = few_faces.take(
        np.repeat(np.arange(30), 2)
    )  # where faces of a group err alike, their number says little
    run, recipe = tmp_path / "run", Recipe(name="q", network="plain", width=2, dense_units=8, epochs=1)
    scores = fit(recipe, near_duplicates, run)
    evaluation = evaluate(open_run(run), near_duplicates).scores
    assert scores.as_dict() == evaluation.as_dict()
    assert scores.overall.rmse_interval is not None


def test_force_leaves_nothing_of_the_old_run_but_what_is_not_ours(
    quick: Recipe, few_faces: LabeledFaces, tmp_path: Path
) -> None:
    pytest.importorskip("tensorboard")
    run, own = tmp_path / "run", tmp_path / "run" / "notes.txt"
    fit(quick, few_faces, run, trackers=Trackers(["tensorboard"], quick, run, uri=None, resume=False))
    write_report(run / "evaluation", evaluate(open_run(run), few_faces))
    assert any((run / "tensorboard").iterdir())
    (run / "trackers.json").write_text('{"mlflow": "an old run"}')
    own.touch()
    fit(quick.replace(seed=1), few_faces, run, force=True)
    assert {path.name for path in run.iterdir() if path.is_dir() or path == own} == {"notes.txt"}
    assert not (run / "trackers.json").exists()

    write_report(run / "evaluation", evaluate(open_run(run), few_faces))
    (run / "evaluation" / "mine.txt").touch()
    fit(quick, few_faces, run, force=True)
    assert [path.name for path in (run / "evaluation").iterdir()] == ["mine.txt"]

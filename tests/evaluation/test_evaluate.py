"""Which rows are fair to judge a run on, and that its points meet the labels of the same name."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from facepoints.data.dataset import LabeledFaces
from facepoints.data.synthetic.faces import synthetic_training
from facepoints.errors import BadChoice, BadRun
from facepoints.evaluation.evaluate import choose_rows, evaluate, evaluate_rows
from facepoints.evaluation.trained_run import open_run
from facepoints.keypoints import FIFTEEN, FOUR, KeypointSet
from facepoints.models.checkpoint import load_model, save_model
from facepoints.models.model import Model
from facepoints.models.networks import Size
from facepoints.training.fit import fit
from facepoints.training.recipe import Recipe


@pytest.fixture(scope="module")
def kept(tiny_run: Path) -> list[int]:
    """The rows that the tiny run kept aside."""
    rows: list[int] = json.loads((tiny_run / "run.json").read_text())["validation_rows"]
    return rows


def written(out: Path) -> dict[str, object]:
    scores: dict[str, object] = json.loads((out / "scores.json").read_text())
    return scores


def in_order(data: LabeledFaces, order: NDArray[np.int64]) -> LabeledFaces:
    """The same faces with their keypoints in another order."""
    names = KeypointSet(tuple(data.keypoints.names[i] for i in order))
    return replace(data, points=data.points[:, order], observed=data.observed[:, order], keypoints=names)


PROMISED = {"evaluate.html", "scores.json", "per_point.csv", "per_face.csv", "worst.png", "random.png", "median.png"}


def test_a_run_is_judged_on_the_rows_it_kept_aside(
    tiny_run: Path, few_faces: LabeledFaces, kept: list[int], tmp_path: Path
) -> None:
    said: list[str] = []
    scores = evaluate(tiny_run, few_faces, tmp_path, say=said.append)
    about = written(tmp_path)
    assert about["rows"] == "validation"
    assert about["row_numbers"] == sorted(kept)
    assert about["rows_left_out"] == len(few_faces) - len(kept)
    assert said == [about["rows_in_words"]]
    assert said[0].startswith(f"{len(kept)} validation rows; {len(few_faces) - len(kept)} rows left out: trained on")
    assert scores.rmse == json.loads((tiny_run / "scores.json").read_text())["rmse"] == about["rmse"]
    assert {file.name for file in tmp_path.iterdir()} >= {*PROMISED, "network.png", "plots.png"}


def test_a_committees_story_has_each_networks_curve(tiny: Recipe, few_faces: LabeledFaces, tmp_path: Path) -> None:
    fit(tiny.replace(name="both", folds=2, epochs=2, expected_error=False), few_faces, tmp_path / "run")
    evaluate(tmp_path / "run", few_faces, tmp_path / "out")
    page = (tmp_path / "out" / "evaluate.html").read_text()
    assert "2 networks of 2 epochs" in page
    assert all(f"{number}-heatmap" in page for number in range(2))
    assert "the first of the 2 networks" in page
    summary = open_run(tmp_path / "run").summary
    assert summary is not None
    assert [len(history) for history in summary.members.values()] == [2, 2]
    assert summary.seconds > 0


def test_pictures_it_was_trained_on_are_left_out_of_any_data(
    tiny_run: Path, few_faces: LabeledFaces, kept: list[int]
) -> None:
    """Other rows, other labels, other row numbers: a picture stays a picture."""
    run = open_run(tiny_run)
    part = few_faces.take(np.arange(30))
    assert part.row[run.held_out_rows(part).chosen].tolist() == [row for row in sorted(kept) if row < 30]
    corrected = replace(few_faces, points=few_faces.points + np.float32(1), row=few_faces.row + 500)
    fair = run.held_out_rows(corrected)
    assert corrected.row[fair.chosen].tolist() == [row + 500 for row in sorted(kept)]
    assert fair.kind == "unseen"
    assert "told by the pictures" in fair.why


def test_other_faces_and_all_rows_are_judged_whole(tiny_run: Path, few_faces: LabeledFaces) -> None:
    run, other = open_run(tiny_run), synthetic_training(20, seed=77)
    every, strangers = choose_rows(run, few_faces, "all"), choose_rows(run, other, "fair")
    assert every.chosen.all()
    assert every.why.endswith("of them trained on: that flatters")
    assert strangers.chosen.all()
    assert every.kind == strangers.kind == "all"
    assert strangers.why == "all 20 rows; none of them was trained on"


def test_nothing_left_to_judge_on_is_said(
    tiny_run: Path, few_faces: LabeledFaces, kept: list[int], tmp_path: Path
) -> None:
    seen = few_faces.take(~np.isin(few_faces.row, kept))
    with pytest.raises(BadChoice, match=f"every one of the {len(seen)} rows was trained on.*--all-rows"):
        evaluate(tiny_run, seen, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_older_runs_are_judged_by_row_numbers_and_say_so(
    tiny_run: Path, few_faces: LabeledFaces, kept: list[int], tmp_path: Path
) -> None:
    older = tmp_path / "older"
    shutil.copytree(tiny_run, older)
    about = json.loads((older / "run.json").read_text())
    del about["training_pictures"]
    (older / "run.json").write_text(json.dumps(about))
    run = open_run(older)
    same, other = run.held_out_rows(few_faces), run.held_out_rows(few_faces.take(np.arange(30)))
    assert few_faces.row[same.chosen].tolist() == sorted(kept)
    assert other.chosen.all()
    assert "may have been trained on" in other.why
    assert "an older run" in same.why
    assert "an older run" in other.why


def test_any_model_is_judged_on_the_rows_of_a_run(
    tiny_run: Path, few_faces: LabeledFaces, kept: list[int], known: Callable[..., Any], tmp_path: Path
) -> None:
    scores = evaluate(known("theirs", 2.0), few_faces, tmp_path, rows_of=open_run(tiny_run))
    assert written(tmp_path)["row_numbers"] == sorted(kept)
    assert scores.rmse == pytest.approx(2, rel=0.2)
    assert not (tmp_path / "network.png").exists()


def test_judging_agrees_with_predicting(tiny_run: Path, few_faces: LabeledFaces) -> None:
    model, _ = load_model(tiny_run / "model.safetensors")
    for flip in (False, True):
        evaluation, _ = evaluate_rows(open_run(tiny_run), few_faces, rows="all", flip=flip)
        error = model.predict(few_faces.faces, few_faces.source, flip=flip).astype(float) - few_faces.points
        assert evaluation.scores.rmse == pytest.approx(np.sqrt(np.square(error[few_faces.observed]).mean()))


def test_columns_in_another_order_change_nothing(tiny_run: Path, few_faces: LabeledFaces) -> None:
    shuffled = in_order(few_faces, np.random.default_rng(0).permutation(15))
    run = open_run(tiny_run)
    ours, theirs = (evaluate_rows(run, data, rows="all")[0].scores for data in (shuffled, few_faces))
    assert ours.rmse == pytest.approx(theirs.rmse)
    for name in FIFTEEN.names:
        one, other = ours.by_keypoint[name], theirs.by_keypoint[name]
        assert one is not None
        assert other is not None
        assert one.rmse == pytest.approx(other.rmse)


def a_run(folder: Path, names: tuple[str, ...]) -> Path:
    """A run of these keypoints that was never trained."""
    save_model(folder / "model.safetensors", Model("plain", FIFTEEN.only(names), Size(width=2, dense_units=8), {}))
    about = {"recipe": "", "data": {"fingerprint": ""}, "parameters": 1, "validation_rows": []}
    (folder / "run.json").write_text(json.dumps(about))
    return folder


def test_fewer_keypoints_are_judged_on_theirs(few_faces: LabeledFaces, tmp_path: Path) -> None:
    scores = evaluate(a_run(tmp_path, FOUR), few_faces, tmp_path / "out")
    assert set(scores.by_keypoint) == set(FOUR)
    assert written(tmp_path / "out")["title"] == tmp_path.name


def test_data_without_the_run_s_keypoints_are_refused(tiny_run: Path, few_faces: LabeledFaces, tmp_path: Path) -> None:
    with pytest.raises(BadChoice, match=r"keypoints that the data does not have .*left_eye_inner_corner"):
        evaluate(tiny_run, few_faces.only(FOUR), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_set_that_has_no_mirror_image_is_not_averaged_with_it(few_faces: LabeledFaces, tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", ("left_eye_center", "nose_tip"))
    with pytest.raises(BadChoice, match="left_eye_center has no partner"):
        evaluate(run, few_faces, tmp_path / "out", flip=True)
    assert not (tmp_path / "out").exists()


NO_RUN = '{"data": {"fingerprint": ""}, "recipe": "", "validation_rows": [], "parameters": "x"}'


@pytest.mark.parametrize("damage", ["", "{", "[]", "{}", '{"data": 5}', NO_RUN, None])
def test_a_damaged_run_is_said(damage: str | None, tiny_run: Path, few_faces: LabeledFaces, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(tiny_run, run)
    if damage is None:
        (run / "run.json").unlink()
    else:
        (run / "run.json").write_text(damage)
    with pytest.raises(BadRun, match=r"run\.json: ") as error:
        evaluate(run, few_faces, tmp_path / "out")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()

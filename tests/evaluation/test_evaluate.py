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
from facepoints.evaluation.evaluate import evaluate, select_rows
from facepoints.evaluation.trained_run import open_run
from facepoints.keypoints import FIFTEEN, FOUR, KeypointSet
from facepoints.models.checkpoint import load_model, save_model
from facepoints.models.model import Model
from facepoints.models.networks import Size
from facepoints.reports.evaluation.files import write_report
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


def test_a_run_is_evaluated_on_its_validation_rows(
    tiny_run: Path, few_faces: LabeledFaces, kept: list[int], tmp_path: Path
) -> None:
    result = evaluate(open_run(tiny_run), few_faces)
    write_report(tmp_path, result)
    about = written(tmp_path)
    assert about["rows"] == "validation"
    assert about["row_numbers"] == sorted(kept)
    assert about["rows_left_out"] == len(few_faces) - len(kept)
    assert result.rows.description == about["rows_description"]
    assert about["rows_description"] == (
        f"{len(kept)} validation rows; {len(few_faces) - len(kept)} training rows left out"
    )
    assert result.rmse == json.loads((tiny_run / "scores.json").read_text())["rmse"] == about["rmse"]
    assert {file.name for file in tmp_path.iterdir()} >= {*PROMISED, "network.png", "plots.png"}
    assert repr(result) == f"Evaluation(tiny: RMSE {result.rmse:.3f} px on {about['rows_description']})"
    assert "nose_tip" in result._repr_html_()


def test_an_ensemble_has_the_learning_curves_of_its_networks(
    tiny: Recipe, few_faces: LabeledFaces, tmp_path: Path
) -> None:
    fit(tiny.replace(name="both", folds=2, epochs=2, expected_error=False), few_faces, tmp_path / "run")
    write_report(tmp_path / "out", evaluate(open_run(tmp_path / "run"), few_faces))
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
    assert fair.kind == "held-out"
    assert "matched by image" in fair.description


def test_other_faces_and_all_rows_are_judged_whole(tiny_run: Path, few_faces: LabeledFaces) -> None:
    run, other = open_run(tiny_run), synthetic_training(20, seed=77)
    every, strangers = select_rows(run, few_faces, "all"), select_rows(run, other, "held-out")
    assert every.chosen.all()
    assert every.description.endswith("training rows (optimistic)")
    assert strangers.chosen.all()
    assert every.kind == strangers.kind == "all"
    assert strangers.description == "all 20 rows; none of them was trained on"


def test_no_row_left_is_an_error(tiny_run: Path, few_faces: LabeledFaces, kept: list[int]) -> None:
    trained = few_faces.take(~np.isin(few_faces.row, kept))
    with pytest.raises(BadChoice, match=f"all {len(trained)} rows are training rows.*--all-rows"):
        evaluate(open_run(tiny_run), trained)


def test_any_model_is_evaluated_on_the_rows_of_a_run(
    tiny_run: Path, few_faces: LabeledFaces, kept: list[int], known: Callable[..., Any], tmp_path: Path
) -> None:
    result = evaluate(known("theirs", 2.0), few_faces, rows_of=open_run(tiny_run))
    write_report(tmp_path, result)
    assert written(tmp_path)["row_numbers"] == sorted(kept)
    assert result.rmse == pytest.approx(2, rel=0.2)
    assert not (tmp_path / "network.png").exists()


def test_judging_agrees_with_predicting(tiny_run: Path, few_faces: LabeledFaces) -> None:
    model, _ = load_model(tiny_run / "model.safetensors")
    for flip in (False, True):
        evaluation = evaluate(open_run(tiny_run), few_faces, rows="all", flip=flip)
        error = model.predict(few_faces.faces, few_faces.source, flip=flip).astype(float) - few_faces.points
        assert evaluation.scores.rmse == pytest.approx(np.sqrt(np.square(error[few_faces.observed]).mean()))


def test_columns_in_another_order_change_nothing(tiny_run: Path, few_faces: LabeledFaces) -> None:
    shuffled = in_order(few_faces, np.random.default_rng(0).permutation(15))
    run = open_run(tiny_run)
    ours, theirs = (evaluate(run, data, rows="all").scores for data in (shuffled, few_faces))
    assert ours.rmse == pytest.approx(theirs.rmse)
    for name in FIFTEEN.names:
        one, other = ours.by_keypoint[name], theirs.by_keypoint[name]
        assert one is not None
        assert other is not None
        assert one.rmse == pytest.approx(other.rmse)


def a_run(folder: Path, names: tuple[str, ...]) -> Path:
    """A run of these keypoints that was never trained."""
    save_model(folder / "model.safetensors", Model("plain", FIFTEEN.only(names), Size(width=2, dense_units=8), {}))
    about = {"recipe": "", "data": {"fingerprint": ""}, "parameters": 1, "validation_rows": [], "training_pictures": []}
    (folder / "run.json").write_text(json.dumps(about))
    return folder


def test_fewer_keypoints_are_judged_on_theirs(few_faces: LabeledFaces, tmp_path: Path) -> None:
    result = evaluate(open_run(a_run(tmp_path, FOUR)), few_faces)
    assert set(result.by_keypoint) == set(FOUR)
    assert result.title == tmp_path.name


def test_data_without_the_keypoints_of_the_run_are_refused(tiny_run: Path, few_faces: LabeledFaces) -> None:
    with pytest.raises(BadChoice, match=r"keypoints that the data do not have .*left_eye_inner_corner"):
        evaluate(open_run(tiny_run), few_faces.only(FOUR))


def test_a_set_that_has_no_mirror_image_is_not_averaged_with_it(few_faces: LabeledFaces, tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", ("left_eye_center", "nose_tip"))
    with pytest.raises(BadChoice, match="left_eye_center has no partner"):
        evaluate(open_run(run), few_faces, rows="all", flip=True)


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
        open_run(run)
    assert "\n" not in str(error.value)

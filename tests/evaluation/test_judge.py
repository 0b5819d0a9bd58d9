"""Which rows are fair to judge a run on, and that its points meet the labels of the same name."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from facepoints.data.faces import LabeledFaces
from facepoints.errors import BadChoice, BadRun
from facepoints.evaluation.judge import judge
from facepoints.keypoints import FIFTEEN, FOUR, KeypointSet
from facepoints.models.checkpoint import load_model, save_model
from facepoints.models.model import Model
from facepoints.models.networks import Size


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


def test_a_run_is_judged_on_the_rows_it_kept_aside(
    tiny_run: Path, few_faces: LabeledFaces, kept: list[int], tmp_path: Path
) -> None:
    scores = judge(tiny_run, few_faces, tmp_path)
    about = written(tmp_path)
    assert about["rows"] == "validation"
    assert about["row_numbers"] == sorted(kept)
    assert scores.rmse == json.loads((tiny_run / "scores.json").read_text())["rmse"] == about["rmse"]
    names = {"scores.json", "per_point.csv", "per_face.csv", "worst.png", "random.png"}
    assert {file.name for file in tmp_path.iterdir()} == names


def test_other_data_and_all_rows_are_judged_whole(tiny_run: Path, few_faces: LabeledFaces, tmp_path: Path) -> None:
    judge(tiny_run, few_faces, tmp_path / "all", rows="all")
    other = few_faces.take(np.arange(30))
    judge(tiny_run, other, tmp_path / "other")
    assert written(tmp_path / "all")["row_numbers"] == list(range(60))
    assert written(tmp_path / "other")["row_numbers"] == list(range(30))
    assert written(tmp_path / "all")["rows"] == written(tmp_path / "other")["rows"] == "all"


def test_judging_agrees_with_predicting(tiny_run: Path, few_faces: LabeledFaces, tmp_path: Path) -> None:
    model, _ = load_model(tiny_run / "model.safetensors")
    for flip in (False, True):
        scores = judge(tiny_run, few_faces, tmp_path, rows="all", flip=flip)
        error = model.predict(few_faces.faces, few_faces.source, flip=flip).astype(float) - few_faces.points
        assert scores.rmse == pytest.approx(np.sqrt(np.square(error[few_faces.observed]).mean()))
        assert written(tmp_path)["flip"] == flip


def test_columns_in_another_order_change_nothing(tiny_run: Path, few_faces: LabeledFaces, tmp_path: Path) -> None:
    shuffled = in_order(few_faces, np.random.default_rng(0).permutation(15))
    scores = judge(tiny_run, shuffled, tmp_path / "a", rows="all")
    as_they_were = judge(tiny_run, few_faces, tmp_path / "b", rows="all")
    assert scores.rmse == pytest.approx(as_they_were.rmse)
    for name in FIFTEEN.names:
        ours, theirs = scores.by_keypoint[name], as_they_were.by_keypoint[name]
        assert ours is not None
        assert theirs is not None
        assert ours.rmse == pytest.approx(theirs.rmse)


def a_run(folder: Path, names: tuple[str, ...]) -> Path:
    """A run of these keypoints that was never trained."""
    save_model(folder / "model.safetensors", Model("plain", FIFTEEN.only(names), Size(width=2, dense_units=8), {}))
    about = {"recipe": "", "data": {"fingerprint": ""}, "parameters": 1, "validation_rows": []}
    (folder / "run.json").write_text(json.dumps(about))
    return folder


def test_fewer_keypoints_are_judged_on_theirs(few_faces: LabeledFaces, tmp_path: Path) -> None:
    scores = judge(a_run(tmp_path, FOUR), few_faces, tmp_path / "out")
    assert set(scores.by_keypoint) == set(FOUR)
    assert written(tmp_path / "out")["title"] == tmp_path.name


def test_data_without_the_run_s_keypoints_are_refused(tiny_run: Path, few_faces: LabeledFaces, tmp_path: Path) -> None:
    with pytest.raises(BadChoice, match=r"keypoints that the data does not have .*left_eye_inner_corner"):
        judge(tiny_run, few_faces.only(FOUR), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_set_that_has_no_mirror_image_is_not_averaged_with_it(few_faces: LabeledFaces, tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", ("left_eye_center", "nose_tip"))
    with pytest.raises(BadChoice, match="left_eye_center has no partner"):
        judge(run, few_faces, tmp_path / "out", flip=True)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("damage", ["", "{", "[]", "{}", '{"data": 5}', None])
def test_a_damaged_run_is_said(damage: str | None, tiny_run: Path, few_faces: LabeledFaces, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(tiny_run, run)
    if damage is None:
        (run / "run.json").unlink()
    else:
        (run / "run.json").write_text(damage)
    with pytest.raises(BadRun, match=r"run\.json: ") as error:
        judge(run, few_faces, tmp_path / "out")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()

"""A model file is judged on the rows that its training kept aside, where the data tell."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from facepoints.data.dataset import LabeledFaces
from facepoints.errors import BadChoice, BadRun
from facepoints.evaluation.evaluate import evaluate
from facepoints.evaluation.open_predictor import model_kind, open_predictor
from facepoints.evaluation.points_file import PointsFile
from facepoints.evaluation.predictor import OnnxPredictor
from facepoints.evaluation.trained_run import TrainedRun, open_run
from facepoints.exporting.onnx_file import export_run
from facepoints.inference.detector import load


@pytest.fixture(scope="module")
def model_file(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> OnnxPredictor:
    out = tmp_path_factory.mktemp("exported") / "tiny.onnx"
    export_run(tiny_run, out)
    return OnnxPredictor("tiny.onnx", load(out))


def test_a_model_file_knows_the_rows_of_its_training(
    model_file: OnnxPredictor, tiny_run: Path, few_faces: LabeledFaces
) -> None:
    fair = model_file.held_out_rows(few_faces)
    assert fair.kind == "validation"
    np.testing.assert_array_equal(fair.chosen, open_run(tiny_run).held_out_rows(few_faces).chosen)
    assert fair.description.startswith(
        f"{fair.chosen.sum()} validation rows; {(~fair.chosen).sum()} training rows left out"
    )


def test_on_other_data_every_row_is_taken(model_file: OnnxPredictor, few_faces: LabeledFaces) -> None:
    fair = model_file.held_out_rows(few_faces.take(np.arange(10)))
    assert (fair.kind, int(fair.chosen.sum())) == ("all", 10)


def test_a_run_and_its_file_score_alike(model_file: OnnxPredictor, tiny_run: Path, few_faces: LabeledFaces) -> None:
    run, file = (evaluate(model, few_faces) for model in (open_run(tiny_run), model_file))
    assert file.rmse == pytest.approx(run.rmse, abs=1e-3)
    assert file.scores.overall.faces == run.scores.overall.faces


def test_models_are_opened_by_their_suffix_in_either_case(
    model_file: OnnxPredictor, tiny_run: Path, few_faces: LabeledFaces, tmp_path: Path
) -> None:
    upper = tmp_path / "X.ONNX"
    export_run(tiny_run, upper)
    opened = open_predictor(upper)
    assert isinstance(opened, OnnxPredictor)
    np.testing.assert_array_equal(opened.predict(few_faces).points, model_file.predict(few_faces).points)
    assert isinstance(open_predictor(tiny_run), TrainedRun)
    assert open_predictor(None).name == "flagship"
    table = tmp_path / "points.CSV"
    table.write_text("nose_tip_x,nose_tip_y\n" + "48,50\n" * len(few_faces))
    assert isinstance(open_predictor(table, few_faces), PointsFile)
    with pytest.raises(BadChoice, match="can only be evaluated"):
        open_predictor(table)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("absent", "absent: no such file or folder"),
        ("absent.onnx", "absent.onnx: no such file or folder"),
        (".", r"model\.safetensors: no such file"),
        ("text.txt", "text.txt: not a model"),
    ],
)
def test_a_path_that_is_no_model_is_an_error(name: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "text.txt").touch()
    with pytest.raises(BadRun, match=message):
        model_kind(tmp_path / name)


def test_an_absent_model_is_reported_without_torch() -> None:
    code = """
import sys
from facepoints.errors import BadRun
from facepoints.evaluation.open_predictor import open_predictor
try:
    open_predictor("absent")
except BadRun:
    sys.exit("torch" in sys.modules)
sys.exit(2)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

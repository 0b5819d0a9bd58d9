"""A MODEL argument is opened by its suffix; anything else is an error of one line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from facepoints.data.dataset import LabeledFaces
from facepoints.errors import BadChoice, BadRun
from facepoints.evaluation.open_predictor import model_kind, open_predictor
from facepoints.evaluation.points_file import PointsFile
from facepoints.evaluation.predictor import OnnxPredictor
from facepoints.evaluation.trained_run import TrainedRun
from facepoints.exporting.onnx_file import export_run
from facepoints.inference.detector import load


def test_models_are_opened_by_their_suffix_in_either_case(
    tiny_run: Path, few_faces: LabeledFaces, tmp_path: Path
) -> None:
    upper = tmp_path / "X.ONNX"
    export_run(tiny_run, upper)
    opened = open_predictor(upper)
    assert isinstance(opened, OnnxPredictor)
    np.testing.assert_array_equal(
        opened.predict(few_faces).points, load(upper).points(few_faces.faces, few_faces.source)[0]
    )
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

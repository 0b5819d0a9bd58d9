"""A model file is judged on the rows that its training kept aside, where the data tell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facepoints.data.dataset import LabeledFaces
from facepoints.evaluation.evaluate import evaluate
from facepoints.evaluation.predictor import OnnxPredictor
from facepoints.evaluation.trained_run import open_run
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

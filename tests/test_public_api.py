"""The public API: its list is fixed, and every function works after all submodules have been imported."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import facepoints
from facepoints.data.dataset import LabeledFaces
from facepoints.data.kaggle.writer import write_submission_faces, write_training
from facepoints.data.synthetic.faces import synthetic_submission

PUBLIC = {
    *("Detector", "Face", "FacepointsError", "audit", "compare", "evaluate", "explore", "export", "load"),
    *("load_dataset", "submit", "train", "tune"),
}
TINY: dict[str, Any] = {"width": 2, "dense_units": 4, "epochs": 1}


@pytest.fixture(autouse=True, scope="module")
def _every_submodule() -> None:
    """A submodule with the name of a public function would hide it once it is imported."""
    for module in pkgutil.walk_packages(facepoints.__path__, "facepoints."):
        importlib.import_module(module.name)


def test_the_list_is_this() -> None:
    assert set(facepoints.__all__) == PUBLIC
    assert len(facepoints.__all__) == len(PUBLIC)
    assert set(dir(facepoints)) >= PUBLIC
    for name in PUBLIC:
        assert callable(getattr(facepoints, name))
        assert getattr(facepoints, name).__doc__
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = facepoints.nonsense


def test_importing_it_loads_nothing_heavy() -> None:
    code = "import facepoints, sys; print(sorted({'numpy', 'cv2', 'torch', 'onnxruntime', 'rich'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.fixture(scope="module")
def run(few_faces: LabeledFaces, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("api") / "run"
    trained = facepoints.train("cnn", few_faces, folder, progress=False, **TINY)
    assert trained.folder == folder
    again = facepoints.train("cnn", few_faces, folder, progress=False, **TINY)
    assert again.best_epoch == trained.best_epoch
    return folder


def test_load_finds_the_points_of_crops(few_faces: LabeledFaces) -> None:
    detector = facepoints.load(threads=1)
    points, expected_error = detector.points(few_faces.faces[:2])
    assert points.shape == (2, 15, 2)
    assert expected_error.shape == (2, 15)
    assert isinstance(detector, facepoints.Detector)


def test_load_dataset_reads_what_was_written(few_faces: LabeledFaces, tmp_path: Path) -> None:
    write_training(few_faces, tmp_path / "training.csv")
    data = facepoints.load_dataset(tmp_path)
    np.testing.assert_array_equal(data.faces, few_faces.faces)
    np.testing.assert_array_equal(data.observed, few_faces.observed)
    lines = (tmp_path / "training.csv").read_bytes().splitlines()
    lines[3] += b" 1"
    (tmp_path / "training.csv").write_bytes(b"\n".join(lines))
    with pytest.raises(facepoints.FacepointsError, match="line 4"):
        facepoints.load_dataset(tmp_path)
    with pytest.warns(UserWarning, match="line 4 skipped"):
        assert len(facepoints.load_dataset(tmp_path, skip_broken=True)) == len(few_faces) - 1


def test_train_checks_its_arguments_first(few_faces: LabeledFaces, tmp_path: Path) -> None:
    with pytest.raises(facepoints.FacepointsError, match="did you mean 'epochs'"):
        facepoints.train("cnn", few_faces, tmp_path / "run", epoch=3)
    assert list(tmp_path.iterdir()) == []


def test_evaluate_scores_held_out_rows_and_writes_a_report(run: Path, few_faces: LabeledFaces, tmp_path: Path) -> None:
    result = facepoints.evaluate(run, few_faces)
    assert 0 < len(result.data) < len(few_faces)
    assert result.rmse > 0
    assert result.by_keypoint["nose_tip"] is not None
    assert f"{result.rmse:.2f}" in repr(result) or "RMSE" in repr(result)
    assert "<table" in result._repr_html_()
    assert result.report(tmp_path / "report").is_file()
    assert (tmp_path / "report" / "scores.json").is_file()
    assert facepoints.evaluate(run, few_faces, rows="all").rmse != result.rmse


def test_compare_takes_runs_and_the_bundled_weights(run: Path, synthetic: LabeledFaces, tmp_path: Path) -> None:
    result = facepoints.compare([run, None], synthetic, timing=False)
    best, worst = result.results
    assert best.scores.rmse < worst.scores.rmse
    assert best.name == "flagship"
    assert result.report(tmp_path / "compare").is_file()


def test_export_and_submit(run: Path, few_faces: LabeledFaces, tmp_path: Path) -> None:
    made = facepoints.export(run, tmp_path / "model.onnx")
    assert made.check.points < 1e-3
    write_submission_faces(synthetic_submission(4)[0], tmp_path)
    one = facepoints.submit(tmp_path / "model.onnx", tmp_path, tmp_path / "one.csv", flip=False)
    same = facepoints.submit([run, run], tmp_path, tmp_path / "mean.csv", flip=False)
    np.testing.assert_allclose(one, same, atol=1e-3)
    assert (tmp_path / "one.csv").is_file()


def test_explore_writes_a_report(few_faces: LabeledFaces, tmp_path: Path) -> None:
    result = facepoints.explore(few_faces)
    assert str(len(few_faces)) in repr(result)
    assert result.report(tmp_path / "explore").is_file()


def test_tune_finds_the_best_of_its_trials(few_faces: LabeledFaces, tmp_path: Path) -> None:
    result = facepoints.tune("cnn", few_faces, tmp_path / "tune", trials=2, epochs=1, vary=["width=2,4"])
    assert result.best is not None
    assert (tmp_path / "tune" / "best.toml").is_file()

"""A submission answers exactly what the look-up table asks, in its order, with numbers inside the image."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from facepoints.data.dataset import LabeledFaces, SubmissionFaces
from facepoints.data.kaggle.competition import read_sample_submission
from facepoints.data.synthetic.faces import synthetic_submission
from facepoints.errors import BadFile, BadRun, FacepointsError
from facepoints.evaluation.predictor import HeldOutRows, MeanPredictor, ModelFacts, Predictions, unknown_training
from facepoints.evaluation.submission import submit as submit_with
from facepoints.evaluation.trained_run import TrainedRun
from facepoints.keypoints import FACE_SIZE, FIFTEEN, FOUR, KeypointSet
from facepoints.models.checkpoint import load_model, save_model
from facepoints.models.model import Model
from facepoints.models.networks import Size


@pytest.fixture(scope="module")
def asked() -> SubmissionFaces:
    return synthetic_submission(12)[0]


def a_run(folder: Path, keypoints: KeypointSet = FIFTEEN, all_keypoints: KeypointSet = FIFTEEN) -> Path:
    """A run whose model was never trained, but knows typical places: 3 px further for each point of the data."""
    torch.manual_seed(0)
    model = Model("plain", keypoints, Size(width=2, dense_units=8), {})
    n = len(all_keypoints)
    mean_shape = np.arange(n, dtype=np.float32)[None, :, None] * np.float32(3) + np.zeros((2, n, 2), np.float32)
    model.fit_mean_shape(mean_shape, np.ones((2, n), bool), np.array([0, 1]), all_keypoints)
    save_model(folder / "model.safetensors", model)
    return folder


def with_bias(run: Path, value: float) -> Path:
    """The run, its model answering with a number far out: pixels / 47.5."""
    model, _ = load_model(run / "model.safetensors")
    *_, bias = model.network.parameters()
    with torch.no_grad():
        bias.fill_(value)
    save_model(run / "model.safetensors", model)
    return run


def submit(run: Path, asked: SubmissionFaces, out: Path, *, flip: bool = True) -> NDArray[np.float64]:
    model, _ = load_model(run / "model.safetensors")
    return submit_with(TrainedRun(run, model, {}, None, all_keypoints=True), asked, out, flip=flip)


@pytest.mark.parametrize("flip", [False, True])
def test_every_row_is_answered_in_the_table_s_order(
    tiny_run: Path, asked: SubmissionFaces, tmp_path: Path, flip: bool
) -> None:
    out = tmp_path / "deep" / "submission.csv"
    values = submit(tiny_run, asked, out, flip=flip)
    rows, written = read_sample_submission(out)
    np.testing.assert_array_equal(rows, asked.row_id)
    np.testing.assert_array_equal(written, values)
    points = load_model(tiny_run / "model.safetensors")[0].predict(asked.faces, asked.source, flip=flip)
    for answer, image, column in zip(values, asked.requested_image, asked.requested_column, strict=True):
        assert answer == np.clip(points[image, column // 2, column % 2], 0, FACE_SIZE)
    assert out.read_text().splitlines()[0] == "RowId,Location"


def test_a_shuffled_table_gets_the_same_answers_in_its_own_order(
    tiny_run: Path, asked: SubmissionFaces, tmp_path: Path
) -> None:
    values = submit(tiny_run, asked, tmp_path / "a.csv")
    order = np.random.default_rng(0).permutation(len(asked.row_id))[:100]
    shuffled = replace(
        asked,
        row_id=asked.row_id[order],
        requested_image=asked.requested_image[order],
        requested_column=asked.requested_column[order],
    )
    np.testing.assert_array_equal(submit(tiny_run, shuffled, tmp_path / "b.csv"), values[order])
    np.testing.assert_array_equal(read_sample_submission(tmp_path / "b.csv")[0], asked.row_id[order])


def test_each_image_is_answered_as_its_source_labels(tiny_run: Path, asked: SubmissionFaces, tmp_path: Path) -> None:
    values = submit(tiny_run, asked, tmp_path / "a.csv")
    others = submit(tiny_run, replace(asked, source=1 - asked.source), tmp_path / "b.csv")
    assert (values != others).mean() > 0.9


@pytest.mark.parametrize(("number", "edge"), [(1e4, FACE_SIZE), (-1e4, 0)])
def test_values_are_clipped_to_the_image(asked: SubmissionFaces, tmp_path: Path, number: float, edge: float) -> None:
    values = submit(with_bias(a_run(tmp_path), number), asked, tmp_path / "submission.csv", flip=False)
    assert (values == edge).all()


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("names", [FOUR, ("nose_tip",), ("left_eye_center", "nose_tip")])
def test_points_that_were_never_learned_get_their_typical_place(
    names: tuple[str, ...], flip: bool, asked: SubmissionFaces, tmp_path: Path
) -> None:
    run = a_run(tmp_path, FIFTEEN.only(names))
    values = submit(run, asked, tmp_path / "submission.csv", flip=flip)
    point = asked.requested_column // 2
    learned = np.isin(point, [FIFTEEN.index(name) for name in names])
    np.testing.assert_array_equal(values[~learned], 3 * point[~learned])
    assert len(values) == len(asked.row_id)
    # a lone left point has no partner to be averaged with in a mirror
    mirrored = flip and not FIFTEEN.only(names).lone_sides()
    points = load_model(run / "model.safetensors")[0].predict_all(asked.faces, asked.source, flip=mirrored)
    flat = points.reshape(len(points), -1)
    np.testing.assert_array_equal(values[learned], flat[asked.requested_image, asked.requested_column][learned])


def test_keypoints_are_found_by_name(asked: SubmissionFaces, tmp_path: Path) -> None:
    reordered = KeypointSet(tuple(reversed(FIFTEEN.names)))
    run = a_run(tmp_path, reordered, reordered)
    values = submit(run, asked, tmp_path / "submission.csv", flip=False)
    points = load_model(run / "model.safetensors")[0].predict(asked.faces, asked.source)[:, ::-1]
    flat = points.reshape(len(points), -1)
    np.testing.assert_array_equal(values, np.clip(flat[asked.requested_image, asked.requested_column], 0, FACE_SIZE))


def test_nothing_is_written_of_a_model_that_gives_no_numbers(asked: SubmissionFaces, tmp_path: Path) -> None:
    run = with_bias(a_run(tmp_path / "run"), float("nan"))
    with pytest.raises(BadFile, match="not finite"):
        submit(run, asked, tmp_path / "submission.csv")
    assert not (tmp_path / "submission.csv").exists()


def test_points_that_nobody_knows_are_named(asked: SubmissionFaces, tmp_path: Path) -> None:
    few = FIFTEEN.only(FOUR)
    with pytest.raises(BadRun, match=r"was trained on data without left_eye_inner_corner, .*look-up table requests"):
        submit(a_run(tmp_path / "run", few, few), asked, tmp_path / "submission.csv")
    assert not (tmp_path / "submission.csv").exists()


def test_a_run_without_a_model_is_said(asked: SubmissionFaces, tmp_path: Path) -> None:
    with pytest.raises(FacepointsError, match=r"model\.safetensors: no such file"):
        submit(tmp_path, asked, tmp_path / "submission.csv")
    assert list(tmp_path.iterdir()) == []


@dataclass(frozen=True)
class Constant:
    """Predicts the same number for every coordinate."""

    value: float
    keypoints: KeypointSet
    summary: None = None

    @property
    def name(self) -> str:
        return str(self.value)

    @property
    def facts(self) -> ModelFacts:
        return ModelFacts("table of points")

    def held_out_rows(self, data: LabeledFaces) -> HeldOutRows:
        return unknown_training(data)

    def predict(self, data: LabeledFaces, *, flip: bool = False) -> Predictions:
        return Predictions(np.full((len(data), len(self.keypoints), 2), self.value), None)

    def milliseconds(self, data: LabeledFaces) -> None:
        return None


def test_the_points_of_several_models_are_averaged(asked: SubmissionFaces, tmp_path: Path) -> None:
    backwards = KeypointSet(FIFTEEN.names[::-1])
    both = Constant(10, FIFTEEN), Constant(31, backwards)
    assert (submit_with(MeanPredictor(both), asked, tmp_path / "submission.csv") == 20.5).all()
    with pytest.raises(BadRun, match="10 \\+ 31: was trained on data without"):
        submit_with(MeanPredictor((both[0], Constant(31, FIFTEEN.only(FOUR)))), asked, tmp_path / "none.csv")
    assert not (tmp_path / "none.csv").exists()

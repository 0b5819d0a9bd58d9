"""Expected errors: larger where points are further off, calibrated to what is measured, and free for the points."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from facepoints.data.dataset import LabeledFaces
from facepoints.data.split import Split
from facepoints.data.synthetic.faces import synthetic_training
from facepoints.models.model import Model
from facepoints.models.uncertainty import KNEE, calibrated
from facepoints.training.fit import fit
from facepoints.training.recipe import Recipe
from facepoints.training.run_folder import RunFolder
from facepoints.training.uncertainty import _fit_calibration, calibrate, learn_expected_error, non_faces


@pytest.fixture(scope="module")
def data() -> LabeledFaces:
    return synthetic_training(700, seed=3)


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return Recipe(
        name="unsure",
        network="heatmap",
        width=8,
        epochs=8,
        batch_size=16,
        learning_rate=1e-2,
        optimizer="adamw",
        schedule="cosine",
        rotation=10.0,
        expected_error=True,
    )


@pytest.fixture(scope="module")
def rows() -> Split:
    return Split(training=np.arange(300), validation=np.arange(400, 550))


@pytest.fixture(scope="module")
def model(data: LabeledFaces, recipe: Recipe, rows: Split, tmp_path_factory: pytest.TempPathFactory) -> Model:
    folder = tmp_path_factory.mktemp("run")
    fit(recipe, data, folder, rows=rows)
    return RunFolder(folder, recipe).load_best()[0]


def test_images_without_a_face_have_large_expected_errors(model: Model, data: LabeledFaces) -> None:
    unseen = data.take(np.arange(550, 700))
    nothing = non_faces(torch.from_numpy(unseen.faces).unsqueeze(1).float() / 255, torch.Generator().manual_seed(7))
    made = (nothing.squeeze(1) * 255).byte().numpy()
    expected, lost = (model.predict_with_error(f, unseen.source)[1] for f in (unseen.faces, made))
    assert expected is not None
    assert lost is not None
    above = (lost.mean(axis=1)[:, None] > expected.mean(axis=1)).mean()  # the area under the ROC curve
    assert above > 0.85  # of 0.5 for a guess; a small network, trained for seconds


def test_expected_errors_are_what_is_measured_on_unseen_rows(model: Model, data: LabeledFaces) -> None:
    unseen = data.take(np.arange(550, 700))
    points, expected = model.predict_with_error(unseen.faces, unseen.source)
    assert expected is not None
    square = np.square(points - unseen.points).mean(axis=2)[unseen.observed]
    said = np.square(expected[unseen.observed])
    assert 0.6 < square.mean() / said.mean() < 1.6


def test_faces_upside_down_are_unsure(model: Model, data: LabeledFaces) -> None:
    unseen = data.take(np.arange(550, 700))
    upright, turned = (model.predict_with_error(f, unseen.source)[1] for f in (unseen.faces, unseen.faces[:, ::-1]))
    assert upright is not None
    assert turned is not None
    assert turned.mean() > upright.mean()


def test_the_points_stay_as_they_are(
    model: Model, data: LabeledFaces, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("facepoints.training.uncertainty._MIN_STEPS", 5)
    few = data.take(np.arange(40))
    before = model.predict(few.faces, few.source)
    weights = {name: value.clone() for name, value in model.network.state_dict().items()}
    learn_expected_error(model, few, few, recipe)
    np.testing.assert_array_equal(model.predict(few.faces, few.source), before)
    assert all(torch.equal(value, weights[name]) for name, value in model.network.state_dict().items())


@torch.no_grad()
def test_what_was_never_labeled_teaches_nothing(model: Model, data: LabeledFaces) -> None:
    rows = data.take(np.arange(550, 700))
    calibrate(model, rows)
    assert model.expected_error is not None
    expected = model.expected_error.calibration.clone()
    garbage = np.where(rows.observed[..., None], rows.points, np.float32(1e6))
    calibrate(model, replace(rows, points=garbage))
    torch.testing.assert_close(model.expected_error.calibration, expected)


def test_a_calibration_finds_the_stretch_and_ignores_wrong_labels() -> None:
    generator = torch.Generator().manual_seed(0)
    said = torch.rand(4000, generator=generator, dtype=torch.float64) * 2 - 1
    truth = torch.exp(0.5 + 1.5 * said)
    square = (truth.unsqueeze(1) * torch.randn(4000, 2, generator=generator, dtype=torch.float64)).square().mean(1)
    square[:20] = 60.0**2  # half a percent are labels of other faces
    found = _fit_calibration(square, said)
    wanted = torch.tensor([0.5 + 1.5 * KNEE, 1.5, 1.5], dtype=torch.float64)
    torch.testing.assert_close(found, wanted, atol=0.1, rtol=0)


def test_the_calibration_is_increasing() -> None:
    said = torch.linspace(-2, 4, 500, dtype=torch.float64)
    found = _fit_calibration(torch.exp(-said), said)  # labels that say the opposite
    assert (calibrated(said, found).diff() > 0).all()

"""Expected errors: bounded, calibrated for each source, and without influence on the points."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from facepoints.errors import BadChoice
from facepoints.keypoints import FACE_SIZE, FIFTEEN, KeypointSet
from facepoints.models.model import Model
from facepoints.models.networks import Size
from facepoints.models.uncertainty import KNEE, MAX_ERROR, MIN_ERROR

SMALL = Size(width=4, dense_units=16, dropout=0.5)


OFFSET = torch.tensor([[0.5, -0.25], [-2.0, 3.0]]).unsqueeze(1) + torch.linspace(0, 1, 15).view(1, 15, 1)


def a_model(network: str = "heatmap", keypoints: KeypointSet = FIFTEEN, *, expected_error: bool = False) -> Model:
    torch.manual_seed(0)
    model = Model(network, keypoints, SMALL, {"expected_error": expected_error})
    with torch.no_grad():
        for parameter in model.network.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
        model.label_offset.copy_(OFFSET[:, : len(keypoints)])
    return model.eval()


@pytest.fixture(scope="module")
def faces() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (11, FACE_SIZE, FACE_SIZE)).astype(np.uint8)


@pytest.fixture(scope="module")
def source() -> NDArray[np.int64]:
    return np.arange(11) % 2


@pytest.mark.parametrize("flip", [False, True])
def test_expected_errors_come_with_the_points(faces: NDArray[np.uint8], source: NDArray[np.int64], flip: bool) -> None:
    model = a_model(expected_error=True)
    points, error = model.predict_with_error(faces, source, flip=flip)
    assert error is not None
    assert error.shape == (11, 15)
    assert error.dtype == np.float32
    assert error.min() >= MIN_ERROR * 0.999
    assert error.max() <= MAX_ERROR * 1.001
    assert np.ptp(error, axis=0).min() > 0
    np.testing.assert_array_equal(points, model.predict(faces, source, flip=flip))
    without = a_model()
    without.network.load_state_dict(model.network.state_dict())
    np.testing.assert_allclose(points, without.predict(faces, source, flip=flip), atol=1e-4)
    assert without.predict_with_error(faces, source, flip=flip)[1] is None


@torch.no_grad()
def test_a_calibration_stretches_a_source_s_expected_errors(
    faces: NDArray[np.uint8], source: NDArray[np.int64]
) -> None:
    model = a_model(expected_error=True)
    assert model.expected_error is not None
    before = model.predict_with_error(faces, source)[1]
    model.expected_error.calibration[1] = torch.tensor([KNEE + np.log(2), 1.0, 1.0])
    after = model.predict_with_error(faces, source)[1]
    assert before is not None
    assert after is not None
    inside = (before * 2 < MAX_ERROR) & (before > MIN_ERROR)
    np.testing.assert_allclose(after[source == 0], before[source == 0])
    np.testing.assert_allclose((after / before)[(source == 1)[:, None] & inside], 2, rtol=1e-4)


def test_expected_errors_need_maps() -> None:
    with pytest.raises(BadChoice, match="expected_error needs a network with heatmaps"):
        Model("plain", FIFTEEN, SMALL, {"expected_error": True})

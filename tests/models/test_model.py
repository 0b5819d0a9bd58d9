"""A model answers as the source asked for labels, for any number of faces, mirrored ones too."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from facepoints.keypoints import FACE_SIZE, FIFTEEN, FOUR, KeypointSet
from facepoints.models.model import Model
from facepoints.models.networks import NETWORKS, Size

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


def with_flip(model: Model, images: Tensor, source: Tensor) -> Tensor:
    return model.infer(images, source, flip=True)[0]


@pytest.fixture(scope="module")
def faces() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (11, FACE_SIZE, FACE_SIZE)).astype(np.uint8)


@pytest.fixture(scope="module")
def source() -> NDArray[np.int64]:
    return np.arange(11) % 2


@pytest.fixture(scope="module")
def images(faces: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(faces).unsqueeze(1).float() / 255


@pytest.mark.parametrize("flip", [False, True])
def test_no_faces_give_no_points(faces: NDArray[np.uint8], source: NDArray[np.int64], flip: bool) -> None:
    points = a_model().predict(faces[:0], source[:0], flip=flip)
    assert points.shape == (0, 15, 2)
    assert points.dtype == np.float32


@pytest.mark.parametrize("flip", [False, True])
def test_many_faces_are_predicted_in_parts_and_in_order(
    faces: NDArray[np.uint8], source: NDArray[np.int64], flip: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = a_model()
    whole = model.predict(faces, source, flip=flip)
    monkeypatch.setattr("facepoints.models.model.BATCH", 4)
    np.testing.assert_allclose(model.predict(faces, source, flip=flip), whole, atol=1e-3)
    assert np.ptp(whole, axis=0).min() > 0


@torch.no_grad()
def test_predict_is_forward(faces: NDArray[np.uint8], source: NDArray[np.int64], images: Tensor) -> None:
    model, asked = a_model(), torch.from_numpy(source)
    np.testing.assert_allclose(model.predict(faces, source), model(images, asked), atol=1e-4)
    np.testing.assert_allclose(model.predict(faces, source, flip=True), with_flip(model, images, asked), atol=1e-4)


def test_predict_leaves_dropout_out(faces: NDArray[np.uint8], source: NDArray[np.int64]) -> None:
    model = a_model("base-extended").train()
    np.testing.assert_array_equal(model.predict(faces, source), model.predict(faces, source))


def test_read_only_faces_are_welcome(faces: NDArray[np.uint8], source: NDArray[np.int64]) -> None:
    locked = faces.copy()
    locked.flags.writeable = False  # as memory-mapped ones are
    np.testing.assert_array_equal(a_model().predict(locked, source), a_model().predict(faces, source))


@pytest.mark.parametrize("answer", [Model.forward, with_flip])
@torch.no_grad()
def test_what_a_source_adds_is_added(
    images: Tensor, source: NDArray[np.int64], answer: Callable[[Model, Tensor, Tensor], Tensor]
) -> None:
    model, asked = a_model(), torch.from_numpy(source)
    with_offset = answer(model, images, asked)
    model.label_offset.zero_()
    torch.testing.assert_close(with_offset - answer(model, images, asked), OFFSET[asked])


@pytest.mark.parametrize("name", NETWORKS)
@torch.no_grad()
def test_a_mirrored_face_gets_mirrored_points(name: str, images: Tensor, source: NDArray[np.int64]) -> None:
    model, asked = a_model(name), torch.from_numpy(source)
    model.label_offset.zero_()  # it stays in the image's frame, see the test above
    swap = torch.from_numpy(FIFTEEN.mirror)
    mirrored = with_flip(model, images.flip(3), asked)[:, swap]
    back = torch.stack([FACE_SIZE - 1 - mirrored[..., 0], mirrored[..., 1]], dim=-1)
    torch.testing.assert_close(back, with_flip(model, images, asked), atol=1e-3, rtol=0)
    assert not torch.allclose(with_flip(model, images, asked), model(images, asked), atol=0.01)


# rows: A, A, B, B; points: both label the eyes, only A the brow, only B the lip, nobody the nose
NAMES = KeypointSet(
    ("left_eye_center", "right_eye_center", "left_eyebrow_inner_end", "mouth_center_bottom_lip", "nose_tip")
)


POINTS = np.array([[10, 20], [30, 40], [50, 60], [70, 80]], np.float32)[:, None] + np.arange(5)[:, None]


SEEN = np.array([[1, 1, 1, 0, 0], [1, 0, 1, 0, 0], [1, 1, 0, 1, 0], [0, 1, 0, 1, 0]], bool)


WHO = np.array([0, 0, 1, 1])


@pytest.fixture
def taught() -> Model:
    model = a_model(keypoints=NAMES.only(("left_eye_center", "right_eye_center", "mouth_center_bottom_lip")))
    model.fit_mean_shape(np.where(SEEN[..., None], POINTS, np.float32(np.nan)), SEEN, WHO, NAMES)
    return model


def test_the_mean_shape_is_the_source_s_mean_or_the_other_s_or_the_middle(taught: Model) -> None:
    np.testing.assert_allclose(
        taught.mean_shape,
        [
            [[20.0, 30.0], [11.0, 21.0], [22.0, 32.0], [63.0, 73.0], [47.5, 47.5]],
            [[50.0, 60.0], [61.0, 71.0], [22.0, 32.0], [63.0, 73.0], [47.5, 47.5]],
        ],
    )


def test_a_source_s_untrained_channel_is_bridged(
    taught: Model, faces: NDArray[np.uint8], source: NDArray[np.int64]
) -> None:
    lip = taught.keypoints.index("mouth_center_bottom_lip")
    with torch.no_grad():
        taught.label_offset.zero_()
    as_a, as_b = (taught.predict(faces, np.full_like(source, who)) for who in (0, 1))
    np.testing.assert_array_equal(as_a[:, lip], as_b[:, lip])
    assert not np.array_equal(as_a[:, 0], as_b[:, 0])


def test_predict_all_answers_for_every_point(
    taught: Model, faces: NDArray[np.uint8], source: NDArray[np.int64]
) -> None:
    everything = taught.predict_all(faces, source)
    assert everything.shape == (11, 5, 2)
    np.testing.assert_array_equal(everything[:, [0, 1, 3]], taught.predict(faces, source))
    np.testing.assert_array_equal(everything[:, [2, 4]], taught.mean_shape.numpy()[source][:, [2, 4]])
    again = taught.predict_all(faces, source, flip=True)
    np.testing.assert_array_equal(again[:, [0, 1, 3]], taught.predict(faces, source, flip=True))
    assert taught.predict_all(faces[:0], source[:0]).shape == (0, 5, 2)


def test_predict_all_is_predict_where_nothing_is_left_out(faces: NDArray[np.uint8], source: NDArray[np.int64]) -> None:
    model = a_model(keypoints=FIFTEEN.only(FOUR))
    np.testing.assert_array_equal(model.predict_all(faces, source), model.predict(faces, source))

"""The face detector as an ONNX file: equal to the network in 32 bits, close to it in 8 bits."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from face_detector_training.export import export_face_map
from face_detector_training.network import SIDES, STRIDE, FaceMap
from facepoints.inference.face_network import METADATA, FaceNetwork


@pytest.fixture(scope="module")
def model() -> FaceMap:
    torch.manual_seed(0)
    model = FaceMap((4, 8, 16), 2)
    with torch.inference_mode():  # updates the statistics of the batch norms
        for _ in range(20):
            model(torch.rand(4, 1, 64, 64))
    return model.eval()


def pictures(n: int, height: int = 64, width: int = 96) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (height, width), np.uint8) for _ in range(n)]


def maps_of(path: Path, picture: np.ndarray) -> np.ndarray:
    face_detector = FaceNetwork.open(path, 1)
    (maps,) = face_detector._session.run(None, {"picture": picture[None, None]})
    return np.asarray(maps[0])


def expected(model: FaceMap, picture: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        return np.asarray(model(torch.from_numpy(picture)[None, None].float() / 255)[0].numpy())


@pytest.mark.parametrize(("height", "width"), [(64, 96), (8, 8), (160, 24)])
def test_the_file_equals_the_network(model: FaceMap, tmp_path: Path, height: int, width: int) -> None:
    export_face_map(model, tmp_path / "face_detector.onnx", [])
    (picture,) = pictures(1, height, width)
    maps = maps_of(tmp_path / "face_detector.onnx", picture)
    assert maps.shape == (6, height // STRIDE, width // STRIDE)
    np.testing.assert_allclose(maps, expected(model, picture), atol=1e-4)


def test_eight_bits_are_close(model: FaceMap, tmp_path: Path) -> None:
    export_face_map(model, tmp_path / "face_detector.onnx", pictures(8))
    picture = pictures(9)[-1]
    right = expected(model, picture)
    assert np.abs(maps_of(tmp_path / "face_detector.onnx", picture) - right).max() < 0.1 * np.ptp(right)
    kinds = {node.op_type for node in onnx.load(tmp_path / "face_detector.onnx").graph.node}
    assert "DequantizeLinear" in kinds


def test_metadata_has_the_given_keys_and_no_local_paths(model: FaceMap, tmp_path: Path) -> None:
    export_face_map(model, tmp_path / "face_detector.onnx", [], {"scenes": 3})
    metadata = {p.key: p.value for p in onnx.load(tmp_path / "face_detector.onnx").metadata_props}
    assert set(metadata) == {METADATA}
    stored = json.loads(metadata[METADATA])
    assert stored["sides"] == list(SIDES)
    assert stored["scenes"] == 3
    assert str(Path.cwd()).encode() not in (tmp_path / "face_detector.onnx").read_bytes()

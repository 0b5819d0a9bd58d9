"""The bundled face detector: faces of every size and roll, in photos of every size; and its file."""

from __future__ import annotations

import csv
import os
import pickle
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from facepoints import Detector
from facepoints.data.images import Photo
from facepoints.errors import BadRun
from facepoints.inference import face_network
from facepoints.inference.detector import FLAGSHIP
from facepoints.inference.face_network import FACE_DETECTOR, THRESHOLD, FaceNetwork
from facepoints.inference.regions import Regions
from facepoints.keypoints import FIFTEEN

LARGEST_FILE = 2_000_000
"""Bytes that the bundled file may have."""


@pytest.fixture(scope="module")
def face_detector() -> FaceNetwork:
    return FaceNetwork.bundled(threads=1)


def placed(portrait: Any, side: float, roll: float, detector: Detector) -> tuple[NDArray[np.uint8], Regions]:
    """A photo of 640 x 480 with the portrait turned by `roll` degrees, its face in a square of that side; and where."""
    old = detector.regions_of(portrait.points[None])
    scale, angle = side / float(old.side[0]), np.radians(roll) - float(old.roll[0])
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    there = np.column_stack([turn, np.array([330.0, 230.0]) - turn @ old.center[0]])
    shrunk = cv2.GaussianBlur(portrait.pixels, (0, 0), 0.4 / scale) if scale < 0.7 else portrait.pixels
    photo = cv2.warpAffine(shrunk, there, (640, 480), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(photo, np.uint8), Regions(np.array([[330.0, 230.0]]), np.array([side]), np.radians([roll]))


def about(found: Regions, face: Regions) -> NDArray[np.bool_]:
    """Which of the squares lie as the face does: near, about as large, turned alike."""
    away = np.linalg.norm(found.center - face.center, axis=1) / face.side
    turned = np.abs((found.roll - face.roll + np.pi) % (2 * np.pi) - np.pi)
    sized = np.abs(np.log(found.side / face.side))
    return np.asarray((away < 0.25) & (sized < 0.4) & (turned < np.radians(30)), np.bool_)


@pytest.mark.parametrize("side", [44, 70, 130, 240, 420])
@pytest.mark.parametrize("roll", [0, 30, -90, 180, 135])
def test_a_face_of_any_size_is_found_in_any_direction(
    face_detector: FaceNetwork, detector: Detector, anna: Any, side: float, roll: float
) -> None:
    photo, face = placed(anna, side, roll, detector)
    found = face_detector.detect(Photo(photo))
    assert about(found, face).any()


def test_the_likeliest_comes_first_and_each_face_once(
    face_detector: FaceNetwork, detector: Detector, anna: Any
) -> None:
    photo, face = placed(anna, 150, 0, detector)
    found = face_detector.find(photo)
    assert about(found, face).tolist() == [True] + [False] * (len(found) - 1)
    assert found.likelihood_ratio is not None
    assert found.likelihood_ratio[0] > 2
    assert (np.diff(found.likelihood_ratio) <= 0).all()
    assert (found.likelihood_ratio >= THRESHOLD / (1 - THRESHOLD) - 1e-6).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 900), (3, 2), (7, 40), (480, 640)])
@pytest.mark.parametrize("tone", [0, 128, 255])
def test_nothing_is_in_a_flat_photo_however_small(
    face_detector: FaceNetwork, shape: tuple[int, int], tone: int
) -> None:
    assert len(face_detector.find(np.full(shape, tone, np.uint8))) == 0


def test_candidates_in_noise_are_no_faces_to_the_detector(face_detector: FaceNetwork, detector: Detector) -> None:
    rng = np.random.default_rng(0)
    mine = Detector(detector.network, face_detector)
    for cells in (4, 16, 60, 300):
        noise = cv2.resize(rng.integers(0, 256, (cells, cells), np.uint8), (600, 400), interpolation=cv2.INTER_CUBIC)
        assert mine.faces(noise) == ()


def test_tiles_find_what_the_whole_finds(
    face_detector: FaceNetwork, detector: Detector, anna: Any, ben: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = np.full((1100, 1500), 110, np.uint8)
    faces = []
    for portrait, side, (x, y) in ((anna, 60, (0, 0)), (ben, 90, (820, 40)), (anna, 200, (300, 560))):
        part, face = placed(portrait, side, 20, detector)
        photo[y : y + 480, x : x + 640] = part
        faces.append(Regions(face.center + [x, y], face.side, face.roll))
    sizes: list[int] = []
    own = FaceNetwork._tile

    def watched(self: FaceNetwork, gray: NDArray[np.uint8], threshold: float) -> NDArray[np.float64]:
        sizes.append(max(gray.shape))
        return own(self, gray, threshold)

    monkeypatch.setattr(FaceNetwork, "_tile", watched)
    whole = face_detector.find(photo, 0.4)
    assert max(sizes) == 750
    sizes.clear()
    monkeypatch.setattr(face_network, "TILE", 320)  # as if the photo had 100 megapixels
    tiled = face_detector.find(photo, 0.4)
    assert max(sizes) <= 320
    for face in faces:
        assert about(whole, face).sum() == 1
        assert about(tiled, face).sum() == 1


def test_a_very_large_photo_is_looked_at_in_small_parts(
    face_detector: FaceNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels: list[int] = []

    def watched(self: FaceNetwork, gray: NDArray[np.uint8], threshold: float) -> NDArray[np.float64]:
        pixels.append(gray.size)
        return np.zeros((0, 5))

    monkeypatch.setattr(FaceNetwork, "_tile", watched)
    for shape in ((7000, 7100), (30, 400_000)):
        assert len(face_detector.find(np.zeros(shape, np.uint8))) == 0
    assert max(pixels) <= face_network.TILE**2


def test_it_can_be_pickled_and_shared_by_threads(face_detector: FaceNetwork, anna: Any) -> None:
    expected = face_detector.find(anna.pixels).boxes
    copy = pickle.loads(pickle.dumps(face_detector))
    np.testing.assert_array_equal(copy.find(anna.pixels).boxes, expected)
    with ThreadPoolExecutor(3) as pool:
        for found in pool.map(face_detector.find, [anna.pixels] * 6):
            np.testing.assert_array_equal(found.boxes, expected)


# the file


def test_the_bundled_file_is_small() -> None:
    assert len(files("facepoints").joinpath("weights", FACE_DETECTOR).read_bytes()) < LARGEST_FILE


def test_files_of_other_kinds_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadRun, match="cannot be read"):
        FaceNetwork.open(tmp_path / "absent.onnx")
    (tmp_path / "nonsense.onnx").write_bytes(b"nonsense")
    with pytest.raises(BadRun, match="not an ONNX file"):
        FaceNetwork.open(tmp_path / "nonsense.onnx")
    with pytest.raises(BadRun, match="not a face detector"):
        FaceNetwork(files("facepoints").joinpath("weights", FLAGSHIP).read_bytes(), "flagship", 1)


# real photos


@pytest.fixture(scope="module")
def photos() -> Path:
    data = Path(os.environ.get("FACEPOINTS_DATA", Path(__file__).parents[3] / "shared" / "data"))
    if not (data / "photos" / "points.csv").is_file():
        pytest.skip("real photos absent: set FACEPOINTS_DATA")
    return data / "photos"


def test_nearly_all_real_faces_are_found(detector: Detector, photos: Path) -> None:
    found, errors = 0, []
    with (photos / "points.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        points = np.array([float(row[column] or "nan") for column in FIFTEEN.columns]).reshape(-1, 2)
        eyes = np.linalg.norm(points[0] - points[1])
        away = [
            float(np.nanmean(np.linalg.norm(face.points - points, axis=1)) / eyes)
            for face in detector.faces(photos / row["file"])
        ]
        best = min(away, default=np.inf)
        found += best < 0.25
        errors.append(best)
    assert found >= 58 / 60 * len(rows)
    assert np.median(errors) < 0.05

"""The detector: every face once, at any position, size and roll, from threads and processes."""

from __future__ import annotations

import pickle
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import facepoints
from facepoints import Detector, Face, load
from facepoints.data.synthetic.faces import draw_faces
from facepoints.errors import BadChoice, BadRun
from facepoints.inference.regions import Regions
from facepoints.keypoints import FACE_SIZE, FIFTEEN

NEAR = 0.1
"""Mean distance of points from where they should be, in eye distances, within which a face counts as found."""


def away(face: Face, points: NDArray[np.float64]) -> float:
    """Mean distance in eye distances."""
    return float(np.linalg.norm(face.points - points, axis=1).mean() / np.linalg.norm(points[0] - points[1]))


# crops


def test_predictions_do_not_depend_on_the_batch(detector: Detector) -> None:
    crops = draw_faces(70, seed=1)[0]
    together, error = detector.points(crops)
    assert together.shape == (70, 15, 2)
    assert error.shape == (70, 15)
    assert (error > 0).all()
    for part in (slice(0, 1), slice(69, 70), slice(3, 40)):
        np.testing.assert_array_equal(detector.points(crops[part])[0], together[part])


def test_each_face_is_predicted_for_its_source(detector: Detector) -> None:
    crops = draw_faces(4, seed=1)[0]
    a, b = (detector.points(crops, source)[0] for source in (0, 1))
    mixed, _ = detector.points(crops, np.array([0, 1, 1, 0]))
    np.testing.assert_array_equal(mixed, np.stack([a[0], b[1], b[2], a[3]]))
    assert np.abs(a - b).max() > 0.5


@pytest.mark.parametrize(
    ("crops", "source", "metadata"),
    [
        (np.zeros((2, 95, 96), np.uint8), 0, r"expected uint8 \(n, 96, 96\)"),
        (np.zeros((96, 96), np.uint8), 0, r"expected uint8 \(n, 96, 96\)"),
        (np.zeros((2, 96, 96), np.float32), 0, r"expected uint8 \(n, 96, 96\)"),
        (np.zeros((2, 96, 96), np.uint8), 2, "there is no source 2"),
        (np.zeros((2, 96, 96), np.uint8), np.array([0, -1]), "there is no source -1"),
        (np.zeros((2, 96, 96), np.uint8), np.array([0, 1, 0]), "whole number"),
        (np.zeros((2, 96, 96), np.uint8), 0.5, "whole number"),
    ],
)
def test_wrong_crops_and_sources_are_refused(detector: Detector, crops: Any, source: Any, metadata: str) -> None:
    with pytest.raises(BadChoice, match=metadata):
        detector.points(crops, source)


def test_no_crops_give_no_points(detector: Detector) -> None:
    points, error = detector.points(np.zeros((0, FACE_SIZE, FACE_SIZE), np.uint8))
    assert points.shape == (0, 15, 2)
    assert error.shape == (0, 15)


# photos


def test_a_face_is_found_once_with_points_where_they_are(detector: Detector, anna: Any) -> None:
    (face,) = detector.faces(anna.pixels)
    assert away(face, anna.points) < NEAR
    assert 0.8 <= face.score <= 1
    assert face.keypoints == FIFTEEN == detector.keypoints
    x, y, w, h = face.box
    assert ((face.points > [x, y]) & (face.points < [x + w, y + h])).all()


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_rotated_photos(detector: Detector, anna: Any, turns: int) -> None:
    height, width = anna.pixels.shape
    points = anna.points
    for _ in range(turns):  # counterclockwise
        points = np.stack([points[:, 1], width - 1 - points[:, 0]], axis=1)
        width, height = height, width
    (face,) = detector.faces(np.rot90(anna.pixels, turns))
    assert away(face, points) < NEAR


def test_every_face_counts_and_the_largest_comes_first(detector: Detector, anna: Any, ben: Any) -> None:
    small = cv2.resize(ben.pixels, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    both = np.full((500, 900), 128, np.uint8)
    both[40 : 40 + anna.pixels.shape[0], : anna.pixels.shape[1]] = anna.pixels
    both[200 : 200 + small.shape[0], 580 : 580 + small.shape[1]] = small
    first, second = detector.faces(both)
    assert away(first, anna.points + [0, 40]) < NEAR
    assert away(second, (ben.points + 0.5) / 2 - 0.5 + [580, 200]) < NEAR
    assert first.box[2] > second.box[2]


@pytest.mark.parametrize("photo", [np.zeros((300, 400), np.uint8), np.full((1, 1, 3), 255, np.uint8)])
def test_empty_photos_have_no_faces(detector: Detector, photo: NDArray[np.uint8]) -> None:
    assert detector.faces(photo) == ()


def test_a_textured_wall_is_no_face(detector: Detector) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (40, 60), np.uint8)
    assert detector.faces(cv2.resize(noise, (600, 400), interpolation=cv2.INTER_CUBIC)) == ()


def test_path_pillow_image_and_array_give_the_same(detector: Detector, anna: Any, tmp_path: Path) -> None:
    Image.fromarray(anna.pixels).save(tmp_path / "anna.png")
    (first,) = detector.faces(anna.pixels)
    for photo in (tmp_path / "anna.png", str(tmp_path / "anna.png"), Image.open(tmp_path / "anna.png")):
        (face,) = detector.faces(photo)
        np.testing.assert_array_equal(face.points, first.points)


def test_regions_of_points_can_be_refined(detector: Detector, anna: Any) -> None:
    found = detector.refine(anna.pixels, detector.regions_of(anna.points[None]))
    assert np.linalg.norm(found.points[0] - anna.points, axis=1).mean() < 0.1 * found.regions.side[0]
    alone = detector.refine(anna.pixels, Regions.joined([found.regions, found.regions])).take(slice(1, 2))
    np.testing.assert_allclose(alone.points, found.points)
    assert len(detector.refine(anna.pixels, Regions.joined([])).points) == 0


# threads and processes


def test_threads_share_a_detector_and_processes_get_their_own(detector: Detector, anna: Any, ben: Any) -> None:
    expected = [detector.faces(one.pixels)[0].points for one in (anna, ben)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(detector.faces, [anna.pixels, ben.pixels] * 4))
    for i, faces in enumerate(found):
        np.testing.assert_array_equal(faces[0].points, expected[i % 2])
    copy = pickle.loads(pickle.dumps(detector))
    np.testing.assert_array_equal(copy.faces(anna.pixels)[0].points, expected[0])


WITHOUT = """
import sys, numpy as np, facepoints
assert not {"cv2", "onnxruntime"} & set(sys.modules), "import facepoints loads something heavy"
from facepoints.inference.batch.predict import predict_files
detector = facepoints.load(threads=1)
detector.faces(np.zeros((200, 200, 3), np.uint8))
print(sorted({"torch", "matplotlib", "pandas", "lightning", "onnx"} & set(sys.modules)))
"""


def test_nothing_of_training_is_loaded() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ["Absent", "network"])
def test_there_are_no_other_public_names(name: str) -> None:
    assert not hasattr(facepoints, name)
    assert {"Detector", "Face", "load"} <= set(dir(facepoints))


# files


@pytest.mark.parametrize(
    ("content", "metadata"),
    [
        (None, "no such file"),
        (b"", "not an ONNX file"),
        (b"\x08\x07nonsense", "not an ONNX file|not a keypoint network"),
    ],
)
def test_files_of_other_kinds_are_refused(tmp_path: Path, content: bytes | None, metadata: str) -> None:
    path = tmp_path / "model.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadRun, match=metadata) as caught:
        load(path)
    assert "\n" not in str(caught.value)


def test_a_face_model_of_another_kind_is_refused(tmp_path: Path, anna: Any) -> None:
    with pytest.raises(BadRun, match="no such file"):
        load(face_model=tmp_path / "yunet.onnx")
    (tmp_path / "yunet.onnx").write_bytes(b"nonsense")
    with pytest.raises(BadRun, match="not a YuNet file"):
        load(face_model=tmp_path / "yunet.onnx").faces(anna.pixels)


@pytest.mark.parametrize("threads", [0, -1])
def test_a_network_needs_a_thread(threads: int) -> None:
    with pytest.raises(BadChoice, match="at least 1"):
        load(threads=threads)


def test_faces_have_a_short_repr_and_a_table_for_notebooks(detector: Detector, anna: Any) -> None:
    (face,) = detector.faces(anna.pixels)
    assert re.fullmatch(r"Face\(score=\d\.\d\d, box=\([-\d, ]+\), 15 points, expected error \d+\.\d px\)", repr(face))
    assert face._repr_html_().count("<tr>") == 16
    assert repr(detector) == "Detector(flagship.onnx, 15 points)"

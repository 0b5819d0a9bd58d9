"""Scenes for a finder: read with the squares of their faces, halved exactly, split without leaks."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from face_detector_training.scenes import (
    Scene,
    face_squares,
    halved,
    mean_shape_of,
    read_scenes,
    read_unlabeled,
    validation_scenes,
    write_unlabeled,
)
from facepoints.data.synthetic.faces import draw_faces, synthetic_training
from facepoints.errors import BadFile
from facepoints.keypoints import FIFTEEN


def folder_of(path: Path, names: list[str]) -> tuple[Path, np.ndarray]:
    """A folder with a drawn face in each photo, three times enlarged, and the typical points."""
    faces, points = draw_faces(len(names), seed=4)
    lines = [",".join(["file", *FIFTEEN.columns])]
    for name, face, true in zip(names, faces, points, strict=True):
        cv2.imwrite(str(path / name), cv2.resize(face, (288, 288)))
        lines.append(",".join([name, *(f"{value:.2f}" for value in (3 * (true + 0.5) - 0.5).ravel())]))
    (path / "points.csv").write_text("\n".join(lines))
    return path, np.median(points, axis=0)


def test_a_scene_has_its_faces_where_they_are(tmp_path: Path) -> None:
    folder, mean_shape = folder_of(tmp_path, ["b_1.png", "a_1.png"])
    first, second = read_scenes(folder, mean_shape)
    assert (first.name, second.name) == ("a_1.png", "b_1.png")
    for scene in (first, second):
        ((x, y, side, roll),) = scene.faces
        assert abs(x - 143) < 40
        assert abs(y - 143) < 40
        assert 200 < side < 400
        assert abs(roll) < 0.5


def test_questions_come_back_as_faces_doubts_and_false_positives(tmp_path: Path) -> None:
    folder, mean_shape = folder_of(tmp_path, ["a_1.png"])
    asked = {"a_1.png": np.array([[10.0, 20, 30, 0.5, 0.9], [1, 2, 40, -0.5, 0.001], [60, 70, 50, 0.1, 0.99]])}
    write_unlabeled(tmp_path / "questions.csv", asked)
    (scene,) = read_scenes(folder, mean_shape, read_unlabeled(tmp_path / "questions.csv"))
    assert len(scene.faces) == 2
    np.testing.assert_allclose(scene.faces[1], [60, 70, 50, 0.1])
    np.testing.assert_allclose(scene.doubts, [[10, 20, 30, 0.5]])
    np.testing.assert_allclose(scene.false_positives, [[1, 2, 40, -0.5]])


def test_a_photo_that_is_none_is_named(tmp_path: Path) -> None:
    folder, mean_shape = folder_of(tmp_path, ["a_1.png"])
    (folder / "a_1.png").write_bytes(b"nonsense")
    with pytest.raises(BadFile, match=r"a_1\.png: no photo"):
        read_scenes(folder, mean_shape)


def test_halves_are_means_of_two_by_two() -> None:
    gray = np.random.default_rng(0).integers(0, 256, (131, 90), np.uint8)
    levels = halved(gray)
    assert [level.shape for level in levels] == [(131, 90), (65, 45), (32, 22)]
    mean = gray[:130].reshape(65, 2, 45, 2).mean(axis=(1, 3))
    assert np.abs(levels[1] - mean).max() <= 0.5


def test_photos_of_one_name_or_of_one_look_stay_together() -> None:
    rng = np.random.default_rng(1)
    pictures = rng.integers(0, 256, (60, 8, 8), np.uint8).repeat(12, axis=1).repeat(12, axis=2)
    pictures[31] = pictures[30]  # the same picture by another name
    scenes = [Scene(f"{i if i != 51 else 50}_{i}.png", (p,), np.zeros((0, 4))) for i, p in enumerate(pictures)]
    for seed in range(20):
        aside = validation_scenes(scenes, 0.5, seed)
        assert 20 <= aside.sum() <= 40
        assert aside[30] == aside[31]
        assert aside[50] == aside[51]


def test_the_squares_of_crops_are_nearly_the_crops() -> None:
    faces = synthetic_training(40)
    squares = face_squares(faces, mean_shape_of(faces))
    assert squares.shape == (40, 4)
    assert abs(np.median(squares[:, 2]) - 96) < 4
    assert np.abs(np.median(squares[:, :2], axis=0) - 47.5).max() < 3

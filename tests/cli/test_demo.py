"""The demo's last part: the bundled detector on a photo and on a synthetic crowd, and its messages."""

from __future__ import annotations

import csv
import io
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from rich.console import Console

from facepoints import Detector, load
from facepoints.cli.demo import in_crowd, predict_on_photos
from facepoints.data.synthetic.crowd import Crowd, draw_crowd


@pytest.fixture(scope="module")
def crowd() -> Crowd:
    return draw_crowd()


@pytest.fixture(scope="module")
def detector() -> Detector:
    return load(threads=1)


def output_of(out: Path) -> tuple[dict[str, str], str]:
    printed = io.StringIO()
    return predict_on_photos(out, Console(file=printed, width=100)), printed.getvalue()


def test_an_astronaut_and_a_crowd_get_their_points(tmp_path: Path) -> None:
    pytest.importorskip("skimage", reason="the demo's photo comes with the extra demo")
    pictures, said = output_of(tmp_path)
    assert list(pictures) == ["astronaut.png", "crowd.png"]
    rows = list(csv.DictReader((tmp_path / "points" / "points.csv").read_text().splitlines()))
    (astronaut,) = [row for row in rows if row["file"].endswith("astronaut.png")]
    nose = float(astronaut["nose_tip_x"]), float(astronaut["nose_tip_y"])
    assert np.hypot(nose[0] - 226, nose[1] - 127) < 8
    assert "  astronaut.png  1 face\n" in said
    assert f"  crowd.png      {len(rows) - 1} of 12 synthetic faces, " in said
    for name in pictures:
        marked, plain = (
            np.asarray(cv2.imread(str(tmp_path / folder / name)), np.uint8) for folder in ("points", "photos")
        )
        assert marked.shape == plain.shape
        assert (marked != plain).any()


def test_without_scikit_image_there_is_only_the_crowd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "skimage", None)
    monkeypatch.setitem(sys.modules, "skimage.data", None)
    pictures, said = output_of(tmp_path)
    assert list(pictures) == ["crowd.png"]
    (line,) = [line for line in said.splitlines() if "pip install" in line]
    assert "facepoints[demo]" in line
    assert not list(tmp_path.rglob("astronaut*"))


def test_most_of_the_crowd_is_found(crowd: Crowd, detector: Detector) -> None:
    rgb = np.ascontiguousarray(crowd.pixels[:, :, ::-1])
    found = np.stack([face.points for face in detector.faces(rgb)])
    detected, _, total = in_crowd(crowd.points, found).split()[:3]
    assert int(total) == len(crowd.points)
    assert int(detected) > len(crowd.points) / 2


def test_detections_are_counted(crowd: Crowd) -> None:
    true = crowd.points[:4]
    eyes = np.linalg.norm(true[:, 0] - true[:, 1], axis=1)[:, None, None]
    off = true + np.array([0.1, 0]) * eyes
    assert in_crowd(true, off[:3]) == "3 of 4 synthetic faces, mean error 10 % of the eye distance"
    assert in_crowd(true, off[:0]) == "0 of 4 synthetic faces"
    assert in_crowd(true, true[[0, 0]] + [1000, 0]) == "0 of 4 synthetic faces; 2 false detections"
    assert in_crowd(true, np.concatenate([off[:1], true[1:2] + [1000, 0]])).startswith("1 of 4 synthetic faces, ")

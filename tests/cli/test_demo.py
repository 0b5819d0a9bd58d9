"""The demo's last part: the detector that ships, on a photo and on a drawn crowd, and what it says of them."""

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


def said_of(out: Path) -> tuple[dict[str, str], str]:
    heard = io.StringIO()
    return predict_on_photos(out, Console(file=heard, width=100)), heard.getvalue()


def test_an_astronaut_and_a_crowd_get_their_points(tmp_path: Path) -> None:
    pytest.importorskip("skimage", reason="the demo's photo comes with the extra demo")
    pictures, said = said_of(tmp_path)
    assert list(pictures) == ["astronaut.png", "crowd.png"]
    rows = list(csv.DictReader((tmp_path / "points" / "points.csv").read_text().splitlines()))
    (astronaut,) = [row for row in rows if row["file"].endswith("astronaut.png")]
    nose = float(astronaut["nose_tip_x"]), float(astronaut["nose_tip_y"])
    assert np.hypot(nose[0] - 226, nose[1] - 127) < 8  # where a person sees it
    assert "  astronaut.png  1 face\n" in said
    assert f"  crowd.png      {len(rows) - 1} of 12 drawn faces, " in said
    for name in pictures:
        marked, plain = (cv2.imread(str(tmp_path / folder / name)) for folder in ("points", "photos"))
        assert marked.shape == plain.shape
        assert (marked != plain).any()


def test_without_the_photo_there_is_the_crowd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "skimage", None)
    monkeypatch.setitem(sys.modules, "skimage.data", None)
    pictures, said = said_of(tmp_path)
    assert list(pictures) == ["crowd.png"]
    (line,) = [line for line in said.splitlines() if "pip install" in line]
    assert "facepoints[demo]" in line
    assert not list(tmp_path.rglob("astronaut*"))


def test_most_of_the_crowd_is_found(crowd: Crowd, detector: Detector) -> None:
    rgb = np.ascontiguousarray(crowd.pixels[:, :, ::-1])
    found = np.stack([face.points for face in detector.faces(rgb)])
    met, _, drawn = in_crowd(crowd.points, found).split()[:3]
    assert int(drawn) == len(crowd.points)
    assert int(met) > len(crowd.points) / 2


def test_what_is_found_is_counted_as_it_is(crowd: Crowd) -> None:
    drawn = crowd.points[:4]
    eyes = np.linalg.norm(drawn[:, 0] - drawn[:, 1], axis=1)[:, None, None]
    off = drawn + np.array([0.1, 0]) * eyes
    assert in_crowd(drawn, off[:3]) == "3 of 4 drawn faces, their points off by 10 % of the eye distance on average"
    assert in_crowd(drawn, off[:0]) == "0 of 4 drawn faces"
    assert in_crowd(drawn, drawn[[0, 0]] + [1000, 0]) == "0 of 4 drawn faces; 2 where nobody is"
    assert in_crowd(drawn, np.concatenate([off[:1], drawn[1:2] + [1000, 0]])).startswith("1 of 4 drawn faces, ")

"""predict with photos and crops: points.csv, points.json and pictures agree; a bad file costs one line."""

from __future__ import annotations

import csv
import json
import zipfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from facepoints import Detector
from facepoints.cli.main import app
from facepoints.data.kaggle.writer import write_submission_faces
from facepoints.data.synthetic.faces import draw_faces, synthetic_submission
from facepoints.inference.batch.predict import Summary, predict_files


@pytest.fixture
def album(tmp_path: Path, anna: Any, ben: Any) -> Path:
    """A folder with two portraits, one of them deeper down, a note, a hidden file and a broken photo."""
    folder = tmp_path / "album"
    (folder / "trip").mkdir(parents=True)
    cv2.imwrite(str(folder / "b.png"), anna.pixels)
    cv2.imwrite(str(folder / "trip" / "a.jpg"), ben.pixels)
    (folder / "note.txt").write_text("buy milk")
    (folder / "._b.png").write_bytes(b"what a Mac leaves")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 and no more")
    return folder


def run(given: list[Path], out: Path, detector: Detector, **options: Any) -> tuple[Summary, list[str]]:
    """The summary and all errors."""
    errors: list[str] = []
    return predict_files([str(path) for path in given], out, detector, on_error=errors.append, **options), errors


def test_table_json_and_pictures_agree(album: Path, detector: Detector, tmp_path: Path) -> None:
    out = tmp_path / "out"
    summary, errors = run([album], out, detector)
    assert (summary.photos, summary.faces, summary.failed, summary.without_faces) == (2, 2, 1, 0)
    (line,) = errors
    assert "broken.jpg: " in line
    rows = list(csv.DictReader((out / "points.csv").read_text().splitlines()))
    tree = json.loads((out / "points.json").read_text())
    assert [row["file"] for row in rows] == [entry["file"] for entry in tree]
    assert [Path(row["file"]).name for row in rows] == ["b.png", "a.jpg"]
    for row, entry in zip(rows, tree, strict=True):
        (face,) = entry["faces"]
        assert [float(row[f"box_{part}"]) for part in "xywh"] == face["box"]
        for name in detector.keypoints.names:
            assert [float(row[f"{name}_x"]), float(row[f"{name}_y"])] == face["points"][name]
            assert float(row[f"{name}_error"]) == face["expected_error"][name]
    for picture in ("album/b.png", "album/trip/a.jpg"):
        marked, plain = (cv2.imread(str(folder / picture)) for folder in (out, album.parent))
        assert marked is not None
        assert plain is not None
        assert marked.shape[:2] == plain.shape[:2]
    assert {path.name for path in out.rglob("*") if path.is_file()} == {"points.csv", "points.json", "b.png", "a.jpg"}


def test_results_do_not_depend_on_the_order(album: Path, detector: Detector, tmp_path: Path) -> None:
    files = [album / "trip" / "a.jpg", album / "b.png"]
    for name, given in (("one", files), ("other", files[::-1]), ("twice", [*files, album / "b.png"])):
        run(given, tmp_path / name, detector)
    expected = (tmp_path / "one" / "points.csv").read_bytes()
    assert (tmp_path / "other" / "points.csv").read_bytes() == expected
    assert (tmp_path / "twice" / "points.csv").read_bytes() == expected


def test_crops_are_predicted_without_detection(detector: Detector, tmp_path: Path) -> None:
    faces = draw_faces(3, seed=2)[0]
    for i, face in enumerate(faces):
        cv2.imwrite(str(tmp_path / f"{i}.png"), face)
    summary, errors = run([tmp_path], tmp_path / "out", detector, crops=True, names=True)
    assert (summary.faces, errors) == (3, [])
    expected, _ = detector.points(faces)
    for entry, points in zip(json.loads((tmp_path / "out" / "points.json").read_text()), expected, strict=True):
        (face,) = entry["faces"]
        assert face["box"] == [0, 0, 96, 96]
        np.testing.assert_allclose(list(face["points"].values()), points, atol=0.006)


@pytest.mark.parametrize("what", ["test.csv", "test.zip", ""])
def test_the_competitions_faces_are_crops(detector: Detector, tmp_path: Path, what: str) -> None:
    asked = synthetic_submission(5)[0]
    write_submission_faces(asked, tmp_path)
    if what == "test.csv":
        with zipfile.ZipFile(tmp_path / "test.zip") as packed:
            packed.extractall(tmp_path)
    summary, _ = run([tmp_path / what], tmp_path / "out", detector, crops=True)
    rows = list(csv.DictReader((tmp_path / "out" / "points.csv").read_text().splitlines()))
    assert [int(row["frame"]) for row in rows] == [1, 2, 3, 4, 5]
    expected, _ = detector.points(asked.faces)
    assert [float(row["nose_tip_x"]) for row in rows] == pytest.approx(expected[:, 10, 0].tolist(), abs=0.006)
    assert len(list((tmp_path / "out").rglob("*.png"))) == summary.photos == 1


def test_the_command_ends_with_1_where_a_file_failed(album: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["predict", str(album), "--out", str(tmp_path / "out")])
    assert done.exit_code == 1, done.output
    assert "broken.jpg" in done.output
    assert (tmp_path / "out" / "points.csv").exists()
    done = CliRunner().invoke(app, ["predict", str(album / "b.png"), "--out", str(tmp_path / "good")])
    assert done.exit_code == 0, done.output

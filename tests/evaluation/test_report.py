"""A report leaves complete, readable files that agree with the scores it returns, and tables that fit."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from rich.console import Console

from facepoints.data.faces import LabeledFaces
from facepoints.errors import FacepointsError
from facepoints.evaluation.report import headline, print_scores, write_report
from facepoints.keypoints import FIFTEEN, FOUR
from facepoints.scoring import Scores

N = 40


@pytest.fixture(scope="module")
def data() -> LabeledFaces:
    rng = np.random.default_rng(0)
    source = np.arange(N) % 2
    observed = rng.random((N, 15)) < 0.9
    observed[source == 1] &= np.isin(FIFTEEN.names, FOUR)
    observed[:, 0] = True
    observed[5] = False
    points = rng.uniform(20, 76, (N, 15, 2)).astype(np.float32)
    points[~observed] = 0
    faces = rng.integers(0, 256, (N, 96, 96)).astype(np.uint8)
    return LabeledFaces(faces, points, observed, source, FIFTEEN, np.arange(N) + 1000)


@pytest.fixture(scope="module")
def predicted(data: LabeledFaces) -> Any:
    errors = np.random.default_rng(1).normal(0, 1, data.points.shape)
    errors[17] *= 20
    return data.points + errors


@pytest.fixture(scope="module")
def report(data: LabeledFaces, predicted: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Scores]:
    out = tmp_path_factory.mktemp("runs") / "deep" / "report"
    return out, write_report(out, data, predicted, title="a run", extra={"recipe": "cnn", "epochs": 3})


def lines(file: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(file.read_text(encoding="utf-8"))))


def test_exactly_the_promised_files_are_left(report: tuple[Path, Scores]) -> None:
    names = sorted(file.name for file in report[0].iterdir())
    assert names == ["per_face.csv", "per_point.csv", "random.png", "scores.json", "worst.png"]


def test_the_json_holds_the_scores_and_what_was_added(report: tuple[Path, Scores]) -> None:
    out, scores = report
    found = json.loads((out / "scores.json").read_text(encoding="utf-8"))
    assert found == {**scores.as_dict(), "title": "a run", "recipe": "cnn", "epochs": 3}


def test_the_point_file_pools_to_the_overall_score(report: tuple[Path, Scores]) -> None:
    out, scores = report
    table = lines(out / "per_point.csv")
    assert [line["keypoint"] for line in table] == list(FIFTEEN.names)
    count = np.array([int(line["count"]) for line in table])
    rmse = np.array([float(line["rmse"]) for line in table])
    assert 2 * count.sum() == scores.overall.values
    assert np.sqrt((count * rmse**2).sum() / count.sum()) == pytest.approx(scores.rmse, rel=1e-4)
    four = [line["rmse_B"] != "" for line in table]
    assert four == np.isin(FIFTEEN.names, FOUR).tolist()


def test_the_face_file_pools_to_the_overall_score(report: tuple[Path, Scores], data: LabeledFaces) -> None:
    out, scores = report
    table = lines(out / "per_face.csv")
    assert [int(line["row"]) for line in table] == data.row.tolist()
    assert [line["source"] for line in table] == ["A", "B"] * (N // 2)
    assert (table[5]["observed"], table[5]["rmse"], table[5]["nme"]) == ("0", "", "")
    labeled = [line for line in table if line["rmse"]]
    count = np.array([int(line["observed"]) for line in labeled])
    rmse = np.array([float(line["rmse"]) for line in labeled])
    assert np.sqrt((count * rmse**2).sum() / count.sum()) == pytest.approx(scores.rmse, rel=1e-4)
    largest = np.array([float(line["max_error"]) for line in labeled])
    assert (largest >= rmse * 0.999).all()
    assert max(table, key=lambda line: float(line["rmse"] or 0))["row"] == "1017"


@pytest.mark.parametrize("name", ["worst.png", "random.png"])
def test_pictures_show_sixteen_faces(report: tuple[Path, Scores], name: str) -> None:
    picture = cv2.imread(str(report[0] / name))
    assert picture is not None
    height, width = picture.shape[:2]
    assert 4 * 288 < width < 4 * 320
    assert 4 * 288 < height < 4 * 345


def test_the_same_seed_gives_the_same_files(
    report: tuple[Path, Scores], data: LabeledFaces, predicted: Any, tmp_path: Path
) -> None:
    write_report(tmp_path, data, predicted, title="a run", extra={"recipe": "cnn", "epochs": 3})
    for file in report[0].iterdir():
        assert (tmp_path / file.name).read_bytes() == file.read_bytes()


def test_few_faces_make_a_smaller_picture(data: LabeledFaces, predicted: Any, tmp_path: Path) -> None:
    write_report(tmp_path, data.take(np.array([0, 5, 8])), predicted[[0, 5, 8]], title="few")
    picture = cv2.imread(str(tmp_path / "worst.png"))
    assert picture is not None
    assert 2 * 288 < picture.shape[1] < 3 * 288  # row 5 has no labels, so it is no candidate


def refused(message: str, out: Path, data: LabeledFaces, predicted: Any, **more: Any) -> None:
    with pytest.raises(FacepointsError, match=message):
        write_report(out, data, predicted, title="a run", **more)
    assert not (out / "scores.json").exists()


def test_what_cannot_be_scored_leaves_no_file(data: LabeledFaces, predicted: Any, tmp_path: Path) -> None:
    refused("predicted has shape", tmp_path, data, predicted[:-1])
    refused("already has rmse", tmp_path, data, predicted, extra={"rmse": 0})
    refused("none of the 1 faces", tmp_path, data.take(np.array([5])), predicted[[5]])
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_named(data: LabeledFaces, predicted: Any, tmp_path: Path) -> None:
    (tmp_path / "report").write_text("a file is in the way")
    refused("report.*cannot be written", tmp_path / "report", data, predicted)


@pytest.mark.parametrize("width", [80, 120])
def test_tables_fit_the_terminal_and_cut_nothing(report: tuple[Path, Scores], width: int) -> None:
    scores = report[1]
    text = io.StringIO()
    print_scores(scores, Console(file=text, width=width))
    printed = text.getvalue()
    assert max(map(len, printed.splitlines())) <= width
    assert "…" not in printed
    assert f"{scores.rmse:.2f}" in printed
    assert all(name in printed for name in FIFTEEN.names)


def test_the_headline_says_it_in_words(report: tuple[Path, Scores]) -> None:
    part = report[1].overall
    assert part.eye_distance is not None
    assert f"within {part.median_distance:.1f} px" in headline(part)
    assert f"eyes are {part.eye_distance:.0f} px apart" in headline(part)


def test_reporting_needs_no_torch() -> None:
    code = "import sys, facepoints.evaluation.report; sys.exit(bool({'torch', 'matplotlib'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

"""A report leaves complete, readable files that agree with the scores, and tables that fit."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from rich.console import Console

from facepoints.data.dataset import LabeledFaces
from facepoints.errors import FacepointsError
from facepoints.evaluation.predictor import Predictions
from facepoints.evaluation.result import Evaluation, Origin, evaluate_predictions
from facepoints.keypoints import FIFTEEN, FOUR
from facepoints.reports.evaluation.files import write_report
from facepoints.reports.evaluation.tables import headline, print_scores
from fixtures.strict_html import check

WRONG = 17
"""A face that a model misses altogether."""


@pytest.fixture(scope="module")
def evaluation(data: LabeledFaces, known: Callable[..., Any]) -> Evaluation:
    predictions = known("a run", 1.0, says=True).predict(data)
    predictions.points[WRONG] += 20
    predictions.points[12, 1] += 15
    return evaluate_predictions(data, predictions, Origin("a run"))


@pytest.fixture(scope="module")
def out(evaluation: Evaluation, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "deep" / "report"
    write_report(out, evaluation)
    return out


def test_the_page_is_valid_and_complete(out: Path) -> None:
    check((out / "evaluate.html").read_text("utf-8"))


def lines(file: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(file.read_text(encoding="utf-8"))))


def test_exactly_the_promised_files_are_left(out: Path) -> None:
    names = {file.name for file in out.iterdir()}
    pictures = {
        f"{name}.png" for name in ("random", "median", "worst", "label_issues", "ellipses_A", "ellipses_B", "plots")
    }
    assert names == {"evaluate.html", "per_face.csv", "per_point.csv", "scores.json", *pictures}


def test_the_json_holds_the_scores_and_what_was_added(out: Path, evaluation: Evaluation) -> None:
    found = json.loads((out / "scores.json").read_text(encoding="utf-8"))
    assert found.items() >= {**evaluation.scores.as_dict(), "title": "a run", "model": "a run", "rows": "all"}.items()
    assert [len(found["calibration"]["deciles"]), found["calibration"]["tolerance"]] == [10, 0.15]
    assert {one["column"] for one in found["error_breakdown"]} >= {"yaw", "pitch", "roll", "eye_distance", "sharpness"}


def test_the_point_file_pools_to_the_overall_score(out: Path, evaluation: Evaluation) -> None:
    table = lines(out / "per_point.csv")
    assert [line["keypoint"] for line in table] == list(FIFTEEN.names)
    count = np.array([int(line["count"]) for line in table])
    rmse, *parts = (
        np.array([float(line[name]) for line in table]) for name in ("rmse", "bias_x", "spread_x", "bias_y", "spread_y")
    )
    assert 2 * count.sum() == evaluation.scores.overall.values
    assert np.sqrt((count * rmse**2).sum() / count.sum()) == pytest.approx(evaluation.scores.rmse, rel=1e-4)
    assert 2 * rmse**2 == pytest.approx(sum(part**2 for part in parts), rel=1e-3)
    four = [line["rmse_B"] != "" for line in table]
    assert four == np.isin(FIFTEEN.names, FOUR).tolist()


def test_the_face_file_pools_to_the_overall_score(out: Path, evaluation: Evaluation) -> None:
    table, data = lines(out / "per_face.csv"), evaluation.data
    assert [int(line["row"]) for line in table] == data.row.tolist()
    assert [line["source"] for line in table] == ["A", "B"] * (len(data) // 2)
    assert (table[5]["observed"], table[5]["rmse"], table[5]["nme"], table[5]["expected_error"]) == ("0", "", "", "")
    labeled = [line for line in table if line["rmse"]]
    count = np.array([int(line["observed"]) for line in labeled])
    rmse = np.array([float(line["rmse"]) for line in labeled])
    assert np.sqrt((count * rmse**2).sum() / count.sum()) == pytest.approx(evaluation.scores.rmse, rel=1e-4)
    largest = np.array([float(line["max_error"]) for line in labeled])
    assert (largest >= rmse * 0.999).all()
    assert max(table, key=lambda line: float(line["rmse"] or 0))["row"] == str(1000 + WRONG)


def test_the_face_file_says_what_the_face_is_like(out: Path, evaluation: Evaluation) -> None:
    table, data = lines(out / "per_face.csv"), evaluation.data
    for i, line in enumerate(table):
        assert len(line["missing"].split()) == 15 - int(line["observed"])
        assert float(line["brightness"]) == pytest.approx(data.faces[i].mean(), rel=1e-3)
        assert float(line["contrast"]) > 0
        eyes = np.hypot(*(data.points[i, 0] - data.points[i, 1]).astype(float))
        assert line["eye_distance"] == "" or float(line["eye_distance"]) == pytest.approx(eyes, rel=1e-3)
        assert line["expected_error"] in ("1", "")


def test_labels_that_a_sure_model_contradicts_are_listed(evaluation: Evaluation) -> None:
    first = [(issue.row, issue.keypoint) for issue in evaluation.label_issues[:2]]
    assert {row for row, _ in first} == {1012, 1000 + WRONG}
    assert (1012, FIFTEEN.names[1]) in first
    silent = evaluate_predictions(evaluation.data, Predictions(evaluation.predictions.points, None), Origin("silent"))
    assert silent.calibration is None
    assert (silent.label_issues[0].row, silent.label_issues[0].keypoint) == (1012, FIFTEEN.names[1])


@pytest.mark.parametrize(("name", "columns", "rows"), [("random.png", 4, 4), ("worst.png", 8, 4)])
def test_pictures_show_so_many_faces(out: Path, name: str, columns: int, rows: int) -> None:
    picture = cv2.imread(str(out / name))
    assert picture is not None
    height, width = picture.shape[:2]
    assert columns * 288 < width < columns * 320
    assert rows * 288 < height < rows * 345


def test_the_same_seed_gives_the_same_files(out: Path, evaluation: Evaluation, tmp_path: Path) -> None:
    again = evaluate_predictions(evaluation.data, evaluation.predictions, Origin("a run"))
    write_report(tmp_path, again)
    for file in out.iterdir():
        assert (tmp_path / file.name).read_bytes() == file.read_bytes(), file.name


def test_few_faces_and_points_without_eyes_have_a_report_too(evaluation: Evaluation, tmp_path: Path) -> None:
    rows, names = np.array([0, 5, 8]), ("nose_tip", "mouth_center_top_lip")
    some = evaluation.data.take(rows).only(names)
    columns = [FIFTEEN.index(name) for name in names]
    few = evaluate_predictions(some, Predictions(evaluation.predictions.points[rows][:, columns], None), Origin("few"))
    write_report(tmp_path, few)
    picture = cv2.imread(str(tmp_path / "worst.png"))
    assert picture is not None
    assert 2 * 288 < picture.shape[1] < 3 * 288  # row 5 has no labels, so it is no candidate
    assert "Too few faces were scored" in (tmp_path / "evaluate.html").read_text()


def test_what_cannot_be_scored_is_an_error(evaluation: Evaluation) -> None:
    data, points = evaluation.data, evaluation.predictions.points
    with pytest.raises(FacepointsError, match="predicted has shape"):
        evaluate_predictions(data, Predictions(points[:-1], None), Origin("short"))
    with pytest.raises(FacepointsError, match="none of the 1 faces"):
        evaluate_predictions(data.take(np.array([5])), Predictions(points[[5]], None), Origin("empty"))


def test_a_folder_that_cannot_be_written_is_named(evaluation: Evaluation, tmp_path: Path) -> None:
    (tmp_path / "report").write_text("a file is in the way")
    with pytest.raises(FacepointsError, match=r"report.*cannot be written"):
        write_report(tmp_path / "report", evaluation)


@pytest.mark.parametrize("width", [80, 120])
def test_tables_fit_the_terminal_and_cut_nothing(evaluation: Evaluation, width: int) -> None:
    text = io.StringIO()
    print_scores(evaluation.scores, Console(file=text, width=width))
    printed = text.getvalue()
    assert max(map(len, printed.splitlines())) <= width
    assert "…" not in printed
    assert f"{evaluation.scores.rmse:.2f}" in printed
    assert all(name in printed for name in FIFTEEN.names)


def test_the_headline_says_it_in_words(evaluation: Evaluation) -> None:
    part = evaluation.scores.overall
    assert part.eye_distance is not None
    assert f"within {part.median_distance:.1f} px" in headline(part)
    assert f"eyes are {part.eye_distance:.0f} px apart" in headline(part)


@pytest.mark.parametrize("module", ["evaluation.evaluate", "evaluation.compare", "evaluation.predictor"])
def test_evaluation_imports_neither_torch_nor_matplotlib(module: str) -> None:
    code = f"import sys, facepoints.{module}; sys.exit(bool({{'torch', 'matplotlib'}} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

"""Somebody else's table is read as it stands, and whatever is wrong with one is said with its line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facepoints.data.dataset import LabeledFaces
from facepoints.errors import BadFile, FacepointsError
from facepoints.evaluation.points_file import read_points_file
from facepoints.evaluation.predictor import predictions_on


def written(path: Path, data: LabeledFaces, *, rows: bool = True, errors: bool = False) -> Path:
    """A table of the labels plus one pixel, its columns backwards."""
    names = data.keypoints.names
    columns = [*data.keypoints.columns, *(f"{name}_error" for name in names if errors)][::-1]
    lines = [",".join([*(["row"] if rows else []), *columns])]
    for row, points in zip(data.row.tolist(), data.points + 1, strict=True):
        values = [*points.ravel().tolist(), *(0.5 for _ in names if errors)][::-1]
        lines.append(",".join([*([str(row)] if rows else []), *map(str, values)]))
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize("errors", [False, True])
def test_a_table_answers_the_rows_it_names(data: LabeledFaces, tmp_path: Path, errors: bool) -> None:
    shuffled = data.take(np.random.default_rng(0).permutation(len(data)))
    read = read_points_file(written(tmp_path / "t.csv", shuffled, errors=errors), data)
    some = data.take(np.array([7, 3, 50]))
    answers = predictions_on(some, read)
    np.testing.assert_allclose(answers.points, some.points + 1, rtol=1e-6)
    assert (answers.expected_error is not None) == errors
    if answers.expected_error is not None:
        assert (answers.expected_error == 0.5).all()


def test_without_row_numbers_line_after_line_is_row_after_row(few_faces: LabeledFaces, tmp_path: Path) -> None:
    read = read_points_file(written(tmp_path / "t.csv", few_faces, rows=False), few_faces)
    np.testing.assert_allclose(predictions_on(few_faces, read).points, few_faces.points + 1, rtol=1e-6)


def test_absent_faces_and_silence_on_labeled_points_are_refused(data: LabeledFaces, tmp_path: Path) -> None:
    read = read_points_file(written(tmp_path / "t.csv", data.take(np.arange(10))), data)
    with pytest.raises(BadFile, match=r"t\.csv: no points for 110 of the 120 rows to score \(row 1010, 1011, 1012"):
        read.predict(data)
    table = (tmp_path / "t.csv").read_text().splitlines()
    fields = table[3].split(",")
    fields[-1] = ""  # left_eye_center_x, which all rows have labeled
    (tmp_path / "t.csv").write_text("\n".join([*table[:3], ",".join(fields), *table[4:]]))
    silent = read_points_file(tmp_path / "t.csv", data)
    with pytest.raises(BadFile, match=r"t\.csv line 4: no prediction for left_eye_center, labeled in row 1,002"):
        silent.predict(data.take(np.arange(10)))


HEAD = "row,nose_tip_x,nose_tip_y\n"
BAD = {
    "an absent file": (None, "cannot be read"),
    "nothing": ("", "line 1: no column names"),
    "only names": (HEAD, "line 2: no points, only column names"),
    "no points": ("row\n1000\n", "no coordinate columns"),
    "another set": ("row,chin_x,chin_y\n1000,1,2\n", "column 'chin_x' is not a keypoint of the data"),
    "a slip": ("row,nose_tip_x,nose_tipy\n1000,1,2\n", "column 'nose_tipy'.*did you mean 'nose_tip_y'"),
    "x alone": ("row,nose_tip_x\n1000,1\n", "no column 'nose_tip_y'"),
    "a word": (HEAD + "1000,left,2\n", "line 2: nose_tip_x is 'left', expected a number"),
    "no number": (HEAD + "1000,nan,2\n", "line 2: nose_tip_x is 'nan'"),
    "far away": (HEAD + "1000,1e9,2\n", "line 2: nose_tip_x is '1e9'"),
    "a short line": (HEAD + "1000,1,2\n1001,1\n", "line 3: the row has 2 fields, expected 3"),
    "no row": (HEAD + "one,1,2\n", "line 2: row is 'one', expected a whole number"),
    "a row twice": (HEAD + "1000,1,2\n1000,1,2\n", "line 3: row 1,000 occurs twice"),
    "a row of other data": (HEAD + "9000,1,2\n", "line 2: row 9,000 is not in the data, whose last row is 1,119"),
    "a negative error": ("row,nose_tip_x,nose_tip_y,nose_tip_error\n1000,1,2,-1\n", "line 2: an expected error"),
    "an empty error": ("row,nose_tip_x,nose_tip_y,nose_tip_error\n1000,1,2,\n", "line 2: an expected error"),
    "bytes": (b"\xff\xfe\x00", "line 1"),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_is_wrong_with_a_table_is_said_in_one_line(kind: str, data: LabeledFaces, tmp_path: Path) -> None:
    content, message = BAD[kind]
    path = tmp_path / "theirs.csv"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(FacepointsError, match=message) as error:
        read_points_file(path, data)
    assert "theirs.csv" in str(error.value)
    assert "\n" not in str(error.value)

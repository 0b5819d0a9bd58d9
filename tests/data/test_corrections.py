"""corrections.json: what a person said, and data that follow it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facepoints.data.corrections import apply_corrections, read_corrections
from facepoints.data.dataset import LabeledFaces
from facepoints.errors import BadFile


def write(path: Any, *corrections: Any, **more: Any) -> Any:
    path.write_text(json.dumps({"format": 1, "corrections": list(corrections), **more}))
    return path


def said(row: Any, mark: Any, kind: Any = "mismatched", keypoint: Any = "", **points: Any) -> Any:
    return {"row": row, "kind": kind, "keypoint": keypoint, "mark": mark, "points": points}


def test_dragged_points_lie_where_they_were_put(synthetic: LabeledFaces, tmp_path: Path) -> None:
    file = write(tmp_path / "c.json", said(3, "wrong", "displaced", "nose_tip", nose_tip=[40.5, 61]))
    corrected = apply_corrections(synthetic, file)
    nose = synthetic.keypoints.index("nose_tip")
    assert corrected.points[3, nose].tolist() == [40.5, 61]
    others = np.arange(len(synthetic)) != 3
    assert np.array_equal(corrected.points[others], synthetic.points[others])
    assert np.array_equal(corrected.observed, synthetic.observed)


def test_wrong_rows_go_wrong_points_go_and_fine_changes_nothing(synthetic: LabeledFaces, tmp_path: Path) -> None:
    file = write(
        tmp_path / "c.json", said(1, "wrong"), said(2, "fine"), said(4, "wrong", "displaced", "mouth_center_bottom_lip")
    )
    corrected = apply_corrections(synthetic, file)
    assert set(synthetic.row.tolist()) - set(corrected.row.tolist()) == {1}
    at = int(np.flatnonzero(corrected.row == 4)[0]), synthetic.keypoints.index("mouth_center_bottom_lip")
    assert not corrected.observed[at]
    assert np.count_nonzero(corrected.observed != synthetic.observed[corrected.row]) == 1


def test_a_corrected_point_outlives_another_suspicion_of_its_row(synthetic: LabeledFaces, tmp_path: Path) -> None:
    moved = said(1, "wrong", "displaced", "nose_tip", nose_tip=[40, 60])
    for order in ([moved, said(1, "wrong")], [said(1, "wrong"), moved]):
        corrected = apply_corrections(synthetic, write(tmp_path / "c.json", *order))
        assert corrected.observed[1].sum() == 1


def test_twice_applied_is_once_applied(synthetic: LabeledFaces, tmp_path: Path) -> None:
    file = write(tmp_path / "c.json", said(1, "wrong"), said(3, "wrong", "x", "nose_tip", nose_tip=[40.5, 61]))
    once = apply_corrections(synthetic, file)
    twice = apply_corrections(once, file)
    assert np.array_equal(once.points, twice.points)
    assert np.array_equal(once.row, twice.row)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("not json", "not a JSON file"),
        ("[]", "expected"),
        ('{"format": 2, "corrections": []}', "format is 2"),
        ('{"format": 1, "corrections": [3]}', "correction 1: not an object"),
        ('{"format": 1, "corrections": [{"row": -1, "mark": "wrong"}]}', "correction 1: row is -1"),
        ('{"format": 1, "corrections": [{"row": true, "mark": "wrong"}]}', "row is True"),
        ('{"format": 1, "corrections": [{"row": 1, "mark": "odd"}]}', "mark is 'odd'"),
        ('{"format": 1, "corrections": [{"row": 1, "mark": "fine", "points": []}]}', "points an object"),
        ('{"format": 1, "corrections": [{"row": 1, "mark": "wrong", "points": {"a": [1]}}]}', r"a is \[1\]"),
        ('{"format": 1, "corrections": [{"row": 1, "mark": "wrong", "points": {"a": [1, 99]}}]}', "pixels from -0.5"),
        ('{"format": 1, "corrections": [{"row": 1, "mark": "wrong", "points": {"a": [1, NaN]}}]}', "pixels from -0.5"),
    ],
)
def test_a_damaged_file_is_refused_in_one_line(tmp_path: Path, content: Any, words: Any) -> None:
    (tmp_path / "c.json").write_text(content)
    with pytest.raises(BadFile, match=words) as error:
        read_corrections(tmp_path / "c.json")
    assert "\n" not in str(error.value)


def test_rows_and_points_that_the_data_lack(synthetic: LabeledFaces, tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="row 9,999 is not in the data"):
        apply_corrections(synthetic, write(tmp_path / "c.json", said(9999, "fine")))
    with pytest.raises(BadFile, match="names a keypoint 'chin'"):
        apply_corrections(synthetic, write(tmp_path / "c.json", said(1, "wrong", chin=[1, 2])))
    with pytest.raises(BadFile, match="cannot be read"):
        read_corrections(tmp_path / "none.json")

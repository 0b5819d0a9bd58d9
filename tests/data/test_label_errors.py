"""audit.csv, in and out, and what training leaves out for it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facepoints.data.corrections import Correction
from facepoints.data.dataset import LabeledFaces
from facepoints.data.label_errors import LabelIssue, read_label_issues, without_label_issues, write_label_issues
from facepoints.errors import BadChoice, BadFile

LIST = [
    LabelIssue(4, "duplicate", "", 1.0, 9),
    LabelIssue(5, "swapped", "", 0.99),
    LabelIssue(6, "mismatched", "", 0.9, 12),
    LabelIssue(7, "displaced", "nose_tip", 0.8),
    LabelIssue(8, "outside", "left_eye_center", 0.7),
    LabelIssue(10, "mismatched", "", 0.2),
]


@pytest.fixture
def listed(tmp_path: Path) -> Any:
    write_label_issues(LIST, tmp_path / "audit.csv")
    return tmp_path / "audit.csv"


def test_what_is_written_is_read(listed: Any) -> None:
    assert listed.read_text().splitlines()[:3] == [
        "row,kind,keypoint,score,other_row",
        "4,duplicate,,1.000000,9",
        "5,swapped,,0.990000,",
    ]
    assert read_label_issues(listed) == LIST


def test_wrong_rows_and_wrong_points_are_left_out_but_not_twins(synthetic: LabeledFaces, listed: Any) -> None:
    kept = without_label_issues(synthetic, listed)
    assert sorted(set(synthetic.row.tolist()) - set(kept.row.tolist())) == [5, 6]
    nose, eye = synthetic.keypoints.index("nose_tip"), synthetic.keypoints.index("left_eye_center")
    changed = np.argwhere(kept.observed != synthetic.observed[kept.row])
    assert [(int(kept.row[i]), int(k)) for i, k in changed] == [(7, nose), (8, eye)]
    assert kept.points[~kept.observed].max() == 0
    assert synthetic.observed[7, nose]  # the data that were given are untouched


def test_thresholds_and_shares(synthetic: LabeledFaces, listed: Any) -> None:
    assert 10 not in without_label_issues(synthetic, listed, threshold=0.1).row
    assert 6 in without_label_issues(synthetic, listed, threshold=0.95).row
    hundred = synthetic.take(np.arange(100))
    kept = without_label_issues(hundred, listed, keep_best=0.99)
    assert set(range(100)) - set(kept.row.tolist()) == {5}
    assert np.array_equal(kept.observed, hundred.observed[kept.row])
    assert len(without_label_issues(hundred, listed, keep_best=1.0)) == 100
    with pytest.raises(BadChoice, match=r"keep_best is 1\.5"):
        without_label_issues(hundred, listed, keep_best=1.5)


def test_what_somebody_looked_at_is_left_to_them(synthetic: LabeledFaces, listed: Any) -> None:
    seen = [Correction(5, "swapped", "", "fine")]
    assert 5 in without_label_issues(synthetic, listed, corrections=seen).row


def test_rows_that_are_gone_and_points_that_are_not_trained_are_no_trouble(
    synthetic: LabeledFaces, listed: Any
) -> None:
    assert len(without_label_issues(synthetic.take(np.arange(6, 450)), listed)) == 443
    few = synthetic.only(("left_eye_center", "right_eye_center"))
    assert without_label_issues(few, listed).observed[5:].any()


def test_a_row_whose_only_point_is_wrong_goes(synthetic: LabeledFaces, listed: Any) -> None:
    observed = np.zeros_like(synthetic.observed)
    observed[:, synthetic.keypoints.index("nose_tip")] = True
    assert 7 not in without_label_issues(replace(synthetic, observed=observed), listed).row


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "line 1: expected row,kind"),
        ("RowId,Location\n1,2\n", "line 1: expected row,kind.*Is this an audit.csv"),
        ("row,kind,keypoint,score,other_row\n1,mismatched,,0.5\n", "line 2: 4 fields"),
        ("row,kind,keypoint,score,other_row\nx,mismatched,,0.5,\n", "line 2: row is 'x'"),
        ("row,kind,keypoint,score,other_row\n1,odd,,0.5,\n", "line 2: no kind 'odd'"),
        ("row,kind,keypoint,score,other_row\n1,displaced,,0.5,\n", "line 2: kind 'displaced' concerns one point"),
        ("row,kind,keypoint,score,other_row\n1,mismatched,,much,\n", "line 2: score is 'much'"),
        ("row,kind,keypoint,score,other_row\n1,mismatched,,2,\n", "line 2: score is 2"),
    ],
)
def test_a_damaged_list_is_refused_in_one_line(tmp_path: Path, text: Any, words: Any) -> None:
    (tmp_path / "audit.csv").write_text(text)
    with pytest.raises(BadFile, match=words) as error:
        read_label_issues(tmp_path / "audit.csv")
    assert "\n" not in str(error.value)


def test_an_absent_list_and_one_of_other_data(tmp_path: Path, synthetic: LabeledFaces, listed: Any) -> None:
    with pytest.raises(BadFile, match="cannot be read"):
        read_label_issues(tmp_path / "none.csv")
    with pytest.raises(BadFile, match="row 6 is not in the data"):
        without_label_issues(synthetic.take(np.arange(6)), listed)
    (tmp_path / "picture").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(BadFile, match="not a text file"):
        read_label_issues(tmp_path / "picture")

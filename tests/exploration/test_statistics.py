"""Statistics add up; the report works with two sources, one source, and points without eyes."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from facepoints.data.dataset import LabeledFaces
from facepoints.data.image_quality import quality
from facepoints.data.synthetic.faces import synthetic_submission, synthetic_training
from facepoints.errors import BadFile
from facepoints.exploration import statistics
from facepoints.exploration.explore import explore
from facepoints.exploration.statistics import (
    describe,
    find_sources,
    missing_counts,
    missing_patterns,
    pixel_head,
)
from facepoints.keypoints import KeypointSet
from facepoints.reports.exploration.files import exploration_progress, print_exploration, write_exploration
from fixtures.strict_html import check


@pytest.fixture(scope="module")
def data() -> LabeledFaces:
    return synthetic_training(90)


def explored(data: LabeledFaces, out: Path, **more: Any) -> tuple[str, dict[str, Any], str]:
    words = io.StringIO()
    console = Console(file=words, width=80)
    with exploration_progress(Console(quiet=True)) as step:
        result = explore(data, more.pop("asked", None), step=step, **more)
        write_exploration(result, out, step)
    print_exploration(result, console)
    assert f"{len(data)} faces" in repr(result)
    assert "<table>" in result._repr_html_()
    numbers = json.loads((out / "explore.json").read_text("utf-8"))
    return (out / "explore.html").read_text("utf-8"), numbers, words.getvalue()


def test_counts_describe_and_patterns_agree(data: LabeledFaces) -> None:
    columns, absent, patterns = describe(data), missing_counts(data), missing_patterns(data)
    assert sum(p.rows for p in patterns) == len(data)
    assert sum(p.rows * len(p.missing) for p in patterns) == sum(m.rows for m in absent)
    assert {m.name: m.rows for m in absent} == {
        c.name[:-2]: len(data) - c.count for c in columns if c.name.endswith("_x")
    }
    assert [m.rows for m in absent] == sorted((m.rows for m in absent), reverse=True)
    assert all(sum(p.by_source.values()) == p.rows for p in patterns)


def test_describe_is_what_pandas_says(data: LabeledFaces) -> None:
    pandas = pytest.importorskip("pandas")
    flat = np.where(data.observed[:, :, None], data.points.astype(np.float64), np.nan).reshape(len(data), -1)
    expected = pandas.DataFrame(flat, columns=data.keypoints.columns).describe()
    for c in describe(data):
        ours = [c.count, c.mean, c.std, c.minimum, c.quarter, c.median, c.three_quarters, c.maximum]
        np.testing.assert_allclose(np.asarray(ours), expected[c.name].to_numpy())


def test_a_point_without_labels_has_no_statistics(data: LabeledFaces) -> None:
    observed = data.observed.copy()
    observed[:, 3] = False
    column = describe(replace(data, observed=observed))[6]
    assert (column.count, column.mean, column.maximum) == (0, None, None)


def test_sources_are_counted(data: LabeledFaces) -> None:
    sources = find_sources(data)
    assert [s.name for s in sources.found] == ["A", "B"]
    assert sum(s.rows for s in sources.found) == sum(sources.rows_by_labels.values()) == len(data)
    assert (sources.switches, sources.overlap) == (1, False)


def test_the_head_is_the_pixel_string(data: LabeledFaces) -> None:
    face = data.faces[0].reshape(-1)
    assert pixel_head(data.faces[0], 2) == f"{face[0]} {face[1]} … " + " ".join(map(str, face[-3:]))


def test_blur_and_dark_are_seen() -> None:
    rng = np.random.default_rng(0)
    sharp = rng.integers(0, 256, (96, 96)).astype(np.uint8)
    coarse = np.repeat(np.repeat(sharp[::8, ::8], 8, 0), 8, 1)
    found = quality(np.stack([sharp, coarse, sharp // 4]))
    assert found.sharpness[0] > 2 * found.sharpness[1]
    assert found.brightness[2] < found.brightness[0] / 3
    assert found.sharpness[2] == pytest.approx(found.sharpness[0], rel=0.1)  # dark is not blurred


def test_injected_near_duplicates_are_found(data: LabeledFaces) -> None:
    asked = synthetic_submission(12)[0]
    faces = asked.faces.copy()
    faces[5] = data.faces[31]
    faces[7] = np.clip(data.faces[40] * 0.9 + 8, 0, 255).astype(np.uint8)
    found = statistics.test_images(data, replace(asked, faces=faces))
    assert [(image, train) for image, train, _ in found.near_duplicates] == [(6, 31), (8, 40)]
    assert sum(found.by_source.values()) == found.images == 12


def test_everything_is_written_and_sound(data: LabeledFaces, tmp_path: Path) -> None:
    file = tmp_path / "training.csv"
    file.write_text("x" * 5000)
    markup, numbers, words = explored(data, tmp_path / "deep" / "out", asked=synthetic_submission(20)[0], files=[file])
    check(markup)
    assert numbers["faces"] == 90
    assert numbers["files"] == [{"name": "training.csv", "bytes": 5000}]
    down = {d["name"]: d["dy"] for d in numbers["source_differences"]["points"]}
    assert set(down) == {"nose_tip", "mouth_center_bottom_lip"}
    assert down["nose_tip"] > 3
    assert down["mouth_center_bottom_lip"] < -3
    assert " of source B is " in markup
    assert "rotated by -15°" in markup
    assert "nose_tip" in words
    assert max(len(line) for line in words.splitlines()) <= 80
    names = {path.name for path in (tmp_path / "deep" / "out").glob("*.png")}
    assert {"missing.png", "random.png", "source_difference.png", "augmentation.png", "mean_face_A.png"} <= names


def test_the_same_seed_gives_the_same_page(data: LabeledFaces, tmp_path: Path) -> None:
    few = data.take(np.arange(5, 90, 3)).only(("left_eye_center", "right_eye_center", "nose_tip"))
    first, again = (explored(few, tmp_path / str(i), seed=3)[0] for i in range(2))
    assert first == again
    assert explored(few, tmp_path / "other", seed=4)[0] != first


def test_own_points_without_eyes_and_one_source(data: LabeledFaces, tmp_path: Path) -> None:
    some = data.take(data.source == 0).only(("nose_tip", "mouth_left_corner", "mouth_right_corner"))
    own = replace(some, keypoints=KeypointSet(("nose<b>", "left_&_mouth", "right_&_mouth")))
    markup, numbers, words = explored(own, tmp_path)
    check(markup)
    assert "<b>_" not in markup.replace("<wbr>", "")
    assert "nose&lt;b&gt;" in markup
    assert "these keypoints have no eye centers" in markup
    assert numbers["head_pose"] is None
    assert numbers["label_offsets"] is None
    assert numbers["source_differences"]["points"] == []
    assert "nose<b>" in words


def test_points_whose_partner_is_not_in_the_set_cannot_be_mirrored(data: LabeledFaces, tmp_path: Path) -> None:
    markup, _, _ = explored(data.take(np.arange(12)).only(("left_eye_center", "nose_tip")), tmp_path)
    assert "rotated by 15°" in markup
    assert "flipped" not in markup.split('id="augmentation"')[1].split("</section>")[0]


def test_a_single_face_and_a_face_without_labels(data: LabeledFaces, tmp_path: Path) -> None:
    check(explored(data.take(np.array([0])), tmp_path / "one")[0])
    blank = replace(data.take(np.array([0, 1])), observed=np.zeros((2, 15), bool))
    check(explored(blank, tmp_path / "blank")[0])


def test_no_face_is_a_clear_mistake(data: LabeledFaces, tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="no faces"):
        explored(data.take(np.array([], np.int64)), tmp_path)

"""DATA as a person names it: a folder, a file, or `synthetic`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from facepoints.data import loading
from facepoints.data.dataset import LabeledFaces
from facepoints.data.kaggle.writer import write_submission_faces, write_training
from facepoints.data.loading import SYNTHETIC, load_submission_faces, load_training
from facepoints.data.synthetic.faces import synthetic_submission
from facepoints.errors import BadFile


@pytest.fixture(scope="module")
def folder(few_faces: LabeledFaces, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_training(few_faces, folder / "training.csv")
    write_submission_faces(synthetic_submission(8)[0], folder)
    return folder


def test_a_folder_gives_what_was_written(few_faces: LabeledFaces, folder: Path) -> None:
    read = load_training(str(folder))
    for name in ("faces", "points", "observed", "source", "row"):
        np.testing.assert_array_equal(getattr(read, name), getattr(few_faces, name))
    assert read.keypoints == few_faces.keypoints


def test_a_folder_gives_the_questions(folder: Path) -> None:
    read, synthetic = load_submission_faces(str(folder)), synthetic_submission(8)[0]
    for name in ("faces", "image_id", "source", "row_id", "requested_image", "requested_column"):
        np.testing.assert_array_equal(getattr(read, name), getattr(synthetic, name))


def test_the_word_drawn_stands_for_drawn_faces(few_faces: LabeledFaces, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = synthetic_submission(3)
    monkeypatch.setattr(loading, "synthetic_training", lambda: few_faces)  # the two thousand take half a minute
    monkeypatch.setattr(loading, "synthetic_submission", lambda: asked)
    assert load_training(SYNTHETIC) is few_faces
    assert load_submission_faces(SYNTHETIC) is asked[0]


def test_a_folder_that_is_called_drawn_has_a_path(
    few_faces: LabeledFaces, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / SYNTHETIC).symlink_to(folder)
    monkeypatch.chdir(tmp_path)
    assert len(load_training(f"./{SYNTHETIC}")) == len(few_faces)


def test_each_broken_row_is_skipped_once(few_faces: LabeledFaces, folder: Path, tmp_path: Path) -> None:
    lines = (folder / "training.csv").read_bytes().splitlines()
    lines[5], lines[9] = lines[5] + b" 7", lines[9].replace(b",", b";")
    (tmp_path / "training.csv").write_bytes(b"\n".join(lines))
    with pytest.raises(BadFile, match="line 6"):
        load_training(str(tmp_path))
    skipped: list[str] = []
    read = load_training(str(tmp_path), skip_broken=True, say=skipped.append)
    assert ["line 6" in skipped[0], "line 10" in skipped[1], len(skipped)] == [True, True, 2]
    assert sorted(set(range(len(few_faces))) - set(read.row.tolist())) == [4, 8]


@pytest.mark.parametrize("load", [load_training, load_submission_faces])
def test_an_absent_folder_is_named(load: Callable[[str], object], tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=r"nowhere: there is no such file or folder"):
        load(str(tmp_path / "nowhere"))
    with pytest.raises(BadFile, match=rf"{tmp_path.name}: .*\w+\.csv.* \w+\.zip .*in it"):
        load(str(tmp_path))

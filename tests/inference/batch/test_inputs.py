"""Inputs of predict: which files are photos, videos, cameras and tables, and how annotated copies are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from facepoints.errors import BadFile
from facepoints.inference.batch.inputs import gather, sort_inputs


@pytest.fixture
def album(tmp_path: Path) -> Path:
    """A folder with photos on two levels, a note and a hidden file."""
    folder = tmp_path / "album"
    (folder / "trip").mkdir(parents=True)
    for name in ("b.png", "broken.jpg", "trip/a.jpg", "note.txt", "._b.png"):
        (folder / name).write_bytes(b"content")
    return folder


def test_numbers_are_cameras_unless_there_is_such_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("1").write_text("a file")
    Path("clips.mp4").mkdir()
    given = ["0", "1", "me.jpg", "TALK.MP4", "holiday", "clips.mp4"]
    assert sort_inputs(given, crops=False) == (["1", "me.jpg", "holiday", "clips.mp4"], [0, "TALK.MP4"], [])


def test_tables_are_recognized_among_crops_only(tmp_path: Path) -> None:
    (tmp_path / "test.csv").touch()
    given = [str(tmp_path), "me.jpg", "other.zip", "TALK.MP4", "0"]
    assert sort_inputs(given, crops=True) == (["me.jpg", "TALK.MP4", "0"], [], [tmp_path, Path("other.zip")])
    assert sort_inputs(given[:3], crops=False) == (given[:3], [], [])


def test_earlier_results_are_no_photos(album: Path, tmp_path: Path) -> None:
    (album / "out" / "album").mkdir(parents=True)
    (album / "out" / "album" / "b.png").write_bytes((album / "b.png").read_bytes())
    assert {one.path.name for one in gather([str(album)], album / "out")} == {"b.png", "broken.jpg", "a.jpg"}


def test_pictures_of_the_same_name_do_not_overwrite_each_other(tmp_path: Path) -> None:
    given = [str(tmp_path / name) for name in ("x/me.jpg", "y/me.jpg", "y/ME.jpg", "me.webp")]
    pictures = sorted(str(one.picture).lower() for one in gather(given, tmp_path / "out"))
    assert pictures == ["me-2.jpg", "me-3.jpg", "me.jpg", "me.webp.jpg"]


def test_a_folder_without_photos_says_so(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="contain no photo"):
        gather([str(tmp_path)], tmp_path / "out")

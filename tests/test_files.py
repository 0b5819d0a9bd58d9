"""Files are written whole or not at all, and what a killed process left goes."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from facepoints.errors import BadFile
from facepoints.files import atomic_write, write_text

KILLED = """
import os, signal, sys
from pathlib import Path

from facepoints.files import atomic_write

with atomic_write(Path(sys.argv[1])) as beside:
    beside.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_file_is_the_old_one_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "notes.txt"
    write_text(path, "old")

    def fail_halfway() -> None:
        with atomic_write(path) as beside:
            beside.write_text("half")
            assert path.read_text() == "old"
            assert beside.suffix == ".txt"
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_halfway()
    assert path.read_text() == "old"
    write_text(path, "nëw")
    assert path.read_text("utf-8") == "nëw"
    assert list(path.parent.iterdir()) == [path]


def test_what_a_killed_process_left_goes_with_the_next_write(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "a.txt")], check=False)
    (left,) = tmp_path.iterdir()
    assert left.read_text() == "half"
    write_text(tmp_path / "b.txt", "whole")
    assert [path.name for path in tmp_path.iterdir()] == ["b.txt"]


def test_what_others_are_writing_stays(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    here = platform.node()
    others = {
        "a running process": f".a.{os.getppid()}@{here}.txt",
        "another machine": f".a.{gone.pid}@{here}-2.txt",
        "another program": f".a.{gone.pid}.txt",
        "a person": "a.txt",
    }
    for name in others.values():
        (tmp_path / name).touch()
    write_text(tmp_path / "b.txt", "whole")
    assert {path.name for path in tmp_path.iterdir()} == {*others.values(), "b.txt"}


def test_where_nothing_can_be_written_is_one_line(
    tmp_path: Path, small_files: Callable[[int], AbstractContextManager[None]]
) -> None:
    (tmp_path / "file").write_text("a file, not a folder")
    (tmp_path / "folder" / "inner").mkdir(parents=True)
    for path in (tmp_path / "file" / "x.txt", tmp_path / "folder"):
        with pytest.raises(BadFile, match=f"{path}: cannot be written") as error:
            write_text(path, "text")
        assert "\n" not in str(error.value)
    with small_files(100), pytest.raises(BadFile, match="cannot be written"):
        write_text(tmp_path / "file", "x" * 1000)
    assert {path.name for path in tmp_path.iterdir()} == {"file", "folder"}
    assert (tmp_path / "file").read_text() == "a file, not a folder"

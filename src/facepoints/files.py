"""Files are written whole or not at all: beside their place first, then renamed."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from facepoints.errors import BadFile


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Gives a path beside `path` to write to; it takes its place when the block ends without an error.

    A reader sees the old file or the new one, never half of one. Makes the folder. The suffix stays the same, for
    writers that choose the format by it. A full disk or a forbidden folder raises BadFile and leaves the old file.
    What a killed process left half-written in the folder is removed.
    """
    beside = path.with_name(f".{path.stem}.{os.getpid()}@{platform.node()}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path.parent.resolve())
        yield beside
        with beside.open("rb") as file:
            os.fsync(file.fileno())  # or a power cut could leave the new name with nothing behind it
        os.replace(beside, path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise BadFile(f"{path}: cannot be written ({reason}). Choose another place or make room") from error
    finally:
        with suppress(OSError):  # there is nothing to tidy where nothing could be written
            beside.unlink(missing_ok=True)


@cache  # once a folder: thousands of files may follow into it
def _sweep(folder: Path) -> None:
    """Remove files beside their place that no process of this machine writes any more."""
    pattern = re.compile(rf"\..+\.(\d+)@{re.escape(platform.node())}(\.[^.]*)?")
    for path in folder.iterdir():
        found = pattern.fullmatch(path.name)
        if found and not _is_running(int(found[1])):
            path.unlink(missing_ok=True)


def _is_running(process: int) -> bool:
    if os.name == "nt":
        return True  # there the question below would end the process
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True  # somebody else's
    return True


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file whole."""
    with atomic_write(path) as beside:
        beside.write_text(text, "utf-8")

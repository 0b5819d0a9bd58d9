"""Atomic writes: to a temporary file in the same folder first, then renamed."""

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
    """Yields a temporary path in the same folder; it replaces `path` when the block ends without an error.

    A reader sees the old file or the new one, never a part. Creates the folder. The suffix stays the same, for writers
    that choose the format by it. A full disk or a read-only folder raises BadFile and leaves the old file. Temporary
    files that a killed process left in the folder are removed.
    """
    temporary = path.with_name(f".{path.stem}.{os.getpid()}@{platform.node()}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path.parent.resolve())
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())  # or a power cut could leave an empty file under the new name
        os.replace(temporary, path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise BadFile(f"{path}: cannot be written ({reason}). Choose another place or make room") from error
    finally:
        with suppress(OSError):  # the folder may not be writable
            temporary.unlink(missing_ok=True)


@cache  # once per folder: thousands of files may be written to it
def _sweep(folder: Path) -> None:
    """Remove temporary files whose process on this machine has ended."""
    pattern = re.compile(rf"\..+\.(\d+)@{re.escape(platform.node())}(\.[^.]*)?")
    for path in folder.iterdir():
        found = pattern.fullmatch(path.name)
        if found and not _is_running(int(found[1])):
            path.unlink(missing_ok=True)


def _is_running(process: int) -> bool:
    if os.name == "nt":
        return True  # on Windows os.kill would end the process
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True  # a process of another user
    return True


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file atomically."""
    with atomic_write(path) as temporary:
        temporary.write_text(text, "utf-8")

"""Cache of parsed tables, so that a second start takes milliseconds: memory-mapped .npy files.

    <cache>/faces-training-v1-<content hash>/
        faces.npy values.npy row.npy    the arrays
        table.json                      columns, broken rows, checksums; written last
        file-<stamp>                    empty: a file with this path, size, times and inode had this content

Entries appear atomically. An entry that does not match its checksums is parsed again. Without a writable folder there
is no cache and no error.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from facepoints.data.tables.face_table import FaceTable

Cache = Path | Literal["user"] | None
"""Where parsed tables are kept: a folder, the user's cache folder, or nowhere."""

VERSION = 1
"""Increment when the parser or this format changes: older entries are then ignored."""

KEPT = 8
"""Most recently used entries to keep: the competition's two files take 82 MB."""

SETTLED = 2.0
"""Seconds after its last change from which a file's times are trusted: file systems round them."""

SAMPLE = 64
"""Faces in the checksum, evenly spaced: all of them would take longer than everything else."""


def default_cache_folder() -> Path:
    """$XDG_CACHE_HOME/facepoints, or the user's cache folder of this system."""
    if chosen := os.environ.get("XDG_CACHE_HOME"):
        return Path(chosen) / "facepoints"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "facepoints" / "cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "facepoints"
    return Path.home() / ".cache" / "facepoints"


def cached_table(path: Path, kind: str, cache: Cache, parse: Callable[[], FaceTable]) -> FaceTable:
    """The table in `path`, from the cache if the same content was parsed before as the same `kind`."""
    if cache is None:
        return parse()
    folder = default_cache_folder() if cache == "user" else cache
    try:
        stamp, settled = _stamp(path), _is_settled(path)
        prefix = f"faces-{kind}-v{VERSION}-"
        known = next(folder.glob(f"{prefix}*/file-{stamp}"), None)
        entry = known.parent if known else folder / f"{prefix}{_content_hash(path)}"
    except OSError:
        return parse()  # absent or unreadable: the parser raises the error
    table = _load(entry)
    if table is None:
        table = parse()
        if _stamp(path) != stamp:  # changed while it was parsed
            return table
        _store(table, entry)
    if not known and settled:
        with suppress(OSError):
            (entry / f"file-{stamp}").touch()
    return table


def _stamp(path: Path) -> str:
    """Digest of a file's path, size, times and inode."""
    facts = path.stat()
    # mtime can be set back, ctime cannot
    identity = (path.resolve(), facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns, facts.st_ino, facts.st_dev)
    return hashlib.sha256(repr(identity).encode()).hexdigest()[:32]


def _is_settled(path: Path) -> bool:
    facts = path.stat()
    return time.time() - max(facts.st_mtime, facts.st_ctime) > SETTLED


def _content_hash(path: Path) -> str:
    with path.open("rb") as file:  # 62 MB: 0.03 s
        return hashlib.file_digest(file, "sha256").hexdigest()[:32]


def _store(table: FaceTable, entry: Path) -> None:
    temporary = None
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix="faces-part-", dir=entry.parent))
        arrays: dict[str, NDArray[Any]] = {"faces": table.faces, "values": table.values, "row": table.row}
        for name, array in arrays.items():
            np.save(temporary / f"{name}.npy", array)
        facts = {
            "columns": table.columns,
            "broken": table.broken,
            "checksums": {name: _checksum(array) for name, array in arrays.items()},
        }
        (temporary / "table.json").write_text(json.dumps(facts), encoding="utf-8")
        shutil.rmtree(entry, ignore_errors=True)  # exists only if damaged
        temporary.rename(entry)
        _remove_oldest(entry.parent)
    except OSError:
        # No permission, no space, or another process was faster: only the next start takes longer.
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def _load(entry: Path) -> FaceTable | None:
    """The table of an entry, or None if it is absent or damaged."""
    try:
        facts = json.loads((entry / "table.json").read_text(encoding="utf-8"))
        checksums = facts["checksums"]
        table = FaceTable(
            columns=tuple(facts["columns"]),
            broken=tuple((int(line), str(fault)) for line, fault in facts["broken"]),
            faces=_array(entry / "faces.npy", checksums["faces"]),
            values=_array(entry / "values.npy", checksums["values"]),
            row=_array(entry / "row.npy", checksums["row"]),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError):
        return None
    with suppress(OSError):
        os.utime(entry)  # most recently used
    return table


def _array(path: Path, checksum: int) -> NDArray[Any]:
    array: NDArray[Any] = np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
    if _checksum(array) != checksum:
        raise ValueError(f"{path} is damaged")
    return array


def _checksum(array: NDArray[Any]) -> int:
    """CRC of shape, type and content; of images an even sample that includes the last one."""
    if array.ndim == 3:
        sample = np.unique(np.linspace(0, len(array) - 1, SAMPLE).astype(int))
        content = array[sample].tobytes()
    else:
        content = array.tobytes()
    return zlib.crc32(content, zlib.crc32(repr((array.shape, array.dtype.str)).encode()))


def _remove_oldest(cache: Path) -> None:
    entries = sorted(cache.glob("faces-*-*"), key=lambda entry: entry.stat().st_mtime, reverse=True)
    for entry in entries[KEPT:]:
        shutil.rmtree(entry, ignore_errors=True)

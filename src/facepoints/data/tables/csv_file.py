"""Lines of a CSV file, plain or in a zip, in constant memory, with errors that name file and line.

Fields contain no comma, quote or line end, which a general CSV reader would pay for. Quotes around a field, a byte
order mark, Windows line ends and empty lines at the end are accepted.
"""

from __future__ import annotations

import difflib
import zipfile
import zlib
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from facepoints.errors import BadFile

BLOCK = 3 << 19
"""Bytes read at once. Measured: 1 MB takes a fifth longer, 4 MB a tenth."""

LONGEST_LINE = 1 << 20
"""A face takes at most 37 kB: a file without a line end within 1 MB is no such table and must not fill memory."""


class Fault(Exception):
    """What is wrong with one row; the caller adds file and line and raises BadFile."""


@dataclass(frozen=True)
class CsvFile:
    """An open table: its column names, and the lines after them."""

    name: str
    """for messages: training.csv, or training.zip/training.csv"""
    header: tuple[str, ...]
    lines: Iterator[tuple[int, bytes]]
    """(1-based line number, line without its end)"""

    def fields(self, line: bytes) -> list[bytes]:
        """The fields of a line without their quotes; raises Fault unless there is one per column."""
        if not line:
            raise Fault("the line is empty")
        fields = _fields(line)
        if len(fields) != len(self.header):
            raise Fault(f"the row has {len(fields)} fields, expected {len(self.header)} as in line 1")
        return fields

    def bad(self, line: int, what: str, remedy: str) -> BadFile:
        """The error for a line."""
        return BadFile(f"{self.name} line {line:,}: {what}. {remedy}")

    def need(self, columns: Iterable[str]) -> None:
        """Raises BadFile, with the closest existing name, unless the table has all these columns."""
        for column in columns:
            if column not in self.header:
                raise self.bad(1, f"no column '{column}'{near(column, self.header)}", "Correct the header.")


def near(name: str, known: Iterable[str]) -> str:
    """ "; did you mean 'Image'?" if one of the known names is close, else nothing."""
    lowered = {choice.lower(): choice for choice in known}
    close = difflib.get_close_matches(name.lower(), lowered, n=1, cutoff=0.7)
    return f"; did you mean '{lowered[close[0]]}'?" if close else ""


@contextmanager
def open_csv(path: Path) -> Iterator[CsvFile]:
    """The table in a .csv file or in a .zip that holds one; raises BadFile for any fault of the file."""
    with _stream(path) as (name, stream), closing(_lines(name, stream)) as lines:
        first = next(lines, b"").removesuffix(b"\r").removeprefix(b"\xef\xbb\xbf")
        if not first:
            raise BadFile(f"{name} line 1: no column names, the file is empty. Download or export it again.")
        try:
            header = tuple(field.decode() for field in _fields(first))
        except UnicodeDecodeError as error:
            raise BadFile(f"{name} line 1: the column names are not UTF-8. Export it as UTF-8.") from error
        if twice := next((column for column in header if header.count(column) > 1), None):
            raise BadFile(f"{name} line 1: column '{twice}' occurs twice. Remove or rename one.")
        yield CsvFile(name, header, _numbered(lines))


@contextmanager
def _stream(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    try:
        if path.suffix.lower() != ".zip":
            with path.open("rb") as plain:
                yield path.name, plain
            return
        with zipfile.ZipFile(path) as archive:
            member = _csv_member(path.name, archive)
            name = f"{path.name}/{member}"
            with _open_member(name, archive, member) as stream:
                try:
                    yield name, stream
                except BadFile:
                    # A damaged zip gives invalid rows: its checksum, at the end, is the better message.
                    while stream.read(BLOCK):
                        pass
                    raise
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise BadFile(f"{path.name}: the zip is damaged or cut off ({error}). Download it again.") from error
    except OSError as error:
        raise BadFile(f"{path}: cannot be read ({error.strerror or error}). Check the path and its rights.") from error


def _csv_member(name: str, archive: zipfile.ZipFile) -> str:
    """The only table in the archive, or the one with its name."""
    tables = [
        info.filename
        for info in archive.infolist()
        if info.filename.lower().endswith(".csv") and "__MACOSX" not in info.filename
    ]
    same_name = [table for table in tables if Path(table).stem == Path(name).stem]
    if len(tables) == 1 or len(same_name) == 1:
        return (same_name or tables)[0]
    found = ", ".join(tables[:3]) if tables else "none"
    raise BadFile(f"{name}: expected one .csv file inside, found {found}. Zip the table again.")


def _open_member(name: str, archive: zipfile.ZipFile, member: str) -> IO[bytes]:
    try:
        return archive.open(member)
    except RuntimeError as error:  # a password, or an unsupported compression
        raise BadFile(f"{name}: {error}. Zip the table again without a password.") from error


def _lines(name: str, stream: IO[bytes]) -> Generator[bytes]:
    """Lines without their line feed. The next block is read and inflated in parallel (outside the GIL)."""
    number, rest = 0, b""
    with ThreadPoolExecutor(max_workers=1) as reader:
        ahead = reader.submit(stream.read, BLOCK)
        while block := ahead.result():
            ahead = reader.submit(stream.read, BLOCK)
            whole = block.split(b"\n")
            whole[0] = rest + whole[0]
            rest = whole.pop()
            yield from whole
            number += len(whole)
            if len(rest) > LONGEST_LINE:
                raise BadFile(f"{name} line {number + 1:,}: no line end within 1 MB. This is not a table of faces.")
    if rest:
        yield rest


def _numbered(lines: Iterator[bytes]) -> Iterator[tuple[int, bytes]]:
    """Lines with their numbers, the header being line 1; empty lines at the very end are left out."""
    last = 1
    for number, line in enumerate(lines, start=2):
        line = line.removesuffix(b"\r")
        if line:
            yield from ((empty, b"") for empty in range(last + 1, number))
            yield number, line
            last = number


def _fields(line: bytes) -> list[bytes]:
    fields = line.split(b",")
    if b'"' in line:
        return [f[1:-1] if len(f) > 1 and f[:1] == f[-1:] == b'"' else f for f in fields]
    return fields

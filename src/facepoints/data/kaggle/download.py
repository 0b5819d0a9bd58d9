"""Download of the competition's files through Kaggle's official client.

    FOLDER/training.zip ...         complete, and parsed once before they get their name
    FOLDER/.partial/training.zip/   the part of a file received so far; the next download resumes it

A file that can be read is never replaced.
"""

from __future__ import annotations

import os
import shutil
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from facepoints.data.kaggle.client import COMPETITION, KaggleClient
from facepoints.data.kaggle.competition import (
    read_sample_submission,
    read_submission_faces,
    read_test_faces,
    read_training,
)
from facepoints.data.tables.csv_file import open_csv
from facepoints.errors import BadFile, KaggleError

PARTIAL = ".partial"
"""The subfolder that receives the files."""


def download(folder: Path, console: Console, *, competition: str = COMPETITION) -> list[Path]:
    """Download the absent or damaged files of the competition to `folder`; returns the paths of all files."""
    console.print("asking Kaggle for the files ...")
    client = KaggleClient(competition)
    sizes = {name: size for name, size in client.files().items() if _stem(name) in _READERS}
    if absent := sorted(set(_READERS) - {_stem(name) for name in sizes}):
        what = f"competition '{competition}' offers no {', '.join(absent)}"
        raise KaggleError(f"{what}: expected the files of {COMPETITION}. Check its name at {client.page}/data")
    present = {name: _present(folder, name, size, console) for name, size in sizes.items()}
    _need_room(folder, sum(size for name, size in sizes.items() if present[name] is None))
    paths = [present[name] or _download(folder, name, size, client, console) for name, size in sizes.items()]
    with console.status("comparing the look-up table with the test images ..."):
        asked = read_submission_faces(folder)
    counts = f"{len(asked.row_id):,} values of {len(asked.image_id):,} test images are requested"
    console.print(f"All {len(paths)} files are in [bold]{escape(str(folder))}[/]; {counts}", soft_wrap=True)
    return paths


def _present(folder: Path, name: str, size: int, console: Console) -> Path | None:
    """The existing .csv or .zip of a file, if it can be read."""
    for path in (folder / f"{_stem(name)}.csv", folder / f"{_stem(name)}.zip"):  # the readers prefer .csv
        if not path.is_file():
            continue
        try:
            content = _read(path, size if path.name == name else 0, console)
        except BadFile as error:
            if path.name == name:
                console.print(f"{escape(name)} is damaged: downloading it again")
                return None
            remedy = f"It is read instead of {name}: correct or remove it, then run this again."
            raise BadFile(f"{error} {remedy}") from error
        console.print(f"[bold]{escape(path.name)}[/] exists: {content}")
        return path
    return None


def _download(folder: Path, name: str, size: int, client: KaggleClient, console: Console) -> Path:
    partial = folder / PARTIAL / name
    try:
        partial.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadFile(f"{partial}: cannot be created ({error.strerror}). Choose another folder.") from error
    try:
        with _progress(name, size, partial, console):
            client.download(name, partial)
        target, content = _verified(folder, name, size, partial, console)
    except BadFile:
        shutil.rmtree(partial)  # invalid content: nothing to resume
        raise
    finally:
        if partial.exists() and not _received(partial):
            shutil.rmtree(partial)
        if not any(partial.parent.iterdir()):
            partial.parent.rmdir()
    console.print(f"[bold]{escape(target.name)}[/] {target.stat().st_size / 1e6:.1f} MB: {content}")
    return target


@contextmanager
def _progress(name: str, size: int, partial: Path, console: Console) -> Iterator[None]:
    """A progress bar from the size of the received file; nothing if the console is not a terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    done = threading.Event()
    with Progress(
        *columns, TimeRemainingColumn(), console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        task = progress.add_task(escape(name), total=size or None)

        def poll() -> None:
            while not done.wait(0.2):
                progress.update(task, completed=sum(path.stat().st_size for path in _received(partial)))

        thread = threading.Thread(target=poll, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()


def _verified(folder: Path, name: str, size: int, partial: Path, console: Console) -> tuple[Path, str]:
    """Parse the received file and move it to `folder`: its path and content in words; raises BadFile."""
    received = _received(partial)
    if len(received) != 1:
        raise BadFile(f"{name}: received {len(received)} files, expected one. Run this again.")
    # Kaggle may zip a table, and its URL need not end in the file's name.
    zipped = zipfile.is_zipfile(received[0])
    named = partial / (f"{_stem(name)}.zip" if zipped else name)
    os.replace(received[0], named)
    content = _read(named, size if named.name == name else 0, console)
    target = folder / named.name
    os.replace(named, target)
    if target.name != name:
        (folder / name).unlink(missing_ok=True)  # if it exists it is damaged, and would be read first
    return target, content


def _received(partial: Path) -> list[Path]:
    """The files in a folder, without the client's resume markers."""
    return [path for path in partial.iterdir() if path.suffix != ".kaggle-partial"]


def _need_room(folder: Path, size: int) -> None:
    place = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())
    free = shutil.disk_usage(place).free
    if free < size:
        raise BadFile(f"{folder}: the files take {size / 1e6:.0f} MB, {free / 1e6:.0f} MB are free. Make room.")


def _read(path: Path, size: int, console: Console) -> str:
    """The content of a file in words; raises BadFile if it is damaged or a table shorter than `size` bytes."""
    with console.status(f"reading {escape(path.name)} ..."):
        with path.open("rb") as stream:
            start = stream.read(256).lstrip(b"\xef\xbb\xbf \r\n\t").lower()
        if start.startswith((b"<!doctype", b"<html", b"<?xml")):
            raise BadFile(f"{path.name}: a web page, expected a table. A proxy may have replied; try another network.")
        own = path.stat().st_size
        if path.suffix == ".csv" and own < size:  # a zip has checksums, a table has none
            raise BadFile(f"{path.name}: cut off, {own:,} of {size:,} bytes. Download it again.")
        return _READERS[_stem(path.name)](path)


def _count_requested(path: Path) -> str:
    with open_csv(path) as csv:
        csv.need(["RowId", "ImageId", "FeatureName"])
        return f"{sum(1 for _ in csv.lines):,} requested values"


_READERS: dict[str, Callable[[Path], str]] = {
    "training": lambda path: f"{len(read_training(path)):,} labeled faces",
    "test": lambda path: f"{len(read_test_faces(path)[1]):,} faces",
    "IdLookupTable": _count_requested,
    "SampleSubmission": lambda path: f"{len(read_sample_submission(path)[0]):,} rows",
}


def _stem(name: str) -> str:
    return name.removesuffix(".zip").removesuffix(".csv")  # keeps a slash: files in subfolders do not match

"""The competition's files, downloaded from Kaggle through its official client.

    FOLDER/training.zip ...         whole, and read once, before they got their names
    FOLDER/.partial/training.zip/   what came of a file so far: the next download goes on from there

Nothing that can be read is ever replaced.
"""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from facepoints.data.kaggle.client import COMPETITION, KaggleClient, Offered
from facepoints.data.kaggle.competition import (
    read_sample_submission,
    read_submission_faces,
    read_test_faces,
    read_training,
)
from facepoints.data.tables.csv_file import open_csv
from facepoints.errors import BadFile, KaggleError
from facepoints.files import atomic_write

PARTIAL = ".partial"
"""The folder, inside the one asked for, in which files arrive."""


def download(folder: Path, console: Console, *, competition: str = COMPETITION) -> list[Path]:
    """The competition's files in `folder`, downloaded where absent or damaged; returns their paths.

    A stopped download goes on where it was, if the server can.
    """
    client = KaggleClient(competition, console)
    with console.status("asking Kaggle for the files ..."):
        offered = {_stem(file.name): file for file in client.files() if _stem(file.name) in _READERS}
    if absent := sorted(set(_READERS) - set(offered)):
        what = f"competition '{competition}' offers no {', '.join(absent)}"
        raise KaggleError(f"{what}: expected the files of {COMPETITION}. Check its name at {client.page}/data")
    there = {name: _already_there(folder, file, console) for name, file in offered.items()}
    _need_room(folder, sum(file.size for name, file in offered.items() if there[name] is None))
    paths = [there[name] or _downloaded(folder, file, client, console) for name, file in offered.items()]
    with console.status("comparing the look-up table with the test images ..."):
        asked = read_submission_faces(folder)
    images = f"{len(asked.row_id):,} values of {len(asked.image_id):,} test images are asked for"
    console.print(f"All {len(paths)} files are in [bold]{escape(str(folder))}[/]; {images}", soft_wrap=True)
    return paths


def _already_there(folder: Path, file: Offered, console: Console) -> Path | None:
    """The file, if it is there as .csv or .zip and can be read; says so."""
    target = folder / file.name
    for path in (folder / f"{_stem(file.name)}.csv", folder / f"{_stem(file.name)}.zip"):  # the order of the readers
        if not path.is_file():
            continue
        try:
            content = _read(path, file, console)
        except BadFile as error:
            if path == target:
                console.print(f"{escape(path.name)} is there but damaged: downloading it again")
                return None
            remedy = f"It counts before {target.name}: mend or remove it, then run this again."
            raise BadFile(f"{error} {remedy}") from error
        console.print(f"[bold]{escape(path.name)}[/] is there already: {content}")
        return path
    return None


def _downloaded(folder: Path, file: Offered, client: KaggleClient, console: Console) -> Path:
    partial = folder / PARTIAL / file.name
    broken: BadFile | None = None
    for _ in range(2):  # once more if it came broken: it may have gone on from a piece of something else
        try:
            partial.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BadFile(f"{partial}: cannot be made ({error.strerror}). Choose another folder.") from error
        try:
            _fetch(file, partial, client, console)
            target, content = _named(folder, file, partial, console)
        except BadFile as error:
            broken = error
            shutil.rmtree(partial)
            continue
        finally:
            _tidy(partial)
        console.print(f"[bold]{escape(target.name)}[/] {target.stat().st_size / 1e6:.1f} MB: {content}")
        return target
    raise BadFile(f"Kaggle sent a broken file, twice: {broken}") from broken


def _fetch(file: Offered, partial: Path, client: KaggleClient, console: Console) -> None:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    quiet = not console.is_terminal  # a log would get an empty line
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True, disable=quiet) as progress:
        task = progress.add_task(escape(file.name), total=file.size or None)

        def arrived() -> int:
            size = sum(path.stat().st_size for path in _content(partial))
            progress.update(task, completed=size)
            return size

        client.fetch(file.name, partial, arrived)


def _named(folder: Path, file: Offered, partial: Path, console: Console) -> tuple[Path, str]:
    """Give what came its name, if it can be read: its path and what is in it; raises BadFile otherwise."""
    came = _content(partial)
    if len(came) != 1:
        raise BadFile(f"{file.name}: {len(came)} files came, expected one. Run this again.")
    # Kaggle may send a table zipped, and the address it comes from need not end in the file's name.
    zipped = zipfile.is_zipfile(came[0])
    named = partial / (f"{_stem(file.name)}.zip" if zipped else file.name)
    os.replace(came[0], named)
    content = _read(named, file, console)
    target = folder / named.name
    with atomic_write(target) as beside:
        os.replace(named, beside)
    if target.name != file.name:
        (folder / file.name).unlink(missing_ok=True)  # if it is there it is damaged, and would be read first
    return target, content


def _content(partial: Path) -> list[Path]:
    """The files in a folder, without the client's own marks of how far it came."""
    return [path for path in partial.iterdir() if path.suffix != ".kaggle-partial"]


def _tidy(partial: Path) -> None:
    """Leave no empty folders, but every piece of a file that came."""
    if partial.exists() and not _content(partial):
        shutil.rmtree(partial)
    if not any(partial.parent.iterdir()):
        partial.parent.rmdir()


def _need_room(folder: Path, size: int) -> None:
    place = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())
    free = shutil.disk_usage(place).free
    if free < size:
        raise BadFile(f"{folder}: the files take {size / 1e6:.0f} MB, {free / 1e6:.0f} MB are free. Make room.")


def _read(path: Path, file: Offered, console: Console) -> str:
    """What is in a file, in words; raises BadFile if it is not whole."""
    with console.status(f"reading {escape(path.name)} ..."):
        with path.open("rb") as stream:
            start = stream.read(256).lstrip(b"\xef\xbb\xbf \r\n\t").lower()
        if start.startswith((b"<!doctype", b"<html", b"<?xml")):
            raise BadFile(f"{path.name}: a web page, expected a table. A proxy may have answered; try another network.")
        size = path.stat().st_size
        if path.name == file.name and path.suffix == ".csv" and size < file.size:  # a zip has checksums, this has not
            raise BadFile(f"{path.name}: cut off, {size:,} of {file.size:,} bytes. Download it again.")
        return _READERS[_stem(path.name)](path)


def _questions(path: Path) -> str:
    with open_csv(path) as csv:
        csv.need(["RowId", "ImageId", "FeatureName"])
        return f"{sum(1 for _ in csv.lines):,} questions"


_READERS: dict[str, Callable[[Path], str]] = {
    "training": lambda path: f"{len(read_training(path)):,} labeled faces",
    "test": lambda path: f"{len(read_test_faces(path)[1]):,} faces",
    "IdLookupTable": _questions,
    "SampleSubmission": lambda path: f"{len(read_sample_submission(path)[0]):,} rows",
}


def _stem(name: str) -> str:
    return name.removesuffix(".zip").removesuffix(".csv")  # a slash stays: what lies in a folder is none of ours

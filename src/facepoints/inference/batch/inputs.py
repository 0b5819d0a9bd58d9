"""The INPUT arguments of `predict` as lists of files: photos, videos, cameras and tables of crops."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from facepoints.data.images import ENDINGS
from facepoints.errors import BadFile
from facepoints.inference.video.reading import VIDEO_SUFFIXES

_PICTURE_SUFFIXES = {".jpg", ".jpeg", ".png"}
"""File types in which annotated copies are written. Copies of other types get .jpg appended to the name."""


@dataclass(frozen=True)
class Input:
    """One photo to process."""

    path: Path
    picture: Path
    """path of the annotated copy, relative to the output folder"""


def sort_inputs(inputs: Sequence[str], crops: bool) -> tuple[list[str], list[str | int], list[Path]]:
    """Photos and folders; videos and cameras; tables of crops.

    With `crops`, .csv and .zip files and folders with the competition's test file are tables. Without, files with the
    suffix of a video are videos, and numbers are cameras unless a file has that name.
    """
    photos: list[str] = []
    videos: list[str | int] = []
    tables: list[Path] = []
    for name in inputs:
        path = Path(name)
        if crops and _is_table(path):
            tables.append(path)
        elif not crops and name.isdecimal() and not path.exists():
            videos.append(int(name))
        elif not crops and path.suffix.lower() in VIDEO_SUFFIXES and not path.is_dir():
            videos.append(name)
        else:
            photos.append(name)
    return photos, videos, tables


def _is_table(path: Path) -> bool:
    if path.is_dir():
        return any((path / name).is_file() for name in ("test.csv", "test.zip"))
    return path.suffix.lower() in (".csv", ".zip")


def gather(inputs: Sequence[str], out: Path) -> list[Input]:
    """The given files and the photos in the given folders, without repetitions, sorted by path.

    Folders are searched recursively; files with other suffixes, hidden files and the output folder `out` are skipped.
    Files given by name are returned even if they do not exist: reading them reports the error.
    """
    found: dict[str, tuple[Path, Path]] = {}
    for name in inputs:
        path = Path(name)
        if not path.is_dir():
            found.setdefault(os.path.realpath(path), (path, Path(path.name)))
            continue
        photos = list(_photos_in(path, out))
        if not photos:
            raise BadFile(f"{name}: this folder and its subfolders contain no photo. Name another folder")
        for photo in photos:
            picture = Path(path.resolve().name) / photo.relative_to(path)
            found.setdefault(os.path.realpath(photo), (photo, picture))
    return _with_unique_pictures(sorted(found.values(), key=lambda one: one[0].as_posix()))


def _photos_in(folder: Path, out: Path) -> Iterator[Path]:
    results = out.resolve()
    for parent, folders, files in os.walk(folder):
        inner = (name for name in folders if not name.startswith("."))
        folders[:] = sorted(name for name in inner if (Path(parent) / name).resolve() != results)
        for name in sorted(files):
            if not name.startswith(".") and Path(name).suffix.lower() in ENDINGS:
                yield Path(parent) / name


def _with_unique_pictures(files: list[tuple[Path, Path]]) -> list[Input]:
    """Inputs whose annotated copies do not overwrite each other: the second me.jpg becomes me-2.jpg."""
    inputs: list[Input] = []
    used: set[str] = set()
    for path, name in files:
        picture = name if name.suffix.lower() in _PICTURE_SUFFIXES else name.with_name(f"{name.name}.jpg")
        number, free = 1, picture
        while str(free).lower() in used:  # some file systems do not distinguish A.jpg from a.jpg
            number += 1
            free = picture.with_name(f"{picture.stem}-{number}{picture.suffix}")
        used.add(str(free).lower())
        inputs.append(Input(path, free))
    return inputs

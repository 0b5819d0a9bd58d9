"""What a person gave to predict, as a list of files: photos, and folders with photos."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from facepoints.data.images import ENDINGS
from facepoints.errors import BadFile

_KEPT = {".jpg", ".jpeg", ".png"}
"""Endings that an annotated picture keeps; any other gets .jpg behind it."""


@dataclass(frozen=True)
class Input:
    """One file to look at."""

    path: Path
    picture: Path
    """where its annotated picture goes, relative to the results' folder"""


def gather(given: Sequence[str], out: Path, endings: frozenset[str] = ENDINGS) -> list[Input]:
    """The files that were named and those in the folders that were named, each once, sorted by name.

    In folders, and theirs, files with other endings, hidden ones and earlier results (in `out`) are passed over. Files
    that were named are taken whatever they are, there or not: who reads them says what is wrong.
    """
    taken: dict[str, tuple[Path, Path]] = {}
    for name in given:
        path = Path(name)
        if path.is_dir():
            found = list(_photos_in(path, out, endings))
            if not found:
                raise BadFile(f"{name}: no photo is in this folder, or in those in it. Name another one")
            root = path.resolve().name
            for inside in found:
                taken.setdefault(os.path.realpath(inside), (inside, Path(root) / inside.relative_to(path)))
        else:
            taken.setdefault(os.path.realpath(path), (path, Path(path.name)))
    return _with_own_pictures(sorted(taken.values(), key=lambda one: one[0].as_posix()))


def _photos_in(folder: Path, out: Path, endings: frozenset[str]) -> Iterator[Path]:
    results = out.resolve()
    for place, folders, files in os.walk(folder):
        inner = (name for name in folders if not name.startswith("."))
        folders[:] = sorted(name for name in inner if (Path(place) / name).resolve() != results)
        for name in sorted(files):
            if not name.startswith(".") and Path(name).suffix.lower() in endings:
                yield Path(place) / name


def _with_own_pictures(files: list[tuple[Path, Path]]) -> list[Input]:
    """Inputs whose pictures do not overwrite each other: the second me.jpg becomes me-2.jpg."""
    inputs: list[Input] = []
    used: set[str] = set()
    for path, wanted in files:
        picture = wanted if wanted.suffix.lower() in _KEPT else wanted.with_name(f"{wanted.name}.jpg")
        number, free = 1, picture
        while str(free).lower() in used:  # some file systems take A.jpg for a.jpg
            number += 1
            free = picture.with_name(f"{picture.stem}-{number}{picture.suffix}")
        used.add(str(free).lower())
        inputs.append(Input(path, free))
    return inputs

"""DATA as a person names it: a folder with the competition's files or labeled photos, a CSV, or the word `drawn`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from facepoints.data.competition import read_asked, read_training
from facepoints.data.drawn_faces import drawn_asked, drawn_training
from facepoints.data.faces import AskedFaces, LabeledFaces
from facepoints.data.labeled_photos import Progress, read_labeled_photos
from facepoints.data.photo_table import names_photos
from facepoints.errors import BadFile

DRAWN = "drawn"
"""The word that stands for built-in faces, wherever a folder could."""

LABEL_FILES = ("training.csv", "training.zip", "points.csv", "points.zip")
"""Where a folder's labels are: in the first of these that is there."""


def load_training(
    data: str,
    *,
    skip_broken: bool = False,
    say: Callable[[str], None] = print,
    progress: Progress | None = None,
) -> LabeledFaces:
    """The labeled faces of DATA: the header tells whether a row holds pixels or names a photo.

    `say` is told of each row that `skip_broken` leaves out; `progress` is called after each photo.
    """
    if data == DRAWN:
        return drawn_training()
    labels = _label_file(Path(data))
    if labels.is_file() and labels.suffix.lower() in (".csv", ".zip") and names_photos(labels):
        photos = read_labeled_photos(labels, skip_broken=skip_broken, on_skip=say, progress=progress)
        return photos.faces
    return read_training(labels, skip_broken=skip_broken, on_skip=say)


def load_asked(data: str) -> AskedFaces:
    """The test images and the look-up table of DATA."""
    if data == DRAWN:
        return drawn_asked()[0]
    return read_asked(Path(data))


def asked_if_there(data: str) -> AskedFaces | None:
    """The test images of DATA, or None where a folder has no look-up table or DATA is one file."""
    place = Path(data)
    if data != DRAWN and not any((place / name).exists() for name in ("IdLookupTable.csv", "IdLookupTable.zip")):
        return None
    return load_asked(data)


def files_of(data: str) -> list[Path]:
    """The files that DATA consists of; none for drawn faces."""
    place = Path(data)
    if data == DRAWN:
        return []
    return sorted(p for p in place.iterdir() if p.is_file()) if place.is_dir() else [place]


def _label_file(place: Path) -> Path:
    """The file with labels in a folder; what is no folder is taken for that file itself."""
    if not place.is_dir():
        return place
    found = next((place / name for name in LABEL_FILES if (place / name).is_file()), None)
    if found is None:
        what = f"{place}: neither training.csv nor training.zip is in it, nor points.csv or points.zip"
        raise BadFile(f"{what}. Put the competition's files there, or a table of points and photos.")
    return found

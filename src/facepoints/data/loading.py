"""DATA as a person names it: a folder with the competition's files or labeled photos, a CSV, or the word `synthetic`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from facepoints.data.dataset import LabeledFaces, SubmissionFaces
from facepoints.data.kaggle.competition import read_submission_faces, read_training
from facepoints.data.photos.labeled_photos import Progress, read_labeled_photos
from facepoints.data.photos.photo_table import names_photos
from facepoints.data.synthetic.faces import synthetic_submission, synthetic_training
from facepoints.errors import BadFile

SYNTHETIC = "synthetic"
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
    if data == SYNTHETIC:
        return synthetic_training()
    labels = _label_file(Path(data))
    if labels.is_file() and labels.suffix.lower() in (".csv", ".zip") and names_photos(labels):
        photos = read_labeled_photos(labels, skip_broken=skip_broken, on_skip=say, progress=progress)
        return photos.faces
    return read_training(labels, skip_broken=skip_broken, on_skip=say)


def load_submission_faces(data: str) -> SubmissionFaces:
    """The test images and the look-up table of DATA."""
    if data == SYNTHETIC:
        return synthetic_submission()[0]
    return read_submission_faces(Path(data))


def submission_faces_if_present(data: str) -> SubmissionFaces | None:
    """The test images of DATA, or None where a folder has no look-up table or DATA is one file."""
    place = Path(data)
    if data != SYNTHETIC and not any((place / name).exists() for name in ("IdLookupTable.csv", "IdLookupTable.zip")):
        return None
    return load_submission_faces(data)


def files_of(data: str) -> list[Path]:
    """The files that DATA consists of; none for drawn faces."""
    place = Path(data)
    if data == SYNTHETIC:
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

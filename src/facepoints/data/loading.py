"""DATA: a folder with the competition's files or labeled photos, a single table, or the word `synthetic`."""

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
"""The word that stands for built-in generated faces."""

LABEL_FILES = ("training.csv", "training.zip", "points.csv", "points.zip")
"""A folder's labels: the first of these files that exists."""


def load_training(
    data: str | Path,
    *,
    skip_broken: bool = False,
    say: Callable[[str], None] = print,
    progress: Progress | None = None,
) -> LabeledFaces:
    """The labeled faces of DATA. The header decides whether a table holds pixels or names photos.

    `say` gets one line for each row that `skip_broken` leaves out; `progress` is called after each photo.
    """
    if data == SYNTHETIC:
        return synthetic_training()
    labels = _label_file(Path(data))
    if labels.is_file() and labels.suffix.lower() in (".csv", ".zip") and names_photos(labels):
        return read_labeled_photos(labels, skip_broken=skip_broken, on_skip=say, progress=progress).faces
    return read_training(labels, skip_broken=skip_broken, on_skip=say)


def load_submission_faces(data: str | Path) -> SubmissionFaces:
    """The test images and the look-up table of DATA."""
    return synthetic_submission()[0] if data == SYNTHETIC else read_submission_faces(Path(data))


def submission_faces_if_present(data: str | Path) -> SubmissionFaces | None:
    """The test images of DATA; None for a single file or a folder without a look-up table."""
    place = Path(data)
    if data != SYNTHETIC and not any((place / name).exists() for name in ("IdLookupTable.csv", "IdLookupTable.zip")):
        return None
    return load_submission_faces(data)


def files_of(data: str | Path) -> list[Path]:
    """The files of DATA; none for synthetic faces."""
    place = Path(data)
    if data == SYNTHETIC:
        return []
    return sorted(p for p in place.iterdir() if p.is_file()) if place.is_dir() else [place]


def _label_file(place: Path) -> Path:
    """The file with labels in a folder; any other path is that file itself."""
    if not place.is_dir():
        return place
    found = next((place / name for name in LABEL_FILES if (place / name).is_file()), None)
    if found is None:
        what = f"{place}: neither training.csv nor training.zip is in it, nor points.csv or points.zip"
        raise BadFile(f"{what}. Put the competition's files there, or a table of points and photos.")
    return found

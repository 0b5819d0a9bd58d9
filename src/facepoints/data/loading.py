"""DATA as a person names it: a folder with the competition's files, or the word `drawn`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from facepoints.data.competition import read_asked, read_training
from facepoints.data.drawn_faces import drawn_asked, drawn_training
from facepoints.data.faces import AskedFaces, LabeledFaces

DRAWN = "drawn"
"""The word that stands for built-in faces, wherever a folder could."""


def load_training(data: str, *, skip_broken: bool = False, say: Callable[[str], None] = print) -> LabeledFaces:
    """The labeled faces of DATA; `say` is told of each row that `skip_broken` leaves out."""
    if data == DRAWN:
        return drawn_training()
    return read_training(Path(data), skip_broken=skip_broken, on_skip=say)


def load_asked(data: str) -> AskedFaces:
    """The test images and the look-up table of DATA."""
    if data == DRAWN:
        return drawn_asked()[0]
    return read_asked(Path(data))

"""Training data of the face detector: photos with labeled faces, and detections without a label."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from facepoints.data.alignment import squares_of_points
from facepoints.data.dataset import LabeledFaces
from facepoints.data.photos.photo_table import read_photo_table
from facepoints.data.similarity import group_alike
from facepoints.errors import BadFile
from facepoints.files import write_text
from facepoints.keypoints import FACE_SIZE

Squares = NDArray[np.float64]
"""(n, 4): x and y of the center and the side, px of the picture; roll, radians clockwise."""

Unlabeled = Mapping[str, NDArray[np.float64]]
"""By file name: unlabeled detections (n, 5) of an earlier detector: a square, and the keypoint network's face score."""

SURE, DOUBTFUL = 0.97, 0.1
"""Face scores of unlabeled detections: from SURE on they are faces, from DOUBTFUL on they are excluded from the loss,
below they are false positives."""

NONE = np.zeros((0, 4))

_COLUMNS = ("x", "y", "side", "roll", "score")


@dataclass(frozen=True)
class Scene:
    """A grey picture with the squares of its faces."""

    name: str
    levels: tuple[NDArray[np.uint8], ...]
    """image pyramid: the picture (h, w), half its size and so on"""
    faces: Squares
    doubts: Squares = field(default_factory=NONE.copy)
    """possible faces, excluded from the loss"""
    false_positives: Squares = field(default_factory=NONE.copy)
    """of an earlier detector"""


def halved(gray: NDArray[np.uint8], smallest: int = 16) -> tuple[NDArray[np.uint8], ...]:
    """Image pyramid of a picture (h, w) by means of 2 x 2, down to `smallest` px."""
    levels = [gray]
    while min(levels[-1].shape) >= 2 * smallest:
        height, width = (n // 2 for n in levels[-1].shape)
        even = levels[-1][: 2 * height, : 2 * width]
        levels.append(np.asarray(cv2.resize(even, (width, height), interpolation=cv2.INTER_AREA), np.uint8))
    return tuple(levels)


def read_scenes(folder: Path, mean_shape: NDArray[np.floating], unlabeled: Unlabeled | None = None) -> list[Scene]:
    """The photos of the folder's points.csv by name, with the squares of their faces; raises BadFile.

    mean_shape (k, 2): px of the competition's faces.
    """
    table = read_photo_table(folder / "points.csv", skip_broken=False)
    by_name: dict[str, list[int]] = {}
    for i, row in enumerate(table.rows):
        by_name.setdefault(row.photo, []).append(i)
    scenes = []
    for name in sorted(by_name):
        gray = cv2.imread(str(table.folder / name), cv2.IMREAD_GRAYSCALE)
        if gray is None:
            raise BadFile(f"{table.folder / name}: no photo that OpenCV reads, expected what points.csv names")
        faces = np.concatenate([square_of(table.points[i], mean_shape) for i in by_name[name]])
        detections = (unlabeled or {}).get(name, np.zeros((0, 5)))
        squares, score = detections[:, :4], detections[:, 4]
        faces = np.concatenate([faces, squares[score >= SURE]])
        doubts, wrong = squares[(score >= DOUBTFUL) & (score < SURE)], squares[score < DOUBTFUL]
        scenes.append(Scene(name, halved(np.asarray(gray, np.uint8)), faces, doubts, wrong))
    return scenes


def square_of(points: NDArray[np.floating], mean_shape: NDArray[np.floating]) -> Squares:
    """The square (1, 4) of a face with points (k, 2), NaN where unlabeled."""
    given = np.isfinite(points).all(axis=1)
    center, side, roll = squares_of_points(points[None, given], mean_shape[given])
    return np.column_stack([center, side, roll])


def validation_scenes(scenes: Sequence[Scene], share: float, seed: int) -> NDArray[np.bool_]:
    """bool (n,): scenes for validation. Near-duplicates and photos with the same name prefix stay together."""
    small = [cv2.resize(s.levels[0], (FACE_SIZE, FACE_SIZE), interpolation=cv2.INTER_AREA) for s in scenes]
    group = group_alike(np.stack(small).astype(np.uint8))
    first: dict[str, int] = {}
    for i, scene in enumerate(scenes):  # 1234_1.jpg and 1234_2.jpg are crops of one photo
        other = first.setdefault(scene.name.split("_")[0], int(group[i]))
        group[group == group[i]] = other
    order = np.random.default_rng(seed).permutation(np.unique(group))
    chosen = order[: max(1, round(share * len(order)))]
    return np.isin(group, chosen)


def face_squares(data: LabeledFaces, mean_shape: NDArray[np.floating]) -> Squares:
    """The square (n, 4) of each face of a data set of crops, px of its image; mean_shape (sources, k, 2)."""
    points = np.where(data.observed[:, :, None], data.points, np.nan)
    return np.concatenate([square_of(p, mean_shape[s]) for p, s in zip(points, data.source, strict=True)])


def mean_shape_of(data: LabeledFaces) -> NDArray[np.float64]:
    """Mean shape (sources, k, 2) of each source by the median, px; NaN for points that it never labels."""
    points = np.where(data.observed[:, :, None], data.points, np.nan)
    made = np.full((2, points.shape[1], 2), np.nan)
    for source in np.unique(data.source):
        own = data.source == source
        labeled = data.observed[own].any(axis=0)
        made[source, labeled] = np.nanmedian(points[own][:, labeled], axis=0)
    return made


def write_unlabeled(path: Path, unlabeled: Unlabeled) -> None:
    """Write a CSV file with one line per detection."""
    lines = [",".join(("file", *_COLUMNS))]
    for name, squares in unlabeled.items():
        lines += [",".join([name, *(f"{value:.3f}" for value in square)]) for square in squares]
    write_text(path, "\n".join(lines) + "\n")


def read_unlabeled(path: Path) -> dict[str, NDArray[np.float64]]:
    """The content of a file by `write_unlabeled`."""
    made: dict[str, list[list[float]]] = {}
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            made.setdefault(row["file"], []).append([float(row[key]) for key in _COLUMNS])
    return {name: np.array(squares) for name, squares in made.items()}

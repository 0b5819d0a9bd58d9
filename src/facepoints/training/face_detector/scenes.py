"""What a finder learns from: whole photos with labeled faces, and places where somebody may be whom nobody labeled."""

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

Questions = Mapping[str, NDArray[np.float64]]
"""By file name: squares (n, 5) that an earlier finder took for faces and nobody labeled, and how much each looks like a
face to a keypoint network, 0 to 1."""

SURE, DOUBTFUL = 0.97, 0.1
"""Look from which a question is a face, and from which it may be one: there the network is neither rewarded nor
punished. Below, the earlier finder erred."""

NONE = np.zeros((0, 4))

_COLUMNS = ("x", "y", "side", "roll", "look")


@dataclass(frozen=True)
class Scene:
    """A grey picture, its labeled faces, and where nobody knows."""

    name: str
    levels: tuple[NDArray[np.uint8], ...]
    """the picture (h, w), and each time half as large"""
    faces: Squares
    doubts: Squares = field(default_factory=NONE.copy)
    """what may be a face without a label"""
    mistakes: Squares = field(default_factory=NONE.copy)
    """what an earlier finder took for a face and is none"""


def halved(gray: NDArray[np.uint8], smallest: int = 16) -> tuple[NDArray[np.uint8], ...]:
    """A picture (h, w), then each time half as large, while both sides have that many pixels: means of 2 x 2."""
    levels = [gray]
    while min(levels[-1].shape) >= 2 * smallest:
        height, width = (n // 2 for n in levels[-1].shape)
        even = levels[-1][: 2 * height, : 2 * width]
        levels.append(np.asarray(cv2.resize(even, (width, height), interpolation=cv2.INTER_AREA), np.uint8))
    return tuple(levels)


def read_scenes(folder: Path, mean_shape: NDArray[np.floating], questions: Questions | None = None) -> list[Scene]:
    """The photos that the folder's points.csv names, in the order of their names, with the squares of their faces.

    typical (k, 2): where the points of the table lie on the competition's faces, px. Raises BadFile.
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
        asked = (questions or {}).get(name, np.zeros((0, 5)))
        squares, look = asked[:, :4], asked[:, 4]
        faces = np.concatenate([faces, squares[look >= SURE]])
        doubts, mistakes = squares[(look >= DOUBTFUL) & (look < SURE)], squares[look < DOUBTFUL]
        scenes.append(Scene(name, halved(np.asarray(gray, np.uint8)), faces, doubts, mistakes))
    return scenes


def square_of(points: NDArray[np.floating], mean_shape: NDArray[np.floating]) -> Squares:
    """The square (1, 4) of a face with points (k, 2), NaN where not labeled."""
    given = np.isfinite(points).all(axis=1)
    center, side, roll = squares_of_points(points[None, given], mean_shape[given])
    return np.column_stack([center, side, roll])


def kept_aside(scenes: Sequence[Scene], share: float, seed: int) -> NDArray[np.bool_]:
    """(n,): which scenes are for validation. Photos that look alike, or whose names begin alike, stay together."""
    small = [cv2.resize(s.levels[0], (FACE_SIZE, FACE_SIZE), interpolation=cv2.INTER_AREA) for s in scenes]
    group = group_alike(np.stack(small).astype(np.uint8))
    first: dict[str, int] = {}
    for i, scene in enumerate(scenes):  # 1234_1.jpg and 1234_2.jpg are one photo, cut around two of its people
        other = first.setdefault(scene.name.split("_")[0], int(group[i]))
        group[group == group[i]] = other
    order = np.random.default_rng(seed).permutation(np.unique(group))
    chosen = order[: max(1, round(share * len(order)))]
    return np.isin(group, chosen)


def face_squares(data: LabeledFaces, mean_shape: NDArray[np.floating]) -> Squares:
    """The square (n, 4) of each face of a data set of crops, px of its own image; typical (sources, k, 2)."""
    points = np.where(data.observed[:, :, None], data.points, np.nan)
    return np.concatenate([square_of(p, mean_shape[s]) for p, s in zip(points, data.source, strict=True)])


def mean_shape_of(data: LabeledFaces) -> NDArray[np.float64]:
    """(sources, k, 2): where each source usually labels each point, px; NaN where it never did."""
    points = np.where(data.observed[:, :, None], data.points, np.nan)
    made = np.full((2, points.shape[1], 2), np.nan)
    for source in np.unique(data.source):
        mine = data.source == source
        seen = data.observed[mine].any(axis=0)
        made[source, seen] = np.nanmedian(points[mine][:, seen], axis=0)
    return made


def write_questions(path: Path, questions: Questions) -> None:
    """A CSV with one line for each square."""
    lines = [",".join(("file", *_COLUMNS))]
    for name, squares in questions.items():
        lines += [",".join([name, *(f"{value:.3f}" for value in square)]) for square in squares]
    write_text(path, "\n".join(lines) + "\n")


def read_questions(path: Path) -> dict[str, NDArray[np.float64]]:
    """What `write_questions` wrote."""
    made: dict[str, list[list[float]]] = {}
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            made.setdefault(row["file"], []).append([float(row[key]) for key in _COLUMNS])
    return {name: np.array(squares) for name, squares in made.items()}

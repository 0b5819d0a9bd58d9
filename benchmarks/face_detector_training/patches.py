"""Random pictures of 128 x 128 px with targets for training the face detector.

They show labeled faces of photos at any roll and size, crops of real and synthetic faces pasted elsewhere, places
without a face, and, as hard negatives, shuffled pieces of faces.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from face_detector_training.degradations import degrade
from face_detector_training.network import SIDES, STRIDE, UNIT
from face_detector_training.scenes import Scene, Squares, halved
from facepoints.keypoints import FACE_SIZE

PATCH = 128
"""Side of a picture, px."""

CELLS = PATCH // STRIDE

UNSURE = (11.0, 66.0)
"""Sides, px: faces between these and SIDES are excluded from the loss."""

TARGETS = ("heat", "counts", "right", "down", "size", "cosine", "sine", "near")
"""Target of each cell: closeness of a face's center, 0 to 1; weight in the face loss, 0 or 1; the nearest face as in
MAPS; weight in the square loss."""

_GRAY = 128  # outside of the photo
_MIDDLE = (PATCH - 1) / 2


@dataclass(frozen=True)
class Mixture:
    """Share of each kind of picture."""

    scene_face: float = 0.48
    pasted: float = 0.25
    hard: float = 0.12
    """around false positives of an earlier detector; where there are none, anywhere"""
    upright: float = 0.5
    """share of faces with a small roll; the others have any"""


class Patches:
    """Generates pictures and targets from scenes and from crops of faces."""

    def __init__(
        self,
        scenes: Sequence[Scene],
        crops: NDArray[np.uint8],
        squares: Squares,
        mixture: Mixture | None = None,
    ) -> None:
        """crops (n, 96, 96) with the squares (n, 4) of their faces."""
        self.scenes = scenes
        self._faces = [(i, face) for i, scene in enumerate(scenes) for face in scene.faces]
        self._crops, self._squares = [halved(crop, 12) for crop in crops], squares
        self._hard = [(i, square) for i, scene in enumerate(scenes) for square in scene.false_positives]
        self._mixture = mixture or Mixture()

    def batch(self, n: int, rng: Generator) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """n pictures (n, 1, 128, 128) and their targets (n, 8, 16, 16): see TARGETS."""
        pictures = np.empty((n, 1, PATCH, PATCH), np.uint8)
        targets = np.empty((n, len(TARGETS), CELLS, CELLS), np.float32)
        for i in range(n):
            pictures[i, 0], targets[i] = self.one(rng)
        return pictures, targets

    def one(self, rng: Generator) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """A picture (128, 128) and its targets (8, 16, 16)."""
        mixture, kind = self._mixture, rng.random()
        if kind < mixture.scene_face:
            picture, faces, doubts = self._around(self._faces, 0.1, rng)
        elif kind < mixture.scene_face + mixture.hard and self._hard:
            picture, faces, doubts = self._around(self._hard, 0.25, rng)
        else:
            picture, faces, doubts = self._anywhere(rng)
            if rng.random() < mixture.pasted / (1 - mixture.scene_face - mixture.hard):
                picture, faces, doubts = self._pasted(picture, faces, doubts, rng)
        return degrade(picture, rng), targets_of(faces, doubts)

    def _roll(self, rng: Generator) -> float:
        """Random roll, radians."""
        return float(rng.normal(0, 0.25) if rng.random() < self._mixture.upright else rng.uniform(-math.pi, math.pi))

    def _around(
        self, squares: list[tuple[int, NDArray[np.float64]]], margin: float, rng: Generator
    ) -> tuple[NDArray[np.uint8], Squares, Squares]:
        """A picture of a random square of a scene, at least this share of its side away from the border."""
        number, (x, y, side, _) = squares[rng.integers(len(squares))]
        scale = min(_random_side(rng) / side, 1.5)  # further enlargement would only add blur
        place = rng.uniform(margin * PATCH, (1 - margin) * PATCH, 2)
        return _cut(self.scenes[number], np.array([x, y]), place, scale, self._roll(rng), rng)

    def _anywhere(self, rng: Generator) -> tuple[NDArray[np.uint8], Squares, Squares]:
        scene = self.scenes[int(rng.integers(len(self.scenes)))]
        height, width = scene.levels[0].shape
        # from the whole photo in a third of the picture to an enlarged detail
        scale = float(np.exp(rng.uniform(np.log(PATCH / 3 / max(height, width)), np.log(1.2))))
        where = rng.uniform(0, 1, 2) * (width, height)
        return _cut(scene, where, np.full(2, _MIDDLE), scale, self._roll(rng), rng)

    def _pasted(
        self, picture: NDArray[np.uint8], faces: Squares, doubts: Squares, rng: Generator
    ) -> tuple[NDArray[np.uint8], Squares, Squares]:
        """Paste some faces; faces that they occlude become doubtful."""
        wanted = int(rng.choice([1, 2, 3, 6], p=[0.5, 0.25, 0.15, 0.1]))
        pasted: list[list[float]] = []
        for _ in range(wanted):
            side = _random_side(rng) if wanted < 6 else rng.uniform(14, 34)
            x, y = rng.uniform(0.3 * side, PATCH - 0.3 * side, 2)
            if any(math.hypot(x - a, y - b) < 0.55 * (side + s) for a, b, s, _ in pasted):
                continue
            number = int(rng.integers(len(self._crops)))
            square, roll = self._squares[number], self._roll(rng)
            levels = self._crops[number]
            if in_pieces := rng.random() < 0.06:
                levels = halved(_shuffled(levels[0], rng), 12)
            mirrored = rng.random() < 0.5
            if mirrored:
                levels = tuple(np.ascontiguousarray(level[:, ::-1]) for level in levels)
                square = np.array([FACE_SIZE - 1 - square[0], square[1], square[2], -square[3]])
            picture = _paste(picture, levels, square, np.array([x, y, side, roll]), rng)
            if not in_pieces:
                pasted.append([x, y, side, roll])
        made = np.array(pasted).reshape(-1, 4)
        hidden = [bool((np.hypot(*(made[:, :2] - face[:2]).T) < 0.6 * (made[:, 2] + face[2])).any()) for face in faces]
        gone = np.array(hidden, np.bool_)
        return picture, np.concatenate([faces[~gone], made]), np.concatenate([doubts, faces[gone]])


def _random_side(rng: Generator) -> float:
    """Random side of a face, px, log-uniform; 15 % may be outside of SIDES."""
    low, high = SIDES if rng.random() < 0.85 else (SIDES[0] * 0.6, SIDES[1] * 2.2)
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _cut(
    scene: Scene, where: NDArray[np.float64], place: NDArray[np.float64], scale: float, turn: float, rng: Generator
) -> tuple[NDArray[np.uint8], Squares, Squares]:
    """A picture of a scene: `where` (px of the scene) is mapped to `place`, scaled and rotated."""
    level = max(0, min(len(scene.levels) - 1, math.floor(-math.log2(scale))))  # against aliasing
    shrunk = 2.0**-level
    cos, sin = math.cos(turn), math.sin(turn)
    stretch = np.diag(np.exp(rng.normal(0, 0.04, 2)) * [1 if rng.random() < 0.5 else -1, 1])
    linear = scale * np.array([[cos, -sin], [sin, cos]]) @ stretch
    onward = np.column_stack([linear, place - linear @ where])  # from the scene to the picture
    of_level = np.column_stack([linear / shrunk, onward[:, 2] + linear @ np.full(2, 0.5 / shrunk - 0.5)])
    border = cv2.BORDER_CONSTANT if rng.random() < 0.7 else cv2.BORDER_REPLICATE
    picture = cv2.warpAffine(
        scene.levels[level], of_level, (PATCH, PATCH), flags=cv2.INTER_LINEAR, borderMode=border, borderValue=(_GRAY,)
    )
    return np.asarray(picture, np.uint8), _moved(scene.faces, onward), _moved(scene.doubts, onward)


def _moved(squares: Squares, affine: NDArray[np.float64]) -> Squares:
    """Squares after an affine map (2, 3), which may mirror."""
    linear = affine[:, :2]
    center = squares[:, :2] @ linear.T + affine[:, 2]
    down = np.column_stack([-np.sin(squares[:, 3]), np.cos(squares[:, 3])]) @ linear.T
    side = squares[:, 2] * math.sqrt(abs(np.linalg.det(linear)))
    return np.column_stack([center, side, np.arctan2(-down[:, 0], down[:, 1])])


def _shuffled(crop: NDArray[np.uint8], rng: Generator) -> NDArray[np.uint8]:
    """The nine pieces of a face in random order."""
    third = FACE_SIZE // 3
    pieces = crop.reshape(3, third, 3, third).swapaxes(1, 2).reshape(9, third, third)[rng.permutation(9)]
    return np.ascontiguousarray(pieces.reshape(3, 3, third, third).swapaxes(1, 2).reshape(FACE_SIZE, FACE_SIZE))


def _paste(
    picture: NDArray[np.uint8],
    levels: tuple[NDArray[np.uint8], ...],
    square: NDArray[np.float64],
    target: NDArray[np.float64],
    rng: Generator,
) -> NDArray[np.uint8]:
    """Paste a crop's face with a soft edge: `square` (4,) of the crop is mapped to `target` (4,)."""
    scale, turn = target[2] / square[2], target[3] - square[3]
    level = max(0, min(len(levels) - 1, math.floor(-math.log2(scale))))
    shrunk = 2.0**-level
    linear = scale * np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    shift = target[:2] - linear @ square[:2]
    of_level = np.column_stack([linear / shrunk, shift + linear @ np.full(2, 0.5 / shrunk - 0.5)])
    size = levels[level].shape[0]
    edge = np.zeros((size, size), np.float32)
    half = rng.uniform(0.36, 0.44, 2) * size
    middle = (round(size / 2), round(size * rng.uniform(0.48, 0.52)))
    cv2.ellipse(edge, middle, (round(half[0]), round(half[1] * 1.05)), 0, 0, 360, (1.0,), -1)
    edge = np.asarray(cv2.GaussianBlur(edge, (0, 0), size * rng.uniform(0.02, 0.05)), np.float32)
    over = cv2.warpAffine(levels[level], of_level, (PATCH, PATCH), borderMode=cv2.BORDER_REPLICATE).astype(np.float32)
    weight = cv2.warpAffine(edge, of_level, (PATCH, PATCH))
    if rng.random() < 0.5:  # adapt the face to the brightness around it
        over += rng.uniform(0.3, 1) * float(((picture - over) * weight).sum() / max(weight.sum(), 1))
    return np.clip(picture + weight * (over - picture), 0, 255).astype(np.uint8)


def targets_of(faces: Squares, doubts: Squares) -> NDArray[np.float32]:
    """The targets (8, 16, 16) of a picture with these faces (n, 4) and doubtful ones (m, 4), px of the picture."""
    made = np.zeros((len(TARGETS), CELLS, CELLS), np.float32)
    heat, counts, near = made[0], made[1], made[7]
    counts[:] = 1
    across = np.arange(CELLS, dtype=np.float32) * STRIDE + (STRIDE - 1) / 2
    wanted = (faces[:, 2] >= SIDES[0]) & (faces[:, 2] <= SIDES[1])
    unsure = ~wanted & (faces[:, 2] >= UNSURE[0]) & (faces[:, 2] <= UNSURE[1])
    for x, y, side, _ in (
        *faces[unsure],
        *doubts[(doubts[:, 2] >= UNSURE[0] / 1.5) & (doubts[:, 2] <= UNSURE[1] * 1.5)],
    ):
        counts[np.hypot(*np.meshgrid(across - x, across - y)) < max(0.6 * side, STRIDE)] = 0
    for x, y, side, roll in faces[wanted]:
        right, down = np.meshgrid(x - across, y - across)
        spread = max(side / 7, STRIDE / 3)
        bump = np.exp(-(right**2 + down**2) / (2 * spread**2))
        column, row = round((x - across[0]) / STRIDE), round((y - across[0]) / STRIDE)
        if 0 <= column < CELLS and 0 <= row < CELLS:
            bump[row, column] = 1
        mine = bump > heat
        heat[mine] = bump[mine]
        weight = np.where(bump > 0.3, bump, 0)
        mine &= weight > 0
        for map_, value in zip(
            made[2:7],
            (right / STRIDE, down / STRIDE, math.log(side / UNIT), math.cos(roll), math.sin(roll)),
            strict=True,
        ):
            map_[mine] = value[mine] if isinstance(value, np.ndarray) else value
        near[mine] = weight[mine]
        counts[heat == 1] = 1
    return made

"""A photo of many synthetic faces: prints of several sizes and rotations on a table.

Its points are known, so face detection and keypoints can be tried and evaluated without a photo of real people.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from facepoints.data.synthetic.faces import draw_faces
from facepoints.errors import BadChoice
from facepoints.keypoints import FACE_SIZE

SIDES = (84.0, 230.0)
"""Smallest and largest side of a print without its rim, px; the logarithm is uniform between them."""

ROLL_STD = math.radians(14)
"""Standard deviation of a print's roll, radians."""

ANY_ROLL = 0.15
"""Share of prints with a uniformly random roll, upside down included."""

_RIM = 0.06  # width of the white rim, in sides
_PAPER = (243, 247, 248)  # BGR
_WOOD = (68, 104, 146)
_APART = 1.06  # least distance of two prints' centers, in halves of both diagonals
_TRIES = 300


@dataclass(frozen=True)
class Crowd:
    """A photo of prints on a table, and their points."""

    pixels: NDArray[np.uint8]
    """BGR (h, w, 3)"""
    points: NDArray[np.float64]
    """(n, 15, 2): the true points of each face, px of the photo"""


@dataclass(frozen=True)
class _Place:
    """Place of a print."""

    x: float
    y: float
    side: float
    """without the rim, px"""
    roll: float
    """radians clockwise"""


def draw_crowd(n: int = 12, *, seed: int = 0, width: int = 1200, height: int = 800) -> Crowd:
    """n synthetic faces on one photo of that size, px. Prints do not overlap; many prints are smaller.

    Raises BadChoice for n < 1 and if n prints of the smallest of SIDES do not fit.
    """
    faces, points = draw_faces(n, seed=seed)
    rng = np.random.default_rng([seed, n])
    places = _scattered(n, width, height, rng)
    canvas = _table(width, height, rng)
    moved = np.empty(points.shape)
    for i, place in enumerate(places):
        moved[i] = _lay(canvas, faces[i], points[i].astype(np.float64), place)
    return Crowd(np.clip(canvas + 0.5, 0, 255).astype(np.uint8), moved)


def _scattered(n: int, width: int, height: int, rng: Generator) -> list[_Place]:
    """Places for n prints, the largest first, each at random positions until it overlaps none before."""
    sides = np.sort(np.exp(rng.uniform(math.log(SIDES[0]), math.log(SIDES[1]), n)))[::-1]
    rolls = np.where(rng.random(n) < ANY_ROLL, rng.uniform(-math.pi, math.pi, n), rng.normal(0, ROLL_STD, n))
    while True:
        halves = math.sqrt(2) / 2 * (1 + 2 * _RIM) * sides  # of the diagonals, rim included
        centers = np.zeros((0, 2))
        for half in halves[: n if 2 * halves[0] <= min(width, height) else 0]:
            tried = half + rng.random((_TRIES, 2)) * (width - 2 * half, height - 2 * half)
            away = np.linalg.norm(tried[:, None] - centers, axis=2)
            clear = np.flatnonzero((away > _APART * (half + halves[: len(centers)])).all(axis=1))
            if not len(clear):
                break
            centers = np.concatenate([centers, tried[clear[:1]]])
        if len(centers) == n:
            return [_Place(*place) for place in np.column_stack([centers, sides, rolls]).tolist()]
        if sides[0] <= SIDES[0]:
            raise BadChoice(f"{n} faces have no room on {width} x {height} px; choose fewer, or a larger photo")
        sides = np.maximum(0.93 * sides, SIDES[0])


def _table(width: int, height: int, rng: Generator) -> NDArray[np.float32]:
    """Wood, lit from the upper left: BGR (h, w, 3), 0 to 255."""
    streaks = np.zeros((height, width), np.float32)
    for fine, depth in ((3, 0.05), (9, 0.05), (40, 0.06)):
        noise = rng.standard_normal((max(2, height // fine), max(2, width // (40 * fine)))).astype(np.float32)
        streaks += depth * cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
    y, x = np.linspace(0, 1, height, dtype=np.float32)[:, None], np.linspace(0, 1, width, dtype=np.float32)
    light = 1.12 - 0.5 * np.hypot(x - 0.25, y - 0.2)
    tone = (1 + streaks) * light
    return np.asarray(tone[:, :, None] * np.array(_WOOD, np.float32), np.float32)


def _lay(
    canvas: NDArray[np.float32], face: NDArray[np.uint8], points: NDArray[np.float64], place: _Place
) -> NDArray[np.float64]:
    """Paste a face (96, 96) as a print onto the table, in place; returns its points (15, 2) there."""
    side, rim = round(place.side), round(_RIM * place.side)
    large = cv2.resize(face, (side, side), interpolation=cv2.INTER_CUBIC)
    photo = cv2.cvtColor(large, cv2.COLOR_GRAY2BGR)
    card = cv2.copyMakeBorder(photo, rim, rim, rim, rim, cv2.BORDER_CONSTANT, value=_PAPER)
    reach = round(0.95 * side)  # half a diagonal with its rim is 0.8; the rest is room for the shadow
    left, top = max(0, round(place.x) - reach), max(0, round(place.y) - reach)
    patch = canvas[top : round(place.y) + reach, left : round(place.x) + reach]
    middle = (side + 2 * rim - 1) / 2
    cos, sin = math.cos(place.roll), math.sin(place.roll)
    rotation = np.array([[cos, -sin], [sin, cos]])
    matrix = np.column_stack([rotation, np.array([place.x - left, place.y - top]) - rotation @ [middle, middle]])
    size = (patch.shape[1], patch.shape[0])
    cover = cv2.warpAffine(np.ones(card.shape[:2], np.float32), matrix, size)
    offset = np.array([[1.0, 0, 0.02 * side], [0, 1, 0.03 * side]])  # the light is at the upper left
    shadow = cv2.GaussianBlur(cv2.warpAffine(cover, offset, size), (0, 0), 0.025 * side)
    patch *= 1 - 0.45 * shadow[:, :, None]
    warped = cv2.warpAffine(card, matrix, size, borderMode=cv2.BORDER_REPLICATE).astype(np.float32)
    patch += cover[:, :, None] * (warped - patch)
    on_card = (points + 0.5) * (side / FACE_SIZE) - 0.5 + rim
    return np.asarray(on_card @ rotation.T + matrix[:, 2] + [left, top])

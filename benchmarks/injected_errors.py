"""Copies of a data set with injected label errors and near-duplicates, for tests and benchmarks/audit.py."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from facepoints.data.dataset import LabeledFaces
from facepoints.data.similarity import group_alike
from facepoints.keypoints import FACE_SIZE

CHANGES = ("none", "brightness", "scale", "compression")
"""Changes of the second picture of a near-duplicate pair, used in turn."""


@dataclass(frozen=True)
class Injected:
    """Data with injected errors, and their positions."""

    data: LabeledFaces
    wrong: dict[int, str]
    """position -> swapped, displaced or mismatched"""
    near_duplicates: dict[tuple[int, int], str]
    """(first, second), first < second -> change of the second"""


def inject(data: LabeledFaces, *, each: int = 15, near_duplicates: int = 130, seed: int = 0) -> Injected:
    """Copy the data with `each` wrong rows of every kind and this many near-duplicate pairs, each row used once."""
    rng = np.random.default_rng(seed)
    faces, points, observed = np.array(data.faces), np.array(data.points), np.array(data.observed)
    group = group_alike(data.faces)
    alone = np.flatnonzero(np.bincount(group, minlength=len(data))[group] == 1)
    free = rng.permutation(alone).tolist()
    mirror = data.keypoints.mirror

    pairs: dict[tuple[int, int], str] = {}
    for number in range(near_duplicates):
        first = free.pop()
        second = next(row for row in reversed(free) if data.source[row] == data.source[first])
        free.remove(second)
        change = CHANGES[number % len(CHANGES)]
        faces[second], points[second] = _changed(faces[first], points[first], change, rng)
        # a second annotation of the same picture differs by half a pixel
        points[second] = np.clip(points[second] + rng.normal(0, 0.5, points[second].shape), 0, FACE_SIZE - 1)
        observed[second] = observed[first]
        pairs[min(first, second), max(first, second)] = change

    wrong: dict[int, str] = {}
    for number in range(3 * each):
        kind = ("swapped", "displaced", "mismatched")[number % 3]
        row = next(r for r in reversed(free) if observed[r].sum() >= 3 and (observed[r] & observed[r, mirror]).any())
        free.remove(row)
        if kind == "swapped":
            points[row], observed[row] = points[row, mirror], observed[row, mirror]
        elif kind == "displaced":
            point = int(rng.choice(np.flatnonzero(observed[row])))
            points[row, point] = _elsewhere(points[row, point], rng)
        else:
            others = np.flatnonzero((data.source == data.source[row]) & (np.arange(len(data)) != row))
            donor = int(rng.choice(others))
            # not equal in every digit: a comparison of digits must not find them
            points[row] = np.clip(data.points[donor] + rng.normal(0, 0.3, points[row].shape), 0, FACE_SIZE - 1)
            observed[row] = data.observed[donor]
        wrong[row] = kind
    points[~observed] = 0
    return Injected(replace(data, faces=faces, points=points, observed=observed), wrong, pairs)


def _elsewhere(point: NDArray[np.float32], rng: Generator) -> NDArray[np.float64]:
    """A position 10 to 30 px away, inside the image."""
    while True:
        angle, far = rng.uniform(0, 2 * np.pi), rng.uniform(10, 30)
        moved = point + far * np.array([np.cos(angle), np.sin(angle)])
        if (moved >= 0).all() and (moved <= FACE_SIZE - 1).all():
            return moved


def _changed(
    face: NDArray[np.uint8], points: NDArray[np.float32], change: str, rng: Generator
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """The face (96, 96) and its points (k, 2) after a small change."""
    if change == "brightness":
        lighter = face * rng.uniform(0.7, 1.35) + rng.uniform(-40, 40)
        return np.clip(np.rint(lighter), 0, 255).astype(np.uint8), points
    if change == "compression":
        _, file = cv2.imencode(".jpg", face, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 95))])
        return np.asarray(cv2.imdecode(file, cv2.IMREAD_GRAYSCALE), np.uint8), points
    if change == "scale":
        size = rng.uniform(0.94, 1.07)
        middle = (FACE_SIZE - 1) / 2
        matrix = np.array([[size, 0, middle * (1 - size)], [0, size, middle * (1 - size)]])
        moved = cv2.warpAffine(face, matrix, (FACE_SIZE, FACE_SIZE), borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(moved, np.uint8), (points * size + middle * (1 - size)).astype(np.float32)
    return face, points

"""A synthetic person: features, tones, hair and expression, and the relief of the head.

The face's own frame: u to the image's right, v down, w towards the viewer, origin between the eyes, one unit =
one pixel of a frontal face (the eyes are 36 apart). The subject's left is at positive u.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from facepoints.data.synthetic.relief import FLOOR, Array, Path, axes, hills

UNDER_NOSE, MID_MOUTH = 15, 16
"""Indices of two points after the fifteen: between nose and lip, and between the lips."""

STYLES = {
    "short": 0.21,
    "receding": 0.08,
    "bald": 0.07,
    "tied": 0.1,
    "parted": 0.12,
    "fringe": 0.09,
    "bob": 0.1,
    "long": 0.13,
    "curls": 0.07,
    "hat": 0.04,
}
"""Hair styles and their relative frequency."""


@dataclass(frozen=True)
class Person:
    """Features and expression. Tones are grey values from 0 to 1; lengths are units."""

    points: Path
    """(17, 2): (u, v) of the fifteen keypoints, UNDER_NOSE and MID_MOUTH"""
    skin: float
    hair: float
    style: str
    width: float
    """half the width at the cheekbones"""
    chin: float
    """v of the chin"""
    jaw: float
    """1.6 is pointed, 3 is square"""
    nose_width: float
    lid: float
    """opening of the eyes: 0.35 is nearly closed, 1 is the mean"""
    smile: float
    """-0.3 to 1"""
    gap: float
    """between the lips"""
    brow: float
    lipstick: float
    beard: float
    """0 is none, 0.02 is shaven, 1 is full"""
    age: float
    """0 to 1: lines and folds"""
    glasses: bool


def random_person(rng: Generator) -> Person:
    """A random person. The traits of women and men have overlapping distributions."""
    pick, spread = rng.random, rng.normal
    woman = pick() < 0.5
    style = str(rng.choice(list(STYLES), p=list(STYLES.values()) / np.sum(list(STYLES.values()))))
    if woman and style in ("bald", "receding"):
        style = "long"
    if not woman and style in ("bob", "long", "tied", "fringe") and pick() < 0.75:
        style = "short"
    skin = 0.40 + 0.42 * rng.beta(2.2, 1.3)
    age = pick() ** 1.5
    hair = rng.uniform(0.08, 0.24)
    if skin > 0.6 and pick() < 0.4:
        hair = rng.uniform(0.25, 0.62)
    if pick() < 0.8 * (age - 0.35):
        hair = rng.uniform(0.5, 0.75)
    smile = float(np.clip(spread(0.45, 0.4), -0.25, 1))
    gap = float(rng.choice([0.0, rng.uniform(0.5, 3), rng.uniform(3, 8)], p=[0.6, 0.33, 0.07]))
    if smile > 0.55 and pick() < 0.75:
        gap = max(gap, rng.uniform(2.5, 4.5))
    lid = float(np.clip(spread(1.02 - 0.2 * max(smile, 0), 0.18), 0.3, 1.35))
    mouth = spread(38.2, 1.3) - 0.6 * max(smile, 0)
    lips = np.clip(spread(1.1 if woman else 0.95, 0.18), 0.5, 1.6)
    half = np.clip(spread(14.0, 1.0), 11, 17) * (1 + 0.2 * max(smile, 0)) - 0.25 * max(0, gap - 4)
    nose = spread(20.8, 1.2)
    raised, slant, sag = spread(0, 1.2), spread(0.3, 0.8), spread(-0.8, 1.2)
    one_side = np.array(
        [
            [18.1, 0.0],
            [11.4, 1.1],
            [24.8, 0.8 - slant],
            [8.4, -8.2 - raised],
            [30.6, -7.4 - raised - sag],
            [half, mouth + 0.5 - 3.2 * smile],
        ]
    )
    one_side += spread(0, 0.25, one_side.shape)
    points = np.zeros((17, 2))
    points[[0, 2, 3, 6, 7, 11]] = one_side
    points[[1, 4, 5, 8, 9, 12]] = one_side * [-1, 1] + spread(0, 0.35, one_side.shape)
    points[[0, 1]] += spread(0, [1.3, 0.5]) + [0, 1.6 * max(0, 0.9 - lid)]  # both pupils move together
    points[[10, UNDER_NOSE, MID_MOUTH], 1] = nose, nose + 5.2, mouth + 0.15 * gap
    points[13, 1] = mouth - 3.7 * lips - 0.35 * gap + 0.5 * smile
    points[14, 1] = mouth + 4.9 * lips + 0.65 * gap - 0.6 * smile
    points[[10, 13, 14, MID_MOUTH], 0] = spread(0, 0.3, 4)
    return Person(
        points=points,
        skin=float(skin),
        hair=float(hair),
        style=style,
        width=float(np.clip(spread(38.3 if woman else 39.6, 1.5), 35, 44)),
        chin=float(spread(62, 2) + 0.5 * gap),
        jaw=float(np.clip(spread(1.95 if woman else 2.25, 0.25), 1.6, 3)),
        nose_width=float(np.clip(spread(0.92 if woman else 1.05, 0.12), 0.7, 1.4)),
        lid=lid,
        smile=smile,
        gap=gap,
        brow=float(np.clip(spread(0.8 if woman else 1.2, 0.25), 0.4, 2)),
        lipstick=float(pick()) if woman else 0.1,
        beard=0.0 if woman else 0.02 if pick() < 0.55 else float(rng.uniform(0.1, 1)),
        age=float(age),
        glasses=bool(pick() < 0.17),
    )


def head(person: Person) -> Array:
    """The person's relief: skull, face, ears, neck and shoulders, (128, 128)."""
    u, v = axes()
    side = np.abs(u)
    # one superellipse below the eyes, with the jaw as its power, and one above; depth falls off to the sides and below
    low = np.clip((v - 4) / (person.chin - 4), 0, 1)
    high = np.clip((4 - v) / 78, 0, 1)
    width = person.width * (1 - low**person.jaw) ** 0.49 * (1 - high**2.3) ** 0.45 + 0.01
    width = width.astype(np.float32)
    depth = np.interp(v[:, 0], [-56, -40, -22, -10, 0, 30, 56], [26, 39, 47, 49, 48, 49, 48])[:, None]
    across = np.clip(side / width, 0, 1)
    skull = np.sqrt(1 - across * across) * (depth * np.sqrt(1 - low**7)).astype(np.float32)
    skull -= 14 * np.clip(side - width, 0, 40)
    skull -= 9 * np.clip(v - person.chin, 0, 9)
    nose, mouth, smile = float(person.points[10, 1]), float(person.points[MID_MOUTH, 1]), max(person.smile, 0.0)
    stops = np.array([-12, -5, 5, nose - 6, nose, nose + 2, nose + 4.5, nose + 7])
    ridge = np.interp(v[:, 0], stops, [0, 1.2, 3.2, 7.0, 10.5, 9.5, 4.5, 0])
    ridge = np.convolve(np.pad(ridge, 2, mode="edge"), [0.15, 0.2, 0.3, 0.2, 0.15], "valid")[:, None]
    broad = np.interp(v[:, 0], stops[1:7], [4.2, 4.0, 4.6, 5.6, 6.2, 6.8])[:, None] * person.nose_width
    skull += ridge.astype(np.float32) * np.exp(-0.5 * (u / broad.astype(np.float32)) ** 2)
    skull += hills(
        [
            (2.2, 0, nose - 0.5, 3.4, 3.2),  # tip of the nose
            (3.6, 6.6 * person.nose_width, nose + 0.8, 2.4, 2.8),  # its wings
            (2.0, 17, -9, 9, 3.5),  # brow ridge
            (-4.0, 17, 0.5, 7.5, 5.0),  # eye socket
            (2.8, 18, 0.5, 5.0, 3.6),  # eyeball
            (2.0 + 2.5 * smile, 22, 16, 8, 7),  # cheekbone
            (-1.0 - 1.5 * person.age, 18, 30, 5, 6),  # hollow of the cheek
            (3.0, 0, mouth, 12, 9),  # the teeth's arch
            (1.8, 0, mouth - 2, 8, 1.8),  # upper lip
            (2.4, 0, mouth + 3, 7.5, 2),  # lower lip
            (-2.6, 0, mouth + 9, 9, 2.4),
            (3.0, 0, person.chin - 6, 8, 4.5),
        ]
    )
    ear = np.sqrt(np.clip(1 - ((side - person.width + 0.5) / 4.6) ** 2 - ((v - 7) / 13) ** 2, 0, 1))
    ear = np.where(ear > 0, 2 + 4 * ear - 5 * np.clip(ear - 0.6, 0, 1), FLOOR)
    thick = person.width - (9 if person.beard else 12)
    neck = 32 * np.sqrt(np.clip(1 - (side / thick) ** 2, 0, 1)) - 8 - 14 * np.clip(side - thick + 2, 0, 9)
    neck = np.where(v > 20, neck, FLOOR)
    body = 26 - 0.008 * side**2 - 12 * np.clip(66 + 0.1 * side - v, 0, 20)
    together = np.maximum(np.maximum(skull, ear), np.maximum(neck, body))
    return np.asarray(np.maximum(together, FLOOR), np.float32)

"""Albedo of a synthetic face: skin, eyebrows, eyes, mouth, beard and hair in grey tones.

Paint is float32 (256, 256), 0 to 1, two cells per unit of the face's frame, and covers the relief.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from facepoints.data.synthetic.person import MID_MOUTH, Person
from facepoints.data.synthetic.relief import CORNER, SPAN, Array, Path, axes

FINE = 2
"""Cells of paint per unit."""


@cache
def hump(power: float) -> Path:
    """A path (13, 2) from v = 0 up to 1 and back to 0; a high power makes it box-like."""
    t = np.arange(13) / 6 - 1
    return np.column_stack([np.zeros(13), 1 - np.abs(t) ** power])


@cache
def circle() -> Path:
    """The outline (20, 2) of the unit circle."""
    angle = np.arange(20) * (np.pi / 10)
    return np.column_stack([np.cos(angle), np.sin(angle)])


ALONG = np.arange(13)[:, None] / 12
"""Position of each point along an arch, 0 to 1, (13, 1)."""


def arch(a: Path, b: Path, rise: float, power: float = 2.0) -> Path:
    """A path (13, 2) from a to b that bulges by rise in v midway."""
    return np.asarray(a + (b - a) * ALONG + rise * hump(power))


def ribbon(path: Path, width: float | Path) -> Path:
    """The outline of a line of this width; widths (k, 1) may change along it."""
    along = np.empty_like(path)
    along[1:-1] = path[2:] - path[:-2]
    along[0], along[-1] = path[1] - path[0], path[-1] - path[-2]
    normal = along[:, ::-1] * (0.5 * width / np.sqrt((along * along).sum(axis=1, keepdims=True) + 1e-12))
    normal[:, 0] *= -1
    return np.concatenate([path + normal, (path - normal)[::-1]])


def disc(center: Path, radius: float, flat: float = 1.0) -> Path:
    """Outline of a circle, or of an ellipse with height / width = flat."""
    return np.asarray(center + circle() * (radius, radius * flat))


def stain(
    paint: Array,
    outlines: Sequence[Path],
    tone: float,
    soft: float = 0.0,
    strength: float = 1.0,
    within: Sequence[Path] = (),
) -> None:
    """Blend areas towards a tone, edges blurred by `soft` units, clipped to the areas of `within`."""
    # a cell c has its center at (c + 0.5) / FINE units from the corner
    everything = (np.concatenate(outlines) - CORNER) * FINE - 0.5
    pad = 2 + int(3 * soft * FINE)
    (left, top), (right, bottom) = everything.min(axis=0).tolist(), everything.max(axis=0).tolist()
    x0, y0 = max(int(left) - pad, 0), max(int(top) - pad, 0)
    x1, y1 = min(int(right) + pad + 2, SPAN * FINE), min(int(bottom) + pad + 2, SPAN * FINE)
    if x1 <= x0 or y1 <= y0:
        return
    # in 64ths of a cell, rounded
    corner, fraction = CORNER + (np.array([x0, y0]) + 0.5) / FINE, 64 * FINE

    def filled(areas: Sequence[Path]) -> NDArray[np.uint8]:
        blank = np.zeros((y1 - y0, x1 - x0), np.uint8)
        for area in areas:
            cv2.fillPoly(blank, [np.rint((area - corner) * fraction).astype(np.int32)], 255, cv2.LINE_AA, 6)
        return blank

    mask = filled(outlines)
    # two box filters approximate a Gaussian in a third of its time
    box = 1 + 2 * round((np.sqrt(6 * (soft * FINE) ** 2 + 1) - 1) / 2)
    if box > 1:
        mask = np.asarray(cv2.blur(cv2.blur(mask, (box, box)), (box, box)), np.uint8)
    if within:
        mask = np.minimum(mask, filled(within))
    view = paint[y0:y1, x0:x1]
    view += (tone - view) * (mask * np.float32(strength / 255))


def paint_eyes(paint: Array, person: Person, rng: Generator) -> None:
    """Lids, white, iris, pupil and light reflection of both eyes."""
    centers, skin, lid = person.points[:2], person.skin, person.lid
    ends = [(person.points[2 + 2 * s], person.points[3 + 2 * s]) for s in (0, 1)]
    upper = [arch(a, b, -3.9 * lid, 2.2) for a, b in ends]
    lower = [arch(a, b, 2.4 * lid, 2.0) for a, b in ends]
    crease = [arch(a - [0, 1.5], b - [0, 2], -4.7 * max(lid, 0.7), 2.2) for a, b in ends]
    opening = [np.concatenate([a, b[::-1]]) for a, b in zip(upper, lower, strict=True)]
    shade = 0.25 + 0.35 * person.lipstick
    stain(paint, [ribbon(p - [0, 1.3], 3.5) for p in upper], 0.6 * skin, 1.5, shade)
    stain(paint, [ribbon(p + [0, 3.2], 1.5) for p in lower], 0.75 * skin, 1.2, 0.2 + 0.5 * person.age)
    stain(paint, [ribbon(p, 0.8) for p in crease], 0.5 * skin, 0.4, 0.65)
    stain(paint, opening, 0.72 + 0.25 * skin, 0.2)
    stain(paint, [disc(c, 3.4) for c in centers], 0.13, 0.25, 1.0, opening)
    stain(paint, [disc(c, 2.5) for c in centers], rng.uniform(0.15, 0.42), 0.35, 1.0, opening)
    stain(paint, [disc(c, 1.4) for c in centers], 0.03, 0.2, 1.0, opening)
    stain(paint, [ribbon(p + [0, 0.6], 1.0) for p in upper], 0.1, 0.5, 0.4, opening)
    lash = np.linspace(0.5, 1.2, 13)[:, None] * (0.7 + 0.6 * person.lipstick)
    stain(paint, [ribbon(p, lash) for p in upper], 0.07, 0.15, 0.9)
    stain(paint, [ribbon(p, 0.6) for p in lower], 0.35 * skin, 0.25, 0.55)
    stain(paint, [disc(a, 0.8) for a, _ in ends], 0.6 * skin, 0.4, 0.6)
    stain(paint, [disc(c + [1.0, -1.1], 0.5) for c in centers], 1.3, 0.1, 0.95, opening)


def paint_brows(paint: Array, person: Person, rng: Generator) -> None:
    """Eyebrows: tapering arches of short hairs between their two ends."""
    tone = min(0.85 * person.hair + 0.03, 0.6 * person.skin)
    paths = [arch(person.points[6 + 2 * s], person.points[7 + 2 * s], -3.0, 2.4) for s in (0, 1)]
    taper = np.interp(np.arange(13) / 12, [0, 0.15, 0.6, 1], [0.6, 1, 0.85, 0.25])[:, None]
    stain(paint, [ribbon(p, 3.0 * taper * person.brow) for p in paths], tone, 0.7, 0.55)
    hairs = []
    for outward, path in zip((1, -1), paths, strict=True):
        roots = path[:-2] + rng.normal(0, 0.45 * person.brow, (11, 2))
        tips = roots + rng.uniform([1.5, -1.6], [3, 0.2], (11, 2)) * [outward, 1]
        hairs += list(np.stack([roots, tips, tips + [0, 0.5], roots + [0, 0.7]], axis=1))
    stain(paint, hairs, tone, 0.2, 0.6)


def paint_mouth(paint: Array, person: Person) -> None:
    """Lips, and teeth and a dark gap between them if open."""
    left, right, top, bottom, middle = person.points[[11, 12, 13, 14, MID_MOUTH]]
    skin, gap, corner = person.skin, person.gap, (left[1] + right[1]) / 2
    tone = skin * (0.76 - 0.28 * person.lipstick)
    above = arch(right, left, top[1] - corner, 1.6)
    bow = np.abs(np.arange(13) / 6 - 1)[:, None] / 0.3
    above -= [0, 0.8] * bow * np.exp(1 - bow)
    line = arch(right, left, middle[1] - 0.5 * gap - corner, 2.0)
    under = arch(right, left, middle[1] + 0.5 * gap - corner, 2.2)
    below = arch(right, left, bottom[1] - corner, 2.2)
    shade = arch(right * [0.55, 1], left * [0.55, 1], bottom[1] - corner + 1.8)
    stain(paint, [ribbon(shade, 1.8)], 0.7 * skin, 1.1, 0.4)
    stain(paint, [np.concatenate([above, line[::-1]])], 0.86 * tone, 0.3, 0.9)
    stain(paint, [np.concatenate([under, below[::-1]])], tone, 0.4, 0.85)
    if gap > 0:
        hole = [np.concatenate([line, under[::-1]])]
        stain(paint, hole, 0.1, 0.2)
        row = 0.88 * (line - middle) + middle
        teeth = np.concatenate([row - [0, 1], (row + [0, min(3.6, 0.95 * gap)])[::-1]])
        if person.smile > 0:
            stain(paint, [teeth], 0.55 + 0.35 * skin, 0.25, 0.95, hole)
            between = np.column_stack([np.linspace(-0.6, 0.6, 7) * left[0], np.full(7, middle[1])])
            stain(paint, [ribbon(c + np.array([[0, -5], [0, 5]]), 0.3) for c in between], 0.4, 0.1, 0.3, hole)
    stain(paint, [ribbon(line, 0.8)], 0.25 * skin, 0.25, 0.85)
    stain(paint, [disc(left, 0.9), disc(right, 0.9)], 0.4 * skin, 0.5, 0.6)


def grain(rng: Generator, cells: int, size: int = SPAN) -> Array:
    """Smooth noise (size, size) of deviation about 1 with this many independent cells each way."""
    noise = rng.standard_normal((cells, cells), dtype=np.float32)
    return np.asarray(cv2.resize(noise, (size, size), interpolation=cv2.INTER_LINEAR))


def finer(coarse: Array) -> Array:
    """From one cell per unit, (128, 128), to the cells of paint, (256, 256)."""
    return np.asarray(cv2.resize(coarse, (SPAN * FINE, SPAN * FINE), interpolation=cv2.INTER_LINEAR))


def smooth_step(x: Array) -> Array:
    """0 below 0, 1 above 1, smooth between."""
    x = np.clip(x, 0, 1)
    return x * x * (3 - 2 * x)


def add_beard(person: Person, skin: Array, rng: Generator) -> Array:
    """Skin tones (128, 128) with a shaven or full beard on cheeks, chin and upper lip."""
    u, v = axes()
    nose, reach = float(person.points[10, 1]), (u / person.width) ** 2
    cheek = rng.uniform(43, 48) - rng.uniform(20, 34) * reach
    jaw = smooth_step((v - cheek) / 9 + 0.3)
    lip = smooth_step(1.3 - np.abs(v - nose - 10 - 0.012 * u * u) / 4.5) * smooth_step((17 - np.abs(u)) / 5)
    kind = rng.random() if person.beard > 0.02 else 1.0
    if kind < 0.2:  # a moustache
        jaw = 0 * jaw
    elif kind < 0.45:  # around the mouth
        jaw = jaw * smooth_step((19 - np.abs(u)) / 5)
    cover = np.maximum(jaw, lip) * np.clip(0.85 + 0.3 * grain(rng, 100), 0, 1)
    tone = min(person.hair + 0.03, 0.75 * person.skin)
    mixed: Array = skin + (tone - skin) * cover * (0.2 + 0.7 * person.beard)
    return mixed


def paint_face(person: Person, rng: Generator) -> Array:
    """The face without hair, (256, 256)."""
    u, v = axes()
    skin, nose, w = person.skin, float(person.points[10, 1]), person.nose_width
    ground: Array = skin * (1 + 0.03 * grain(rng, 16) + 0.015 * grain(rng, 100))
    ground *= 1 - 0.3 * smooth_step((v - person.chin + 3) / 8)  # the neck, in the shadow of the chin
    ground *= 1 - 0.12 * smooth_step((np.abs(u) - person.width + 3) / 4)  # ears
    if person.beard:
        ground = add_beard(person, ground, rng)
    paint = finer(ground)
    both = (-1, 1)
    stain(paint, [disc(np.array([s * 22, 18]), 7) for s in both], 0.86 * skin, 3, 0.4)
    stain(paint, [disc(np.array([s * 17, 1]), 9, 0.7) for s in both], 0.75 * skin, 2.5, 0.25 + 0.2 * person.age)
    stain(paint, [disc(np.array([0, nose]), 5, 0.8)], 0.85 * skin, 2, 0.4)
    sway = hump(2.0)[:, ::-1]
    ends = {s: person.points[11 if s > 0 else 12] + [s * 4, 1] for s in both}
    folds = [arch(np.array([s * 9.0, nose - 1]), ends[s], 1) + 1.5 * s * sway for s in both]
    stain(paint, [ribbon(p, 1.3) for p in folds], 0.6 * skin, 0.9, 0.1 + 0.35 * person.age + 0.3 * max(person.smile, 0))
    if person.age > 0.5:
        levels = [np.array([0, -19.0 - 4 * k]) + rng.normal(0, 0.6, 2) for k in range(3)]
        lines = [ribbon(arch(c - [19, 0], c + [19, 0], -1.5), 0.8) for c in levels]
        stain(paint, lines, 0.7 * skin, 0.5, 0.7 * (person.age - 0.4))
    stain(paint, [disc(np.array([s * 3.6 * w, nose + 3.7]), 1.5 * w, 0.6) for s in both], 0.2 * skin, 0.4, 0.85)
    wings = [arch(np.array([s * 8.6 * w, nose - 2.0]), np.array([s * 6.4 * w, nose + 3.6]), 0) for s in both]
    stain(paint, [ribbon(p + 1.2 * s * sway, 0.8) for s, p in zip(both, wings, strict=True)], 0.6 * skin, 0.5, 0.5)
    ears = [arch(np.array([s * (person.width + 1), 0]), np.array([s * (person.width + 1), 14]), 0) for s in both]
    stain(paint, [ribbon(p + 1.5 * s * sway, 1.6) for s, p in zip(both, ears, strict=True)], 0.55 * skin, 0.7, 0.6)
    paint_brows(paint, person, rng)
    paint_eyes(paint, person, rng)
    paint_mouth(paint, person)
    return paint


@cache
def fan(crown: int) -> tuple[Array, Array]:
    """Maps (128, 128) from a cell to hair strands that fan out from above u = crown: across and along them."""
    u, v = axes()
    across = (u - crown) / (v + 92) * 420 + 640  # keeps the seam of the 256 columns of locks off the crown
    along = np.hypot(u - crown, v + 92) * 0.35
    return across.astype(np.float32), along.astype(np.float32)


def hair_layers(person: Person, rng: Generator) -> tuple[Array, Array, Array, Array]:
    """Hair: coverage of each cell, tone, coverage that stands off the skull, and thickness: each (128, 128)."""
    u, v = axes()
    side, style, width = np.abs(u), person.style, person.width
    crown = int(rng.integers(-3, 4)) * (6 if style == "parted" else 2)
    across, along = fan(crown)
    locks = rng.standard_normal((32, 256), dtype=np.float32)
    locks = 2.0 * cv2.blur(locks, (3, 5)) + 7 * cv2.blur(locks, (13, 9))
    wave = grain(rng, 5) * (6 if style in ("long", "bob") else 3)
    texture = cv2.remap(locks, across + wave, along, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    if style == "curls":
        texture = 0.9 * grain(rng, 34) + 0.5 * grain(rng, 90)
    if style == "hat":
        texture = 0.2 * grain(rng, 90)

    # the hairline over the forehead, and its lower end at the ears
    front = {"bald": -70.0, "receding": -40.0, "fringe": -13.0, "hat": -19.0}.get(style, -34.5) + rng.normal(0, 2.5)
    ears = {"short": 6.0, "receding": 4.0, "bald": 0.0, "hat": -8.0}.get(style, -4.0) + rng.normal(0, 3)
    bent = side / width
    arc = 5.0 if style in ("fringe", "hat") else rng.uniform(7, 14)
    hairline = front + arc * bent**3 + (ears - front - arc) * smooth_step((bent - 0.74) / 0.24)
    if style == "receding":
        hairline = hairline - 12 * np.exp(-(((side - 19) / 8) ** 2))
    if style == "parted":
        hairline = hairline + rng.uniform(4, 12) * np.exp(-(((u + (18 if crown >= 0 else -18)) / 15) ** 2))
    ragged, edge = {"hat": (0.0, 0.8), "fringe": (1.8, 2.5)}.get(style, (0.9, 7.0))
    cover = smooth_step((hairline - v + ragged * texture) / edge + 0.5)
    volume = {"curls": 9.0, "short": 1.5, "bald": 0.5, "receding": 1.0, "tied": 1.0}.get(style, 4.0) + rng.uniform(0, 3)
    round_head = np.sqrt(np.clip(1 - (np.clip(4 - v, 0, 99) / (74 + volume)) ** 2, 0, 1)) * (width + volume)
    stands = cover * smooth_step((round_head - side + 0.4 * texture) / 2 + 0.5)
    if style in ("bob", "long", "curls") or (style in ("fringe", "parted") and not person.beard):
        length = {"long": 90.0, "bob": 42.0, "curls": 45.0}.get(style, 20.0) + rng.normal(0, 4)
        inner = width - rng.uniform(1, 6) + rng.uniform(-0.003, 0.004) * (v - 10) ** 2
        outer = width + volume + rng.uniform(3, 12) - 9 * smooth_step((v - length) / 22 + 1)
        hang = smooth_step((side - inner + 0.9 * texture) / 2 + 0.5) * smooth_step((outer - side + texture) / 2)
        hang = hang * smooth_step((length - v + 2 * texture) / 4) * smooth_step((v + 30) / 20)
        cover, stands = np.maximum(cover, hang), np.maximum(stands, hang)
    tone = float(rng.choice([0.12, 0.25, 0.8])) if style == "hat" else person.hair
    tones = tone * (1 + 0.22 * np.clip(texture, -2.5, 2.5)) + 0.01
    return cover, tones, stands, 3 + 0.5 * texture

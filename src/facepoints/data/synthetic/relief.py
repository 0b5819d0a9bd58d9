"""Reliefs: a height over a plane, the light that falls on it, and what a turned camera sees of it.

A relief is float32 (128, 128): the height w over (u, v), one cell per unit; see `person` for the frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]
"""A field over the face: float32 wherever speed counts"""
Path = NDArray[np.float64]
"""(k, 2): (u, v) along a line or around an area"""

SPAN = 128
"""Units that a relief covers both ways; one cell per unit."""
CORNER = np.array([-64.0, -56.0])
"""(u, v) of the relief's upper left edge."""
FLOOR = -32.0
"""w of what is neither head nor body."""
HORIZON = -25.0
"""w below which nothing is solid: a ray that gets here has missed head and body."""


@cache
def axes() -> tuple[Array, Array]:
    """u (1, 128) and v (128, 1) of the cell centers."""
    steps = np.arange(SPAN, dtype=np.float32) + np.float32(0.5)
    return (steps + np.float32(CORNER[0]))[None, :], (steps + np.float32(CORNER[1]))[:, None]


def hills(rows: list[tuple[float, float, float, float, float]]) -> Array:
    """The sum (128, 128) of Gaussian hills, each (height, u, v, width, length), and of their mirror images.

    Width and length are standard deviations; a hill on the middle line (u = 0) counts once.
    """
    height, u0, v0, width, length = np.array(rows, np.float32).T[:, :, None]
    u, v = axes()
    across = np.exp(-0.5 * ((u - u0) / width) ** 2) + (u0 != 0) * np.exp(-0.5 * ((u + u0) / width) ** 2)
    return np.asarray((height * np.exp(-0.5 * ((v.T - v0) / length) ** 2)).T @ across)


def heights(relief: Array, where: NDArray[np.float64]) -> NDArray[np.float64]:
    """w (k,) of the surface at (u, v) (k, 2), bilinear: the surface that the camera sees too."""
    spots = np.ascontiguousarray((where - CORNER - 0.5)[None].astype(np.float32))
    seen = cv2.remap(relief, spots[..., 0], spots[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(seen[0], np.float64)


def shifted(relief: Array, du: float, dv: float) -> Array:
    """The relief's height at (u + du, v + dv), over (u, v)."""
    move = np.array([[1.0, 0.0, du], [0.0, 1.0, dv]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(relief, move, (SPAN, SPAN), flags=flags, borderMode=cv2.BORDER_REPLICATE))


def lit(relief: Array, light: NDArray[np.float64], ambient: float, hardness: float) -> tuple[Array, Array]:
    """Diffuse and glossy light (128, 128) on the relief; light (3,) points at the lamp, hardness 0 to 1.

    Hollows get less ambient light (they see less sky), and what stands between a spot and the lamp casts a shadow.
    """
    # the walls at a head's edge are steeper than any real slope: unclipped they would gleam like a rim
    du = np.clip(cv2.Sobel(relief, cv2.CV_32F, 1, 0, scale=1 / 8), -2, 2)
    dv = np.clip(cv2.Sobel(relief, cv2.CV_32F, 0, 1, scale=1 / 8), -2, 2)
    light = light.astype(np.float32)
    steep = 1 / np.sqrt(du * du + dv * dv + 1)
    facing = (light[2] - light[0] * du - light[1] * dv) * steep
    hollow = cv2.blur(cv2.blur(relief, (9, 9)), (9, 9)) - relief
    sky = np.clip(1 - 0.06 * hollow, 0.4, 1.12) * (0.82 + 0.18 * dv * steep)
    shadow = np.zeros_like(relief)
    sideways = max(float(np.hypot(light[0], light[1])), 1e-3)
    slope = float(light[2]) / sideways
    for reach in (2.0, 4.0, 7.0, 11.0, 17.0):
        du_lamp, dv_lamp = (reach / sideways * light[:2]).tolist()
        np.maximum(shadow, (shifted(relief, du_lamp, dv_lamp) - relief - reach * slope) / (1 + 0.3 * reach), out=shadow)
    shadow = np.asarray(cv2.blur(np.clip(shadow, 0, 1), (5, 5)), np.float32)
    key = np.clip((facing + 0.12) / 1.12, 0, None) * (1 - hardness * shadow)
    # Blinn's half vector between lamp and a viewer straight ahead
    half = light + np.array([0, 0, 1], np.float32)
    half = half / np.linalg.norm(half)
    gloss = np.clip((half[2] - half[0] * du - half[1] * dv) * steep, 0, 1)
    for _ in range(4):  # to the 16th power
        gloss = gloss * gloss
    return ambient * sky + (1 - ambient) * key, gloss * (1 - shadow)


@dataclass(frozen=True)
class Pose:
    """How the head stands before the camera. Angles in radians; (x, y) in pixels of the face."""

    turn: float
    nod: float
    roll: float
    scale: float
    anchor: NDArray[np.float64]
    """(3,): the (u, v, w) that lies at `place`"""
    place: NDArray[np.float64]
    """(2,): (x, y) of the anchor in the image"""

    @property
    def rotation(self) -> NDArray[np.float64]:
        """(3, 3): from the face's frame to the camera's."""
        (ct, cn, cr), (st, sn, sr) = (f([self.turn, self.nod, self.roll]) for f in (np.cos, np.sin))
        nod = np.array([[1, 0, 0], [0, cn, sn], [0, -sn, cn]])
        turn = np.array([[ct, 0, st], [0, 1, 0], [-st, 0, ct]])
        roll = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
        return np.asarray(roll @ turn @ nod)

    def project(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """(k, 3) in the face's frame to (k, 2) pixels of the face, without perspective."""
        return np.asarray(self.scale * (points - self.anchor) @ self.rotation[:2].T + self.place)

    def look(self, relief: Array, size: int, per_pixel: float) -> Array:
        """(size, size, 2): the (u, v) seen through each cell of an image with per_pixel cells to a pixel.

        Marches a plane w = constant from the horizon up to the nose: seen through any such plane the relief only
        shifts, so one step is one affine warp; the highest crossing is the one that hides all others.
        """
        inverse = self.rotation.T
        ray = inverse[:, 2] / inverse[2, 2]
        # the (u, v, w) under a cell (column, row) is origin + cells @ (column, row), up to a multiple of the ray
        cells = inverse[:, :2] / (self.scale * per_pixel)
        first = (0.5 / per_pixel - 0.5 - self.place) / self.scale
        origin = self.anchor + inverse[:, :2] @ first
        # slide along the ray to the plane w = 0: what is left is affine in the cell and in w
        origin, cells = origin - origin[2] * ray, cells - np.outer(ray, cells[2])
        top = float(relief.max()) + 0.5
        lean = float(np.hypot(ray[0], ray[1]))
        # two units of shift from plane to plane: more, and rays slip through the steep sides of the head
        planes = np.linspace(HORIZON, top, 3 + int((top - HORIZON) * lean / 2)).tolist()

        def height_over(plane: float) -> NDArray[np.float32]:
            warp = np.column_stack([cells[:2], origin[:2] + plane * ray[:2] - CORNER - 0.5])
            flags, edge = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, cv2.BORDER_REPLICATE
            seen_there = cv2.warpAffine(relief, warp, (size, size), flags=flags, borderMode=edge)
            return np.subtract(seen_there, plane, dtype=np.float32)

        seen = np.full((size, size), HORIZON, np.float32)
        below = height_over(planes[0])
        for low, plane in pairwise(planes):
            over = height_over(plane)
            drop = np.maximum(below - over, 1e-6)
            np.copyto(seen, low + (plane - low) * below / drop, where=(below >= 0) & (over < 0))
            below = over
        steps_over = np.arange(size, dtype=np.float32)
        (a, b), (c, d) = cells[:2].tolist()
        u = seen * float(ray[0]) + (a * steps_over + float(origin[0])) + (b * steps_over)[:, None]
        v = seen * float(ray[1]) + (c * steps_over + float(origin[1])) + (d * steps_over)[:, None]
        return np.asarray(cv2.merge([u, v]))

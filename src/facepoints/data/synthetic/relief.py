"""Height fields: shading, and projection into a camera at any head pose.

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
"""Width and height of a relief in units; one cell per unit."""
CORNER = np.array([-64.0, -56.0])
"""(u, v) of the relief's upper left edge."""
FLOOR = -32.0
"""w of cells without head or body."""
HORIZON = -25.0
"""w below which a ray has missed head and body."""


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
    """w (k,) of the surface at (u, v) (k, 2), bilinear, like the surface in the camera."""
    places = np.ascontiguousarray((where - CORNER - 0.5)[None].astype(np.float32))
    visible = cv2.remap(relief, places[..., 0], places[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(visible[0], np.float64)


def shifted(relief: Array, du: float, dv: float) -> Array:
    """The relief's height at (u + du, v + dv), over (u, v)."""
    move = np.array([[1.0, 0.0, du], [0.0, 1.0, dv]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(relief, move, (SPAN, SPAN), flags=flags, borderMode=cv2.BORDER_REPLICATE))


def lit(relief: Array, light: NDArray[np.float64], ambient: float, hardness: float) -> tuple[Array, Array]:
    """Diffuse and specular shading (128, 128); light (3,) points at the light source, hardness of shadows 0 to 1.

    Hollows get less ambient light (ambient occlusion), and the relief casts shadows on itself.
    """
    # the edge of the head is steeper than any real slope: unclipped it would shine like a rim
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
        du_light, dv_light = (reach / sideways * light[:2]).tolist()
        np.maximum(
            shadow, (shifted(relief, du_light, dv_light) - relief - reach * slope) / (1 + 0.3 * reach), out=shadow
        )
    shadow = np.asarray(cv2.blur(np.clip(shadow, 0, 1), (5, 5)), np.float32)
    key = np.clip((facing + 0.12) / 1.12, 0, None) * (1 - hardness * shadow)
    # Blinn's half vector between the light and a viewer straight ahead
    half = light + np.array([0, 0, 1], np.float32)
    half = half / np.linalg.norm(half)
    gloss = np.clip((half[2] - half[0] * du - half[1] * dv) * steep, 0, 1)
    for _ in range(4):  # to the 16th power
        gloss = gloss * gloss
    return ambient * sky + (1 - ambient) * key, gloss * (1 - shadow)


@dataclass(frozen=True)
class Pose:
    """Head pose in the camera's frame. Angles in radians; (x, y) in px of the face."""

    yaw: float
    pitch: float
    roll: float
    scale: float
    anchor: NDArray[np.float64]
    """(3,): the (u, v, w) that is projected to `place`"""
    place: NDArray[np.float64]
    """(2,): (x, y) of the anchor in the image"""

    @property
    def rotation(self) -> NDArray[np.float64]:
        """(3, 3): from the face's frame to the camera's."""
        (cy, cp, cr), (sy, sp, sr) = (f([self.yaw, self.pitch, self.roll]) for f in (np.cos, np.sin))
        pitch = np.array([[1, 0, 0], [0, cp, sp], [0, -sp, cp]])
        yaw = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
        roll = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
        return np.asarray(roll @ yaw @ pitch)

    def project(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """(k, 3) in the face's frame to (k, 2) pixels of the face, without perspective."""
        return np.asarray(self.scale * (points - self.anchor) @ self.rotation[:2].T + self.place)

    def surface(self, relief: Array, size: int, per_pixel: float) -> Array:
        """(size, size, 2): the visible (u, v) in each cell of an image with per_pixel cells per pixel.

        Ray marching over planes w = constant from the horizon up to the nose: projected along the ray onto such a plane
        the relief is only shifted, so one step is one affine warp; the highest crossing hides all others.
        """
        inverse = self.rotation.T
        ray = inverse[:, 2] / inverse[2, 2]
        # the (u, v, w) under a cell (column, row) is origin + cells @ (column, row), up to a multiple of the ray
        cells = inverse[:, :2] / (self.scale * per_pixel)
        first = (0.5 / per_pixel - 0.5 - self.place) / self.scale
        origin = self.anchor + inverse[:, :2] @ first
        # move along the ray to the plane w = 0: the rest is affine in the cell and in w
        origin, cells = origin - origin[2] * ray, cells - np.outer(ray, cells[2])
        top = float(relief.max()) + 0.5
        lean = float(np.hypot(ray[0], ray[1]))
        # at most two units of shift per plane: with more, rays miss the steep sides of the head
        planes = np.linspace(HORIZON, top, 3 + int((top - HORIZON) * lean / 2)).tolist()

        def height_over(plane: float) -> NDArray[np.float32]:
            warp = np.column_stack([cells[:2], origin[:2] + plane * ray[:2] - CORNER - 0.5])
            flags, edge = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, cv2.BORDER_REPLICATE
            warped = cv2.warpAffine(relief, warp, (size, size), flags=flags, borderMode=edge)
            return np.subtract(warped, plane, dtype=np.float32)

        visible = np.full((size, size), HORIZON, np.float32)
        below = height_over(planes[0])
        for low, plane in pairwise(planes):
            over = height_over(plane)
            drop = np.maximum(below - over, 1e-6)
            np.copyto(visible, low + (plane - low) * below / drop, where=(below >= 0) & (over < 0))
            below = over
        steps_over = np.arange(size, dtype=np.float32)
        (a, b), (c, d) = cells[:2].tolist()
        u = visible * float(ray[0]) + (a * steps_over + float(origin[0])) + (b * steps_over)[:, None]
        v = visible * float(ray[1]) + (c * steps_over + float(origin[1])) + (d * steps_over)[:, None]
        return np.asarray(cv2.merge([u, v]))

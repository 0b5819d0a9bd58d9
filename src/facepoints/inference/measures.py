"""Measures of a face from its points alone: head pose, mouth, brows, asymmetry, each with a standard error.

Formulas, references and limits: docs/measures.md. Mouth, brows and asymmetry are measured in the head's own frame (see
`data.head_pose`), so that they depend little on the pose.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facepoints.data.head_pose import MEAN_FACE, Floats, fit_pose, rotation
from facepoints.errors import BadChoice
from facepoints.keypoints import FIFTEEN, KeypointSet

MEASURES = {
    "roll": "degrees, clockwise as displayed",
    "yaw": "degrees, to the image's right",
    "pitch": "degrees, downwards",
    "eye_distance": "px of the image, between the eye centers",
    "mouth_opening": "eye distances, between the middles of the lips",
    "mouth_width": "eye distances, between the corners of the mouth",
    "brow_height": "eye distances, from the eyes up to the ends of the brows",
    "asymmetry": "eye distances, deviation of the left half from the mirrored right half",
}
"""Name and unit of each measure, in the order of the columns."""

COLUMNS = tuple(name + suffix for name in MEASURES for suffix in ("", "_error"))
"""Columns of a table: each measure, then its standard error."""


@dataclass(frozen=True)
class Measured:
    """Values and standard errors (n, m) of n faces, in the order of MEASURES."""

    values: Floats
    errors: Floats

    def columns(self) -> list[dict[str, float]]:
        """For each face its COLUMNS."""
        both = np.stack([self.values, self.errors], axis=2).reshape(len(self.values), len(COLUMNS))
        return [dict(zip(COLUMNS, row, strict=True)) for row in both.tolist()]


def measure(
    points: NDArray[np.floating[Any]], expected_error: NDArray[np.floating[Any]], keypoints: KeypointSet = FIFTEEN
) -> Measured:
    """Measure faces: points (n, k, 2) px and their expected errors (n, k) px, both as a detector returns them.

    The standard errors are those of the points propagated through the formulas (GUM, JCGM 100:2008, equation 10) with
    independent coordinates. Raises BadChoice for a set without all of the FIFTEEN.
    """
    check_measurable(keypoints)
    n, k = len(points), len(keypoints)
    if points.shape != (n, k, 2) or expected_error.shape != (n, k):
        got = f"points {points.shape} and expected errors {expected_error.shape}"
        raise BadChoice(f"{got} do not fit {k} keypoints, expected (n, {k}, 2) and (n, {k})")
    order = [keypoints.index(name) for name in FIFTEEN.names]
    at, sigma = points[:, order].astype(np.float64), expected_error[:, order].astype(np.float64)
    pose = fit_pose(at, sigma)

    def formulas(moved: Floats) -> Floats:
        return _measures(moved, fit_pose(moved, np.repeat(sigma, 4 * len(FIFTEEN), axis=0), start=pose))

    values = _measures(at, pose)
    return Measured(values, _propagated(formulas, values, at, sigma))


def check_measurable(keypoints: KeypointSet) -> None:
    """Raises BadChoice for a set without all of the FIFTEEN."""
    absent = [name for name in FIFTEEN.names if name not in keypoints.names]
    if absent:
        raise BadChoice(f"measures need the fifteen points; this model has no {', '.join(absent)}")


def _measures(points: Floats, pose: Floats) -> Floats:
    """The MEASURES (n, m) of points (n, 15, 2) px on heads of these poses (n, 6)."""
    own = _in_head(points, pose)
    at = {name: own[:, i] for i, name in enumerate(FIFTEEN.names)}
    eyes = points[:, FIFTEEN.index("left_eye_center")] - points[:, FIFTEEN.index("right_eye_center")]
    lips = at["mouth_center_bottom_lip"] - at["mouth_center_top_lip"]
    corners = at["mouth_left_corner"] - at["mouth_right_corner"]
    brows = [at[f"{side}_eyebrow_{end}_end"][:, 1] for side in ("left", "right") for end in ("inner", "outer")]
    eye_line = (at["left_eye_center"][:, 1] + at["right_eye_center"][:, 1]) / 2
    apart = (own - own[:, FIFTEEN.mirror] * (-1, 1)) / 2
    apart -= apart.mean(axis=1, keepdims=True)  # a shift of the middle is an error of the pose, not asymmetry
    return np.stack(
        [
            *np.degrees(pose[:, :3]).T,
            np.hypot(eyes[:, 0], eyes[:, 1]),
            np.linalg.norm(lips, axis=1),
            np.linalg.norm(corners, axis=1),
            eye_line - np.mean(brows, axis=0),
            np.sqrt((apart**2).sum(axis=2).mean(axis=1)),
        ],
        axis=1,
    )


def _in_head(points: Floats, pose: Floats) -> Floats:
    """Points (n, 15, 2) px in the head's frame (n, 15, 2), eye distances, each at the mean face's depth."""
    rotated = rotation(pose)
    flat = (points - pose[:, None, 4:]) / pose[:, None, 3, None]
    flat = flat - MEAN_FACE[:, 2, None] * rotated[:, None, :2, 2]
    return np.asarray(flat @ np.linalg.inv(rotated[:, :2, :2]).swapaxes(1, 2))


def _propagated(formulas: Callable[[Floats], Floats], values: Floats, points: Floats, sigma: Floats) -> Floats:
    """Standard errors (n, m) of formulas of points (n, k, 2) with standard errors sigma (n, k) per coordinate, px.

    Each coordinate is moved by plus and minus its error; the squares of both changes count half each. A derivative
    would be zero for asymmetry, which has its minimum at a symmetric face.
    """
    n, k, _ = points.shape
    moves = np.eye(2 * k).reshape(2 * k, k, 2) * sigma[:, None, :, None]
    both = np.concatenate([points[:, None] + moves, points[:, None] - moves], axis=1).reshape(-1, k, 2)
    change = formulas(both).reshape(n, 4 * k, values.shape[1]) - values[:, None]
    change[..., 0] = (change[..., 0] + 180) % 360 - 180  # roll wraps around
    return np.asarray(np.sqrt((change**2).sum(axis=1) / 2))

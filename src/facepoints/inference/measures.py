"""What people want to know of a face, from its points alone: how the head is held, mouth, brows, asymmetry.

Formulas, sources and limits stand in docs/measures.md. The head's own frame, in eye distances: x to the image's
right, y down, z towards the viewer, origin between the eyes. Turned and nodded heads are measured in that frame, so
that the same mouth measures the same from the side.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facepoints.errors import BadChoice
from facepoints.keypoints import FIFTEEN, KeypointSet

Floats = NDArray[np.float64]

MEASURES = {
    "roll": "degrees, clockwise as seen",
    "turn": "degrees, to the image's right",
    "nod": "degrees, downwards",
    "eye_distance": "px of the picture, between the eye centers",
    "mouth_opening": "eye distances, between the middles of the lips",
    "mouth_width": "eye distances, between the corners of the mouth",
    "brow_height": "eye distances, from the eyes up to the ends of the brows",
    "asymmetry": "eye distances, how far the left half is from mirroring the right",
}
"""What is measured, in the order of the columns, and its unit."""

COLUMNS = tuple(name + suffix for name in MEASURES for suffix in ("", "_error"))
"""Columns of a table: each measure, then its standard error."""

# vertices 55, 46, 159, 145, 133, 33, 1, 61, 11 and 17 (from 0) of the canonical face model of MediaPipe (Apache-2.0,
# modules/face_geometry/data/canonical_face_model.obj), cm; x to the subject's left, y up, z forwards
_EYE = (3.177186, (2.964136 + 2.294265) / 2, (3.876973 + 3.775704) / 2)
_INNER_CORNER, _OUTER_CORNER = (1.856432, 2.585245, 3.757904), (4.445859, 2.663991, 3.173422)
_BROW_INNER, _BROW_OUTER = (1.220941, 4.142165, 5.106035), (5.253307, 3.881582, 3.363159)
_NOSE, _MOUTH_CORNER = (0.0, -1.126865, 7.475604), (2.456206, -4.342621, 4.283884)
_TOP_LIP, _BOTTOM_LIP = (0.0, -3.706811, 5.864924), (0.0, -5.365123, 5.535441)


def _mean_face() -> Floats:
    """(15, 3): the FIFTEEN points of a mean face, eye distances, in the head's own frame."""
    sides = (_EYE, _INNER_CORNER, _OUTER_CORNER, _BROW_INNER, _BROW_OUTER, _MOUTH_CORNER)
    left, right = np.array(sides), np.array(sides) * (-1, 1, 1)
    eyes = [left[0], right[0], left[1], left[2], right[1], right[2]]
    rest = [left[3], left[4], right[3], right[4], _NOSE, left[5], right[5], _TOP_LIP, _BOTTOM_LIP]
    face = (np.array([*eyes, *rest]) - (left[0] + right[0]) / 2) * (1, -1, 1)
    return np.asarray(face / (2 * _EYE[0]))


MEAN_FACE = _mean_face()

_STILL = np.array([FIFTEEN.index(n) for n in FIFTEEN.names if "brow" not in n and "lip" not in n])
"""Points that neither a word nor a frown moves far: they tell the pose."""

_SPREAD = 0.04
"""Standard deviation, in eye distances, by which people's still points differ from the mean face's: with it, points
that the network is very sure of do not outvote the others. Labels of 2,140 faces differ by 0.03 at the eyes."""

_ROUNDS, _DAMPING, _SETTLED = 12, 1e-6, 1e-5
_MOST_TILT = np.radians(85.0)
_ROLL, _TURN, _NOD, _SCALE, _X, _Y = range(6)


@dataclass(frozen=True)
class Measured:
    """Of n faces: values and standard errors (n, m), in the order of MEASURES."""

    values: Floats
    errors: Floats

    def columns(self) -> list[dict[str, float]]:
        """For each face its COLUMNS."""
        both = np.stack([self.values, self.errors], axis=2).reshape(len(self.values), len(COLUMNS))
        return [dict(zip(COLUMNS, row, strict=True)) for row in both.tolist()]


def measure(
    points: NDArray[np.floating[Any]], expected_error: NDArray[np.floating[Any]], keypoints: KeypointSet = FIFTEEN
) -> Measured:
    """Measure faces: points (n, k, 2) px and their expected errors (n, k) px, both as a detector gives them.

    The standard errors are those of the points carried through the formulas (GUM, JCGM 100:2008, equation 10): each
    coordinate errs by the expected error, none with another. Raises BadChoice for a set that lacks any of the FIFTEEN.
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
    return Measured(values, _carried(formulas, values, at, sigma))


def fit_pose(points: Floats, sigma: Floats, start: Floats | None = None) -> Floats:
    """(n, 6): roll, turn and nod in radians, px per eye distance, x and y of the middle of the eyes in px.

    Weak perspective: the mean face is turned by roll · turn · nod, seen without its depth and enlarged; least squares
    over the still points, weighted by what points (n, 15, 2) err (sigma (n, 15), px) and people differ. Gauss-Newton
    with a little damping from an upright, frontal head; or one step from `start` (m, 6), used for n / m faces each,
    which is what a small move of a point does to the pose.
    """
    pose = _upright(points) if start is None else np.repeat(start, len(points) // max(1, len(start)), axis=0)
    face, seen = MEAN_FACE[_STILL], points[:, _STILL]
    size = pose[:, _SCALE, None]
    weight = 1 / (sigma[:, _STILL] ** 2 + (_SPREAD * size) ** 2)
    for _ in range(_ROUNDS if start is None else 1):
        model, slope = _seen(pose, face)
        flat = slope.reshape(len(pose), 2 * len(face), 6)
        scaled = (flat * np.repeat(weight, 2, axis=1)[..., None]).swapaxes(1, 2)
        normal = scaled @ flat
        normal += _DAMPING * np.einsum("naa->na", normal)[:, :, None] * np.eye(6)
        step = np.linalg.solve(normal, scaled @ (seen - model).reshape(len(pose), 2 * len(face), 1))[..., 0]
        step[:, :3] = step[:, :3].clip(-0.5, 0.5)  # radians: a far start must not throw the head around
        pose = pose + step
        pose[:, _TURN : _NOD + 1] = pose[:, _TURN : _NOD + 1].clip(-_MOST_TILT, _MOST_TILT)
        pose[:, _SCALE] = np.maximum(pose[:, _SCALE], 0.2 * size[:, 0])
        if np.abs(step[:, :3]).max(initial=0.0) < _SETTLED:
            break
    pose[:, _ROLL] = (pose[:, _ROLL] + np.pi) % (2 * np.pi) - np.pi
    return pose


def rotation(pose: Floats) -> Floats:
    """(n, 3, 3): from the head's frame to the camera's, of poses (n, 6)."""
    (cr, ct, cn), (sr, st, sn) = np.cos(pose[:, :3]).T, np.sin(pose[:, :3]).T
    rows = [
        [cr * ct, cr * st * -sn - sr * cn, cr * st * cn - sr * sn],
        [sr * ct, sr * st * -sn + cr * cn, sr * st * cn + cr * sn],
        [-st, -ct * sn, ct * cn],
    ]
    return np.moveaxis(np.array(rows), 2, 0)


def _upright(points: Floats) -> Floats:
    """A first guess (n, 6) from the eyes alone."""
    left, right = points[:, FIFTEEN.index("left_eye_center")], points[:, FIFTEEN.index("right_eye_center")]
    across = left - right
    zero = np.zeros(len(points))
    distance = np.hypot(across[:, 0], across[:, 1])
    # a head in profile has hardly any distance between the eyes: the face's height keeps the guess a size
    tall = np.linalg.norm(points[:, _STILL].max(axis=1) - points[:, _STILL].min(axis=1), axis=1) / 2
    middle = (left + right) / 2
    roll = np.arctan2(across[:, 1], across[:, 0])
    return np.stack([roll, zero, zero, np.maximum(distance, tall).clip(1e-6), *middle.T], axis=1)


def _seen(pose: Floats, face: Floats) -> tuple[Floats, Floats]:
    """Where the picture shows the face's points (k, 3): (n, k, 2) px, and its slope by the pose, (n, k, 2, 6)."""
    (sr, st, sn), (cr, ct, cn) = np.sin(pose[:, :3]).T[:, :, None], np.cos(pose[:, :3]).T[:, :, None]
    x, y, z = face.T
    deep, low = cn * z - sn * y, cn * y + sn * z  # after the nod
    side = ct * x + st * deep  # after the turn
    size = pose[:, _SCALE, None]
    flat = np.stack([cr * side - sr * low, sr * side + cr * low], axis=2)
    slope = np.zeros((len(pose), len(face), 2, 6))
    slope[..., _ROLL] = size[..., None] * np.stack([-flat[..., 1], flat[..., 0]], axis=2)
    by_turn, by_nod = ct * deep - st * x, (-st * low, deep)
    slope[..., _TURN] = size[..., None] * np.stack([cr * by_turn, sr * by_turn], axis=2)
    slope[..., _NOD] = size[..., None] * np.stack([cr * by_nod[0] - sr * deep, sr * by_nod[0] + cr * deep], axis=2)
    slope[..., _SCALE] = flat
    slope[..., 0, _X] = slope[..., 1, _Y] = 1
    return size[..., None] * flat + pose[:, None, _X:], slope


def _measures(points: Floats, pose: Floats) -> Floats:
    """The MEASURES (n, m) of points (n, 15, 2) px on heads of these poses (n, 6)."""
    own = _in_head(points, pose)
    at = {name: own[:, i] for i, name in enumerate(FIFTEEN.names)}
    eyes = points[:, FIFTEEN.index("left_eye_center")] - points[:, FIFTEEN.index("right_eye_center")]
    lips = at["mouth_center_bottom_lip"] - at["mouth_center_top_lip"]
    corners = at["mouth_left_corner"] - at["mouth_right_corner"]
    brows = [at[f"{side}_eyebrow_{end}_end"][:, 1] for side in ("left", "right") for end in ("inner", "outer")]
    eye_line = (at["left_eye_center"][:, 1] + at["right_eye_center"][:, 1]) / 2
    mirrored = own[:, FIFTEEN.mirror] * (-1, 1)
    apart = (own - mirrored) / 2
    apart -= apart.mean(axis=1, keepdims=True)  # where the middle lies is the pose's business, not the face's
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
    """Points (n, 15, 2) px in the head's frame (n, 15, 2), eye distances, each at the mean face's depth there."""
    turned = rotation(pose)
    flat = (points - pose[:, None, _X:]) / pose[:, None, _SCALE, None]
    flat = flat - MEAN_FACE[:, 2, None] * turned[:, None, :2, 2]
    return np.asarray(flat @ np.linalg.inv(turned[:, :2, :2]).swapaxes(1, 2))


def _carried(formulas: Callable[[Floats], Floats], values: Floats, points: Floats, sigma: Floats) -> Floats:
    """Standard errors (n, m) of formulas of points (n, k, 2) whose coordinates err by sigma (n, k), px.

    Each coordinate is moved by its error, ahead and back; the squares of both changes count half each. A slope would
    do for most, but says that asymmetry, which has its least value at a symmetric face, could not err there.
    """
    n, k, _ = points.shape
    moves = np.eye(2 * k).reshape(2 * k, k, 2) * sigma[:, None, :, None]
    both = np.concatenate([points[:, None] + moves, points[:, None] - moves], axis=1).reshape(-1, k, 2)
    change = formulas(both).reshape(n, 4 * k, values.shape[1]) - values[:, None]
    change[..., 0] = (change[..., 0] + 180) % 360 - 180  # roll, past a half turn
    return np.asarray(np.sqrt((change**2).sum(axis=1) / 2))


def check_measurable(keypoints: KeypointSet) -> None:
    """Raises BadChoice for a set that lacks any of the FIFTEEN."""
    absent = [name for name in FIFTEEN.names if name not in keypoints.names]
    if absent:
        raise BadChoice(f"measures need the fifteen points; this model gives no {', '.join(absent)}")

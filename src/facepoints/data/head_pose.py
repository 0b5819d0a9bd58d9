"""Head pose from points: a weak-perspective fit of a mean face in three dimensions, and the frame spanned by the eyes.

Formulas and references: docs/measures.md. The head's own frame has eye distances as unit, x to the image's right, y
down, z towards the viewer, and its origin between the eyes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facepoints.data.dataset import LabeledFaces
from facepoints.keypoints import FIFTEEN, KeypointSet

Floats = NDArray[np.float64]

EYES = (("left_eye_center", "right_eye_center"), ("left_eye", "right_eye"))
"""Names of the two eyes; the first pair that a keypoint set contains is used."""

NOSES = ("nose_tip", "nose")

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

_RIGID = np.array([FIFTEEN.index(n) for n in FIFTEEN.names if "brow" not in n and "lip" not in n])
"""Points that facial expressions move little: the pose is fitted to them."""

_SPREAD = 0.04
"""Standard deviation, in eye distances, of people's rigid points around the mean face: it limits the weight of points
with a small expected error. Labels of 2,140 faces differ by 0.03 at the eyes."""

_ROUNDS, _DAMPING, _CONVERGED = 12, 1e-6, 1e-5
_MOST_TILT = np.radians(85.0)
_ROLL, _YAW, _PITCH, _SCALE, _X, _Y = range(6)


def fit_pose(points: Floats, sigma: Floats, start: Floats | None = None) -> Floats:
    """Poses (n, 6): roll, yaw, pitch in radians, px per eye distance, x and y of the middle of the eyes in px.

    points (n, 15, 2) px; sigma (n, 15): their standard errors, px, inf where a point is missing (both eye centers are
    needed). The mean face is rotated by roll · yaw · pitch, projected without perspective and scaled; least squares
    over the rigid points, by damped Gauss-Newton from an upright frontal head. With `start` (m, 6), each used for n / m
    faces, a single step from there: the change of the pose for a small change of the points.
    """
    pose = _initial(points, sigma) if start is None else np.repeat(start, len(points) // max(1, len(start)), axis=0)
    face, observed = MEAN_FACE[_RIGID], points[:, _RIGID]
    size = pose[:, _SCALE, None]
    weight = 1 / (sigma[:, _RIGID] ** 2 + (_SPREAD * size) ** 2)
    for _ in range(_ROUNDS if start is None else 1):
        model, slope = _project(pose, face)
        flat = slope.reshape(len(pose), 2 * len(face), 6)
        scaled = (flat * np.repeat(weight, 2, axis=1)[..., None]).swapaxes(1, 2)
        normal = scaled @ flat
        normal += _DAMPING * np.einsum("naa->na", normal)[:, :, None] * np.eye(6)
        step = np.linalg.solve(normal, scaled @ (observed - model).reshape(len(pose), 2 * len(face), 1))[..., 0]
        step[:, :3] = step[:, :3].clip(-0.5, 0.5)  # radians: keeps a far start from diverging
        pose = pose + step
        pose[:, _YAW : _PITCH + 1] = pose[:, _YAW : _PITCH + 1].clip(-_MOST_TILT, _MOST_TILT)
        pose[:, _SCALE] = np.maximum(pose[:, _SCALE], 0.2 * size[:, 0])
        if np.abs(step[:, :3]).max(initial=0.0) < _CONVERGED:
            break
    pose[:, _ROLL] = (pose[:, _ROLL] + np.pi) % (2 * np.pi) - np.pi
    return pose


def rotation(pose: Floats) -> Floats:
    """Rotations (n, 3, 3) from the head's frame to the camera's, of poses (n, 6)."""
    (cr, cy, cp), (sr, sy, sp) = np.cos(pose[:, :3]).T, np.sin(pose[:, :3]).T
    rows = [
        [cr * cy, cr * sy * -sp - sr * cp, cr * sy * cp - sr * sp],
        [sr * cy, sr * sy * -sp + cr * cp, sr * sy * cp + cr * sp],
        [-sy, -cy * sp, cy * cp],
    ]
    return np.moveaxis(np.array(rows), 2, 0)


def _initial(points: Floats, sigma: Floats) -> Floats:
    """First estimate (n, 6) from the eye centers."""
    left, right = points[:, FIFTEEN.index("left_eye_center")], points[:, FIFTEEN.index("right_eye_center")]
    across = left - right
    # the eyes of a profile are close together: the extent of the face keeps the estimate of its size
    known = np.where(np.isfinite(sigma[:, _RIGID, None]), points[:, _RIGID], left[:, None])
    extent = np.linalg.norm(known.max(axis=1) - known.min(axis=1), axis=1) / 2
    size = np.maximum(np.hypot(across[:, 0], across[:, 1]), extent).clip(1e-6)
    zero = np.zeros(len(points))
    return np.stack([np.arctan2(across[:, 1], across[:, 0]), zero, zero, size, *((left + right) / 2).T], axis=1)


def _project(pose: Floats, face: Floats) -> tuple[Floats, Floats]:
    """The image (n, k, 2), px, of the face's points (k, 3), and its derivatives by the pose (n, k, 2, 6)."""
    (sr, sy, sp), (cr, cy, cp) = np.sin(pose[:, :3]).T[:, :, None], np.cos(pose[:, :3]).T[:, :, None]
    x, y, z = face.T
    deep, low = cp * z - sp * y, cp * y + sp * z  # after the pitch
    side = cy * x + sy * deep  # after the yaw
    size = pose[:, _SCALE, None]
    flat = np.stack([cr * side - sr * low, sr * side + cr * low], axis=2)
    slope = np.zeros((len(pose), len(face), 2, 6))
    slope[..., _ROLL] = size[..., None] * np.stack([-flat[..., 1], flat[..., 0]], axis=2)
    by_yaw, by_pitch = cy * deep - sy * x, -sy * low
    slope[..., _YAW] = size[..., None] * np.stack([cr * by_yaw, sr * by_yaw], axis=2)
    slope[..., _PITCH] = size[..., None] * np.stack([cr * by_pitch - sr * deep, sr * by_pitch + cr * deep], axis=2)
    slope[..., _SCALE] = flat
    slope[..., 0, _X] = slope[..., 1, _Y] = 1
    return size[..., None] * flat + pose[:, None, _X:], slope


@dataclass(frozen=True)
class HeadPose:
    """Poses of n labeled faces, NaN where a needed label is missing."""

    middle: Floats
    """(n, 2) px: halfway between the eye centers"""
    eye_distance: Floats
    """(n,) px"""
    roll: Floats
    """(n,) degrees, direction of the line between the eyes, positive clockwise as displayed"""
    yaw: Floats
    """(n,) degrees, positive to the image's right, minus the source's median"""
    pitch: Floats
    """(n,) degrees, positive downwards, minus the source's median: sources differ in what they call nose tip"""

    def take(self, rows: NDArray[np.integer] | NDArray[np.bool_]) -> HeadPose:
        """The poses of these faces."""
        return HeadPose(*(v[rows] for v in (self.middle, self.eye_distance, self.roll, self.yaw, self.pitch)))


def eye_indices(keypoints: KeypointSet) -> tuple[int, int] | None:
    """The positions of the subject's left and right eye center, or None for a set without them."""
    for left, right in EYES:
        if left in keypoints.names and right in keypoints.names:
            return keypoints.index(left), keypoints.index(right)
    return None


def head_pose(data: LabeledFaces) -> HeadPose | None:
    """The pose of each head, or None for a keypoint set without eyes.

    Middle, distance and roll come from the eyes alone: a swap of the eyes' labels then shows as a roll near 180
    degrees. Yaw and pitch are those of `fit_pose` and need the nose.
    """
    eyes = eye_indices(data.keypoints)
    if eyes is None:
        return None
    known = data.observed[:, eyes[0]] & data.observed[:, eyes[1]]
    ends = np.where(known[:, None, None], data.points[:, eyes].astype(np.float64), np.nan)
    across = ends[:, 0] - ends[:, 1]  # the subject's left eye is image right
    distance = np.hypot(across[:, 0], across[:, 1])
    distance = np.where(distance < 1, np.nan, distance)  # coinciding eyes define no frame
    yaw, pitch = _yaw_and_pitch(data, eyes, np.isfinite(distance))
    return HeadPose(ends.mean(axis=1), distance, np.degrees(np.arctan2(across[:, 1], across[:, 0])), yaw, pitch)


def _yaw_and_pitch(data: LabeledFaces, eyes: tuple[int, int], known: NDArray[np.bool_]) -> Floats:
    """(2, n) degrees, minus the source's median; NaN where not `known` or without a nose."""
    angles = np.full((2, len(data)), np.nan)
    nose = next((data.keypoints.index(name) for name in NOSES if name in data.keypoints.names), None)
    if nose is None:
        return angles
    own = [data.keypoints.names.index(n) if n in data.keypoints.names else -1 for n in FIFTEEN.names]
    own[FIFTEEN.index("left_eye_center")], own[FIFTEEN.index("right_eye_center")] = eyes
    own[FIFTEEN.index("nose_tip")] = nose
    rows = np.flatnonzero(known & data.observed[:, nose])
    sigma = np.where(data.observed[rows][:, own] & (np.array(own) >= 0), 0.0, np.inf)
    pose = fit_pose(data.points[rows][:, own].astype(np.float64), sigma)
    angles[:, rows] = np.degrees(pose[:, [_YAW, _PITCH]]).T
    for source in np.unique(data.source[rows]):
        same = rows[data.source[rows] == source]
        angles[:, same] -= np.median(angles[:, same], axis=1, keepdims=True)
    return angles


def to_eye_frame(points: NDArray[np.floating], pose: HeadPose) -> Floats:
    """Points (n, k, 2) px -> (n, k, 2) in eye distances from between the eyes, x along them, y down the face."""
    angle = np.radians(pose.roll)
    cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
    moved = points - pose.middle[:, None]
    x, y = moved[..., 0], moved[..., 1]
    frame: Floats = np.stack([cos * x + sin * y, cos * y - sin * x], axis=-1)
    return frame / pose.eye_distance[:, None, None]


def upright(pose: HeadPose, most_roll: float = 30.0) -> NDArray[np.bool_]:
    """(n,) which heads have plausible eyes: a roll and an eye distance that label errors rarely have."""
    median = np.nanmedian(pose.eye_distance) if np.isfinite(pose.eye_distance).any() else np.nan
    size = pose.eye_distance / median
    with np.errstate(invalid="ignore"):
        return np.asarray((np.abs(pose.roll) < most_roll) & (size > 0.6) & (size < 1.6))

"""How heads are held, told by labels alone: eye distance, roll and turn, and the frame that the eyes span."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facepoints.data.dataset import LabeledFaces
from facepoints.keypoints import KeypointSet

EYES = (("left_eye_center", "right_eye_center"), ("left_eye", "right_eye"))
"""Names of the two points that count as the eyes, the first pair that a keypoint set has."""
NOSES = ("nose_tip", "nose")


@dataclass(frozen=True)
class HeadPose:
    """Of n faces, NaN where a label that it takes is absent."""

    middle: NDArray[np.float64]
    """(n, 2) px: halfway between the eye centers"""
    eye_distance: NDArray[np.float64]
    """(n,) px"""
    roll: NDArray[np.float64]
    """(n,) degrees, positive where the head is turned clockwise as one sees it"""
    turn: NDArray[np.float64]
    """(n,) how far the nose point lies to the image's right of the line down from between the eyes, in eye
    distances, less the source's median: 0 looks straight ahead, 0.2 is clearly turned"""


def eye_indices(keypoints: KeypointSet) -> tuple[int, int] | None:
    """The positions of the subject's left and right eye center, or None for a set without them."""
    for left, right in EYES:
        if left in keypoints.names and right in keypoints.names:
            return keypoints.index(left), keypoints.index(right)
    return None


def head_pose(data: LabeledFaces) -> HeadPose | None:
    """The pose of each head, or None for a keypoint set without eyes. A label swap shows as a roll near 180."""
    eyes = eye_indices(data.keypoints)
    if eyes is None:
        return None
    left, right = eyes
    known = data.observed[:, left] & data.observed[:, right]
    ends = np.where(known[:, None, None], data.points[:, eyes].astype(np.float64), np.nan)
    middle = ends.mean(axis=1)
    across = ends[:, 0] - ends[:, 1]  # the subject's left eye is image right
    distance = np.sqrt((across**2).sum(axis=1))
    distance = np.where(distance < 1, np.nan, distance)  # both eyes in one place span no frame
    roll = np.degrees(np.arctan2(across[:, 1], across[:, 0]))
    pose = HeadPose(middle, distance, roll, np.full(len(data), np.nan))
    nose = next((data.keypoints.index(name) for name in NOSES if name in data.keypoints.names), None)
    if nose is not None:
        at = to_eye_frame(data.points[:, [nose]], pose)[:, 0, 0]
        pose.turn[:] = np.where(data.observed[:, nose], at, np.nan)
        for source in np.unique(data.source):
            rows = data.source == source
            if np.isfinite(pose.turn[rows]).any():
                pose.turn[rows] -= np.nanmedian(pose.turn[rows])
    return pose


def to_eye_frame(points: NDArray[np.floating], pose: HeadPose) -> NDArray[np.float64]:
    """Points (n, k, 2) px -> (n, k, 2) in eye distances from between the eyes, x along them, y down the face."""
    angle = np.radians(pose.roll)
    cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
    moved = points - pose.middle[:, None]
    x, y = moved[..., 0], moved[..., 1]
    frame: NDArray[np.float64] = np.stack([cos * x + sin * y, cos * y - sin * x], axis=-1)
    return frame / pose.eye_distance[:, None, None]


def upright(pose: HeadPose, most_roll: float = 30.0) -> NDArray[np.bool_]:
    """(n,) which heads have believable eyes: a roll and an eye distance that wrong labels do not have."""
    mean_shape = np.nanmedian(pose.eye_distance) if np.isfinite(pose.eye_distance).any() else np.nan
    size = pose.eye_distance / mean_shape
    with np.errstate(invalid="ignore"):
        return (np.abs(pose.roll) < most_roll) & (size > 0.6) & (size < 1.6)

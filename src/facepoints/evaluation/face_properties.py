"""What may make a face hard: how the head is held, how the picture is, which labels are missing. One value a face."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facepoints.data.dataset import LabeledFaces
from facepoints.data.head_pose import head_pose
from facepoints.data.image_quality import quality


@dataclass(frozen=True)
class Fact:
    """A property of n faces."""

    column: str
    """its name in per_face.csv"""
    title: str
    """its name and unit on the page"""
    values: NDArray[np.float64]
    """(n,), NaN where it cannot be told"""
    low: str
    high: str
    """what a face at either end of the scale is like: "faces whose eyes are close" """


@dataclass(frozen=True)
class FaceFacts:
    """All properties of n faces."""

    facts: tuple[Fact, ...]
    missing: tuple[tuple[str, ...], ...]
    """for each face the points that nobody labeled"""


def face_facts(data: LabeledFaces) -> FaceFacts:
    """Pose by the labels, quality by the pixels. Keypoint sets without eyes have no pose."""
    facts = []
    pose = head_pose(data)
    if pose is not None:
        facts += [
            Fact("yaw", "yaw, degrees", pose.yaw, "turned to the left", "turned to the right"),
            Fact("pitch", "pitch, degrees", pose.pitch, "facing up", "facing down"),
            Fact("roll", "roll, degrees", pose.roll, "tilted to the left", "tilted to the right"),
            Fact("eye_distance", "size: eye distance, px", pose.eye_distance, "small", "large"),
        ]
    found = quality(data.faces)
    facts += [
        Fact("sharpness", "sharpness: edges to contrast", found.sharpness, "blurred", "sharp"),
        Fact("brightness", "brightness, mean grey value", found.brightness, "dark", "bright"),
        Fact("contrast", "contrast, deviation of grey", found.contrast, "flat", "of high contrast"),
    ]
    names = np.array(data.keypoints.names)
    missing = tuple(tuple(names[~seen].tolist()) for seen in data.observed)
    return FaceFacts(tuple(facts), missing)

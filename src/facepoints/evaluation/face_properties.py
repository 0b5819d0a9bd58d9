"""Properties of a face that may make it difficult: head pose, image quality, missing labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facepoints.data.dataset import LabeledFaces
from facepoints.data.head_pose import head_pose
from facepoints.data.image_quality import quality


@dataclass(frozen=True)
class FaceProperty:
    """A property of n faces."""

    column: str
    """its name in per_face.csv"""
    title: str
    """its name and unit in the report"""
    values: NDArray[np.float64]
    """(n,), NaN where unknown"""
    low: str
    high: str
    """description of a face at either end of the scale: "blurred" """


@dataclass(frozen=True)
class FaceProperties:
    """All properties of n faces."""

    properties: tuple[FaceProperty, ...]
    missing: tuple[tuple[str, ...], ...]
    """for each face the keypoints without a label"""


def face_properties(data: LabeledFaces) -> FaceProperties:
    """Head pose from the labels, quality from the pixels. Keypoint sets without eyes have no pose."""
    found = []
    pose = head_pose(data)
    if pose is not None:
        found += [
            FaceProperty("yaw", "yaw, degrees", pose.yaw, "turned to the left", "turned to the right"),
            FaceProperty("pitch", "pitch, degrees", pose.pitch, "facing up", "facing down"),
            FaceProperty("roll", "roll, degrees", pose.roll, "tilted to the left", "tilted to the right"),
            FaceProperty("eye_distance", "size: eye distance, px", pose.eye_distance, "small", "large"),
        ]
    image = quality(data.faces)
    found += [
        FaceProperty("sharpness", "sharpness: edges to contrast", image.sharpness, "blurred", "sharp"),
        FaceProperty("brightness", "brightness, mean gray value", image.brightness, "dark", "bright"),
        FaceProperty(
            "contrast", "contrast, standard deviation of gray", image.contrast, "low in contrast", "high in contrast"
        ),
    ]
    names = np.array(data.keypoints.names)
    return FaceProperties(tuple(found), tuple(tuple(names[~known].tolist()) for known in data.observed))

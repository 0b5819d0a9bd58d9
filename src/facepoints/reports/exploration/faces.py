"""Faces and images that both the page and the PNG files of an exploration show."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facepoints.data.head_pose import eye_indices, upright
from facepoints.drawing import Image
from facepoints.exploration.explore import Exploration
from facepoints.exploration.source_difference import aligned_mean_face
from facepoints.metrics import source_name
from facepoints.reports.exploration.pictures import arrows, mean_surroundings

RANDOM_FACES, EXTREMES = 24, 12
EYES_AT = (47.5, 36.0)
"""px of the middle of the eyes in mean faces with aligned eyes"""


def random_rows(result: Exploration) -> NDArray[np.int64]:
    """The positions of the random faces."""
    return np.sort(np.random.default_rng(result.seed).permutation(len(result.data))[:RANDOM_FACES])


def extremes(result: Exploration) -> dict[str, tuple[NDArray[np.int64], NDArray[np.float64], str]]:
    """Kind -> positions, most extreme first; the measure of all faces; its format."""
    q = result.quality
    kinds: dict[str, tuple[NDArray[np.float64], int, str]] = {
        "darkest": (q.brightness, 1, "grey {:.0f}"),
        "brightest": (q.brightness, -1, "grey {:.0f}"),
        "blurriest": (q.sharpness, 1, "sharpness {:.2f}"),
        "lowest contrast": (q.contrast, 1, "contrast {:.0f}"),
    }
    if result.pose is not None:
        kinds["largest yaw"] = (np.abs(result.pose.yaw), -1, "{:.0f}°")
        kinds["largest roll"] = (np.abs(result.pose.roll), -1, "{:.0f}°")
        kinds["smallest eye distance"] = (result.pose.eye_distance, 1, "{:.0f} px")
    chosen = {}
    for name, (values, sign, text) in kinds.items():
        order = np.argsort(sign * values, kind="stable")  # NaN comes last
        chosen[name] = (order[: int(min(EXTREMES, np.isfinite(values).sum()))], values, text)
    return chosen


def mean_faces(result: Exploration) -> dict[int, NDArray[np.uint8]]:
    """Source number -> its mean face with aligned eyes."""
    if result.pose is None or result.eye_distance is None:
        return {}
    found = {s: aligned_mean_face(result.data, result.pose, s, result.eye_distance, EYES_AT) for s in result.shapes}
    return {s: face for s, face in found.items() if face is not None}


def arrow_image(result: Exploration) -> Image | None:
    """Arrows from the first source's mean points to the second's, on the first's mean face, with aligned eyes."""
    faces = mean_faces(result) if result.differences else {}
    if len(faces) != 2:
        return None
    names = [d.name for d in result.differences]
    at = [result.data.keypoints.index(name) for name in names]
    start, end = (result.shapes[s].points[at] + np.array(EYES_AT) for s in faces)
    # cropped to the points, so that the arrows are large
    every = np.concatenate([shape.points for shape in result.shapes.values()]) + np.array(EYES_AT)
    (left, top), (right, bottom) = np.nanmin(every, axis=0) - 11, np.nanmax(every, axis=0) + 11
    x, y = max(0, int(left)), max(0, int(top))
    crop = np.ascontiguousarray(next(iter(faces.values()))[y : int(bottom) + 1, x : int(right) + 1])
    return arrows(crop, start - [x, y], end - [x, y], names)


def eye_images(result: Exploration) -> dict[str, Image]:
    """For each source and eye the mean image around the label."""
    eyes = eye_indices(result.data.keypoints)
    if eyes is None or result.pose is None:
        return {}
    good, shown = upright(result.pose), {}
    for number, rows in result.source_rows().items():
        rows = rows[good[rows]][:1500]
        if len(rows):
            for k, side in zip(eyes[::-1], ("right", "left"), strict=True):
                name = f"source {source_name(number)}, {side} eye"
                shown[name] = mean_surroundings(result.data.faces[rows], result.data.points[rows, k])
    return shown

"""The errors of each point as a place and two ellipses: which way a model is off, and how widely it scatters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from facepoints.data.dataset import LabeledFaces
from facepoints.drawing import LABELED, Image, draw_points
from facepoints.reports.exploration.pictures import SOURCE_COLORS, mean_face
from facepoints.reports.html import Html

SHARES = (0.5, 0.9)
"""Shares of a point's errors inside the inner and the outer ellipse."""
FEWEST = 10
_SCALE = 8


@dataclass(frozen=True)
class Scatter:
    """The errors of one point of one source, px."""

    name: str
    label: tuple[float, float]
    """mean place of the labels"""
    bias: tuple[float, float]
    """mean of predicted - given"""
    axes: tuple[float, float]
    """half lengths of an ellipse of one standard deviation, the longer first"""
    angle: float
    """degrees from the x axis to the longer half axis, clockwise as one sees it"""
    reach: tuple[float, float]
    """by how much that ellipse is enlarged to hold each of SHARES of the errors"""


def scatters(data: LabeledFaces, predicted: NDArray[np.floating[Any]], source: int) -> list[Scatter]:
    """For each point of a source with enough labels the ellipses of its errors.

    They have the shape of the errors' covariance and hold exactly the stated shares of the errors: no normal
    distribution is taken for granted, and a few wrong labels move neither of the two.
    """
    found = []
    for k, name in enumerate(data.keypoints.names):
        rows = (data.source == source) & data.observed[:, k]
        if rows.sum() < FEWEST:
            continue
        errors = predicted[rows, k].astype(np.float64) - data.points[rows, k]
        centered = errors - errors.mean(axis=0)
        variances, directions = np.linalg.eigh(np.cov(centered.T) + 1e-12 * np.eye(2))
        away = np.sqrt(np.square(centered @ directions / np.sqrt(variances)).sum(axis=1))
        inner, outer = np.quantile(away, SHARES).tolist()
        x, y = directions[:, 1]  # eigh gives the smaller variance first
        short, long = np.sqrt(variances).tolist()
        bias_x, bias_y = errors.mean(axis=0).tolist()
        label_x, label_y = data.points[rows, k].mean(axis=0, dtype=np.float64).tolist()
        angle = float(np.degrees(np.arctan2(y, x)))
        found.append(Scatter(name, (label_x, label_y), (bias_x, bias_y), (long, short), angle, (inner, outer)))
    return found


def part_with(found: Sequence[Scatter], side: int) -> tuple[slice, slice]:
    """The rows and columns of a face (side, side) that hold all ellipses, and a margin."""
    middles = np.array([one.label for one in found]) + [one.bias for one in found]
    reach = np.array([[one.axes[0] * one.reach[1]] for one in found])
    left, top = np.maximum((middles - reach).min(axis=0) - 7, 0).astype(int).tolist()
    right, below = np.minimum((middles + reach).max(axis=0) + 8, side).astype(int).tolist()
    return slice(top, below), slice(left, right)


def ellipses_on_page(found: Sequence[Scatter], left: int = 0, top: int = 0) -> Html:
    """SVG for `face_card`, in px of a face of which `left` columns and `top` rows are cut off."""
    parts = []
    for one in found:
        (x, y), (dx, dy), (a, b) = one.label, one.bias, one.axes
        x, y = x - left, y - top
        for reach, css in zip(reversed(one.reach), ("outer", "inner"), strict=True):
            place = f'cx="{x + dx:.2f}" cy="{y + dy:.2f}" rx="{a * reach:.2f}" ry="{b * reach:.2f}"'
            turned = f'transform="rotate({one.angle:.1f} {x + dx:.2f} {y + dy:.2f})"'
            parts.append(f'<ellipse class="{css}" {place} {turned}/>')
        cross = f"M{x - 0.8:.2f} {y:.2f}h1.6M{x:.2f} {y - 0.8:.2f}v1.6"
        parts.append(f'<path class="label" d="{cross}"/>')
    return Html("".join(parts))


def ellipse_picture(data: LabeledFaces, found: Sequence[Scatter], source: int) -> Image:
    """The mean face of a source, enlarged, with rings where the labels lie and the ellipses: BGR, for PNG."""
    background = mean_face(data.faces[data.source == source])
    large = np.asarray(cv2.resize(background, None, fx=_SCALE, fy=_SCALE, interpolation=cv2.INTER_CUBIC), np.uint8)
    canvas = np.repeat(large[:, :, None], 3, axis=2)
    color = SOURCE_COLORS[min(source, 1)]
    for one in found:
        middle = _SCALE * (np.array(one.label) + one.bias + 0.5) - 0.5
        for reach, paint, thickness in zip(one.reach, ((255, 255, 255), color), (2, 3), strict=True):
            axes = tuple(round(16 * _SCALE * reach * axis) for axis in one.axes)
            center = tuple(round(16 * v) for v in middle.tolist())
            cv2.ellipse(canvas, center, axes, one.angle, 0, 360, paint, thickness, cv2.LINE_AA, 4)
    places = np.array([one.label for one in found]).reshape(-1, 2)
    return draw_points(canvas, _SCALE * (places + 0.5) - 0.5, color=LABELED, radius=4.5)

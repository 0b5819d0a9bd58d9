"""Error ellipses: bias and spread of the errors of each keypoint."""

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

SHARES = (0.5, 0.9)
"""Shares of the errors of a point within the inner and the outer ellipse."""
FEWEST = 10
_SCALE = 8


@dataclass(frozen=True)
class Scatter:
    """The errors of one keypoint of one source, px."""

    name: str
    label: tuple[float, float]
    """mean position of the labels"""
    bias: tuple[float, float]
    """mean of predicted minus labeled"""
    axes: tuple[float, float]
    """semi-axes of the ellipse of one standard deviation, the longer first"""
    angle: float
    """degrees from the x axis to the major axis, clockwise"""
    reach: tuple[float, float]
    """factors by which that ellipse is enlarged to contain each of SHARES of the errors"""


def scatters(data: LabeledFaces, predicted: NDArray[np.floating[Any]], source: int) -> list[Scatter]:
    """Error ellipses of the keypoints of a source that have enough labels; predicted (n, k, 2) px.

    Their shape is the covariance of the errors. They contain exactly the stated shares of the errors, so that neither a
    normal distribution is assumed nor a few wrong labels matter.
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
    """The rows and columns of a face (side, side) that contain all ellipses, with a margin."""
    middles = np.array([one.label for one in found]) + [one.bias for one in found]
    reach = np.array([[one.axes[0] * one.reach[1]] for one in found])
    left, top = np.maximum((middles - reach).min(axis=0) - 7, 0).astype(int).tolist()
    right, below = np.minimum((middles + reach).max(axis=0) + 8, side).astype(int).tolist()
    return slice(top, below), slice(left, right)


def ellipse_picture(data: LabeledFaces, found: Sequence[Scatter], source: int) -> Image:
    """The mean face of a source, enlarged, with labels as rings and the ellipses: BGR, for PNG."""
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

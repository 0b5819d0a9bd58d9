"""Annotated photos: corners around each face, dots on its points, rings on points with a large expected error."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from facepoints.data.images import Pixels
from facepoints.drawing import PREDICTED, Color, draw_points
from facepoints.inference.faces import Face
from facepoints.keypoints import KeypointSet

UNSURE = 0.04
"""Expected error, as a fraction of the box, above which a point is drawn hollow: a tenth of the eye distance."""

_LEGIBLE, _LEGIBLE_FACE, _LARGEST = 480, 240, 4000
"""Photos are enlarged until their longer side and numbered faces have these sizes, at most to the last one; px."""

_DOT, _LINE, _CORNER = 0.012, 0.006, 0.14
"""Radius of a dot, thickness of a line and length of a corner, in sides of the box."""

_WHITE: Color = (255, 255, 255)
_PAPER: Color = (250, 250, 250)
_DARK: Color = (25, 25, 25)
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_CAPITAL = 21.0  # px: height of a capital at font size 1
_SHIFT = 4  # OpenCV takes coordinates in 1/16 px


def annotate(bgr: Pixels, faces: Sequence[Face], *, names: KeypointSet | None = None, steady: bool = False) -> Pixels:
    """A copy of a BGR photo (h, w, 3) with its faces marked, enlarged if it is small.

    names: number the points, with a legend below the photo. steady: let the scale depend on the size of the photo
    alone, so that all frames of a video have the same size.
    """
    factor = max(1, _LEGIBLE // max(bgr.shape[:2]))
    if names is not None and not steady and faces:
        wanted = math.ceil(_LEGIBLE_FACE / min(face.box[2] for face in faces))
        factor = max(factor, min(wanted, _LARGEST // max(bgr.shape[:2])))
    if factor > 1:
        bgr = np.asarray(cv2.resize(bgr, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC), np.uint8)
    canvas = bgr.copy()
    for face in faces:
        points = factor * (face.points.astype(np.float64) + 0.5) - 0.5
        box = factor * np.array(face.box)
        _corners(canvas, box)
        _dots(canvas, points, box[2], face.expected_error * factor > UNSURE * box[2])
        if names is not None:
            _numbers(canvas, points, box[2])
    return canvas if names is None else np.concatenate([canvas, _legend(names, canvas.shape[1])])


def _dots(canvas: Pixels, points: NDArray[np.float64], side: float, hollow: NDArray[np.bool_]) -> None:
    """Draws in place on the part with the face: draw_points copies its input, which is slow for large photos."""
    reach = 0.1 * side + 8
    limit = np.array([canvas.shape[1], canvas.shape[0]])
    first = np.clip(np.floor(points.min(axis=0) - reach), 0, limit - 1).astype(int)
    last = np.clip(np.ceil(points.max(axis=0) + reach), first + 1, limit).astype(int)
    patch = canvas[first[1] : last[1], first[0] : last[0]]
    patch[:] = draw_points(patch, points - first, color=PREDICTED, radius=max(1.2, _DOT * side), hollow=hollow)


def _corners(canvas: Pixels, box: NDArray[np.float64]) -> None:
    x, y, w, h = box
    thickness = max(1, round(_LINE * w))
    for color, wider in ((_DARK, max(1, thickness // 2)), (_WHITE, 0)):
        for left, top in ((0, 0), (0, 1), (1, 0), (1, 1)):
            corner = np.array([x - 0.5 + left * w, y - 0.5 + top * h])
            for along in ([_CORNER * w * (1 - 2 * left), 0], [0, _CORNER * h * (1 - 2 * top)]):
                cv2.line(canvas, _fixed(corner), _fixed(corner + along), color, thickness + wider, cv2.LINE_AA, _SHIFT)


def _numbers(canvas: Pixels, points: NDArray[np.float64], side: float) -> None:
    """Draws 1, 2, ... next to the points, on the side away from the middle of the face."""
    height = max(7.0, 0.024 * side)
    scale = height / _CAPITAL
    away = points - points.mean(axis=0)
    away /= np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-6)
    for number, (x, y) in enumerate(points + away * (_DOT * side + 1.1 * height), start=1):
        wide = cv2.getTextSize(str(number), _FONT, scale, 1)[0][0]
        start = (round(x - wide / 2), round(y + height / 2))
        thin = max(1, round(height / 12))
        for color, thickness in ((_DARK, thin + 2), (_WHITE, thin)):
            cv2.putText(canvas, str(number), start, _FONT, scale, color, thickness, cv2.LINE_AA)


def _legend(names: KeypointSet, width: int) -> Pixels:
    """The legend of the numbers: columns on a light strip of this width."""
    height = float(np.clip(width / 90, 8, 22))
    scale, line = height / _CAPITAL, round(2.2 * height)
    texts = [f"{number}  {name.replace('_', ' ')}" for number, name in enumerate(names.names, start=1)]
    wide = max(cv2.getTextSize(text, _FONT, scale, 1)[0][0] for text in texts) + round(2 * height)
    columns = max(1, (width - line // 2) // wide)
    rows = -(-len(texts) // columns)
    strip = np.full((rows * line + line // 2, width, 3), _PAPER, np.uint8)
    for i, text in enumerate(texts):
        start = (line // 2 + i // rows * wide, round(line * (i % rows + 1)))
        cv2.putText(strip, text, start, _FONT, scale, _DARK, max(1, round(height / 14)), cv2.LINE_AA)
    return strip


def _fixed(point: NDArray[np.float64]) -> tuple[int, int]:
    x, y = np.rint(np.clip(point, -10_000, 30_000) * 2**_SHIFT).astype(int).tolist()
    return x, y

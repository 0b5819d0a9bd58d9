"""Images of missing labels, of the density of points, and of the differences of two sources. BGR."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from facepoints.data.dataset import LabeledFaces
from facepoints.drawing import LABELED, PREDICTED, Image, draw_points

SOURCE_COLORS = ((178, 114, 0), (0, 94, 213))
"""BGR of the first and of the second source: Okabe and Ito's blue and vermillion."""

_BARE = (232, 234, 235)
_SCALE = 6


def missing_strips(data: LabeledFaces, width: int = 600) -> list[Image]:
    """For each point one line of pixels, uint8 (1, <= width, 3), with the rows of the file from left to right.

    A pixel covers several rows if there are more than `width`; it has the color of the source, mixed with grey by the
    share of missing labels.
    """
    edges = np.linspace(0, len(data), min(width, len(data)) + 1).astype(int)
    size = np.diff(edges)[:, None]
    share = np.add.reduceat(data.observed, edges[:-1], axis=0, dtype=np.float64) / size
    second = np.add.reduceat(data.source > 0, edges[:-1], dtype=np.float64)[:, None] / size
    full = (1 - second) * np.array(SOURCE_COLORS[0]) + second * np.array(SOURCE_COLORS[1])
    lines = share.T[:, :, None] * full + (1 - share.T[:, :, None]) * np.array(_BARE)
    return [np.rint(line)[None].astype(np.uint8) for line in lines]


def missing_matrix(data: LabeledFaces) -> Image:
    """The same as one image with the names of the points."""
    lines = [cv2.resize(line, (900, 18), interpolation=cv2.INTER_NEAREST) for line in missing_strips(data)]
    sheet = np.full((len(lines) * 21 + 6, 1130, 3), 250, np.uint8)
    for i, (name, line) in enumerate(zip(data.keypoints.names, lines, strict=True)):
        sheet[i * 21 + 4 : i * 21 + 22, 220:1120] = line
        where = (8, i * 21 + 18)
        cv2.putText(sheet, name, where, cv2.FONT_HERSHEY_SIMPLEX, 0.42, (40, 40, 40), 1, cv2.LINE_AA)
    return sheet


def mean_face(faces: Image) -> Image:
    """The mean of faces (n, h, w), stretched to the full grey range."""
    return stretched(np.asarray(faces).mean(axis=0, dtype=np.float64))


def density(background: Image, points: NDArray[np.floating[Any]], observed: NDArray[np.bool_]) -> Image:
    """Density of points (n, k, 2) over a face (h, w), enlarged six times; the maximum of each point is opaque."""
    h, w = (side * _SCALE for side in background.shape[:2])
    canvas = _enlarged(background).astype(np.float64) * 0.8
    for k in range(points.shape[1]):
        own = points[observed[:, k], k].astype(np.float64)
        if not len(own):
            continue
        cells, _, _ = np.histogram2d(own[:, 1], own[:, 0], (h // 2, w // 2), ((-0.5, h / 6 - 0.5), (-0.5, w / 6 - 0.5)))
        glow = cv2.resize(cv2.GaussianBlur(cells, (0, 0), 4), (w, h), interpolation=cv2.INTER_LINEAR)
        alpha = 0.92 * np.sqrt(glow / max(glow.max(), 1e-9))[:, :, None]  # the root makes low densities visible
        hue = np.array([[[(k * 67) % 180, 190, 255]]], np.uint8)
        canvas = alpha * cv2.cvtColor(hue, cv2.COLOR_HSV2BGR).astype(np.float64) + (1 - alpha) * canvas
    return np.clip(np.rint(canvas), 0, 255).astype(np.uint8)


def arrows(
    background: Image, start: NDArray[np.floating[Any]], end: NDArray[np.floating[Any]], names: Sequence[str]
) -> Image:
    """Arrows from points (k, 2) to points (k, 2) px of a face, enlarged ten times, with names and lengths."""
    scale = 10
    canvas = _enlarged(stretched(background.astype(np.float64)), scale)
    a, b = scale * (start + 0.5) - 0.5, scale * (end + 0.5) - 0.5
    for p, q in zip(a.tolist(), b.tolist(), strict=True):
        tip = 14 / max(np.hypot(q[0] - p[0], q[1] - p[1]), 15)
        for color, thickness in (((20, 20, 20), 7), ((255, 255, 255), 3)):
            from_, to = ((round(x * 16), round(y * 16)) for x, y in (p, q))
            cv2.arrowedLine(canvas, from_, to, color, thickness, cv2.LINE_AA, 4, tip)
    canvas = draw_points(draw_points(canvas, a, color=LABELED, radius=9, hollow=True), b, color=PREDICTED, radius=5)
    for p, q, name in zip(a.tolist(), b.tolist(), names, strict=True):
        words = f"{name.replace('_', ' ')}: {np.hypot(q[0] - p[0], q[1] - p[1]) / scale:.1f} px"
        width = cv2.getTextSize(words, cv2.FONT_HERSHEY_SIMPLEX, 0.7, 1)[0][0]
        below = max(p[1], q[1])
        where = (int(np.clip((p[0] + q[0] - width) / 2, 4, canvas.shape[1] - width - 4)), int(below + 36))
        for color, thickness in (((20, 20, 20), 4), ((255, 255, 255), 1)):
            cv2.putText(canvas, words, where, cv2.FONT_HERSHEY_SIMPLEX, 0.7, color, thickness, cv2.LINE_AA)
    return canvas


def mean_surroundings(faces: Image, points: NDArray[np.floating[Any]], reach: int = 9, scale: int = 16) -> Image:
    """The mean image within `reach` px of points (n, 2), with a cross at the labels."""
    side = 2 * reach * scale + 1
    total = np.zeros((side, side))
    for face, (x, y) in zip(faces, points.tolist(), strict=True):
        back = np.array([[1 / scale, 0, x - reach], [0, 1 / scale, y - reach]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        total += cv2.warpAffine(np.asarray(face), back, (side, side), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    shown = np.repeat(stretched(total)[:, :, None], 3, axis=2)
    middle = (side // 2, side // 2)
    for color, thickness in (((20, 20, 20), 5), (LABELED, 2)):
        cv2.drawMarker(shown, middle, color, cv2.MARKER_CROSS, 26, thickness, cv2.LINE_AA)
    return shown


def stretched(image: NDArray[Any]) -> Image:
    """Values (h, w) as grey: percentiles 0.5 and 99.5 become black and white."""
    low, high = np.percentile(image, [0.5, 99.5])
    grey: Image = np.clip((image - low) / max(high - low, 1e-9) * 255, 0, 255).astype(np.uint8)
    return grey


def _enlarged(face: Image, scale: int = _SCALE) -> Image:
    large = np.asarray(cv2.resize(face, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC), np.uint8)
    return np.repeat(large[:, :, None], 3, axis=2)

"""Draw points on images and lay out contact sheets of faces, with numpy and OpenCV only.

Pixel centers are whole numbers: enlarging an image s times maps x to s * (x + 0.5) - 0.5. Colors are BGR.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from facepoints.errors import BadChoice
from facepoints.files import atomic_write

Image = NDArray[np.uint8]
Color = tuple[int, int, int]

# bluish green and vermillion after Okabe and Ito, "Color Universal Design" (2008), lighter for contrast with grey skin;
# ring and dot differ too, so that the color is not needed
LABELED: Color = (170, 235, 60)
PREDICTED: Color = (20, 85, 255)

_PAPER: Color = (250, 250, 250)
_INK: Color = (40, 40, 40)
_RIM: Color = (25, 25, 25)
_LINK: Color = (255, 255, 255)
_FONT, _BOLD = cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX
_SHIFT = 8  # OpenCV takes coordinates in 1/256 px
_CAPITAL = 21.0  # px: height of a capital at font size 1
_MIDDLE_DOT, _DOT_WIDTH = "·", 10.0  # px at font size 1


def draw_points(
    image: Image,
    points: NDArray[np.floating[Any]],
    *,
    color: Color = PREDICTED,
    radius: float | None = None,
    hollow: bool | NDArray[np.bool_] = False,
) -> Image:
    """A BGR copy, uint8 (h, w, 3), of a grey (h, w) or BGR image with dots at points (k, 2), px of the image.

    The default radius is 1 % of the image's shorter side, at least 1 px. `hollow`, for all or for each point (k,),
    draws a ring. A thin dark rim gives contrast on any skin. Points outside the image or not finite are left out.
    """
    if points.ndim != 2 or points.shape[1] != 2:
        raise BadChoice(f"points to draw have shape {points.shape}, expected (points, 2)")
    canvas = _as_bgr(image)
    height, width = canvas.shape[:2]
    size = max(1.0, min(height, width) / 100) if radius is None else radius
    reach = size + 2
    for (x, y), ring in zip(points.tolist(), np.broadcast_to(hollow, len(points)).tolist(), strict=True):
        if -reach <= x <= width + reach and -reach <= y <= height + reach:
            _mark(canvas, x, y, size, color, ring)
    return canvas


@dataclass(frozen=True)
class _Kind:
    """Legend text and style of a kind of mark; radius in px of the face."""

    label: str
    color: Color
    radius: float
    hollow: bool = False

    def onto(self, image: Image, points: NDArray[np.floating[Any]], scale: int) -> Image:
        """A copy of an enlarged face with these marks at points (k, 2), in px of the enlarged face."""
        return draw_points(image, points, color=self.color, radius=self.radius * scale, hollow=self.hollow)


_LABEL = _Kind("label", LABELED, 1.7, hollow=True)
_PREDICTED = _Kind("predicted", PREDICTED, 0.8)
_UNLABELED = _Kind("predicted, no label", PREDICTED, 0.45)

_Layer = tuple[_Kind, NDArray[np.floating[Any]], NDArray[np.bool_]]
"""a kind of mark, points (n, k, 2) px of the face, and the mask (n, k) of the points to draw"""


def contact_sheet(
    faces: Image,
    labels: NDArray[np.floating[Any]] | None = None,
    predicted: NDArray[np.floating[Any]] | None = None,
    observed: NDArray[np.bool_] | None = None,
    captions: Sequence[str] | None = None,
    *,
    title: str = "",
    columns: int = 8,
    scale: int = 3,
) -> Image:
    """Faces (n, h, w) enlarged `scale` times and laid out in rows, as one BGR image.

    labels (n, k, 2) px of the face: rings, only where observed (n, k). predicted (n, k, 2): dots, joined to their ring
    by a thin line; smaller where there is no label. One caption per face is written below it (ASCII and the middle
    dot); the title and the legend are on top.
    """
    _check_sheet(faces, labels, predicted, observed, captions, columns, scale)
    layers = _layers(labels, predicted, observed)
    n, height, width = len(faces), faces.shape[1] * scale, faces.shape[2] * scale
    margin, line, columns = 4 + 2 * scale, 8 + 5 * scale, min(columns, n)
    cell_h, cell_w = height + (line + margin // 2 if captions else margin), width + margin
    head = _header(title, [kind for kind, _, _ in layers], columns * cell_w + margin, line, margin, scale)
    sheet = np.full((len(head) + -(-n // columns) * cell_h, columns * cell_w + margin, 3), _PAPER, np.uint8)
    sheet[: len(head)] = head
    for i in range(n):
        top, left = len(head) + i // columns * cell_h, margin + i % columns * cell_w
        tile = _tile(faces[i], [(kind, points[i], where[i]) for kind, points, where in layers], scale)
        sheet[top : top + height, left : left + width] = tile
        if captions:
            _write(sheet, captions[i], left, top + height + line // 2, line, width)
    return sheet


def write_png(path: Path, image: Image) -> None:
    """Write a grey or BGR image atomically as PNG."""
    encoded, content = cv2.imencode(".png", image)
    if not encoded:
        raise BadChoice(f"{path.name}: {image.dtype} of shape {image.shape} cannot be written as PNG")
    with atomic_write(path) as temporary:
        temporary.write_bytes(content.tobytes())


def _layers(
    labels: NDArray[np.floating[Any]] | None,
    predicted: NDArray[np.floating[Any]] | None,
    observed: NDArray[np.bool_] | None,
) -> list[_Layer]:
    """The layers of a sheet, bottom first; without empty ones."""
    layers: list[_Layer] = []
    if labels is not None:
        known = np.ones(labels.shape[:2], np.bool_) if observed is None else observed
        layers.append((_LABEL, labels, known))
    if predicted is not None:
        compared = np.ones(predicted.shape[:2], np.bool_) if labels is None else known
        layers += [(_PREDICTED, predicted, compared), (_UNLABELED, predicted, ~compared)]
    return [layer for layer in layers if layer[2].any()]


def _tile(face: Image, layers: Sequence[_Layer], scale: int) -> Image:
    """One face of a sheet; the layers are those of this face: points (k, 2), where (k,)."""
    # resize maps pixel centers to s * (x + 0.5) - 0.5 too
    tile = _as_bgr(np.asarray(cv2.resize(face, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC), np.uint8))
    marks = {kind: scale * (points[where].astype(np.float64) + 0.5) - 0.5 for kind, points, where in layers}
    if _LABEL in marks and _PREDICTED in marks:
        lines = np.stack((marks[_LABEL], marks[_PREDICTED]), axis=1)
        lines = lines[np.isfinite(lines).all(axis=(1, 2))].clip(-10_000, 10_000)  # the range of OpenCV coordinates
        for start, end in lines.tolist():
            for color, thickness in ((_RIM, 2), (_LINK, 1)):
                cv2.line(tile, _fixed(*start), _fixed(*end), color, thickness, cv2.LINE_AA, _SHIFT)
    for kind, points in marks.items():
        tile = kind.onto(tile, points, scale)
    return tile


def _header(title: str, kinds: Sequence[_Kind], width: int, line: int, margin: int, scale: int) -> Image:
    """The title and the legend below it: uint8 (height, width, 3)."""
    entry_width = [round(2 * k.radius * scale) + 3 * margin + _text_width(k.label, line) for k in kinds]
    places, left, row = [], margin, 0
    for wide in entry_width:
        if left > margin and left + wide > width:
            left, row = margin, row + 1
        places.append((left, row))
        left += wide + margin
    rows = bool(title) + (row + 1 if kinds else 0)
    head = np.full((margin + rows * (line + margin // 2), width, 3), _PAPER, np.uint8)
    if title:
        _write(head, title, margin, margin // 2 + line // 2, line, width - 2 * margin, font=_BOLD)
    for kind, (left, row) in zip(kinds, places, strict=True):
        middle = margin // 2 + line // 2 + (row + bool(title)) * (line + margin // 2)
        size = kind.radius * scale
        head = kind.onto(head, np.array([[left + size, middle]]), scale)
        _write(head, kind.label, left + round(2 * size) + 3 * margin // 4, middle, line, width)
    return head


def _mark(canvas: Image, x: float, y: float, radius: float, color: Color, ring: bool) -> None:
    """One dot or ring with its rim, in place."""
    # not cv2.circle: it draws circles under 3 px as diamonds and rings of twice the width
    reach = math.ceil(radius + 3)
    left, top = max(0, math.floor(x) - reach), max(0, math.floor(y) - reach)
    patch = canvas[top : math.floor(y) + reach + 2, left : math.floor(x) + reach + 2]
    across, down = np.arange(patch.shape[1]) + left - x, np.arange(patch.shape[0]) + top - y
    distance = np.hypot(across[None, :], down[:, None])
    stroke = max(0.6, 0.14 * radius)  # half of a ring's width, px
    away = np.abs(distance - radius + stroke) - stroke if ring else distance - radius  # < 0 inside the mark
    for paint, opacity, wider in ((_RIM, 0.7, min(2.0, max(0.8, 0.15 * radius))), (color, 1.0, 0.0)):
        cover = opacity * np.clip(wider + 0.5 - away, 0, 1)[:, :, None]
        patch[:] = np.rint(cover * np.array(paint) + (1 - cover) * patch)


def _fixed(x: float, y: float) -> tuple[int, int]:
    return round(x * 2**_SHIFT), round(y * 2**_SHIFT)


def _write(canvas: Image, text: str, left: int, middle: int, line: int, room: int, *, font: int = _FONT) -> None:
    """Draw text in place, capitals centered on row `middle`, smaller if wider than `room` px."""
    size = _font_size(line) * min(1.0, room / max(1, _text_width(text, line)))
    base = middle + round(_CAPITAL * size / 2)
    for i, part in enumerate(text.split(_MIDDLE_DOT)):
        if i:  # OpenCV's fonts are ASCII only: draw the dot as a circle
            center = _fixed(left + _DOT_WIDTH * size / 2, middle)
            cv2.circle(canvas, center, round(2.2 * size * 2**_SHIFT), _INK, cv2.FILLED, cv2.LINE_AA, _SHIFT)
            left += round(_DOT_WIDTH * size)
        cv2.putText(canvas, part, (left, base), font, size, _INK, 1, cv2.LINE_AA)
        left += int(cv2.getTextSize(part, font, size, 1)[0][0])


def _text_width(text: str, line: int) -> int:
    """Width in px of text at full size in a line of this height."""
    size = _font_size(line)
    parts = text.split(_MIDDLE_DOT)
    letters = sum(int(cv2.getTextSize(part, _FONT, size, 1)[0][0]) for part in parts)
    return letters + round((len(parts) - 1) * _DOT_WIDTH * size)


def _font_size(line: int) -> float:
    return 0.46 * line / _CAPITAL


def _as_bgr(image: Image) -> Image:
    """A BGR copy of a grey or BGR image."""
    if image.dtype != np.uint8 or image.ndim not in (2, 3) or image.shape[2:] not in ((), (3,)):
        got = f"{image.dtype} of shape {image.shape}"
        raise BadChoice(f"the image is {got}, expected uint8: grey (h, w) or BGR (h, w, 3)")
    return image.copy() if image.ndim == 3 else np.repeat(image[:, :, None], 3, axis=2)


def _check_sheet(
    faces: Image,
    labels: NDArray[np.floating[Any]] | None,
    predicted: NDArray[np.floating[Any]] | None,
    observed: NDArray[np.bool_] | None,
    captions: Sequence[str] | None,
    columns: int,
    scale: int,
) -> None:
    if faces.ndim != 3 or faces.dtype != np.uint8 or not len(faces):
        got = f"the faces are {faces.dtype} of shape {faces.shape}"
        raise BadChoice(f"{got}, expected uint8 (n, h, w) with at least one")
    if columns < 1 or scale < 1:
        raise BadChoice(f"a sheet needs at least 1 column and scale 1, got columns {columns}, scale {scale}")
    expected = next((p.shape for p in (labels, predicted) if p is not None), (len(faces), 0, 2))
    for name, points in (("labels", labels), ("predicted", predicted)):
        if points is not None and (points.shape != expected or (len(points), points.shape[2:]) != (len(faces), (2,))):
            raise BadChoice(f"{name} has shape {points.shape}, expected ({len(faces)}, keypoints, 2) for all points")
    if observed is not None and (observed.shape != expected[:2] or observed.dtype != np.bool_):
        raise BadChoice(f"observed is {observed.dtype} of shape {observed.shape}, expected bool {expected[:2]}")
    if captions is not None and len(captions) != len(faces):
        raise BadChoice(f"{len(captions)} captions for {len(faces)} faces: give one per face or none")

"""Where faces may be in a photo: candidates, which the keypoint network then judges.

Our own network is in `finder_network`. OpenCV's cascades come with its wheel (Viola and Jones, 2001, "Rapid object
detection using a boosted cascade of simple features"); a YuNet file does it with OpenCV's own class. Any other finder
that keeps the protocol will do.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from facepoints.data.images import Photo
from facepoints.data.photos.photo_crop import EYES
from facepoints.errors import BadRun
from facepoints.inference.regions import Gray, Regions

_CASCADES = Path(cv2.__file__).parent / "data"

SMALLEST = 40
"""Side of the smallest box that is looked for, px of the photo: smaller faces have too few pixels for points."""

STEP = 1.15
"""From one size that is looked for to the next."""

NEIGHBORS = 1
"""Boxes that must lie together for a candidate. OpenCV's usual 3 loses 3 of 60 faces; the network judges anyway."""

TILE = 2048
"""Side of the largest square, px, that is searched at once: a cascade takes some 30 bytes for each of its pixels."""


class FaceDetector(Protocol):
    """Finds candidates: many rather than few, as judging one is cheap. Threads may share a finder; it pickles."""

    def rounds(self, photo: Photo) -> Iterator[Regions]:
        """Candidates, round by round; the next round is asked for only where none so far was a face."""
        ...


class _Cascade:
    """One of OpenCV's cascades, and how its boxes lie around faces."""

    def __init__(self, file: str, side: float, right: float, down: float, mirrored: bool = False) -> None:
        self.file = file
        self.side, self.right, self.down = side, right, down  # of the region, in sides of the box
        self.mirrored = mirrored
        self._own = threading.local()

    def __reduce__(self) -> tuple[Any, ...]:
        return _Cascade, (self.file, self.side, self.right, self.down, self.mirrored)

    def find(self, gray: Gray) -> Regions:
        """Candidates in a grey photo (h, w); a large one is searched reduced, and in tiles for its small faces."""
        if gray.size <= TILE**2:
            return self._search(gray, 0)
        factor = math.sqrt(gray.size) / TILE
        size = (round(gray.shape[1] / factor), round(gray.shape[0] / factor))
        coarse = self._search(np.asarray(cv2.resize(gray, size, interpolation=cv2.INTER_AREA), np.uint8), 0)
        found = [Regions((coarse.center + 0.5) * factor - 0.5, coarse.side * factor, coarse.roll)]
        largest = math.ceil(1.5 * SMALLEST * factor)
        for top in range(0, gray.shape[0], TILE - largest):
            for left in range(0, gray.shape[1], TILE - largest):
                part = self._search(gray[top : top + TILE, left : left + TILE], largest)
                found.append(Regions(part.center + [left, top], part.side, part.roll))
        return Regions.joined(found)

    def _search(self, gray: Gray, largest: int) -> Regions:
        """Candidates whose boxes are not larger than `largest`; 0: of any size."""
        seen = np.ascontiguousarray(gray[:, ::-1] if self.mirrored else gray)
        found = self._classifier().detectMultiScale(
            seen, scaleFactor=STEP, minNeighbors=NEIGHBORS, minSize=(SMALLEST, SMALLEST), maxSize=(largest, largest)
        )
        boxes = np.asarray(found, np.float64).reshape(-1, 4)
        boxes[:, :2] += boxes[:, 2:] * (self.right, self.down)
        if self.mirrored:
            boxes[:, 0] = gray.shape[1] - boxes[:, 0] - boxes[:, 2]
        return Regions.of_boxes(boxes).grown(self.side)

    def _classifier(self) -> Any:
        # a classifier keeps its pyramid in itself: each thread needs its own
        if not hasattr(self._own, "classifier"):
            self._own.classifier = cv2.CascadeClassifier(str(_CASCADES / f"{self.file}.xml"))
        return self._own.classifier


class Cascades:
    """Frontal faces, then turned ones, then turned photos."""

    def __init__(self) -> None:
        self._frontal = [
            _Cascade("haarcascade_frontalface_default", 0.97, 0.0, 0.0),
            _Cascade("haarcascade_frontalface_alt2", 0.98, 0.0, 0.0),
        ]
        self._turned = [
            _Cascade("haarcascade_profileface", 0.84, -0.17, 0.02),
            _Cascade("haarcascade_profileface", 0.84, -0.17, 0.02, mirrored=True),
        ]

    def rounds(self, photo: Photo) -> Iterator[Regions]:
        yield Regions.joined([cascade.find(photo.gray) for cascade in self._frontal])
        yield Regions.joined([cascade.find(photo.gray) for cascade in self._turned])
        for degrees in (90, -90, 180, 35, -35):
            yield _rolled(self._frontal[1], photo.gray, math.radians(degrees))


def _rolled(cascade: _Cascade, gray: Gray, roll: float) -> Regions:
    """Candidates that are turned by `roll`: the photo is turned back and searched, what is found is turned again.

    A photo on a slant needs a larger picture, a long narrow one a huge one: it is reduced until that is one tile.
    """
    cos, sin = math.cos(roll), math.sin(roll)
    if round(math.degrees(roll)) % 90:
        area = math.prod(np.array([[abs(sin), abs(cos)], [abs(cos), abs(sin)]]) @ gray.shape)
        factor = max(1.0, math.sqrt(area) / TILE)
        if factor > 1:
            small = (max(1, round(gray.shape[1] / factor)), max(1, round(gray.shape[0] / factor)))
            found = _turned(cascade, np.asarray(cv2.resize(gray, small, interpolation=cv2.INTER_AREA), np.uint8), roll)
            return Regions((found.center + 0.5) * factor - 0.5, found.side * factor, found.roll)
    return _turned(cascade, gray, roll)


def _turned(cascade: _Cascade, gray: Gray, roll: float) -> Regions:
    height, width = gray.shape
    cos, sin = math.cos(roll), math.sin(roll)
    out = (math.ceil(width * abs(cos) + height * abs(sin)), math.ceil(width * abs(sin) + height * abs(cos)))
    middle, turned_middle = np.array([width - 1, height - 1]) / 2, (np.array(out) - 1) / 2
    turn = np.array([[cos, -sin], [sin, cos]])  # from the turned photo to the photo
    back = np.column_stack([turn, middle - turn @ turned_middle])
    upright = cv2.warpAffine(gray, back, out, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    found = cascade.find(np.asarray(upright, np.uint8))
    return Regions(found.center @ turn.T + back[:, 2], found.side, found.roll + roll)


class YuNet:
    """OpenCV's FaceDetectorYN with a YuNet file that a person brought."""

    def __init__(self, model: Path) -> None:
        if not model.is_file():
            raise BadRun(f"{model}: no such file; expected a YuNet .onnx file, as OpenCV's model zoo has")
        self.model = model
        self._own = threading.local()

    def __reduce__(self) -> tuple[Any, ...]:
        return YuNet, (self.model,)

    def rounds(self, photo: Photo) -> Iterator[Regions]:
        height, width = photo.gray.shape
        try:
            if not hasattr(self._own, "detector"):
                self._own.detector = cv2.FaceDetectorYN.create(str(self.model), "", (width, height), 0.6)
            self._own.detector.setInputSize((width, height))
            _, found = self._own.detector.detect(photo.bgr)
        except cv2.error as error:
            reason = " ".join(str(error.err).split())
            raise BadRun(f"{self.model}: not a YuNet file that OpenCV reads ({reason})") from error
        yield _around_eyes(np.zeros((0, 15)) if found is None else found)


def _around_eyes(found: NDArray[Any]) -> Regions:
    """YuNet's lines (n, 15): x, y, w, h, then right eye, left eye, nose tip, right and left mouth corner, and a score.

    Eyes come to where they lie on the faces that networks are trained on, however the head is held.
    """
    right, left = found[:, 4:6], found[:, 6:8]
    return Regions.of_points(np.stack([left, right], axis=1), EYES)

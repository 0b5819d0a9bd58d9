"""A finder of our own: one small fully convolutional network, shown the photo at half its size, a quarter and so on.

inputs     picture uint8 (1, 1, h, w), h and w multiples of the stride
outputs    maps float32 (1, 6, h / stride, w / stride): see facepoints.models.face_detector.MAPS
metadata   "facepoints-face-detector": JSON with `format`, `stride`, `sides`, `unit`
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from facepoints.data.images import Photo
from facepoints.errors import BadRun
from facepoints.inference.keypoint_network import session_of
from facepoints.inference.regions import Gray, Regions

FACE_DETECTOR = "face_detector.onnx"
"""The file that ships with the package, in `weights`."""

FORMAT = 1
"""Version of the file; a newer one is refused, not guessed at."""

METADATA = "facepoints-face-detector"
"""The key of the file's metadata that holds our JSON."""

LEAST = 0.2
"""Likeness, 0 to 1, from which a place is a candidate. All of the 119 faces in scenes kept aside have it, and some two
other places a photo: the keypoint network's views decide together with it."""

TILE = 1024
"""Side of the largest square, px, that the network is shown at once."""

OVERLAP = 64
"""How much of its surroundings a tile shows on each side, px: as far as the network looks around a face."""

_SMALLEST_LEVEL = 24  # px of the longer side: a face that fills the photo is that large on the level before
_GRAY = 128  # what lies beyond the edge, as in training
_CLOSE = 0.5  # distance of middles, in sides of the larger, under which two candidates are one
_ALIKE = 1.8  # times larger: beyond, they are two


@dataclass(frozen=True)
class _Facts:
    stride: int
    sides: tuple[float, float]
    unit: float


class FaceNetwork:
    """The network of a file, ready to find. Threads may share it; a pickled one starts its session anew."""

    def __init__(self, content: bytes, name: str, threads: int | None = None) -> None:
        """The ONNX file's content; a name for errors; threads None: as many as there are cores, at most 4."""
        self.name = name
        self.threads = threads
        self._content = content
        self._session = session_of(content, name, threads)
        self._facts = _facts(self._session, name)

    @classmethod
    def shipped(cls, threads: int | None = None) -> FaceNetwork:
        """The one that ships with the package."""
        return cls(files("facepoints").joinpath("weights", FACE_DETECTOR).read_bytes(), FACE_DETECTOR, threads)

    @classmethod
    def open(cls, path: Path, threads: int | None = None) -> FaceNetwork:
        """Read a file; raises BadRun where it is absent, damaged or no finder."""
        try:
            return cls(path.read_bytes(), str(path), threads)
        except OSError as error:
            raise BadRun(
                f"{path}: cannot be read ({error.strerror or error}), expected a finder's .onnx file"
            ) from error

    def __reduce__(self) -> tuple[Any, ...]:
        return FaceNetwork, (self._content, self.name, self.threads)

    def rounds(self, photo: Photo) -> Iterator[Regions]:
        """All candidates in one round: it knows faces that lie in any direction."""
        yield self.find(photo.gray)

    def find(self, gray: Gray, least: float = LEAST) -> Regions:
        """Squares around the faces of a grey photo (h, w), the likeliest first; least: likeness, 0 to 1."""
        level, factor, rows = _half(gray), 2.0, []
        while level is not None:
            found = self._level(level, least)
            found[:, :2] = (found[:, :2] + 0.5) * factor - 0.5
            found[:, 2] *= factor
            rows.append(found)
            level, factor = _half(level) if max(level.shape) >= 2 * _SMALLEST_LEVEL else None, 2 * factor
        every = np.concatenate(rows) if rows else np.zeros((0, 5))
        every = every[np.argsort(-every[:, 4], kind="stable")]
        every = every[_distinct(every)]
        return Regions(every[:, :2], every[:, 2], every[:, 3], every[:, 4])

    def _level(self, gray: Gray, least: float) -> NDArray[np.float64]:
        """Candidates (n, 5): x, y, side in px of this level, roll, odds; tile by tile where it is large."""
        height, width = gray.shape
        if max(height, width) <= TILE:
            return self._tile(gray, least)
        step, found = TILE - 2 * OVERLAP, []
        for top in range(0, height, step):
            for left in range(0, width, step):
                y, x = max(0, top - OVERLAP), max(0, left - OVERLAP)
                part = self._tile(gray[y : top + step + OVERLAP, x : left + step + OVERLAP], least)
                part[:, :2] += (x, y)
                own = (part[:, :2] >= (left - 0.5, top - 0.5)) & (part[:, :2] < (left + step - 0.5, top + step - 0.5))
                beyond = (part[:, :2] < -0.5) | (part[:, :2] > (width - 0.5, height - 0.5))
                found.append(part[(own | beyond).all(axis=1)])
        return np.concatenate(found)

    def _tile(self, gray: Gray, least: float) -> NDArray[np.float64]:
        stride = self._facts.stride
        down, right = (-n % stride for n in gray.shape)
        whole = cv2.copyMakeBorder(gray, 0, down, 0, right, cv2.BORDER_CONSTANT, value=(_GRAY,))
        (maps,) = self._session.run(None, {"picture": whole[None, None]})
        logit = np.ascontiguousarray(maps[0, 0])
        peak = (logit >= np.log(least / (1 - least))) & (logit >= cv2.dilate(logit, np.ones((3, 3), np.uint8)))
        row, column = np.nonzero(peak)
        log_odds, x, y, size, cosine, sine = maps[0][:, row, column].astype(np.float64)
        middle = (stride - 1) / 2
        low, high = self._facts.sides
        # beyond twice what it was taught it guesses
        side = np.clip(self._facts.unit * np.exp(np.clip(size, -5, 5)), low / 2, 2 * high)
        return np.column_stack(
            [
                stride * (column + x) + middle,
                stride * (row + y) + middle,
                side,
                np.arctan2(sine, cosine),
                np.exp(np.clip(log_odds, -20, 20)),
            ]
        )


def _half(gray: Gray) -> Gray | None:
    """A picture half as large: means of 2 x 2 pixels; an odd last row or column is left out. None: nothing is left."""
    height, width = gray.shape[0] // 2, gray.shape[1] // 2
    if not height or not width:
        return None
    even = gray[: 2 * height, : 2 * width]
    return np.asarray(cv2.resize(even, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _distinct(found: NDArray[np.float64]) -> list[int]:
    """Positions of candidates (n, 5), the likeliest first, without those that are another one found again."""
    kept: list[int] = []
    for i, (x, y, side, _, _) in enumerate(found):
        others = found[kept]
        near = np.hypot(others[:, 0] - x, others[:, 1] - y) < _CLOSE * np.maximum(others[:, 2], side)
        alike = np.maximum(others[:, 2], side) < _ALIKE * np.minimum(others[:, 2], side)
        if not (near & alike).any():
            kept.append(i)
    return kept


def _facts(session: onnxruntime.InferenceSession, name: str) -> _Facts:
    text = session.get_modelmeta().custom_metadata_map.get(METADATA)
    if text is None:
        raise BadRun(f"{name}: an ONNX file, but no face finder of facepoints")
    try:
        metadata = json.loads(text)
        if metadata["format"] > FORMAT:
            raise BadRun(f"{name}: made by a newer facepoints (format {metadata['format']}, this one reads {FORMAT})")
        low, high = metadata["sides"]
        return _Facts(int(metadata["stride"]), (float(low), float(high)), float(metadata["unit"]))
    except (KeyError, TypeError, ValueError) as error:
        raise BadRun(f"{name}: its metadata is damaged ({error}). Export it anew") from error

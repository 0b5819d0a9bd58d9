"""Our own face detector: a small fully convolutional network, applied to the photo at 1/2, 1/4, 1/8 ... of its size.

inputs     picture uint8 (1, 1, h, w), h and w multiples of the stride
outputs    maps float32 (1, 6, h / stride, w / stride): see MAPS in benchmarks/face_detector_training/network.py
metadata   "facepoints-face-detector": JSON with `format`, `stride`, `sides`, `unit`
"""

from __future__ import annotations

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
from facepoints.inference.keypoint_network import metadata_of, session_of
from facepoints.inference.regions import Gray, Regions

FACE_DETECTOR = "face_detector.onnx"
"""The bundled file, in `weights`."""

METADATA = "facepoints-face-detector"
"""Key of the JSON in the file's metadata."""

THRESHOLD = 0.2
"""Face probability above which a position is a candidate. All 119 faces of held-out scenes exceed it, and about two
other positions per photo, which the keypoint network rejects."""

TILE = 1024
"""Side of the largest square, px, that the network processes at once."""

OVERLAP = 64
"""Margin of a tile on each side, px: the receptive field around a face."""

_SMALLEST_LEVEL = 24  # px of the longer side: a face that fills the photo is this large on the level before
_GRAY = 128  # padding, as in training
_CLOSE = 0.5  # distance of centers, in sides of the larger, below which two candidates are duplicates ...
_SIZE_RATIO = 1.8  # ... unless one is this many times larger


@dataclass(frozen=True)
class _Facts:
    stride: int
    sides: tuple[float, float]
    unit: float


class FaceNetwork:
    """The network of a file, ready to run. Thread-safe; unpickling starts a new session."""

    def __init__(self, content: bytes, name: str, threads: int | None = None) -> None:
        """content: the ONNX file; name: for errors; threads None: the number of cores, at most 4."""
        self.name = name
        self.threads = threads
        self._content = content
        self._session = session_of(content, name, threads)
        self._facts = _facts(self._session, name)

    @classmethod
    def bundled(cls, threads: int | None = None) -> FaceNetwork:
        """The network that is part of the package."""
        return cls(files("facepoints").joinpath("weights", FACE_DETECTOR).read_bytes(), FACE_DETECTOR, threads)

    @classmethod
    def open(cls, path: Path, threads: int | None = None) -> FaceNetwork:
        """Read a file; raises BadRun if it is absent, damaged or not a face detector."""
        try:
            return cls(path.read_bytes(), str(path), threads)
        except OSError as error:
            reason = error.strerror or error
            raise BadRun(f"{path}: cannot be read ({reason}), expected the .onnx file of a face detector") from error

    def __reduce__(self) -> tuple[Any, ...]:
        return FaceNetwork, (self._content, self.name, self.threads)

    def detect(self, photo: Photo) -> Regions:
        """Candidate regions at any roll, most probable first."""
        return self.find(photo.gray)

    def find(self, gray: Gray, threshold: float = THRESHOLD) -> Regions:
        """Candidate regions in a grey photo (h, w) with a face probability above the threshold, most probable first."""
        level, factor, rows = _half(gray), 2.0, []
        while level is not None:
            found = self._level(level, threshold)
            found[:, :2] = (found[:, :2] + 0.5) * factor - 0.5
            found[:, 2] *= factor
            rows.append(found)
            level, factor = _half(level) if max(level.shape) >= 2 * _SMALLEST_LEVEL else None, 2 * factor
        every = np.concatenate(rows) if rows else np.zeros((0, 5))
        every = every[np.argsort(-every[:, 4], kind="stable")]
        every = every[_distinct(every)]
        return Regions(every[:, :2], every[:, 2], every[:, 3], every[:, 4])

    def _level(self, gray: Gray, threshold: float) -> NDArray[np.float64]:
        """Candidates (n, 5): x, y, side in px of this level, roll, likelihood ratio; large levels are tiled."""
        height, width = gray.shape
        if max(height, width) <= TILE:
            return self._tile(gray, threshold)
        step, found = TILE - 2 * OVERLAP, []
        for top in range(0, height, step):
            for left in range(0, width, step):
                y, x = max(0, top - OVERLAP), max(0, left - OVERLAP)
                part = self._tile(gray[y : top + step + OVERLAP, x : left + step + OVERLAP], threshold)
                part[:, :2] += (x, y)
                own = (part[:, :2] >= (left - 0.5, top - 0.5)) & (part[:, :2] < (left + step - 0.5, top + step - 0.5))
                outside = (part[:, :2] < -0.5) | (part[:, :2] > (width - 0.5, height - 0.5))
                found.append(part[(own | outside).all(axis=1)])
        return np.concatenate(found)

    def _tile(self, gray: Gray, threshold: float) -> NDArray[np.float64]:
        stride = self._facts.stride
        down, right = (-n % stride for n in gray.shape)
        padded = cv2.copyMakeBorder(gray, 0, down, 0, right, cv2.BORDER_CONSTANT, value=(_GRAY,))
        (maps,) = self._session.run(None, {"picture": padded[None, None]})
        logit = np.ascontiguousarray(maps[0, 0])
        least = np.log(threshold / (1 - threshold))
        row, column = np.nonzero((logit >= least) & (logit >= cv2.dilate(logit, np.ones((3, 3), np.uint8))))
        log_ratio, x, y, size, cosine, sine = maps[0][:, row, column].astype(np.float64)
        middle = (stride - 1) / 2
        low, high = self._facts.sides  # of the training faces; twice outside of that range is extrapolation
        side = np.clip(self._facts.unit * np.exp(np.clip(size, -5, 5)), low / 2, 2 * high)
        center = stride * (column + x) + middle, stride * (row + y) + middle
        return np.column_stack([*center, side, np.arctan2(sine, cosine), np.exp(np.clip(log_ratio, -20, 20))])


def _half(gray: Gray) -> Gray | None:
    """The image at half its size, means of 2 x 2 pixels without an odd last row or column; None if nothing is left."""
    height, width = gray.shape[0] // 2, gray.shape[1] // 2
    if not height or not width:
        return None
    even = gray[: 2 * height, : 2 * width]
    return np.asarray(cv2.resize(even, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _distinct(found: NDArray[np.float64]) -> list[int]:
    """Non-maximum suppression: positions of the kept candidates, of (n, 5) sorted by probability."""
    kept: list[int] = []
    for i, (x, y, side, _, _) in enumerate(found):
        others = found[kept]
        near = np.hypot(others[:, 0] - x, others[:, 1] - y) < _CLOSE * np.maximum(others[:, 2], side)
        alike = np.maximum(others[:, 2], side) < _SIZE_RATIO * np.minimum(others[:, 2], side)
        if not (near & alike).any():
            kept.append(i)
    return kept


def _facts(session: onnxruntime.InferenceSession, name: str) -> _Facts:
    metadata = metadata_of(session, METADATA, name, "a face detector")
    try:
        low, high = metadata["sides"]
        return _Facts(int(metadata["stride"]), (float(low), float(high)), float(metadata["unit"]))
    except (KeyError, TypeError, ValueError) as error:
        raise BadRun(f"{name}: its metadata is damaged ({error}). Export it anew") from error

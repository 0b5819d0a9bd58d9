"""The keypoint network of an ONNX file, run by onnxruntime.

inputs     faces uint8 (n, 96, 96); source int64 (n,)
outputs    points float32 (n, k, 2), px of the face; expected_error float32 (n, k), if the model estimates it
metadata   "facepoints": JSON with the keys of `Facts`
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import ArrayLike, NDArray

from facepoints.errors import BadChoice, BadRun, FacepointsError
from facepoints.keypoints import FACE_SIZE, SOURCES, KeypointSet

FORMAT = 1
"""Version of the file; a newer one is refused."""

METADATA = "facepoints"
"""Key of the JSON in the file's metadata."""

BATCH = 64
"""Largest batch: more faces are not faster and take memory."""

_THREADS = 4
"""Default limit: a network this small gains nothing from a fifth thread."""


@dataclass(frozen=True)
class Facts:
    """Metadata of a file."""

    keypoints: KeypointSet
    mean_shape: NDArray[np.float32]
    """(sources, k, 2), px of the face"""
    mean_error: NDArray[np.float32]
    """(sources, k): RMSE of a coordinate on validation rows, px of the face"""
    label_offset: NDArray[np.float32]
    """(sources, k, 2): constant offset of each source's labels, px; flip averaging must not mirror it"""
    metadata: Mapping[str, Any]
    """the whole JSON: recipe, network, score, license, data, precision"""


class KeypointNetwork:
    """The network of a file, ready to run. Thread-safe; unpickling starts a new session."""

    def __init__(self, content: bytes, name: str, threads: int | None = None) -> None:
        """content: the ONNX file; name: for errors; threads None: the number of cores, at most 4."""
        if threads is not None and threads < 1:
            raise BadChoice(f"{threads} threads: a network needs at least 1")
        self.name = name
        self.threads = threads
        self._content = content
        self._session = session_of(content, name, threads)
        self.facts = _facts(self._session, name)
        self._outputs = [output.name for output in self._session.get_outputs()]

    @classmethod
    def open(cls, path: Path, threads: int | None = None) -> KeypointNetwork:
        """Read a file; raises BadRun if it is absent, damaged or not of facepoints."""
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            raise BadRun(f"{path}: no such file; expected an .onnx file written by `facepoints export`") from None
        except OSError as error:
            raise BadRun(f"{path}: cannot be read ({error.strerror or error})") from error
        return cls(content, str(path), threads)

    def __getstate__(self) -> dict[str, Any]:
        return {"content": self._content, "name": self.name, "threads": self.threads}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]  # a session cannot be pickled

    def __call__(
        self, crops: NDArray[np.uint8], source: ArrayLike = 0
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Points (n, k, 2) and their expected errors (n, k), px, of crops uint8 (n, 96, 96).

        source: annotation source to imitate, 0 or 1, for all crops or for each (n,).
        """
        if crops.dtype != np.uint8 or crops.ndim != 3 or crops.shape[1:] != (FACE_SIZE, FACE_SIZE):
            what = f"the crops are {crops.dtype} of shape {crops.shape}"
            raise BadChoice(f"{what}, expected uint8 (n, {FACE_SIZE}, {FACE_SIZE})")
        sources = _sources(source, len(crops))
        points = np.empty((len(crops), len(self.facts.keypoints), 2), np.float32)
        error = self.facts.mean_error[sources]
        for start in range(0, len(crops), BATCH):
            part = slice(start, start + BATCH)
            found = self._session.run(self._outputs, {"faces": crops[part], "source": sources[part]})
            points[part] = found[self._outputs.index("points")]
            if "expected_error" in self._outputs:
                error[part] = found[self._outputs.index("expected_error")]
        return points, error

    def points(self, crops: NDArray[np.uint8], source: ArrayLike = 0) -> NDArray[np.float32]:
        """The points (n, k, 2), px, of crops (n, 96, 96)."""
        return self(crops, source)[0]

    def points_with_flip(self, crops: NDArray[np.uint8], source: ArrayLike = 0) -> NDArray[np.float32]:
        """Points (n, k, 2), px, averaged over each crop and its mirror image (test-time augmentation).

        The file of an ensemble corrects the bias of both before averaging; its run corrects that of the mean, which is
        slightly more accurate.
        """
        offset = self.facts.label_offset[_sources(source, len(crops))]
        again = (self.points(np.ascontiguousarray(crops[:, :, ::-1]), source) - offset)[:, self.facts.keypoints.mirror]
        again[..., 0] = FACE_SIZE - 1 - again[..., 0]
        return ((self.points(crops, source) + again + offset) / 2).astype(np.float32)


def _sources(source: ArrayLike, n: int) -> NDArray[np.int64]:
    given = np.asarray(source)
    if not np.issubdtype(given.dtype, np.integer) or given.shape not in ((), (n,)):
        raise BadChoice(f"source is {given.dtype} of shape {given.shape}, expected a whole number or ({n},) of them")
    if given.size and not 0 <= given.min() <= given.max() < len(SOURCES):
        raise BadChoice(f"there is no source {given.min() if given.min() < 0 else given.max()}; expected 0 or 1")
    return np.broadcast_to(given, n).astype(np.int64)


def session_of(content: bytes, name: str, threads: int | None) -> onnxruntime.InferenceSession:
    """An inference session for an ONNX file's content; raises BadRun. threads None: the number of cores, at most 4."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or min(_THREADS, cores())
    options.log_severity_level = 3  # errors only
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's exceptions have no public base class
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise BadRun(f"{name}: not an ONNX file that ONNX Runtime reads ({reason}). Export it anew") from error


def cores() -> int:
    """Cores that this process may use; containers and `taskset` limit them."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def metadata_of(session: onnxruntime.InferenceSession, key: str, name: str, kind: str) -> dict[str, Any]:
    """The JSON under this key of a file's metadata; raises BadRun if it is absent or of a newer version."""
    text = session.get_modelmeta().custom_metadata_map.get(key)
    if text is None:
        raise BadRun(f"{name}: an ONNX file, but not {kind} of facepoints")
    try:
        metadata: dict[str, Any] = json.loads(text)
        version = int(metadata["format"])
    except (KeyError, TypeError, ValueError) as error:
        raise BadRun(f"{name}: its metadata is damaged ({error}). Export it anew") from error
    if version > FORMAT:
        raise BadRun(f"{name}: made by a newer facepoints (format {version}, this one reads {FORMAT})")
    return metadata


def _facts(session: onnxruntime.InferenceSession, name: str) -> Facts:
    metadata = metadata_of(session, METADATA, name, "a keypoint network")
    inputs, outputs = ({x.name for x in side} for side in (session.get_inputs(), session.get_outputs()))
    if inputs != {"faces", "source"} or "points" not in outputs:
        raise BadRun(f"{name}: its inputs and outputs are not those of a keypoint network. Export it anew")
    try:
        keypoints = KeypointSet(tuple(metadata["keypoints"]))
        shape = (len(SOURCES), len(keypoints))
        mean_shape, error, offset = (
            np.array(metadata[key], np.float32).reshape(*shape, *last)
            for key, last in (("mean_shape", (2,)), ("mean_error", ()), ("label_offset", (2,)))
        )
        return Facts(keypoints, mean_shape, error, offset, metadata)
    except (KeyError, TypeError, ValueError, FacepointsError) as problem:
        raise BadRun(f"{name}: its metadata is damaged ({problem}). Export it anew") from problem

"""Videos and cameras, frame by frame, in memory that does not grow with their length.

for frame in facepoints.load().stream("talk.mp4"):
    for face in frame.faces:
        print(frame.time, face.id, face.points)
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np
from numpy.typing import NDArray

from facepoints.data.images import Photo
from facepoints.errors import BadFile
from facepoints.inference.faces import FaceSource, TrackedFace
from facepoints.inference.video.tracking import Tracker

ENDINGS = frozenset(
    (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".flv", ".3gp", ".3g2", ".ts", ".mts")
    + (".m2ts", ".ogv", ".vob", ".mjpeg", ".mjpg")
)
"""Endings of files that count as videos."""

USUAL_PACE = 30.0
"""Frames per second where a file does not say."""


@dataclass(frozen=True)
class Frame:
    """One frame of a video and the faces in it."""

    index: int
    """from 0"""
    time: float
    """seconds from the video's start, as the file says: frames need not be evenly spaced"""
    faces: tuple[TrackedFace, ...]
    photo: Photo

    @property
    def image(self) -> NDArray[np.uint8]:
        """The frame the right way up, (h, w, 3), red first."""
        return self.photo.bgr[:, :, ::-1]


class Video:
    """An open video file or camera: iterating gives (index, seconds, photo). Use it in a `with`."""

    def __init__(self, source: str | Path | int) -> None:
        """source: a file, or a camera's number. Raises BadFile where nothing can be read from it."""
        self.camera = source if isinstance(source, int) else None
        self.name = f"camera {source}" if isinstance(source, int) else str(source)
        self.read = 0
        """how many frames came so far"""
        with quiet():
            self._capture = self._open(source)
        self._last = -1.0
        self.fps = self._number(cv2.CAP_PROP_FPS) or USUAL_PACE
        promised = int(self._number(cv2.CAP_PROP_FRAME_COUNT))
        self.frames = promised if self.camera is None and promised > 0 else None
        """how many frames the file says it has; None: it does not say, or a camera"""

    def _open(self, source: str | Path | int) -> cv2.VideoCapture:
        if isinstance(source, int):
            capture = cv2.VideoCapture(source)
            if not capture.isOpened():
                raise BadFile(f"camera {source}: there is none, it is in use elsewhere, or this program may not use it")
            capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # or a slow machine shows the past
            return capture
        if "://" in str(source):
            raise BadFile(f"{source}: nothing is fetched from the net. Save the video to a file and give that")
        try:
            size = Path(source).stat().st_size
        except OSError as error:
            raise BadFile(f"{source}: cannot be read ({error.strerror or error})") from error
        if size == 0:
            raise BadFile(f"{source}: an empty file, expected a video")
        capture = cv2.VideoCapture(str(source), cv2.CAP_FFMPEG)
        if not capture.isOpened():
            raise BadFile(f"{source}: no video that can be read: damaged, cut off, or of an unknown kind or codec")
        capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)  # phones write frames lying and a note how to turn them
        return capture

    def _number(self, what: int) -> float:
        value = float(self._capture.get(what))
        return value if 0 < value < 1e9 else 0.0  # absent is 0, -1 or NaN, or a number from nowhere

    def __enter__(self) -> Video:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._capture.release()

    def __iter__(self) -> Iterator[tuple[int, float, Photo]]:
        started = time.monotonic()
        while True:
            with quiet():
                came, pixels = self._capture.read()
            if not came or pixels is None:
                break
            now = self._time() if self.camera is None else time.monotonic() - started
            self.read += 1
            yield self.read - 1, now, Photo(np.asarray(pixels, np.uint8))
        if self.read == 0:
            codec = _letters(self._capture.get(cv2.CAP_PROP_FOURCC))
            raise BadFile(f"{self.name}: not one frame can be read: none there, damaged, or of an unknown codec{codec}")

    def _time(self) -> float:
        """Seconds of the frame just read; where a file gives none, or none that goes on, frames are evenly spaced."""
        told = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
        if not self._last < told < self._last + 1e6:
            told = self._last + 1 / self.fps if self._last >= 0 else 0.0
        self._last = told
        return told

    @property
    def complaint(self) -> str | None:
        """After the last frame: what is wrong with the file, in one line, or None."""
        if self.camera is not None:
            return f"{self.name}: gives no more frames"
        if self.frames and self.read < 0.98 * self.frames - 1:  # the count is an estimate in some containers
            said = f"{self.name}: only {self.read:,} of {self.frames:,} frames can be read"
            return f"{said}; the file is cut off or damaged there"
        return None


def stream(detector: FaceSource, video: str | Path | int, *, smooth: float = 1.0) -> Iterator[Frame]:
    """The faces of a video file or camera, frame by frame; each keeps its number from frame to frame.

    smooth: strength of the smoothing; 0 leaves the points as the network gives them. Raises BadFile where nothing
    can be read.
    """
    tracker = Tracker(detector, smooth)
    with Video(video) as source:
        yield from follow(tracker, source)


def follow(tracker: Tracker, source: Video) -> Iterator[Frame]:
    """The frames of an open video with the tracker's faces."""
    for index, seconds, photo in source:
        yield Frame(index, seconds, tracker.step(photo, seconds), photo)


@contextmanager
def quiet() -> Iterator[None]:
    """Without what OpenCV and FFmpeg write to the terminal about files and codecs: errors of ours say it in a line."""
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # read when OpenCV first opens a video
    before = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(before)


def _letters(fourcc: float) -> str:
    code = int(fourcc) if 0 < fourcc < 2**32 else 0
    text = "".join(chr(code >> shift & 0xFF) for shift in (0, 8, 16, 24)) if code else ""
    return f" ('{text}')" if text.isprintable() and text.strip() else ""

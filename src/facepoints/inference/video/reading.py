"""Videos and cameras, frame by frame, in constant memory.

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
from facepoints.inference.faces import Face, FaceSource
from facepoints.inference.video.tracking import Tracker

VIDEO_SUFFIXES = frozenset(
    (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".flv", ".3gp", ".3g2", ".ts", ".mts")
    + (".m2ts", ".ogv", ".vob", ".mjpeg", ".mjpg")
)

DEFAULT_FPS = 30.0
"""Frames per second of files that do not state it."""


@dataclass(frozen=True)
class Frame:
    """One frame of a video and the faces in it."""

    index: int
    """from 0"""
    time: float
    """seconds from the start according to the file; frames may be unevenly spaced"""
    faces: tuple[Face, ...]
    photo: Photo

    @property
    def image(self) -> NDArray[np.uint8]:
        """RGB (h, w, 3), with the file's rotation applied."""
        return self.photo.bgr[:, :, ::-1]


class Video:
    """An open video file or camera: a context manager and an iterator over (index, seconds, photo)."""

    def __init__(self, source: str | Path | int) -> None:
        """source: a file or a camera number. Raises BadFile if it cannot be opened."""
        self.camera = source if isinstance(source, int) else None
        self.name = f"camera {source}" if isinstance(source, int) else str(source)
        self.frames_read = 0
        with quiet():
            self._capture = _open_camera(source) if isinstance(source, int) else _open_file(source)
        self._last = -1.0
        self.fps = self._property(cv2.CAP_PROP_FPS) or DEFAULT_FPS
        frames = int(self._property(cv2.CAP_PROP_FRAME_COUNT))
        self.frames = frames if self.camera is None and frames > 0 else None
        """number of frames according to the file; None for cameras and if not stated"""

    def _property(self, key: int) -> float:
        value = float(self._capture.get(key))
        return value if 0 < value < 1e9 else 0.0  # OpenCV reports unknown values as 0, -1, NaN or a huge number

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
                success, pixels = self._capture.read()
            if not success or pixels is None:
                break
            now = self._time() if self.camera is None else time.monotonic() - started
            self.frames_read += 1
            yield self.frames_read - 1, now, Photo(np.asarray(pixels, np.uint8))
        if self.frames_read == 0:
            codec = _codec_name(self._capture.get(cv2.CAP_PROP_FOURCC))
            reasons = f"the file has none, is damaged, or uses an unsupported codec{codec}"
            raise BadFile(f"{self.name}: no frame can be decoded: {reasons}")

    def _time(self) -> float:
        """Seconds of the current frame; evenly spaced where the file's times are missing or do not increase."""
        seconds = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
        if not self._last < seconds < self._last + 1e6:
            seconds = self._last + 1 / self.fps if self._last >= 0 else 0.0
        self._last = seconds
        return float(seconds)

    @property
    def problem(self) -> str | None:
        """After the last frame: why it ended early, in one line, or None."""
        if self.camera is not None:
            return f"{self.name}: no more frames"
        if self.frames and self.frames_read < 0.98 * self.frames - 1:  # some containers estimate the count
            read = f"{self.frames_read:,} of {self.frames:,} frames"
            return f"{self.name}: only {read} can be read; the file is truncated or damaged"
        return None


def _open_camera(number: int) -> cv2.VideoCapture:
    capture = cv2.VideoCapture(number)
    if not capture.isOpened():
        raise BadFile(f"camera {number}: cannot be opened. Check that it is connected, not in use, and permitted")
    capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # otherwise frames are outdated on a slow machine
    return capture


def _open_file(source: str | Path) -> cv2.VideoCapture:
    if "://" in str(source):
        raise BadFile(f"{source}: URLs are not supported. Download the video and name the file")
    try:
        size = Path(source).stat().st_size
    except OSError as error:
        raise BadFile(f"{source}: cannot be read ({error.strerror or error})") from error
    if size == 0:
        raise BadFile(f"{source}: an empty file, expected a video")
    capture = cv2.VideoCapture(str(source), cv2.CAP_FFMPEG)
    if not capture.isOpened():
        raise BadFile(f"{source}: not a readable video: damaged, truncated, or an unsupported format or codec")
    capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)  # phones store the rotation as metadata
    return capture


def stream(detector: FaceSource, video: str | Path | int, *, smooth: float = 1.0) -> Iterator[Frame]:
    """The frames of a video file or camera with tracked faces; a face keeps its id from frame to frame.

    smooth: strength of the temporal smoothing; 0 returns the predicted points unchanged. Raises BadFile if the video
    cannot be read.
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
    """Suppress messages of OpenCV and FFmpeg about files and codecs: our own errors report these problems."""
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # read when OpenCV opens its first video
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(level)


def _codec_name(fourcc: float) -> str:
    code = int(fourcc) if 0 < fourcc < 2**32 else 0
    text = "".join(chr(code >> shift & 0xFF) for shift in (0, 8, 16, 24)) if code else ""
    return f" ('{text}')" if text.isprintable() and text.strip() else ""

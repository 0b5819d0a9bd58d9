"""Output of annotated frames: an MP4 file or a window."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from facepoints.errors import BadFile
from facepoints.inference.video.reading import quiet

_LONGEST_PAUSE = 60.0
"""Seconds. Longer gaps between frames are removed: they come from a wrong clock and would fill the disk."""


class VideoWriter:
    """Writes an MP4 with a constant frame rate; the first frame determines the size."""

    def __init__(self, path: Path, fps: float) -> None:
        self.path = path
        self.fps = min(max(fps, 1.0), 240.0)
        self.codec = ""
        self._writer: Any = None
        self._size = (0, 0)
        self._written = 0
        self._skipped = 0.0

    def write(self, picture: NDArray[np.uint8], seconds: float) -> None:
        """Append a frame (h, w, 3) BGR. It is repeated or dropped where needed to keep time with uneven sources."""
        if self._writer is None:
            # MP4 needs even sizes: its color channels are subsampled by two
            self._size = (max(2, picture.shape[1] // 2 * 2), max(2, picture.shape[0] // 2 * 2))
            with quiet():
                self._writer, self.codec = _open_writer(self.path, self.fps, self._size)
        if picture.shape[1::-1] != self._size:
            width, height = self._size
            same = abs(picture.shape[1] - width) < 2 and abs(picture.shape[0] - height) < 2
            picture = picture[:height, :width] if same else np.asarray(cv2.resize(picture, self._size), np.uint8)
        until = max(round((seconds - self._skipped) * self.fps) + 1, 1)
        if until - self._written > _LONGEST_PAUSE * self.fps:
            self._skipped += (until - self._written - 1) / self.fps
            until = self._written + 1
        for _ in range(self._written, until):
            self._writer.write(np.ascontiguousarray(picture))
        self._written = max(self._written, until)

    def close(self) -> None:
        """Finish the file; may be called more than once."""
        if self._writer is not None:
            self._writer.release()
            self._writer = None


def _open_writer(path: Path, fps: float, size: tuple[int, int]) -> tuple[Any, str]:
    # H.264 plays everywhere, but OpenCV from PyPI has no encoder for it unless the system provides one
    for codec in ("avc1", "mp4v"):
        writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*codec), fps, size)
        if writer.isOpened():
            return writer, codec
    raise BadFile(f"{path}: cannot be written: this OpenCV has no MP4 encoder, or the disk is full. Omit the video")


class Window:
    """A live window, where OpenCV supports windows and a display exists."""

    def __init__(self, title: str) -> None:
        self.title = title

    @staticmethod
    def unavailable() -> str | None:
        """Why no window can be opened, or None."""
        line = next((x for x in cv2.getBuildInformation().splitlines() if x.strip().startswith("GUI:")), "GUI: NONE")
        if "NONE" in line:
            return "opencv-python-headless, which facepoints installs, has no windows"
        if os.name == "posix" and "COCOA" not in line and not any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY"))):
            return "no display"
        return None

    def show(self, picture: NDArray[np.uint8]) -> bool:
        """Show a frame (h, w, 3) BGR; False if the user closed the window or pressed q or Escape."""
        cv2.imshow(self.title, picture)
        if cv2.waitKey(1) & 0xFF in (ord("q"), 27):
            return False
        return bool(cv2.getWindowProperty(self.title, cv2.WND_PROP_VISIBLE) >= 1)

    def close(self) -> None:
        cv2.destroyWindow(self.title)

"""Where annotated frames go: an MP4 file, or a window."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from facepoints.errors import BadFile
from facepoints.inference.video.video import quiet

_LONGEST_PAUSE = 60.0
"""Seconds without a frame that are kept as such: a longer gap is a damaged clock, and would fill the disk."""


class VideoWriter:
    """Writes frames as an MP4 of even pace; opened with the first frame, whose size all others get."""

    def __init__(self, path: Path, fps: float) -> None:
        self.path = path
        self.fps = min(max(fps, 1.0), 240.0)
        self.codec = ""
        self._writer: Any = None
        self._size = (0, 0)
        self._written = 0
        self._skipped = 0.0

    def write(self, picture: NDArray[np.uint8], seconds: float) -> None:
        """The next frame (h, w, 3) BGR. Where frames came unevenly it is repeated or left out, to stay in step."""
        if self._writer is None:
            # without the last odd row or column: MP4's colors come in blocks of two by two
            self._size = (max(2, picture.shape[1] // 2 * 2), max(2, picture.shape[0] // 2 * 2))
            with quiet():
                self._writer, self.codec = _open_writer(self.path, self.fps, self._size)
        if picture.shape[1::-1] != self._size:
            same = abs(picture.shape[1] - self._size[0]) < 2 and abs(picture.shape[0] - self._size[1]) < 2
            picture = picture[: self._size[1], : self._size[0]] if same else cv2.resize(picture, self._size)  # type: ignore[assignment]
        until = max(round((seconds - self._skipped) * self.fps) + 1, 1)
        if until - self._written > _LONGEST_PAUSE * self.fps:
            self._skipped += (until - self._written - 1) / self.fps
            until = self._written + 1
        for _ in range(self._written, until):
            self._writer.write(np.ascontiguousarray(picture))
        self._written = max(self._written, until)

    def close(self) -> None:
        """Finish the file; it may be called twice."""
        if self._writer is not None:
            self._writer.release()
            self._writer = None


def _open_writer(path: Path, fps: float, size: tuple[int, int]) -> tuple[Any, str]:
    # H.264 plays anywhere, but the OpenCV that pip installs has no encoder for it where the system brings none
    for codec in ("avc1", "mp4v"):
        writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*codec), fps, size)
        if writer.isOpened():
            return writer, codec
    raise BadFile(
        f"{path}: this OpenCV writes no MP4, or there is no room. Leave the video out or choose another place"
    )


class Window:
    """A live window, where OpenCV has windows and there is a screen."""

    def __init__(self, title: str) -> None:
        self.title = title

    @staticmethod
    def reason_against() -> str | None:
        """Why there can be no window, in a few words, or None."""
        line = next((x for x in cv2.getBuildInformation().splitlines() if x.strip().startswith("GUI:")), "GUI: NONE")
        if "NONE" in line:
            return "opencv-python-headless, which facepoints installs, has no windows"
        if os.name == "posix" and "COCOA" not in line and not any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY"))):
            return "there is no screen"
        return None

    def show(self, picture: NDArray[np.uint8]) -> bool:
        """Show a frame (h, w, 3) BGR; False once a person closed the window or pressed q or Escape."""
        cv2.imshow(self.title, picture)
        if cv2.waitKey(1) & 0xFF in (ord("q"), 27):
            return False
        return bool(cv2.getWindowProperty(self.title, cv2.WND_PROP_VISIBLE) >= 1)

    def close(self) -> None:
        cv2.destroyWindow(self.title)

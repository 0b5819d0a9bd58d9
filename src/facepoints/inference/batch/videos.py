"""Predict keypoints in one video or camera: rows of points.csv and an annotated copy, in constant memory."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import cv2

from facepoints.data.images import Pixels
from facepoints.files import atomic_write
from facepoints.inference.annotate import annotate
from facepoints.inference.batch.result_files import ResultFiles
from facepoints.inference.video.reading import Frame, Video, follow
from facepoints.inference.video.tracking import Tracker
from facepoints.inference.video.writing import VideoWriter, Window
from facepoints.keypoints import KeypointSet

Progress = Callable[[str, int, int | None, str], None]
"""Called with (name, done, total, unit); total is None where the video file does not state it."""


@dataclass
class VideoSummary:
    """What was found in one video."""

    name: str
    copy: Path
    """the annotated MP4"""
    expected_frames: int | None
    """number of frames according to the file"""
    camera: bool
    codec: str = ""
    frames: int = 0
    faces: set[int] = field(default_factory=set)
    """track ids"""
    stopped: bool = False
    """by Ctrl-C or by closing the window"""

    def __str__(self) -> str:
        faces = f"{len(self.faces):,} face{'s'[: len(self.faces) != 1]}"
        copy = f"annotated copy {self.copy} ({self.codec}, no audio)"
        if self.stopped and not self.camera:
            of = f" of {self.expected_frames:,}" if self.expected_frames else ""
            return f"{self.name}: stopped after frame {self.frames:,}{of}; kept: {faces}, {copy}"
        return f"{self.name}: {faces} in {self.frames:,} frame{'s'[: self.frames != 1]}, {copy}"


def predict_video(
    results: ResultFiles,
    source: str | int,
    copy: Path,
    tracker: Tracker,
    legend: KeypointSet | None,
    on_note: Callable[[str], None],
    progress: Progress,
) -> VideoSummary:
    """Track the faces of a video file or camera; write them to `results` and annotated frames to the MP4 `copy`."""
    with (
        Video(source) as video,
        atomic_write(copy) as temporary,
        _deferred_interrupt() as interrupted,
        _live_window(video, on_note) as show,
    ):
        summary = VideoSummary(video.name, copy, video.frames, video.camera is not None)
        writer = VideoWriter(temporary, video.fps)
        try:
            for frame in follow(tracker, video):
                ids = [face.id for face in frame.faces if face.id is not None]
                results.add(Path(video.name).as_posix(), frame.faces, ids=ids, frame=frame.index, time=frame.time)
                annotated = _annotated(frame, legend)
                writer.write(annotated, frame.time)
                summary.faces.update(ids)
                summary.frames += 1
                progress(video.name, summary.frames, video.frames, "frames")
                if interrupted.is_set() or not show(annotated):
                    summary.stopped = True
                    break
        finally:
            writer.close()
        summary.codec = writer.codec
        if not summary.stopped and (problem := video.problem):
            on_note(problem)
    return summary


def _annotated(frame: Frame, legend: KeypointSet | None) -> Pixels:
    """The frame with its faces marked and their track ids written above them."""
    picture = annotate(frame.photo.bgr, frame.faces, names=legend, steady=True)
    factor = picture.shape[1] / frame.photo.bgr.shape[1]
    for face in frame.faces:
        x, y, w, _ = (factor * v for v in face.box)
        size = max(0.5, w / 300)
        corner = (round(x), round(max(y - 6 * size, 22 * size)))
        for color, thickness in (((25, 25, 25), 3), ((255, 255, 255), 1)):
            width = max(thickness, round(thickness * 2 * size))
            cv2.putText(picture, str(face.id), corner, cv2.FONT_HERSHEY_SIMPLEX, size, color, width, cv2.LINE_AA)
    return picture


def copy_names(videos: Sequence[str | int], out: Path) -> list[Path]:
    """File names for the annotated copies in `out` that overwrite neither each other nor a given video."""
    taken = {Path(video).resolve() for video in videos if isinstance(video, str)}
    names = []
    for video in videos:
        stem = f"camera-{video}" if isinstance(video, int) else Path(video).stem
        number, name = 1, Path(f"{stem}.mp4")
        while (out / name).resolve() in taken:
            number += 1
            name = Path(f"{stem}-{number}.mp4")
        taken.add((out / name).resolve())
        names.append(name)
    return names


@contextmanager
def _live_window(video: Video, on_note: Callable[[str], None]) -> Iterator[Callable[[Pixels], bool]]:
    """A function that shows a frame and returns whether to continue. Only cameras get a window."""
    reason = None if video.camera is None else Window.unavailable()
    if reason is not None:
        on_note(f"no live window: {reason}. The annotated video and the points are written; Ctrl-C stops")
    if video.camera is None or reason is not None:
        yield lambda frame: True
        return
    window = Window(f"facepoints: {video.name} (q stops)")
    try:
        yield window.show
    finally:
        window.close()


@contextmanager
def _deferred_interrupt() -> Iterator[threading.Event]:
    """The first Ctrl-C sets the event, so that the current frame is completed; a second one interrupts at once."""
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return
    previous = signal.getsignal(signal.SIGINT)

    def handler(number: int, frame: FrameType | None) -> None:
        event.set()
        signal.signal(signal.SIGINT, previous)

    signal.signal(signal.SIGINT, handler)
    try:
        yield event
    finally:
        signal.signal(signal.SIGINT, previous)

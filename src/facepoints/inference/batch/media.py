"""Photos, folders, videos and cameras through the detector into one pair of tables, in constant memory."""

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
from facepoints.errors import BadFile
from facepoints.files import atomic_write
from facepoints.inference.annotate import annotate
from facepoints.inference.batch.predict import Progress, Say, Tally, photos_into
from facepoints.inference.batch.result_files import ResultFiles
from facepoints.inference.detector import Detector
from facepoints.inference.faces import Face, TrackedFace
from facepoints.inference.video.tracking import Tracker
from facepoints.inference.video.video import ENDINGS, Frame, Video, follow
from facepoints.inference.video.writer import VideoWriter, Window
from facepoints.keypoints import KeypointSet

FilmProgress = Callable[[str, int, int | None], None]
"""Called with a video's name, its frames done and its frames in all, if it says."""


@dataclass
class Film:
    """What came of one video."""

    name: str
    picture: Path
    """its annotated MP4"""
    codec: str = ""
    frames: int = 0
    people: set[int] = field(default_factory=set)
    """numbers of the faces in it"""
    promised: int | None = None
    """how many frames the file says it has"""
    camera: bool = False
    stopped: bool = False
    """by Ctrl-C, or by closing the window"""

    def __str__(self) -> str:
        people = f"{len(self.people):,} face{'s'[: len(self.people) != 1]}"
        kept = f"{self.picture} ({self.codec}, without sound)"
        if self.stopped and not self.camera:
            of = f" of {self.promised:,}" if self.promised else ""
            return f"{self.name}: stopped after frame {self.frames:,}{of}; {people} until then are kept, and {kept}"
        return f"{self.name}: {people} in {self.frames:,} frame{'s'[: self.frames != 1]}, {kept}"


@dataclass
class Media:
    """What came of all."""

    tally: Tally
    films: list[Film] = field(default_factory=list)

    @property
    def stopped(self) -> bool:
        """Whether a file was stopped; for a camera that is the way to end."""
        return any(film.stopped and not film.camera for film in self.films)

    @property
    def found(self) -> bool:
        """Whether there was any face."""
        return bool(self.tally.faces or any(film.people for film in self.films))

    def lines(self) -> Iterator[str]:
        """What to tell a person: a line on the photos, one on each video."""
        photos = self.tally
        if photos.photos:
            empty = f", {photos.empty:,} without a face" if photos.empty else ""
            files = f"{photos.photos:,} file{'s'[: photos.photos != 1]}"
            yield f"{photos.faces:,} face{'s'[: photos.faces != 1]} in {files}{empty}"
        yield from map(str, self.films)


def sort_out(given: Sequence[str]) -> tuple[list[str], list[str | int]]:
    """What is for the photos' way, folders included; and videos, by their ending, and cameras, by their number."""
    photos: list[str] = []
    films: list[str | int] = []
    for name in given:
        path = Path(name)
        if name.isdecimal() and not path.exists():
            films.append(int(name))
        elif path.suffix.lower() in ENDINGS and not path.is_dir():
            films.append(name)
        else:
            photos.append(name)
    return photos, films


def predict_media(
    given: Sequence[str],
    out: Path,
    detector: Detector,
    *,
    names: bool = False,
    measured: bool = False,
    smooth: float = 1.0,
    say: Say,
    note: Say,
    progress: Progress,
    film_progress: FilmProgress,
) -> Media:
    """Find the faces in whatever was given and write what they are into `out`: photos first, then videos in order.

    `say` is told of each file that cannot be read, `note` of what else a person should know. Ctrl-C in a video ends it
    and leaves out those after it; what was found until then is kept.
    """
    photos, films = sort_out(given)
    with ResultFiles(out, detector.keypoints, measured) as results:
        tally = Tally()
        if photos:
            tally = photos_into(results, photos, out, detector, names=names, say=say, progress=progress)
        media = Media(tally)
        for source, picture in zip(films, _pictures(films, out), strict=True):
            tracker = Tracker(detector, smooth)
            try:
                film = _into(results, source, out / picture, tracker, names, note, film_progress)
            except BadFile as error:
                tally.failed += 1
                say(str(error))
                continue
            media.films.append(film)
            if film.stopped and film.frames:
                break
    return media


def _into(
    results: ResultFiles,
    source: str | int,
    picture: Path,
    tracker: Tracker,
    names: bool,
    note: Say,
    progress: FilmProgress,
) -> Film:
    """One video or camera into results that are open, and its annotated copy."""
    with Video(source) as video, atomic_write(picture) as beside, _stoppable() as stop, _window(video, note) as show:
        film = Film(video.name, picture, promised=video.frames, camera=video.camera is not None)
        writer = VideoWriter(beside, video.fps)
        try:
            for frame in follow(tracker, video):
                faces = [_plain(face) for face in frame.faces]
                numbers = [face.id for face in frame.faces]
                results.add(Path(video.name).as_posix(), faces, numbers=numbers, frame=frame.index, time=frame.time)
                drawn = _drawn(frame, faces, tracker.detector.keypoints if names else None)
                writer.write(drawn, frame.time)
                film.people.update(numbers)
                film.frames += 1
                progress(video.name, film.frames, video.frames)
                if stop.is_set() or not show(drawn):
                    film.stopped = True
                    break
        finally:
            writer.close()
        film.codec = writer.codec
        if not film.stopped and (complaint := video.complaint):
            note(complaint)
    return film


def _drawn(frame: Frame, faces: list[Face], names: KeypointSet | None) -> Pixels:
    """The frame with its faces marked, each with its number."""
    drawn = annotate(frame.photo.bgr, faces, names=names, steady=True)
    factor = drawn.shape[1] / frame.photo.bgr.shape[1]
    for face in frame.faces:
        x, y, w, _ = (factor * v for v in face.box)
        size = max(0.5, w / 300)
        corner = (round(x), round(max(y - 6 * size, 22 * size)))
        for color, thickness in (((25, 25, 25), 3), ((255, 255, 255), 1)):
            width = max(thickness, round(thickness * 2 * size))
            cv2.putText(drawn, str(face.id), corner, cv2.FONT_HERSHEY_SIMPLEX, size, color, width, cv2.LINE_AA)
    return drawn


def _plain(face: TrackedFace) -> Face:
    return Face(face.box, face.score, face.points, face.expected_error, face.keypoints)


def _pictures(films: Sequence[str | int], out: Path) -> list[Path]:
    """A name for each annotated video: none is another's, none is a video that was given."""
    taken = {Path(film).resolve() for film in films if isinstance(film, str)}
    pictures = []
    for film in films:
        stem = f"camera-{film}" if isinstance(film, int) else Path(film).stem
        number, free = 1, Path(f"{stem}.mp4")
        while (out / free).resolve() in taken:
            number += 1
            free = Path(f"{stem}-{number}.mp4")
        taken.add((out / free).resolve())
        pictures.append(free)
    return pictures


@contextmanager
def _window(video: Video, note: Say) -> Iterator[Callable[[Pixels], bool]]:
    """What shows a frame and says whether to go on: for a camera, a window where there can be one."""
    if video.camera is None:
        yield lambda drawn: True
        return
    reason = Window.reason_against()
    if reason is not None:
        note(f"no live window: {reason}. The annotated video and the points are written; Ctrl-C stops")
        yield lambda drawn: True
        return
    window = Window(f"facepoints: {video.name} (q stops)")
    try:
        yield window.show
    finally:
        window.close()


@contextmanager
def _stoppable() -> Iterator[threading.Event]:
    """Ctrl-C sets the event, so that the frame at hand is finished first; a second one interrupts at once."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = signal.getsignal(signal.SIGINT)

    def first(number: int, frame: FrameType | None) -> None:
        stop.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, first)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)

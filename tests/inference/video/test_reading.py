"""Videos: frames, times and errors of files and cameras; constant memory; smooth points on a moving face."""

from __future__ import annotations

import csv
import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

import facepoints
from facepoints.data.images import Photo
from facepoints.data.synthetic.faces import draw_faces
from facepoints.errors import BadFile
from facepoints.inference.detector import Detector
from facepoints.inference.video.reading import Video, quiet, stream
from facepoints.inference.video.smoothing import Smoother
from facepoints.inference.video.tracking import Tracker
from facepoints.inference.video.writing import VideoWriter, Window
from moving_photo import EYES, moving_photo

FPS = 30
SIZE = (160, 120)


def write(path: Path, frames: int = 30, codec: str = "mp4v", size: tuple[int, int] = SIZE) -> Path:
    """A video whose n-th frame is white up to column 5 n + 1."""
    with quiet():
        writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*codec), FPS, size)
    assert writer.isOpened()
    for i in range(frames):
        frame = np.zeros((size[1], size[0], 3), np.uint8)
        frame[:, : 5 * i + 1] = 255
        writer.write(frame)
    writer.release()
    return path


def read(path: Path) -> tuple[list[float], list[Photo]]:
    with Video(path) as video:
        seen = list(video)
    assert [index for index, _, _ in seen] == list(range(len(seen)))
    return [time for _, time, _ in seen], [photo for _, _, photo in seen]


def lying(path: Path) -> None:
    """Write into the file's header that it is to be shown a quarter turn clockwise, as phones do."""
    content = bytearray(path.read_bytes())
    matrix = content.index(b"tkhd") + 4 + 4 + 20 + 16
    content[matrix : matrix + 36] = struct.pack(">9i", 0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30)
    path.write_bytes(content)


def uneven(path: Path) -> None:
    """Give every frame from the 16th on three times the time."""
    content = path.read_bytes()
    start = content.index(b"stts") - 4
    count, duration = struct.unpack(">II", content[start + 16 : start + 24])
    table = struct.pack(">I4sIIIIII", 32, b"stts", 0, 2, 15, duration, count - 15, 3 * duration)
    changed = bytearray(content[:start] + table + content[start + 24 :])
    changed = changed.replace(b"edts", b"free")  # it says when to stop
    for box in (b"moov", b"trak", b"mdia", b"minf", b"stbl"):  # eight bytes longer, all of them
        at = content.index(box, content.index(b"moov")) - 4
        changed[at : at + 4] = struct.pack(">I", struct.unpack(">I", content[at : at + 4])[0] + 8)
    path.write_bytes(changed)


def test_frames_come_in_order_with_their_times(tmp_path: Path) -> None:
    times, photos = read(write(tmp_path / "a.mp4"))
    np.testing.assert_allclose(times, np.arange(30) / FPS, atol=1e-6)
    white = [int((photo.gray[60] > 127).sum()) for photo in photos]
    np.testing.assert_allclose(white, 5 * np.arange(30) + 1, atol=2)


def test_phone_videos_are_turned_as_they_are_held(tmp_path: Path) -> None:
    path = write(tmp_path / "phone.mp4")
    upright = read(path)[1][9].gray
    lying(path)
    turned = read(path)[1][9].gray
    np.testing.assert_allclose(turned.astype(int), np.rot90(upright, -1), atol=12)


def test_uneven_frames_keep_their_times(tmp_path: Path) -> None:
    path = write(tmp_path / "screen.mp4")
    uneven(path)
    times, photos = read(path)
    assert len(photos) == 30
    np.testing.assert_allclose(np.diff(times[:16]), 1 / FPS, atol=1e-4)
    np.testing.assert_allclose(np.diff(times[16:]), 3 / FPS, atol=1e-4)


def unknown_codec(path: Path) -> None:
    content = write(path).read_bytes()
    at = content.index(b"stsd")
    path.write_bytes(content[:at] + content[at:].replace(b"mp4v", b"zzzz", 1).replace(b"esds", b"skip", 1))


def of_no_frames(path: Path) -> None:
    write(path, frames=0)


def cut_off(path: Path) -> None:
    content = write(path).read_bytes()
    path.write_bytes(content[: len(content) // 2])


BROKEN: dict[str, tuple[Callable[[Path], Any], str]] = {
    "absent": (lambda path: None, "cannot be read (No such file or directory)"),
    "a folder": (Path.mkdir, "not a readable video"),
    "empty": (lambda path: path.write_bytes(b""), "an empty file, expected a video"),
    "text": (lambda path: path.write_text("hello " * 99), "not a readable video"),
    "cut off before its index": (cut_off, "not a readable video"),
    "without frames": (of_no_frames, "not a readable video"),
    "unknown codec": (unknown_codec, "or an unsupported format or codec"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_an_unreadable_video_is_reported_in_one_line(
    kind: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    make, expected = BROKEN[kind]
    path = tmp_path / "talk.mp4"
    make(path)
    with pytest.raises(BadFile) as caught:
        read(path)
    assert str(caught.value).startswith(str(path))
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")  # no output of OpenCV and FFmpeg


def test_a_truncated_video_gives_what_it_has_and_says_so(tmp_path: Path) -> None:
    path = write(tmp_path / "a.avi")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])
    with Video(path) as video:
        came = sum(1 for _ in video)
    assert 0 < came < 29
    assert video.problem == (f"{path}: only {came} of 30 frames can be read; the file is truncated or damaged")
    with Video(write(tmp_path / "b.avi")) as video:
        assert sum(1 for _ in video) == 30
    assert video.problem is None


def test_an_absent_camera_is_reported_in_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(BadFile, match=r"^camera 97: cannot be opened"):
        Video(97)
    assert capfd.readouterr() == ("", "")


def test_urls_are_refused() -> None:
    with pytest.raises(BadFile, match="URLs are not supported"):
        Video("https://example.org/talk.mp4")


def test_where_there_can_be_no_window_a_reason_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "getBuildInformation", lambda: "  GUI:                           NONE\n")
    assert "no windows" in str(Window.unavailable())
    monkeypatch.setattr(cv2, "getBuildInformation", lambda: "  GUI:                           GTK3\n")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    if os.name == "posix":
        assert Window.unavailable() == "no display"
    monkeypatch.setenv("DISPLAY", ":0")
    assert Window.unavailable() is None


@pytest.mark.parametrize(("size", "kept"), [((160, 120), (120, 160)), ((161, 121), (120, 160))])
def test_written_frames_keep_time_and_size(size: tuple[int, int], kept: tuple[int, int], tmp_path: Path) -> None:
    writer = VideoWriter(tmp_path / "out.mp4", 10)
    for seconds in (0.0, 0.1, 0.4, 0.42, 0.5, 1e6):  # a gap, two at once, and a clock gone wild
        writer.write(np.full((size[1], size[0], 3), round(100 * min(seconds, 1)), np.uint8), seconds)
    writer.write(np.zeros((50, 70, 3), np.uint8), 1e6 + 0.1)
    writer.close()
    writer.close()
    _, photos = read(tmp_path / "out.mp4")
    assert [photo.gray.shape for photo in photos] == [kept] * len(photos)
    tones = [round(float(photo.gray.mean()), -1) for photo in photos]
    assert tones == [0, 10, 40, 40, 40, 50, 100, 0]


class NoFaces:
    """A detector for videos without faces."""

    def faces(self, photo: Photo) -> tuple[()]:
        return ()


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc, which is not there")
def test_memory_does_not_grow_with_a_videos_length(tmp_path: Path) -> None:
    path = write(tmp_path / "long.mp4", 1500, size=(320, 240))
    held = []
    for frame in stream(NoFaces(), path):  # type: ignore[arg-type]
        if frame.index in (300, 1499):
            held.append(int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE"))
    assert held[1] - held[0] < 4e6  # 1,200 frames of 230 kB


def test_a_stream_gives_frames_with_faces_that_keep_their_number(detector: Detector, tmp_path: Path) -> None:
    heads, points = draw_faces(1, seed=2)
    path = np.stack([np.linspace(-60, 60, 40), np.zeros(40), np.full(40, 1.1), np.linspace(-0.2, 0.2, 40)], axis=1)
    made = list(moving_photo(heads[0], points[0], path, size=(320, 240)))
    writer = VideoWriter(tmp_path / "made.mp4", FPS)
    for i, (frame, _) in enumerate(made):
        writer.write(frame, i / FPS)
    writer.close()
    frames = list(detector.stream(tmp_path / "made.mp4", smooth=0))
    assert [(f.index, len(f.faces)) for f in frames] == [(i, 1) for i in range(40)]
    assert {f.faces[0].id for f in frames} == {1}
    assert frames[0].image.shape == (240, 320, 3)
    away = [np.linalg.norm(f.faces[0].points - true, axis=1).mean() for f, (_, true) in zip(frames, made, strict=True)]
    assert max(away) < 0.12 * EYES


def lag(path: NDArray[np.floating[Any]], truth: NDArray[np.floating[Any]]) -> float:
    """Frames by which a path follows the truth, by least squares."""
    shifts, t = np.arange(-1, 4, 0.05), np.arange(len(path))
    path, truth = path - path.mean(), truth - truth.mean()
    return float(min(shifts, key=lambda s: np.square(np.interp(t - s, t, truth) - path)[8:-8].sum()))


def followed(
    detector: Detector, photo: NDArray[np.uint8], points: NDArray[np.floating[Any]], path: NDArray[np.floating[Any]]
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Points (n, k, 2) of the face: unsmoothed, smoothed, and true."""
    tracker, smoother, seen = Tracker(detector, smooth=0), Smoother(), []
    for i, (frame, true) in enumerate(moving_photo(photo, points, path, size=(320, 240), noise=6)):
        near = min(tracker.step(Photo(frame), i / FPS), key=lambda f: np.linalg.norm((f.points - true).mean(axis=0)))
        seen.append((near.points, smoother(near.points, near.expected_error, i / FPS), true))
    return tuple(np.array(series) for series in zip(*seen, strict=True))  # type: ignore[return-value]


def pictures() -> Iterator[tuple[str, NDArray[np.uint8], NDArray[np.floating[Any]]]]:
    """A synthetic face, and some photos if available."""
    heads, points = draw_faces(1, seed=2)
    yield "synthetic", heads[0], points[0]
    data = Path(os.environ.get("FACEPOINTS_DATA", Path(__file__).parents[3] / "shared" / "data")) / "photos"
    if data.is_dir():
        rows = list(csv.DictReader((data / "points.csv").read_text("utf-8").splitlines()))
        for row in rows[:2]:
            image = cv2.imread(str(data / row["file"]))
            values = [float(value) for name, value in row.items() if name != "file"]
            yield row["file"], np.asarray(image, np.uint8), np.array(values).reshape(-1, 2)


@pytest.fixture(scope="module")
def detector() -> Detector:
    return facepoints.load(threads=1)


@pytest.mark.parametrize("which", range(3))
def test_jitter_falls_to_a_third_and_a_fast_motion_lags_by_less_than_a_frame(detector: Detector, which: int) -> None:
    made = list(pictures())
    if which >= len(made):
        pytest.skip("real photos absent: set FACEPOINTS_DATA")
    _, photo, points = made[which]
    time = np.arange(70) / FPS
    path = np.zeros((70, 4))
    path[:, 2] = 1
    raw, smooth, _ = followed(detector, photo, points, path)
    assert raw[25:].std(axis=0).mean() > 3 * smooth[25:].std(axis=0).mean()
    path[:, 1] = 0.4 * EYES * np.sin(4 * np.pi * (time - 1)) * ((time > 1) & (time < 2))  # two a second, 24 px deep
    raw, smooth, true = followed(detector, photo, points, path)
    assert lag(smooth[:, :, 1].mean(axis=1), true[:, :, 1].mean(axis=1)) <= 1
    assert np.abs((smooth - raw).mean(axis=1)).max() < 0.1 * EYES

"""predict with videos and cameras: one pair of tables for all inputs; Ctrl-C keeps the completed frames."""

from __future__ import annotations

import csv
import io
import json
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from rich.console import Console

import facepoints
from facepoints.cli import main as cli
from facepoints.cli.media_progress import MediaProgress
from facepoints.data.synthetic.faces import draw_faces
from facepoints.inference.batch.predict import Summary, predict_files
from facepoints.inference.detector import Detector
from facepoints.inference.measures import COLUMNS
from facepoints.inference.video.writing import VideoWriter
from moving_photo import moving_photo

HEADS, POINTS = draw_faces(1, seed=2)
FRAMES = 12


@pytest.fixture(scope="module")
def detector() -> Detector:
    return facepoints.load(threads=1)


@pytest.fixture
def talk(tmp_path: Path) -> Path:
    """A short video of a synthetic face that moves and tilts."""
    path = np.stack([np.linspace(-30, 30, FRAMES), *np.zeros((1, FRAMES)), np.ones(FRAMES), np.zeros(FRAMES)], axis=1)
    writer = VideoWriter(tmp_path / "in" / "talk.mp4", 30)
    (tmp_path / "in").mkdir()
    for i, (frame, _) in enumerate(moving_photo(HEADS[0], POINTS[0], path, size=(320, 240))):
        writer.write(frame, i / 30)
    writer.close()
    return tmp_path / "in" / "talk.mp4"


def run(given: list[Any], out: Path, detector: Detector, **options: Any) -> tuple[Summary, list[str]]:
    """The summary, and all errors and notes."""
    lines: list[str] = []
    names = list(map(str, given))
    return predict_files(names, out, detector, on_error=lines.append, on_note=lines.append, **options), lines


def table(out: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO((out / "points.csv").read_text("utf-8"))))


def frames_of(path: Path) -> int:
    video = cv2.VideoCapture(str(path))
    return sum(1 for _ in iter(lambda: video.read()[0], False))


def test_a_video_becomes_rows_with_frame_time_and_number_and_an_annotated_copy(
    talk: Path, tmp_path: Path, detector: Detector
) -> None:
    summary, lines = run([talk], tmp_path / "out", detector)
    assert lines == []
    rows = table(tmp_path / "out")
    assert [(row["file"], int(row["frame"]), row["face"]) for row in rows] == [
        (talk.as_posix(), i, "1") for i in range(FRAMES)
    ]
    np.testing.assert_allclose([float(row["time"]) for row in rows], np.arange(FRAMES) / 30, atol=1e-3)
    tree = json.loads((tmp_path / "out" / "points.json").read_text("utf-8"))
    assert [(entry["frame"], [face["face"] for face in entry["faces"]]) for entry in tree] == [
        (i, [1]) for i in range(FRAMES)
    ]
    assert float(rows[3]["nose_tip_x"]) == tree[3]["faces"][0]["points"]["nose_tip"][0]
    assert frames_of(tmp_path / "out" / "talk.mp4") == FRAMES
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["points.csv", "points.json", "talk.mp4"]
    (line,) = summary.lines()
    assert line.startswith(f"{talk}: 1 face in {FRAMES} frames, annotated copy {tmp_path / 'out' / 'talk.mp4'} (")


def test_photos_videos_and_what_is_broken_go_into_one_table(talk: Path, tmp_path: Path, detector: Detector) -> None:
    photo = next(moving_photo(HEADS[0], POINTS[0], np.array([[0, 0, 1, 0]]), size=(320, 240)))[0]
    cv2.imwrite(str(tmp_path / "me.png"), photo)
    (tmp_path / "cut.mov").write_bytes(talk.read_bytes()[:500])
    given = [talk, tmp_path / "cut.mov", tmp_path / "me.png", tmp_path / "absent.mkv"]
    summary, lines = run(given, tmp_path / "out", detector, measured=True)
    assert [line.split(":")[0] for line in lines] == [str(tmp_path / "cut.mov"), str(tmp_path / "absent.mkv")]
    assert (summary.failed, summary.photos, len(summary.videos)) == (2, 1, 1)
    rows = table(tmp_path / "out")
    assert [row["frame"] for row in rows] == ["", *map(str, range(FRAMES))]
    for row in rows:
        assert all(np.isfinite(float(row[name])) for name in COLUMNS)
        assert float(row["eye_distance"]) == pytest.approx(60, rel=0.15)


def test_no_result_overwrites_another_or_the_video_itself(talk: Path, tmp_path: Path, detector: Detector) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "talk.mp4").write_bytes(talk.read_bytes())
    before = talk.read_bytes()
    summary, _ = run([talk, tmp_path / "more" / "talk.mp4"], talk.parent, detector)
    assert talk.read_bytes() == before
    assert [video.copy.name for video in summary.videos] == ["talk-2.mp4", "talk-3.mp4"]


def test_smooth_0_leaves_the_points_unsmoothed(talk: Path, tmp_path: Path, detector: Detector) -> None:
    run([talk], tmp_path / "raw", detector, smooth=0.0)
    run([talk], tmp_path / "smooth", detector)
    raw, smooth = (np.array([float(r["nose_tip_x"]) for r in table(tmp_path / name)]) for name in ("raw", "smooth"))
    assert raw[0] == smooth[0]
    assert 0.1 < np.abs(raw - smooth).max() < 6


def interrupt_after(frames: int) -> Callable[[str, int, int | None, str], None]:
    def progress(name: str, done: int, total: int | None, unit: str) -> None:
        if done >= frames:
            signal.raise_signal(signal.SIGINT)

    return progress


def test_ctrl_c_keeps_what_is_done(talk: Path, tmp_path: Path, detector: Detector) -> None:
    before = signal.getsignal(signal.SIGINT)
    summary, _ = run([talk, talk], tmp_path / "out", detector, progress=interrupt_after(5))
    assert signal.getsignal(signal.SIGINT) is before
    assert summary.stopped
    assert len(table(tmp_path / "out")) == 5
    assert len(json.loads((tmp_path / "out" / "points.json").read_text("utf-8"))) == 5
    assert frames_of(tmp_path / "out" / "talk.mp4") == 5
    (line,) = summary.lines()
    assert f"stopped after frame 5 of {FRAMES}; kept: 1 face, annotated copy" in line


def test_a_second_ctrl_c_leaves_nothing_half_done(talk: Path, tmp_path: Path, detector: Detector) -> None:
    def twice(name: str, done: int, total: int | None, unit: str) -> None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    # a shell that starts something in the background has it ignore Ctrl-C
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            run([talk], tmp_path / "out", detector, progress=twice)
    finally:
        signal.signal(signal.SIGINT, before)
    assert list((tmp_path / "out").iterdir()) == []


class Camera:
    """Replaces cv2.VideoCapture: an endless camera."""

    def __init__(self, *source: Any) -> None:
        self.frame = next(moving_photo(HEADS[0], POINTS[0], np.array([[0, 0, 1, 0]]), size=(320, 240)))[0]

    def isOpened(self) -> bool:  # noqa: N802
        return True

    def set(self, what: int, value: float) -> bool:
        return True

    def get(self, what: int) -> float:
        return -1.0

    def read(self) -> tuple[bool, Any]:
        time.sleep(0.01)
        return True, self.frame.copy()

    def release(self) -> None:
        pass


def test_a_camera_runs_until_ctrl_c_and_says_that_there_is_no_window(
    tmp_path: Path, detector: Detector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cv2, "VideoCapture", Camera)
    monkeypatch.setattr(cv2, "getBuildInformation", lambda: "  GUI:                           NONE\n")
    summary, lines = run([0], tmp_path / "out", detector, progress=interrupt_after(6))
    assert lines == [
        "no live window: opencv-python-headless, which facepoints installs, has no windows. "
        "The annotated video and the points are written; Ctrl-C stops"
    ]
    assert not summary.stopped  # the normal way to end a camera
    assert [row["file"] for row in table(tmp_path / "out")] == ["camera 0"] * 6
    monkeypatch.undo()
    assert frames_of(tmp_path / "out" / "camera-0.mp4") >= 2  # constant frame rate, whatever the times of the six


def test_a_camera_shows_what_it_sees_where_there_is_a_screen(
    tmp_path: Path, detector: Detector, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[Any] = []
    monkeypatch.setattr(cv2, "VideoCapture", Camera)
    monkeypatch.setattr(cv2, "getBuildInformation", lambda: "  GUI:                           GTK3\n")
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(cv2, "imshow", lambda title, picture: shown.append(picture))
    monkeypatch.setattr(cv2, "waitKey", lambda wait: ord("q") if len(shown) == 3 else -1)
    monkeypatch.setattr(cv2, "getWindowProperty", lambda title, what: 1.0)
    monkeypatch.setattr(cv2, "destroyWindow", lambda title: shown.append("closed"))
    summary, lines = run([0], tmp_path / "out", detector)
    assert lines == []
    assert (summary.videos[0].frames, len(shown), shown[-1]) == (3, 4, "closed")


@pytest.fixture
def terminal() -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=100)


def test_progress_shows_frames_pace_and_what_is_left(terminal: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    with MediaProgress(terminal) as progress:
        for done in range(1, 6):
            time.sleep(0.02)
            progress("talk[1].mp4", done, 10, "frames")
    said = terminal.file.getvalue()  # type: ignore[attr-defined]
    assert "talk[1].mp4" in said
    assert "5 of 10 frames" in said
    assert "frames/s" in said
    plain = Console(file=io.StringIO(), width=100)
    monkeypatch.setattr("facepoints.cli.media_progress.EVERY", 0.0)
    with MediaProgress(plain) as progress:
        progress("talk.mp4", 1, 10, "frames")
        progress("camera 0", 1, None, "frames")
    lines = plain.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert [line.split(" frames,")[0] for line in lines] == ["talk.mp4: 1 of 10", "camera 0: 1"]


def test_the_command_reports_videos_and_failures(
    talk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["predict", str(talk), str(tmp_path / "gone.mp4"), "--out", str(tmp_path / "out"), "--measures"]
    monkeypatch.setattr("sys.argv", ["facepoints", *given, "--smooth", "0.5"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    said = capsys.readouterr()
    assert f"1 face in {FRAMES} frames" in said.out
    assert "1 file could not be read" in said.out
    assert said.err.count("\n") == 1
    assert "gone.mp4" in said.err
    assert set(COLUMNS) < set(table(tmp_path / "out")[0])

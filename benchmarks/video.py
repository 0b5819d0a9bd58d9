"""Speed, jitter, lag and memory of tracked videos, measured on generated videos with known points.

    python benchmarks/video.py [--photos FOLDER] [--frames 20000] [--out video.json]

One thread everywhere. Speed is CPU time by part, so that other load matters less. Jitter is the standard deviation of a
still face under camera noise, lag is measured on a fast nod, both with and without smoothing. Memory is that of the
process, early and late in one long video.
"""

from __future__ import annotations

import csv
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import cv2
import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

import facepoints
from facepoints.data.images import Photo
from facepoints.data.synthetic.faces import draw_faces
from facepoints.inference.annotate import annotate
from facepoints.inference.detector import Detector
from facepoints.inference.video.reading import Video, stream
from facepoints.inference.video.smoothing import Smoother
from facepoints.inference.video.tracking import Tracker
from facepoints.inference.video.writing import VideoWriter
from moving_photo import EYES, moving_photo

FASTEST, STEADIEST, LATEST, LARGEST = 120.0, 3.0, 1.0, 20.0
"""The goals: frames/s at least, jitter divided by at least, lag in frames at most, MB of growth at most."""

FPS = 30
NOISE = 6.0
"""Standard deviation of the camera's noise, gray levels."""


def main(
    photos: Annotated[
        Path | None, typer.Option(help="a folder with photos and points.csv; default: synthetic faces")
    ] = None,
    faces: Annotated[int, typer.Option(help="how many faces are tried for steadiness", min=1)] = 12,
    frames: Annotated[int, typer.Option(help="length of the long video", min=500)] = 20_000,
    out: Annotated[Path | None, typer.Option(help="also write the figures to this JSON file")] = None,
) -> None:
    """Measure speed, jitter, lag and memory."""
    cv2.setNumThreads(1)
    console, detector = Console(), facepoints.load(threads=1)
    with tempfile.TemporaryDirectory() as folder:
        steady = [steadiness(detector, *one) for one in track(list(pictures(photos, faces)), "steadiness")]
        fast = speed(detector, Path(folder))
        large = memory(detector, Path(folder), frames)
    figures = summary(fast, [one for one in steady if one is not None], len(steady), large)
    show(figures, console)
    if out is not None:
        out.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
        console.print(f"written to {out}")


def pictures(photos: Path | None, n: int) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.float64]]]:
    """n photos with their points (k, 2)."""
    if photos is None:
        heads, points = draw_faces(n, seed=2)
        yield from ((head, own.astype(np.float64)) for head, own in zip(heads, points, strict=True))
        return
    for row in list(csv.DictReader((photos / "points.csv").read_text("utf-8").splitlines()))[:n]:
        image = cv2.imread(str(photos / row.pop("file")))
        yield np.asarray(image, np.uint8), np.array([float(v) for v in row.values()]).reshape(-1, 2)


def steadiness(detector: Detector, photo: NDArray[np.uint8], points: NDArray[np.float64]) -> dict[str, float] | None:
    """Jitter (eye distances) and lag (frames), unsmoothed and smoothed; None where the face is not found."""
    seconds = np.arange(90) / FPS
    still = np.tile([0.0, 0.0, 1.0, 0.0], (90, 1))
    nod = still.copy()
    nod[:, 1] = 0.4 * EYES * np.sin(4 * np.pi * (seconds - 1)) * ((seconds > 1) & (seconds < 2))
    rest, motion = (followed(detector, photo, points, path) for path in (still, nod))
    if rest is None or motion is None:
        return None
    jitter = [float(track[FPS:].std(axis=0).mean() / EYES) for track in rest[:2]]
    late = [lag(track[:, :, 1].mean(axis=1), motion[2][:, :, 1].mean(axis=1)) for track in motion[:2]]
    return {"jitter": jitter[0], "smoothed": jitter[1], "lag": late[0], "smoothed_lag": late[1]}


def followed(
    detector: Detector, photo: NDArray[np.uint8], points: NDArray[np.float64], path: NDArray[np.float64]
) -> tuple[NDArray[np.float64], ...] | None:
    """Points (n, k, 2): unsmoothed, smoothed, true."""
    tracker, smoother, rows = Tracker(detector, smooth=0), Smoother(), []
    for i, (frame, true) in enumerate(moving_photo(photo, points, path, noise=NOISE)):
        around = {float(np.linalg.norm((f.points - true).mean(axis=0))): f for f in tracker.step(Photo(frame), i / FPS)}
        if min(around, default=np.inf) > EYES / 2:
            return None
        near = around[min(around)]
        rows.append((near.points, smoother(near.points, near.expected_error, i / FPS), true))
    return tuple(np.array(series, np.float64) for series in zip(*rows, strict=True))


def lag(path: NDArray[np.float64], truth: NDArray[np.float64]) -> float:
    """Frames by which a path follows the truth, by least squares."""
    shifts, t = np.arange(-1, 4, 0.05), np.arange(len(path))
    path, truth = path - path.mean(), truth - truth.mean()
    return float(min(shifts, key=lambda s: float(np.square(np.interp(t - s, t, truth) - path)[8:-8].sum())))


def made(path: Path, n: int, size: tuple[int, int]) -> Path:
    """A video of n frames: a synthetic face that sways, tilts and approaches."""
    (head,), (points,) = draw_faces(1, seed=2)
    t = np.arange(n) / FPS
    sway = np.stack([40 * np.sin(t), 15 * np.sin(1.7 * t), 1 + 0.15 * np.sin(0.6 * t), 0.2 * np.sin(1.1 * t)], axis=1)
    writer = VideoWriter(path, FPS)
    for i, (frame, _) in enumerate(moving_photo(head, points, sway, size=size)):
        writer.write(frame, i / FPS)
    writer.close()
    return path


def speed(detector: Detector, folder: Path, n: int = 300) -> dict[str, float]:
    """Milliseconds of the processor for each frame at 640 x 480, by part, and the number of face detections."""
    path, spent = made(folder / "fast.mp4", n, (640, 480)), dict.fromkeys(("decode", "follow", "draw", "write"), 0.0)
    network = Clock(detector.network)
    detector.network = network  # type: ignore[assignment]
    tracker, writer = Tracker(detector), VideoWriter(folder / "annotated.mp4", FPS)
    followed_ms: list[float] = []
    with Video(path) as video:
        frames = iter(video)
        while True:
            before = time.process_time()
            frame = next(frames, None)
            decoded = time.process_time()
            if frame is None:
                break
            found = tracker.step(frame[2], frame[1])
            done = time.process_time()
            annotated = annotate(frame[2].bgr, found)
            painted = time.process_time()
            writer.write(annotated, frame[1])
            for part, ms in zip(spent, np.diff([before, decoded, done, painted, time.process_time()]), strict=True):
                spent[part] += 1000 * float(ms) / n
            followed_ms.append(1000 * (done - decoded))
    writer.close()
    detector.network = network.inner
    return {
        **spent,
        "network": 1000 * network.seconds / n,
        "followed frame, median": median(followed_ms),
        "frame with face detection": max(followed_ms[1:]),
        "detections": float(tracker.detections),
        "frames_per_second": 1000 / (spent["decode"] + spent["follow"]),
    }


class Clock:
    """Wrap a function and add up its CPU seconds."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.seconds = 0.0

    def __call__(self, *given: Any) -> Any:
        before = time.process_time()
        result = self.inner(*given)
        self.seconds += time.process_time() - before
        return result

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


def memory(detector: Detector, folder: Path, n: int) -> dict[str, float]:
    """MB of this process after 500 frames and at the end of n, at 320 x 240; Linux only."""
    status = Path("/proc/self/status")
    if not status.exists():
        return {}
    path, held = made(folder / "long.mp4", n, (320, 240)), {}
    for frame in track(stream(detector, path), "memory", total=n):
        if frame.index in (499, n - 1):
            line = next(x for x in status.read_text().splitlines() if x.startswith("VmRSS"))
            held[frame.index] = int(line.split()[1]) / 1024
    early, late = held.values()
    return {"frames": float(n), "after_500_mb": early, "at_the_end_mb": late, "growth_mb": late - early}


def summary(
    fast: dict[str, float], steady: list[dict[str, float]], tried: int, large: dict[str, float]
) -> dict[str, Any]:
    """Print medians over the faces, and the goals met."""
    middle = {name: median(one[name] for one in steady) for name in steady[0]} if steady else {}
    ratios = [one["jitter"] / one["smoothed"] for one in steady]
    lags = [one["smoothed_lag"] for one in steady]
    met = {f"at least {FASTEST:.0f} frames/s on one core": fast["frames_per_second"] >= FASTEST}
    if steady:
        met[f"jitter falls at least {STEADIEST:.0f} times (every face)"] = min(ratios) >= STEADIEST
        met[f"a fast nod lags at most {LATEST:.0f} frame (every face)"] = max(lags) <= LATEST
    if large:
        met[f"memory grows at most {LARGEST:.0f} MB over {large['frames']:,.0f} frames"] = large["growth_mb"] <= LARGEST
    jitter = {"faces": len(steady), "not_found": tried - len(steady), **middle}
    if steady:
        jitter |= {"falls": median(ratios), "falls_least": min(ratios), "lag_most": max(lags)}
    return {"speed_ms": fast, "steadiness": jitter, "memory": large, "goals_met": met}


def show(figures: dict[str, Any], console: Console) -> None:
    for title, part in (("speed, ms", "speed_ms"), ("steadiness", "steadiness"), ("memory", "memory")):
        table = Table(title, "")
        table.columns[1].justify = "right"
        for name, value in figures[part].items():
            table.add_row(name.replace("_", " "), f"{value:,.4g}" if value < 1000 else f"{value:,.0f}")
        console.print(table)
    for goal, met in figures["goals_met"].items():
        console.print(f"{'met' if met else 'MISSED'}: {goal}", style="green" if met else "bold red")


if __name__ == "__main__":
    typer.run(main)

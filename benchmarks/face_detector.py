"""Trains the bundled face detector, and measures face detectors.

    python benchmarks/face_detector.py train DATA --scenes FOLDER [--unlabeled unlabeled.csv] --out face_detector.onnx
    python benchmarks/face_detector.py unlabeled --scenes FOLDER --detector face_detector.onnx --out unlabeled.csv
    python benchmarks/face_detector.py measure --scenes FOLDER [--detector face_detector.onnx] [--out measured.json]

DATA is the competition's folder: its faces are pasted into the scenes. FOLDER holds photos and points.csv (`file`, then
x and y of the points, px of the photo). A fixed tenth of the photos is for validation only: `measure` detects faces in
them as they are, rotated, and scaled down to faces of 40 px. `unlabeled` lists the detections without a label of an
earlier detector with the keypoint network's face score; training uses them as faces, ignores them or takes them as hard
negatives. The bundled file was made in three steps:

    python benchmarks/face_detector.py train DATA --scenes FOLDER --steps 700 --out early.onnx
    python benchmarks/face_detector.py unlabeled --scenes FOLDER --detector early.onnx --out unlabeled.csv
    python benchmarks/face_detector.py train DATA --scenes FOLDER --unlabeled unlabeled.csv --out face_detector.onnx

The last one takes half an hour of one core with bf16 arithmetic.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from face_detector_training.export import export_face_map
from face_detector_training.fit import Schedule, fit_face_map
from face_detector_training.network import STRIDE
from face_detector_training.patches import Patches
from face_detector_training.scenes import (
    Scene,
    face_squares,
    mean_shape_of,
    read_scenes,
    read_unlabeled,
    square_of,
    validation_scenes,
    write_unlabeled,
)
from facepoints.data.loading import load_training
from facepoints.data.synthetic.faces import draw_faces
from facepoints.files import write_text
from facepoints.inference.detector import load
from facepoints.inference.face_network import FaceNetwork
from facepoints.inference.faces import RefinedFaces
from facepoints.inference.verification import distinct

ASIDE, SEED = 0.1, 0
"""Share of the scenes for validation, and the seed of their choice."""

SYNTHETIC = 400
"""Number of synthetic faces among the pasted ones."""

CALIBRATION = 200
"""Pictures, and a quarter as many whole scenes, for the quantization ranges of each layer."""

NEAR, SIZED, TURNED = 0.3, 0.45, 35.0
"""Largest differences between a detection and its label: center (sides), log of the size, roll (degrees)."""

SURE = 0.4
"""Detection threshold in the tables."""

Turn = Callable[[NDArray[np.uint8], NDArray[np.float64]], tuple[NDArray[np.uint8], NDArray[np.float64]]]
"""Transforms a photo (h, w) and the squares of its faces (n, 4)."""


@dataclass(frozen=True)
class Outcome:
    """Detections in one set of photos."""

    faces: int
    found: float
    """recall of the labeled faces"""
    others: float
    """detections per photo without a label; many of them are unlabeled faces"""
    off: float
    """median distance of the centers, sides of the square"""
    turned: float
    """median difference of the roll, degrees"""
    milliseconds: float
    """processor time per photo"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("task", choices=("train", "unlabeled", "measure"))
    parser.add_argument("data", nargs="?")
    parser.add_argument("--scenes", type=Path, required=True)
    parser.add_argument("--detector", type=Path, help="an ONNX file; by default the one that ships with the package")
    parser.add_argument("--unlabeled", type=Path, help="a file by the task `unlabeled`")
    parser.add_argument("--steps", type=int, default=Schedule().steps)
    parser.add_argument("--out", type=Path, help="the file to write; optional for measure")
    args = parser.parse_args()
    if args.out is None and args.task != "measure":
        parser.error(f"{args.task} needs --out, the file to write")
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    if args.task == "train":
        if args.data is None:
            parser.error("train needs DATA, the competition's folder")
        train(args.data, args.scenes, args.unlabeled, args.steps, args.out)
        args.detector, args.out = args.out, args.out.with_suffix(".json")
    face_detector = FaceNetwork.open(args.detector, 1) if args.detector else FaceNetwork.bundled(1)
    if args.task == "unlabeled":
        write_unlabeled(args.out, unlabeled_detections(face_detector, args.scenes))
    else:
        outcomes = measure(face_detector, args.scenes)
        show(outcomes)
        if args.out is None:
            return
        write_text(args.out, json.dumps({name: asdict(one) for name, one in outcomes.items()}, indent=1))


def train(data: str, folder: Path, unlabeled: Path | None, steps: int, out: Path) -> None:
    """Train a network and write it in 8 bits."""
    console = Console()
    crops = load_training(data)
    mean_shape = mean_shape_of(crops)
    faces, points = draw_faces(SYNTHETIC, seed=77)
    squares = np.concatenate([face_squares(crops, mean_shape), *(square_of(p, mean_shape[0]) for p in points)])
    scenes = read_scenes(folder, mean_shape[0], read_unlabeled(unlabeled) if unlabeled else None)
    aside = validation_scenes(scenes, ASIDE, SEED)
    scenes = [scene for scene, kept in zip(scenes, aside, strict=True) if not kept]
    patches = Patches(scenes, np.concatenate([crops.faces, faces]), squares)
    started = time.monotonic()

    def report(step: int, face: float, square: float) -> None:
        seconds = time.monotonic() - started
        console.print(
            f"step {step:,}/{steps:,}  face loss {face:.3f}  square loss {square:.3f}  {seconds:.0f} s", highlight=False
        )

    model = fit_face_map(patches, Schedule(steps=steps), report)
    torch.save(model.state_dict(), out.with_suffix(".pt"))
    export_face_map(model, out, calibration(patches, scenes), {"steps": steps, "scenes": len(scenes)})


def calibration(patches: Patches, scenes: list[Scene]) -> list[NDArray[np.uint8]]:
    """Pictures like the network's inputs, with sides that are multiples of its stride."""
    made, _ = patches.batch(CALIBRATION, np.random.default_rng(SEED))
    whole = [scene.levels[1] for scene in scenes[:: max(1, 4 * len(scenes) // CALIBRATION)] if len(scene.levels) > 1]
    return [*made[:, 0], *(w[: w.shape[0] // STRIDE * STRIDE, : w.shape[1] // STRIDE * STRIDE] for w in whole)]


def unlabeled_detections(
    face_detector: FaceNetwork, folder: Path, least: float = 0.3
) -> dict[str, NDArray[np.float64]]:
    """Detections in the scenes without a label, with their face scores: see Unlabeled."""
    detector, made = load(threads=1), {}
    for scene in track(read_scenes(folder, detector.network.facts.mean_shape[0]), description="detections"):
        gray = scene.levels[0]
        others = face_detector.find(gray, least)
        for face in scene.faces:
            others = others.take(~match(face, others.center, others.side, others.roll))
        if len(others):
            wanted = detector.regions_of(detector.refine(gray, others, views=1).points)
            seen = RefinedFaces.joined([detector.refine(gray, others), detector.refine(gray, wanted)])
            order = np.argsort(-seen.score, kind="stable")
            seen = seen.take(distinct(seen.points, seen.regions.side, order))
            made[scene.name] = np.column_stack([seen.regions.center, seen.regions.side, seen.regions.roll, seen.score])
    return made


def match(
    face: NDArray[np.float64], center: NDArray[np.float64], side: NDArray[np.float64], roll: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """bool (n,): which squares match a face (4,)."""
    away = np.hypot(*(center - face[:2]).T) / face[2]
    turned = np.abs((roll - face[3] + math.pi) % (2 * math.pi) - math.pi)
    matched: NDArray[np.bool_] = (
        (away < NEAR) & (np.abs(np.log(side / face[2])) < SIZED) & (turned < math.radians(TURNED))
    )
    return matched


def measure(face_detector: FaceNetwork, folder: Path) -> dict[str, Outcome]:
    """Detections in the validation scenes, in several orientations."""
    scenes = read_scenes(folder, load(threads=1).network.facts.mean_shape[0])
    aside = [scene for scene, kept in zip(scenes, validation_scenes(scenes, ASIDE, SEED), strict=True) if kept]
    turns: dict[str, Turn] = {
        "as they are": lambda gray, faces: (gray, faces),
        "rotated by 90°": lambda gray, faces: turned(gray, faces, 90),
        "upside down": lambda gray, faces: turned(gray, faces, 180),
        "rotated by 40°": lambda gray, faces: turned(gray, faces, 40),
        "rotated by 130°": lambda gray, faces: turned(gray, faces, 130),
        "faces of 40 px": lambda gray, faces: reduced(gray, faces, 40),
    }
    return {name: outcome(face_detector, aside, turn) for name, turn in turns.items()}


def outcome(face_detector: FaceNetwork, scenes: list[Scene], turn: Turn) -> Outcome:
    """Detections in every scene after this transformation."""
    hit, away, roll_off, others, seconds = [], [], [], 0, 0.0
    for scene in scenes:
        gray, faces = turn(scene.levels[0], scene.faces)
        started = time.process_time()
        found = face_detector.find(gray, SURE)
        seconds += time.process_time() - started
        known = np.zeros(len(found), np.bool_)
        for face in faces:
            mine = match(face, found.center, found.side, found.roll)
            known |= mine
            hit.append(bool(mine.any()))
            if mine.any():
                first = int(mine.argmax())  # the likeliest
                away.append(float(np.hypot(*(found.center[first] - face[:2])) / face[2]))
                off = (found.roll[first] - face[3] + math.pi) % (2 * math.pi) - math.pi
                roll_off.append(abs(math.degrees(off)))
        others += int((~known).sum())
    n = len(scenes)
    middle = [float(np.median(values)) if values else math.nan for values in (away, roll_off)]
    return Outcome(len(hit), float(np.mean(hit)), others / n, middle[0], middle[1], seconds / n * 1000)


def turned(
    gray: NDArray[np.uint8], faces: NDArray[np.float64], degrees: float
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """The whole photo rotated clockwise about its middle, on grey."""
    height, width = gray.shape
    angle = math.radians(degrees)
    cos, sin = math.cos(angle), math.sin(angle)
    size = (round(width * abs(cos) + height * abs(sin)), round(width * abs(sin) + height * abs(cos)))
    turn = np.array([[cos, -sin], [sin, cos]])
    shift = (np.array(size) - 1) / 2 - turn @ ((np.array([width, height]) - 1) / 2)
    photo = cv2.warpAffine(gray, np.column_stack([turn, shift]), size, borderValue=(128,))
    center = faces[:, :2] @ turn.T + shift
    return np.asarray(photo, np.uint8), np.column_stack([center, faces[:, 2], faces[:, 3] + angle])


def reduced(
    gray: NDArray[np.uint8], faces: NDArray[np.float64], side: float
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """The photo scaled down until its smallest face has this side, px; unchanged where that is smaller already."""
    scale = side / float(faces[:, 2].min())
    if scale >= 1:
        return gray, faces
    photo = cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    center = (faces[:, :2] + 0.5) * scale - 0.5
    return np.asarray(photo, np.uint8), np.column_stack([center, faces[:, 2] * scale, faces[:, 3]])


def show(outcomes: dict[str, Outcome]) -> None:
    table = Table("", "faces", "found", "others a photo", "off, sides", "roll off, °", "ms a photo")
    for name, one in outcomes.items():
        numbers = (one.others, one.off, one.turned, one.milliseconds)
        table.add_row(name, str(one.faces), f"{one.found:.1%}", *(f"{number:.3g}" for number in numbers))
    Console().print(table)


if __name__ == "__main__":
    main()

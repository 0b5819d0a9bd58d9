"""Detection rate, NME and time on whole photos: facepoints, and mediapipe if it is installed.

    python benchmarks/photos.py PHOTOS [--model MODEL.onnx] [--face-model YUNET.onnx] [--out FOLDER]

PHOTOS is a folder with points.csv (`file`, then x and y of the fifteen points, px of the photo) and the photos. A face
counts as found if the mean distance of a detection's points is below a quarter of the eye distance. Every other
detection is shown on one sheet, others.png, for a visual check: it can be a face without a label. Time is CPU time on
one core and varies with the load of the machine: compare figures of the same call only.
"""

from __future__ import annotations

import argparse
import csv
import importlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from facepoints.data.images import Photo, read_image
from facepoints.drawing import contact_sheet, write_png
from facepoints.files import write_text
from facepoints.inference.detector import load
from facepoints.inference.regions import Regions
from facepoints.keypoints import FIFTEEN

FOUND, NME, FALSE = 58 / 60, 0.05, 0.1
"""The goals: share of the labeled faces found; median NME of those; false faces a photo."""

NEAR = 0.25
"""Mean distance below which a detection matches a labeled face, eye distances."""

_SHOWN = 120

Points = NDArray[np.floating]
FindFaces = Callable[[Photo], list[tuple[Points, float]]]
"""Returns (points (k, 2), score) of each face in a photo."""


@dataclass
class Outcome:
    """The results of one tool over all photos."""

    error: list[float | None] = field(default_factory=list)
    """NME of each labeled face; None if it was not found"""
    others: list[tuple[Path, Points, float]] = field(default_factory=list)
    """detections that match no labeled face"""
    milliseconds: list[float] = field(default_factory=list)
    """of each photo"""

    def as_dict(self) -> dict[str, float | int]:
        found = [error for error in self.error if error is not None]
        return {
            "faces": len(self.error),
            "found": len(found),
            "median_nme": float(np.median(found)) if found else float("nan"),
            "mean_nme": float(np.mean(found)) if found else float("nan"),
            "others": len(self.others),
            "photos": len(self.milliseconds),
            "milliseconds_median": float(np.median(self.milliseconds)),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--model", type=Path, help="an ONNX file; default: the bundled weights")
    parser.add_argument("--face-model", type=Path, help="a YuNet file that finds the faces")
    parser.add_argument("--out", type=Path, default=Path("photos"))
    args = parser.parse_args()
    console = Console()
    cv2.setNumThreads(1)
    tools: dict[str, FindFaces] = {"facepoints": _ours(args.model, args.face_model)}
    try:
        tools["mediapipe"] = _mediapipe()
    except ImportError:
        console.print("mediapipe is not installed: left out")
    truth = labeled(args.photos)
    outcomes = {name: measure(find, truth, name) for name, find in tools.items()}
    table = Table("", *outcomes, title=f"{args.photos}: {len(truth)} photos, one core", title_justify="left")
    for key in next(iter(outcomes.values())).as_dict():
        table.add_row(key.replace("_", " "), *(f"{outcome.as_dict()[key]:.4g}" for outcome in outcomes.values()))
    console.print(table)
    ours = outcomes["facepoints"]
    draw_others(ours, args.out / "others.png")
    write_text(args.out / "photos.json", json.dumps({name: one.as_dict() for name, one in outcomes.items()}, indent=1))
    figures = ours.as_dict()
    reached = figures["found"] >= FOUND * figures["faces"] and figures["median_nme"] <= NME
    console.print(f"found and NME {'reach' if reached else 'miss'} the goals ({FOUND:.0%}, {NME:.1%})")
    if ours.others:
        allowed = FALSE * len(truth)
        console.print(
            f"check {args.out / 'others.png'}: at most {allowed:.0f} of {len(ours.others)} may be false detections"
        )


def labeled(folder: Path) -> dict[Path, list[Points]]:
    """The labeled faces, (15, 2) px, of each photo."""
    truth: dict[Path, list[Points]] = {}
    with (folder / "points.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            points = np.array([float(row[column] or "nan") for column in FIFTEEN.columns]).reshape(-1, 2)
            truth.setdefault(folder / row["file"], []).append(points)
    return truth


def measure(find: FindFaces, truth: dict[Path, list[Points]], name: str) -> Outcome:
    """Run one tool on every photo."""
    outcome = Outcome()
    for path, faces in track(truth.items(), description=name):
        photo = read_image(path)
        started = time.process_time()
        detections = find(photo)
        outcome.milliseconds.append((time.process_time() - started) * 1000)
        of_a_face = np.zeros(len(detections), np.bool_)
        for points in faces:
            away = np.array([nme(found, points) for found, _ in detections])
            outcome.error.append(float(away.min()) if (away < NEAR).any() else None)
            of_a_face |= away < NEAR
        outcome.others += [(path, *one) for one, known in zip(detections, of_a_face, strict=True) if not known]
    return outcome


def nme(predicted: Points, points: Points) -> float:
    """Mean distance of the labeled points, in eye distances."""
    eyes = np.linalg.norm(points[FIFTEEN.index("left_eye_center")] - points[FIFTEEN.index("right_eye_center")])
    return float(np.nanmean(np.linalg.norm(predicted - points, axis=1)) / eyes)


def draw_others(outcome: Outcome, path: Path) -> None:
    """The crops around the unmatched detections, lowest score first."""
    shown = sorted(outcome.others, key=lambda other: other[2])[:_SHOWN]
    if shown:
        boxes = [[*points.min(axis=0), *np.ptp(points, axis=0)] for _, points, _ in shown]
        photos = [photo for photo, _, _ in shown]
        crops = [
            Regions.of_boxes([b]).grown(2.2).crops(read_image(p).gray)[0] for p, b in zip(photos, boxes, strict=True)
        ]
        captions = [f"{photo.stem[:12]} {score:.2f}" for photo, _, score in shown]
        write_png(path, contact_sheet(np.stack(crops), captions=captions, columns=12, scale=1))


def _ours(model: Path | None, face_model: Path | None) -> FindFaces:
    detector = load(model, threads=1, face_model=face_model)
    return lambda photo: [(face.points, face.score) for face in detector.faces(photo)]


def _mediapipe() -> FindFaces:
    """Face mesh of mediapipe 0.10.21: those of its 478 points that are nearest to the fifteen."""
    mediapipe = importlib.import_module("mediapipe")
    mesh = mediapipe.solutions.face_mesh.FaceMesh(static_image_mode=True, max_num_faces=10, refine_landmarks=True)
    # iris centers, eye corners, brow ends, nose tip, mouth corners and lips, in the order of FIFTEEN
    order = [473, 468, 362, 263, 133, 33, 285, 276, 55, 46, 1, 291, 61, 0, 17]

    def find(photo: Photo) -> list[tuple[Points, float]]:
        found = mesh.process(cv2.cvtColor(photo.bgr, cv2.COLOR_BGR2RGB)).multi_face_landmarks or []
        size = photo.gray.shape[::-1]
        faces = [np.array([[f.landmark[i].x, f.landmark[i].y] for i in order]) * size - 0.5 for f in found]
        return [(points, 1.0) for points in faces]

    return find


if __name__ == "__main__":
    main()

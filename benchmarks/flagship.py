"""Accuracy, calibration, robustness to framing and size of the bundled model; fills the model card.

    python benchmarks/flagship.py DATA [--model MODEL.onnx] [--audit audit.csv] [--photos points.csv]
        [--out flagship.json] [--card MODEL_CARD.md]

DATA is the data it was trained on; the model file lists the validation rows. `--audit` excludes the labels that the
audit considers wrong. `--photos` is a table of points next to the photos it names: non-faces are cut from their
backgrounds, and faces are cropped with random jitter.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from facepoints.data.dataset import LabeledFaces
from facepoints.data.label_errors import without_label_issues
from facepoints.data.loading import load_training
from facepoints.data.photos.labeled_photos import LabeledPhotos, read_labeled_photos
from facepoints.data.similarity import group_alike
from facepoints.errors import BadChoice
from facepoints.evaluation.calibration import calibration
from facepoints.evaluation.error_breakdown import plausible, property_scores
from facepoints.evaluation.face_properties import face_properties
from facepoints.evaluation.predictor import OnnxPredictor
from facepoints.evaluation.significance import paired_bootstrap
from facepoints.files import write_text
from facepoints.inference.detector import FLAGSHIP, Detector, load
from facepoints.inference.regions import Regions
from facepoints.keypoints import FACE_SIZE
from facepoints.metrics import face_rmse
from facepoints.scores import score

TRUSTED, MIRRORED = "without label issues", "the same, with flip averaging"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
SHIFT, SCALES, ROLL = 0.15, (0.75, 1.3), 30.0
"""Crop jitter: shift in sides, minimum and maximum scale, degrees."""
ALIGNED = "aligned"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data")
    parser.add_argument("--model", type=Path, help="an ONNX file; default: bundled weights")
    parser.add_argument("--audit", type=Path, help="an audit.csv of DATA")
    parser.add_argument("--photos", type=Path, help="points.csv next to whole photos")
    parser.add_argument("--draws", type=int, default=40, help="jittered crops per face of --photos")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--card", type=Path, help="replace the tables between the marks in this file")
    args = parser.parse_args()
    detector = load(args.model)
    whole = load_training(args.data)
    held_out = OnnxPredictor("flagship", detector).held_out_rows(whole)
    if held_out.kind != "validation":
        raise BadChoice(
            f"{args.data}: not the data the model was trained on, so its validation rows are unknown. Name that data"
        )
    rows = whole.row[held_out.chosen]
    size = (args.model or Path(str(files("facepoints").joinpath("weights", FLAGSHIP)))).stat().st_size
    evaluation = whole.take(held_out.chosen)
    found: dict[str, Any] = {"bytes": size, "faces": len(evaluation), "all rows": accuracy(detector, evaluation)}
    if args.audit:
        trusted = without_label_issues(whole, args.audit)
        evaluation = trusted.take(np.isin(trusted.row, rows))
        found[TRUSTED] = accuracy(detector, evaluation)
    found[MIRRORED] = accuracy(detector, evaluation, mirrored=True)
    found["conditions"] = conditions(detector, evaluation)
    found["framing of rows"] = framing_of_rows(detector, evaluation)
    if args.photos:
        photos = read_labeled_photos(args.photos)
        found["auroc"] = non_face_auroc(detector, evaluation, backgrounds(photos))
        found["framing"] = framing(detector, photos, args.draws)
    text = markdown(found)
    Console().print(text, markup=False)
    if args.out:
        write_text(args.out, json.dumps(found, indent=1, default=asdict))
    if args.card:
        before, _, rest = args.card.read_text("utf-8").partition(BEGIN)
        write_text(args.card, f"{before}{BEGIN}\n{text}{END}{rest.partition(END)[2]}")


def accuracy(detector: Detector, data: LabeledFaces, *, mirrored: bool = False) -> dict[str, Any]:
    """RMSE with intervals, by source and keypoint, and the calibration of the expected errors."""
    points, expected = detector.points(np.asarray(data.faces), data.source)
    if mirrored:
        points = detector.network.points_with_flip(np.asarray(data.faces), data.source)
    groups = group_alike(data.faces)
    scores = score(points, data.points, data.observed, data.source, data.keypoints, groups=groups)
    calibrated = calibration(data, points, expected, groups)
    return {
        **scores.as_dict(),
        "deciles": [] if calibrated is None else [(t.expected, t.measured, t.ratio) for t in calibrated.deciles],
    }


def conditions(detector: Detector, data: LabeledFaces) -> dict[str, Any]:
    """RMSE along yaw, roll, size, sharpness, brightness and contrast, for each source."""
    points, _ = detector.points(np.asarray(data.faces), data.source)
    among = plausible(np.asarray(face_rmse(points, data.points, data.observed)), data)
    parts = property_scores(data, points, face_properties(data), group_alike(data.faces), among)
    return {
        h.title: {s: [(p.low, p.high, p.rmse, *p.interval) for p in ps] for s, ps in h.by_source.items()} for h in parts
    }


def backgrounds(photos: LabeledPhotos, each: int = 8) -> NDArray[np.uint8]:
    """Square crops of photos without a labeled face, (n, 96, 96); they may contain unlabeled faces."""
    rng, made = np.random.default_rng(0), []
    places = photos.on_photo(photos.faces.points)
    for path in dict.fromkeys(photos.photo):
        gray = np.asarray(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE), np.uint8)
        mine = np.concatenate([places[i][photos.faces.observed[i]] for i, p in enumerate(photos.photo) if p == path])
        for _ in range(each):
            side = int(rng.uniform(32, min(gray.shape) / 2))
            x, y = rng.integers(0, gray.shape[1] - side), rng.integers(0, gray.shape[0] - side)
            near = (mine > np.array([x, y]) - side / 3) & (mine < np.array([x, y]) + 4 * side / 3)
            if not near.all(axis=1).any():
                made.append(
                    cv2.resize(gray[y : y + side, x : x + side], (FACE_SIZE, FACE_SIZE), interpolation=cv2.INTER_AREA)
                )
    return np.stack(made)


def non_face_auroc(detector: Detector, data: LabeledFaces, backgrounds: NDArray[np.uint8]) -> dict[str, float]:
    """Area under the ROC curve of the mean expected error, faces against non-faces; 1 is perfect."""
    rng = np.random.default_rng(0)
    faces = np.array(data.faces)
    half = faces.copy()
    half[:, :, 40:] = 127  # covers more than half of the face
    non_faces = {
        "backgrounds of photos": backgrounds,
        "noise": rng.integers(0, 256, (300, FACE_SIZE, FACE_SIZE)).astype(np.uint8),
        "faces upside down": faces[:, ::-1],
        "faces covered by more than half": half,
    }
    normal = _mean_expected_error(detector, faces)
    return {
        kind: _auroc(normal, _mean_expected_error(detector, np.ascontiguousarray(made)))
        for kind, made in non_faces.items()
    }


def _mean_expected_error(detector: Detector, faces: NDArray[np.uint8]) -> NDArray[np.float64]:
    return np.asarray(detector.points(faces)[1].mean(axis=1), np.float64)


def _auroc(low: NDArray[np.float64], high: NDArray[np.float64]) -> float:
    return float((high[:, None] > low).mean() + (high[:, None] == low).mean() / 2)


@dataclass(frozen=True)
class Framed:
    """The error for one kind of crop."""

    error: float
    """root mean square"""
    growth: float
    """relative increase of the error over aligned crops"""
    interval: tuple[float, float]
    """95 % interval of the growth, over faces"""


def framing(detector: Detector, photos: LabeledPhotos, draws: int) -> dict[str, Framed]:
    """RMS distance, in eye distances, for aligned crops, jittered crops, and jittered crops predicted twice."""
    rng = np.random.default_rng(0)
    labels = photos.on_photo(photos.faces.points)
    left, right = (photos.faces.keypoints.index(f"{side}_eye_center") for side in ("left", "right"))
    sums: dict[str, NDArray[np.float64]] = {}
    names = list(dict.fromkeys(photos.photo))
    group = np.array([names.index(path) for path in photos.photo])
    for number, path in enumerate(names):
        gray = np.asarray(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE), np.uint8)
        mine = group == number
        truth, observed = labels[mine], photos.faces.observed[mine]
        eyes = np.linalg.norm(truth[:, left] - truth[:, right], axis=1)[:, None]
        for kind, points in crops(detector, gray, detector.regions_of(truth), 0, rng, draws):
            square = np.square(np.linalg.norm(points - truth, axis=2) / eyes)
            each = np.where(observed, square, 0).sum(axis=1)
            sums.setdefault(kind, np.zeros(len(group)))[mine] += each / (1 if kind == ALIGNED else draws)
    return framed(sums, photos.faces.observed.sum(axis=1), group)


def framing_of_rows(detector: Detector, data: LabeledFaces, draws: int = 10) -> dict[str, Framed]:
    """RMSE in px on the rows' pictures, for aligned crops, jittered crops, and jittered crops predicted twice."""
    rng = np.random.default_rng(0)
    whole = Regions(np.full((1, 2), (FACE_SIZE - 1) / 2), np.full(1, float(FACE_SIZE)), np.zeros(1))
    sums: dict[str, NDArray[np.float64]] = {}
    for i, (face, truth, observed) in enumerate(zip(data.faces, data.points, data.observed, strict=True)):
        for kind, points in crops(detector, np.asarray(face), whole, int(data.source[i]), rng, draws):
            each = np.square(points[0] - truth)[observed].sum()
            sums.setdefault(kind, np.zeros(len(data)))[i] += each / (1 if kind == ALIGNED else draws)
    return framed(sums, 2 * data.observed.sum(axis=1), group_alike(data.faces))


def framed(
    sums: dict[str, NDArray[np.float64]], counts: NDArray[np.int64], groups: NDArray[np.int64]
) -> dict[str, Framed]:
    """Errors with intervals from sums of squared errors (n,) per kind of crop, aligned first, and their counts (n,)."""
    drawn = paired_bootstrap(list(sums.values()), counts, groups)
    found = {}
    for i, kind in enumerate(sums):
        low, high = np.quantile(drawn.samples[:, i] / drawn.samples[:, 0], (0.025, 0.975)).tolist()
        error = float(drawn.rmse[i])
        found[kind] = Framed(error, error / float(drawn.rmse[0]) - 1, (low - 1, high - 1))
    return found


def crops(
    detector: Detector, gray: NDArray[np.uint8], aligned: Regions, source: int, rng: np.random.Generator, draws: int
) -> Iterator[tuple[str, NDArray[np.floating[Any]]]]:
    """Points (n, k, 2), px of the photo, for the aligned crops, then for jittered ones, each also refined once."""

    def predict(regions: Regions) -> NDArray[np.floating[Any]]:
        points: NDArray[np.floating[Any]] = detector.refine(gray, regions, source=source, views=1).points
        return points

    yield ALIGNED, predict(aligned)
    n = len(aligned)
    for _ in range(draws):
        moved = aligned.center + aligned.side[:, None] * rng.uniform(-SHIFT, SHIFT, (n, 2))
        # a face that is 1.3 times as large fills a region 1.3 times smaller
        side = aligned.side / np.exp(rng.uniform(math.log(SCALES[0]), math.log(SCALES[1]), n))
        first = predict(Regions(moved, side, aligned.roll + np.radians(rng.uniform(-ROLL, ROLL, n))))
        yield "jittered", first
        yield "jittered, refined once", predict(detector.regions_of(first))


def markdown(found: dict[str, Any]) -> str:
    """All results as Markdown tables."""
    lines = [f"One file of {found['bytes'] / 2**20:.1f} MiB.\n\n"]
    lines += [f"| {found['faces']} validation rows | all | source A | source B |\n|---|---|---|---|\n"]
    for name in ("all rows", TRUSTED, MIRRORED):
        if name in found:
            parts = (found[name], *(found[name]["by_source"][s] for s in "AB"))
            cells = " | ".join(
                f"{p['rmse']:.2f} ({p['rmse_interval'][0]:.2f}-{p['rmse_interval'][1]:.2f})" for p in parts
            )
            lines.append(f"| RMSE in px, {name} (95 % interval) | {cells} |\n")
    best = found.get(TRUSTED, found["all rows"])
    lines.append("\n| keypoint | source A | source B |\n|---|---|---|\n")
    for name, point in best["by_keypoint"].items():
        cells = " | ".join("-" if v is None else f"{v:.2f}" for v in point["rmse_by_source"].values())
        lines.append(f"| {name} | {cells} |\n")
    lines.append(
        "\n| decile of the points, by expected error | expected, px | measured RMSE, px | ratio |\n|---|---|---|---|\n"
    )
    for i, (expected, measured, ratio) in enumerate(best["deciles"], start=1):
        lines.append(f"| {i} | {expected:.2f} | {measured:.2f} | {ratio:.2f} |\n")
    lines.append("\n| condition | source | from | to | RMSE, px |\n|---|---|---|---|---|\n")
    for title, sources in found["conditions"].items():
        for source, parts in sources.items():
            for low, high, rmse, start, end in (parts[0], parts[len(parts) // 2], parts[-1]):
                lines.append(f"| {title} | {source} | {low:.3g} | {high:.3g} | {rmse:.2f} ({start:.2f}-{end:.2f}) |\n")
    lines.append("\n| crop (validation rows) | RMSE, px | change (95 % interval) |\n|---|---|---|\n")
    lines += [f"| {kind} | {one.error:.2f} | {_growth(one)} |\n" for kind, one in found["framing of rows"].items()]
    if "auroc" in found:
        lines.append("\n| expected error separates faces from | area under the ROC curve |\n|---|---|\n")
        lines += [f"| {kind} | {value:.4f} |\n" for kind, value in found["auroc"].items()]
        title = "crop (whole photos) | RMS distance, share of the eye distance | change (95 % interval)"
        lines.append(f"\n| {title} |\n|---|---|---|\n")
        lines += [f"| {kind} | {one.error:.2%} | {_growth(one)} |\n" for kind, one in found["framing"].items()]
    return "".join(lines)


def _growth(one: Framed) -> str:
    return f"{one.growth:+.0%} ({one.interval[0]:+.0%} to {one.interval[1]:+.0%})" if one.growth else "-"


if __name__ == "__main__":
    main()

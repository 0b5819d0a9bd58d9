"""What the shipped model can do, measured: accuracy, honesty, robust framing, size; fills the model card.

    python benchmarks/flagship.py DATA [--model MODEL.onnx] [--audit audit.csv] [--photos points.csv]
        [--out flagship.json] [--card MODEL_CARD.md]

DATA is what it was trained on: the file tells which of its rows were kept for validation. `--audit` leaves out the
labels that the audit holds for wrong. `--photos` names a table of points with whole photos beside it:
non-faces are cut from their backgrounds, and faces are framed loosely on purpose.
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

TRUSTED, MIRRORED = "without suspects", "these, mirrored too"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
SHIFT, SCALES, ROLL = 0.15, (0.75, 1.3), 30.0
"""Loose framing: share of the side, smallest and largest size, degrees."""
NEATLY = "neatly"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data")
    parser.add_argument("--model", type=Path, help="an ONNX file; by default the one that ships with the package")
    parser.add_argument("--audit", type=Path, help="an audit.csv of DATA")
    parser.add_argument("--photos", type=Path, help="points.csv with whole photos beside it")
    parser.add_argument("--draws", type=int, default=40, help="how often each face of --photos is framed loosely")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--card", type=Path, help="put the tables between its marks in this file")
    args = parser.parse_args()
    detector = load(args.model)
    whole = load_training(args.data)
    held_out = OnnxPredictor("flagship", detector).held_out_rows(whole)
    if held_out.kind != "validation":
        raise BadChoice(
            f"{args.data}: not what the model was trained on, so no row is known to be unseen. Give that data"
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
        found["auroc"] = told_apart(detector, evaluation, backgrounds(photos))
        found["framing"] = framing(detector, photos, args.draws)
    text = markdown(found)
    Console().print(text, markup=False)
    if args.out:
        write_text(args.out, json.dumps(found, indent=1, default=asdict))
    if args.card:
        before, _, rest = args.card.read_text("utf-8").partition(BEGIN)
        write_text(args.card, f"{before}{BEGIN}\n{text}{END}{rest.partition(END)[2]}")


def accuracy(detector: Detector, data: LabeledFaces, *, mirrored: bool = False) -> dict[str, Any]:
    """RMSE with intervals, by source and point, and how well the expected errors say so."""
    points, expected = detector.points(np.asarray(data.faces), data.source)
    if mirrored:
        points = detector.network.points_with_flip(np.asarray(data.faces), data.source)
    groups = group_alike(data.faces)
    scores = score(points, data.points, data.observed, data.source, data.keypoints, groups=groups)
    honest = calibration(data, points, expected, groups)
    return {
        **scores.as_dict(),
        "deciles": [] if honest is None else [(t.expected, t.measured, t.ratio) for t in honest.deciles],
    }


def conditions(detector: Detector, data: LabeledFaces) -> dict[str, Any]:
    """RMSE along head turn, roll, size, sharpness, brightness and contrast, for each source."""
    points, _ = detector.points(np.asarray(data.faces), data.source)
    among = plausible(np.asarray(face_rmse(points, data.points, data.observed)), data)
    told = property_scores(data, points, face_properties(data), group_alike(data.faces), among)
    return {
        h.title: {s: [(p.low, p.high, p.rmse, *p.interval) for p in ps] for s, ps in h.by_source.items()} for h in told
    }


def backgrounds(photos: LabeledPhotos, each: int = 8) -> NDArray[np.uint8]:
    """Squares of photos that touch no labeled face, (n, 96, 96); there may be other faces, so look at the surest."""
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


def told_apart(detector: Detector, data: LabeledFaces, nothing: NDArray[np.uint8]) -> dict[str, float]:
    """Area under the ROC curve of the mean expected error, faces against what is none; 1 is perfect."""
    rng = np.random.default_rng(0)
    faces = np.array(data.faces)
    half = faces.copy()
    half[:, :, 40:] = 127  # more than half of the face is behind a wall
    ensemble_networks = {
        "backgrounds of photos": nothing,
        "noise": rng.integers(0, 256, (300, FACE_SIZE, FACE_SIZE)).astype(np.uint8),
        "faces upside down": faces[:, ::-1],
        "faces covered by more than half": half,
    }
    normal = _unsure(detector, faces)
    return {
        kind: _auroc(normal, _unsure(detector, np.ascontiguousarray(made))) for kind, made in ensemble_networks.items()
    }


def _unsure(detector: Detector, faces: NDArray[np.uint8]) -> NDArray[np.float64]:
    return np.asarray(detector.points(faces)[1].mean(axis=1), np.float64)


def _auroc(low: NDArray[np.float64], high: NDArray[np.float64]) -> float:
    return float((high[:, None] > low).mean() + (high[:, None] == low).mean() / 2)


@dataclass(frozen=True)
class Framed:
    """How one way of framing does."""

    error: float
    """root mean square"""
    growth: float
    """of the error against neat framing, as a share"""
    interval: tuple[float, float]
    """95 % of the growth, over faces"""


def framing(detector: Detector, photos: LabeledPhotos, draws: int) -> dict[str, Framed]:
    """RMS distance, share of the eye distance: framed neatly, loosely, and loosely with a second look."""
    rng = np.random.default_rng(0)
    labels = photos.on_photo(photos.faces.points)
    left, right = (photos.faces.keypoints.index(f"{side}_eye_center") for side in ("left", "right"))
    sums: dict[str, NDArray[np.float64]] = {}
    names = list(dict.fromkeys(photos.photo))
    group = np.array([names.index(path) for path in photos.photo])
    for number, path in enumerate(names):
        gray = np.asarray(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE), np.uint8)
        mine = group == number
        truth, seen = labels[mine], photos.faces.observed[mine]
        eyes = np.linalg.norm(truth[:, left] - truth[:, right], axis=1)[:, None]
        for kind, points in looks(detector, gray, detector.regions_of(truth), 0, rng, draws):
            square = np.square(np.linalg.norm(points - truth, axis=2) / eyes)
            each = np.where(seen, square, 0).sum(axis=1)
            sums.setdefault(kind, np.zeros(len(group)))[mine] += each / (1 if kind == NEATLY else draws)
    return framed(sums, photos.faces.observed.sum(axis=1), group)


def framing_of_rows(detector: Detector, data: LabeledFaces, draws: int = 10) -> dict[str, Framed]:
    """RMSE in px of the file's picture, each face cut out of it anew: as it lies there, loosely, with a second look."""
    rng = np.random.default_rng(0)
    whole = Regions(np.full((1, 2), (FACE_SIZE - 1) / 2), np.full(1, float(FACE_SIZE)), np.zeros(1))
    sums: dict[str, NDArray[np.float64]] = {}
    for i, (face, truth, seen) in enumerate(zip(data.faces, data.points, data.observed, strict=True)):
        for kind, points in looks(detector, np.asarray(face), whole, int(data.source[i]), rng, draws):
            each = np.square(points[0] - truth)[seen].sum()
            sums.setdefault(kind, np.zeros(len(data)))[i] += each / (1 if kind == NEATLY else draws)
    return framed(sums, 2 * data.observed.sum(axis=1), group_alike(data.faces))


def framed(
    sums: dict[str, NDArray[np.float64]], counts: NDArray[np.int64], groups: NDArray[np.int64]
) -> dict[str, Framed]:
    """From each kind's squared errors (n,), neat framing first, the counts (n,) that they are sums of, and groups."""
    drawn = paired_bootstrap(list(sums.values()), counts, groups)
    found = {}
    for i, kind in enumerate(sums):
        low, high = np.quantile(drawn.samples[:, i] / drawn.samples[:, 0], (0.025, 0.975)).tolist()
        error = float(drawn.rmse[i])
        found[kind] = Framed(error, error / float(drawn.rmse[0]) - 1, (low - 1, high - 1))
    return found


def looks(
    detector: Detector, gray: NDArray[np.uint8], neat: Regions, source: int, rng: np.random.Generator, draws: int
) -> Iterator[tuple[str, NDArray[np.floating[Any]]]]:
    """Points (n, k, 2), px of the photo, of faces framed neatly, then often loosely, each with a second look."""

    def look(regions: Regions) -> NDArray[np.floating[Any]]:
        points: NDArray[np.floating[Any]] = detector.refine(gray, regions, source=source, views=1).points
        return points

    yield NEATLY, look(neat)
    n = len(neat)
    for _ in range(draws):
        moved = neat.center + neat.side[:, None] * rng.uniform(-SHIFT, SHIFT, (n, 2))
        # a face that is 1.3 times as large fills a region 1.3 times smaller
        side = neat.side / np.exp(rng.uniform(math.log(SCALES[0]), math.log(SCALES[1]), n))
        first = look(Regions(moved, side, neat.roll + np.radians(rng.uniform(-ROLL, ROLL, n))))
        yield "loosely", first
        yield "loosely, second look", look(detector.regions_of(first))


def markdown(found: dict[str, Any]) -> str:
    """Everything as tables."""
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
        "\n| tenth of the points, by expected error | expected, px | measured RMSE, px | ratio |\n|---|---|---|---|\n"
    )
    for i, (expected, measured, ratio) in enumerate(best["deciles"], start=1):
        lines.append(f"| {i} | {expected:.2f} | {measured:.2f} | {ratio:.2f} |\n")
    lines.append("\n| condition | source | from | to | RMSE, px |\n|---|---|---|---|---|\n")
    for title, sources in found["conditions"].items():
        for source, parts in sources.items():
            for low, high, rmse, start, end in (parts[0], parts[len(parts) // 2], parts[-1]):
                lines.append(f"| {title} | {source} | {low:.3g} | {high:.3g} | {rmse:.2f} ({start:.2f}-{end:.2f}) |\n")
    lines.append("\n| framed (validation rows) | RMSE, px | against neatly (95 % interval) |\n|---|---|---|\n")
    lines += [f"| {kind} | {one.error:.2f} | {_growth(one)} |\n" for kind, one in found["framing of rows"].items()]
    if "auroc" in found:
        lines.append("\n| expected error tells faces from | area under the ROC curve |\n|---|---|\n")
        lines += [f"| {kind} | {value:.4f} |\n" for kind, value in found["auroc"].items()]
        title = "framed (whole photos) | RMS distance, share of the eye distance | against neatly (95 % interval)"
        lines.append(f"\n| {title} |\n|---|---|---|\n")
        lines += [f"| {kind} | {one.error:.2%} | {_growth(one)} |\n" for kind, one in found["framing"].items()]
    return "".join(lines)


def _growth(one: Framed) -> str:
    return f"{one.growth:+.0%} ({one.interval[0]:+.0%} to {one.interval[1]:+.0%})" if one.growth else "-"


if __name__ == "__main__":
    main()

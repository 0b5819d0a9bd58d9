"""Milliseconds per face on one and two threads, in batches of 1, 32 and 256; other tools if they are installed.

    python benchmarks/inference.py [--model MODEL.onnx] [--rounds 30] [--out inference.json]
        [--dlib PREDICTOR.dat] [--data DATA]

mediapipe (0.10.21) and dlib are left out with a message if they are not installed; dlib needs a predictor that was
trained on the same rows (`--dlib`). Faces are synthetic unless DATA is given: the speed of the networks does not depend
on the content, that of face detection may.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from facepoints.data.loading import load_training
from facepoints.files import write_text
from facepoints.inference.detector import load

GOAL = 1.0
"""The goal: milliseconds per face at batch 32 on one thread."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, help="an ONNX file; default: the bundled weights")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--data", default="synthetic", help="folder with the competition's files, or 'synthetic'")
    parser.add_argument("--dlib", metavar="FILE", help="a shape predictor that dlib trained")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    console = Console()
    faces = np.array(load_training(args.data).faces[:256])
    found: dict[str, dict[str, float]] = {}
    for threads in (1, 2):
        detector = load(args.model, threads=threads)
        found[f"facepoints, {threads} thread{'s' * (threads > 1)}"] = {
            str(batch): milliseconds(partial(detector.points, faces[:batch]), batch, args.rounds)
            for batch in (1, 32, 256)
        }
    for name, one_by_one in (("mediapipe 0.10.21", _mediapipe), ("dlib", partial(_dlib, args.dlib))):
        predict = one_by_one()
        if isinstance(predict, str):
            console.print(f"{name} is left out: {predict}")
            continue
        found[name] = {"1": statistics.median(milliseconds(partial(predict, face), 1, 3) for face in faces[:32])}
    table = Table("who", "batch 1", "batch 32", "batch 256", title="ms per face, median", title_justify="left")
    for name, times in found.items():
        table.add_row(name, *(f"{times[b]:.2f}" if b in times else "-" for b in ("1", "32", "256")))
    console.print(table)
    ours = found["facepoints, 1 thread"]["32"]
    console.print(f"goal at batch 32 on one thread: {GOAL} ms, {'reached' if ours <= GOAL else 'MISSED'}")
    if args.out:
        write_text(args.out, json.dumps(found, indent=1))


def milliseconds(work: Callable[[], object], faces: int, rounds: int) -> float:
    """The median time of a face over some rounds, after two to warm up."""
    seconds = []
    for _ in range(rounds + 2):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return 1e3 * statistics.median(seconds[2:]) / faces


def _mediapipe() -> Callable[[NDArray[np.uint8]], Any] | str:
    try:
        import mediapipe
    except ImportError:
        return "not installed (pip install mediapipe==0.10.21, in an environment of its own)"
    import cv2

    mesh = mediapipe.solutions.face_mesh.FaceMesh(static_image_mode=True, max_num_faces=1)

    def predict(face: NDArray[np.uint8]) -> Any:
        # padded and enlarged threefold, or it finds no face
        large = cv2.copyMakeBorder(cv2.resize(face, None, fx=3, fy=3), 96, 96, 96, 96, cv2.BORDER_REPLICATE)
        return mesh.process(cv2.cvtColor(large, cv2.COLOR_GRAY2RGB))

    return predict


def _dlib(predictor: str | None) -> Callable[[NDArray[np.uint8]], Any] | str:
    try:
        import dlib
    except ImportError:
        return "not installed (pip install dlib; it compiles for minutes)"
    if predictor is None:
        return "no predictor given (--dlib FILE)"
    shape, whole = dlib.shape_predictor(predictor), dlib.rectangle(0, 0, 95, 95)
    return lambda face: shape(face, whole)


if __name__ == "__main__":
    main()

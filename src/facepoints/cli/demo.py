"""The whole path on built-in data, in minutes: faces, training, report, submission, photos, and what to do next."""

from __future__ import annotations

import importlib
import json
import shlex
import shutil
import sysconfig
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.markup import escape

from facepoints.data.loading import SYNTHETIC, load_submission_faces, load_training
from facepoints.data.synthetic.crowd import draw_crowd
from facepoints.drawing import contact_sheet, write_png
from facepoints.keypoints import FIFTEEN
from facepoints.metrics import face_nme

REAL_DATA = Path("data/facial-keypoints-detection")
"""Where the competition's files are looked for before faces are drawn."""

FOUND = 0.25
"""A drawn face is found where a face's points are on average nearer to its own than that, in its eye distances."""


def run_demo(out: Path, console: Console, data: str | None = None) -> None:
    """Train the small recipe `demo` on DATA (the competition's files if they are there, else drawn faces).

    Everything it makes goes into the folder `out`; what was there of an earlier demo is replaced.
    """
    if data is None:
        data = str(REAL_DATA) if REAL_DATA.exists() else SYNTHETIC
    with console.status("drawing faces ..." if data == SYNTHETIC else "reading faces ..."):
        faces = load_training(data)
        asked = load_submission_faces(data)
    console.print(f"{len(faces):,} faces to learn from, {len(asked.faces):,} to be asked about ({escape(data)})")
    some = np.random.default_rng(0).permutation(len(faces))[:32]
    shown = faces.take(np.sort(some))
    write_png(out / "faces.png", contact_sheet(shown.faces, shown.points, observed=shown.observed, title="Faces"))

    with console.status("starting torch ..."):
        from facepoints.evaluation.evaluate import evaluate
        from facepoints.evaluation.submission import submit
        from facepoints.evaluation.trained_run import run_predictor
        from facepoints.reports.evaluation.tables import print_scores
        from facepoints.training.augmentation import draw_before_and_after
        from facepoints.training.builtin_recipes import find
        from facepoints.training.fit import fit
        from facepoints.training.progress import TrainingProgress
    recipe = find("demo")
    sample = faces.take(np.flatnonzero(faces.observed.all(axis=1))[:8])
    write_png(out / "augmentation.png", draw_before_and_after(sample, recipe))

    run = out / "run"
    console.print(f"Training the recipe 'demo' ({recipe.summary}) ...")
    fit(recipe, faces, run, force=True, callbacks=[TrainingProgress(console)])
    with console.status("looking at the faces ..."):
        scores = evaluate(run, faces, out / "evaluation", flip=True)
        values = submit([run_predictor(run)], asked, out / "submission.csv")
    print_scores(scores, console)
    pictures = predict_on_photos(out, console)
    console.print(f"[bold]What it made[/], in the folder {escape(str(out))}:", soft_wrap=True)
    for path, what in (
        ("faces.png", "faces to learn from, with the points that were labeled"),
        ("augmentation.png", "what the training makes of a face: points move along"),
        ("run/curves.png", "loss, RMSE, MAE and PCK over the epochs"),
        ("evaluation/worst.png", "the faces on which it errs most, with given and predicted points"),
        ("evaluation/random.png", "what to expect: faces drawn by lot"),
        ("submission.csv", f"the {len(values):,} values that the look-up table asks for"),
        *((f"points/{name}", f"{what}, with the points that were found") for name, what in pictures.items()),
    ):
        console.print(f"  {escape(str(out / path))}  [dim]{what}[/]", soft_wrap=True)
    steps = [["predict", "PHOTO"], ["recipes"], ["train", "cnn-masked", "--data", data, "--run", "runs/cnn-masked"]]
    if data == SYNTHETIC:
        steps.insert(2, ["download", str(REAL_DATA)])
        steps[-1][3] = str(REAL_DATA)
    console.print("[bold]Next:[/] your own photos, every approach in one line each, and a whole training:")
    for step in steps:
        console.print(f"  {_program()} {shlex.join(step)}", soft_wrap=True, markup=False, highlight=False)


def predict_on_photos(out: Path, console: Console) -> dict[str, str]:
    """`facepoints predict` on an astronaut and a drawn crowd, into out/points; the pictures' names and what they show.

    Without scikit-image, which holds the astronaut's portrait, there is the crowd alone.
    """
    crowd, photos = draw_crowd(), out / "photos"
    write_png(photos / "crowd.png", crowd.pixels)
    shown = {"crowd.png": "a drawn crowd"}
    try:
        portrait = importlib.import_module("skimage.data").astronaut()
    except ModuleNotFoundError:
        remedy = "No photo of a real person is here: pip install 'facepoints[demo]' brings one, inside scikit-image"
        console.print(remedy, highlight=False, markup=False, soft_wrap=True)
    else:
        write_png(photos / "astronaut.png", np.asarray(cv2.cvtColor(portrait, cv2.COLOR_RGB2BGR), np.uint8))
        shown = {"astronaut.png": "the astronaut Eileen Collins (NASA, public domain)", **shown}

    given = [str(photos / name) for name in shown]
    words = shlex.join(["predict", *given, "--out", str(out / "points")])
    console.print("[bold]The detector that comes along[/], on photos:")
    console.print(f"  {_program()} {words}", highlight=False, markup=False, soft_wrap=True)
    with console.status("looking for faces ..."):
        from facepoints.inference.batch.predict import predict_photos
        from facepoints.inference.detector import load

        predict_photos(given, out / "points", load(), say=console.print, progress=lambda done, total: None)
    for entry in json.loads((out / "points" / "points.json").read_text("utf-8")):
        name = Path(entry["file"]).name
        points = np.array([[face["points"][p] for p in FIFTEEN.names] for face in entry["faces"]]).reshape(-1, 15, 2)
        faces = f"{len(points)} face{'s'[: len(points) != 1]}"
        judged = in_crowd(crowd.points, points) if name == "crowd.png" else faces
        console.print(f"  {name:<{max(map(len, shown))}}  {judged}", highlight=False, soft_wrap=True)
    return shown


def in_crowd(drawn: NDArray[np.floating], found: NDArray[np.floating]) -> str:
    """How many of the drawn faces (n, 15, 2) are among those found (m, 15, 2), and how well; px of the same picture."""
    nearest = np.array([_nme(found, face).min(initial=np.inf) for face in drawn])
    nobody = sum(1 for face in found if _nme(drawn, face).min() >= FOUND)
    met = nearest[nearest < FOUND]
    off = f", their points off by {100 * met.mean():.0f} % of the eye distance on average" if len(met) else ""
    return f"{len(met)} of {len(drawn)} drawn faces{off}" + (f"; {nobody} where nobody is" if nobody else "")


def _nme(faces: NDArray[np.floating], face: NDArray[np.floating]) -> NDArray[np.float64]:
    """How far each of the faces (n, 15, 2) is from one (15, 2), in its eye distances: (n,)."""
    own = np.broadcast_to(face, faces.shape)
    return np.asarray(face_nme(faces, own, np.ones(faces.shape[:2], np.bool_), FIFTEEN).filled(np.inf), np.float64)


def _program() -> str:
    """What a shell calls this very program by: its name if that leads here, else its whole path."""
    own = shutil.which("facepoints", path=sysconfig.get_path("scripts"))
    return shlex.quote(own) if own and own != shutil.which("facepoints") else "facepoints"

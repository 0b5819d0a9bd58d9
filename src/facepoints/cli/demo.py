"""The whole workflow in minutes: data, training, evaluation, submission, photos, and the next commands."""

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
"""The competition's files. Synthetic faces are used if they are absent."""

FOUND = 0.25
"""Maximum normalized mean error, in eye distances, at which a synthetic face counts as detected."""


def run_demo(out: Path, console: Console, data: str | None = None) -> None:
    """Train the recipe `demo` on DATA; default: the competition's files if they exist, else synthetic faces.

    All results are written into the folder `out` and replace those of an earlier demo.
    """
    if data is None:
        data = str(REAL_DATA) if REAL_DATA.exists() else SYNTHETIC
    with console.status("generating faces ..." if data == SYNTHETIC else "reading faces ..."):
        faces = load_training(data)
        test_faces = load_submission_faces(data)
    console.print(f"{len(faces):,} training faces, {len(test_faces.faces):,} test faces ({escape(data)})")
    chosen = np.random.default_rng(0).permutation(len(faces))[:32]
    shown = faces.take(np.sort(chosen))
    write_png(out / "faces.png", contact_sheet(shown.faces, shown.points, observed=shown.observed, title="Faces"))

    with console.status("importing torch ..."):
        from facepoints.evaluation.evaluate import evaluate
        from facepoints.evaluation.submission import submit
        from facepoints.evaluation.trained_run import open_run
        from facepoints.reports.evaluation.files import write_report
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
    with console.status("evaluating ..."):
        result = evaluate(open_run(run), faces, flip=True)
        write_report(out / "evaluation", result)
        values = submit(open_run(run, all_keypoints=True), test_faces, out / "submission.csv")
    print_scores(result.scores, console)
    photos = predict_on_photos(out, console)
    console.print(f"[bold]What the demo wrote[/] into {escape(str(out))}:", soft_wrap=True)
    for path, content in (
        ("faces.png", "training faces with their labels"),
        ("augmentation.png", "faces before and after augmentation"),
        ("run/curves.png", "loss, RMSE, MAE and PCK over the epochs"),
        ("evaluation/worst.png", "the faces with the largest error, with labels and predictions"),
        ("evaluation/random.png", "random faces"),
        ("submission.csv", f"the {len(values):,} values required by the look-up table"),
        *((f"points/{name}", f"{content}, with the predicted points") for name, content in photos.items()),
    ):
        console.print(f"  {escape(str(out / path))}  [dim]{content}[/]", soft_wrap=True)
    steps = [["predict", "PHOTO"], ["recipes"], ["train", "cnn-masked", "--data", data, "--run", "runs/cnn-masked"]]
    if data == SYNTHETIC:
        steps.insert(2, ["download", str(REAL_DATA)])
        steps[-1][3] = str(REAL_DATA)
    console.print("[bold]Next:[/] predict your own photos, list the recipes, train on the full data:")
    for step in steps:
        console.print(f"  {_program()} {shlex.join(step)}", soft_wrap=True, markup=False, highlight=False)


def predict_on_photos(out: Path, console: Console) -> dict[str, str]:
    """Predict an astronaut's portrait and a synthetic crowd into out/points; returns {picture: description}.

    The portrait is part of scikit-image; without it there is only the crowd.
    """
    crowd, photos = draw_crowd(), out / "photos"
    write_png(photos / "crowd.png", crowd.pixels)
    shown = {"crowd.png": "a synthetic crowd"}
    try:
        portrait = importlib.import_module("skimage.data").astronaut()
    except ModuleNotFoundError:
        hint = "The demo's photo of a real person needs scikit-image: pip install 'facepoints[demo]'"
        console.print(hint, highlight=False, markup=False, soft_wrap=True)
    else:
        write_png(photos / "astronaut.png", np.asarray(cv2.cvtColor(portrait, cv2.COLOR_RGB2BGR), np.uint8))
        shown = {"astronaut.png": "the astronaut Eileen Collins (NASA, public domain)", **shown}

    inputs = [str(photos / name) for name in shown]
    command = shlex.join(["predict", *inputs, "--out", str(out / "points")])
    console.print("[bold]The bundled detector[/] on photos:")
    console.print(f"  {_program()} {command}", highlight=False, markup=False, soft_wrap=True)
    with console.status("detecting faces ..."):
        from facepoints.inference.batch.predict import predict_files
        from facepoints.inference.detector import load

        predict_files(inputs, out / "points", load(), on_error=console.print)
    for entry in json.loads((out / "points" / "points.json").read_text("utf-8")):
        name = Path(entry["file"]).name
        points = np.array([[face["points"][p] for p in FIFTEEN.names] for face in entry["faces"]]).reshape(-1, 15, 2)
        count = f"{len(points)} face{'s'[: len(points) != 1]}"
        result = in_crowd(crowd.points, points) if name == "crowd.png" else count
        console.print(f"  {name:<{max(map(len, shown))}}  {result}", highlight=False, soft_wrap=True)
    return shown


def in_crowd(true: NDArray[np.floating], found: NDArray[np.floating]) -> str:
    """How many synthetic faces (n, 15, 2) were detected among (m, 15, 2), and their mean error; px of one picture."""
    errors = np.array([_nme(found, face).min(initial=np.inf) for face in true])
    wrong = sum(1 for face in found if _nme(true, face).min() >= FOUND)
    detected = errors[errors < FOUND]
    error = f", mean error {100 * detected.mean():.0f} % of the eye distance" if len(detected) else ""
    return f"{len(detected)} of {len(true)} synthetic faces{error}" + (f"; {wrong} false detections" if wrong else "")


def _nme(faces: NDArray[np.floating], face: NDArray[np.floating]) -> NDArray[np.float64]:
    """(n,): mean distance of each of the faces (n, 15, 2) from one (15, 2), in eye distances of the latter."""
    reference = np.broadcast_to(face, faces.shape)
    nme = face_nme(faces, reference, np.ones(faces.shape[:2], np.bool_), FIFTEEN)
    return np.asarray(nme.filled(np.inf), np.float64)


def _program() -> str:
    """The command that starts this installation: its name if that is on the PATH, else its full path."""
    own = shutil.which("facepoints", path=sysconfig.get_path("scripts"))
    return shlex.quote(own) if own and own != shutil.which("facepoints") else "facepoints"

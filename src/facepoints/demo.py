"""The whole path on built-in data, in minutes: faces, training, report, submission, and what to do next."""

from __future__ import annotations

import shlex
import shutil
import sysconfig
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.markup import escape

from facepoints.data.loading import DRAWN, load_asked, load_training
from facepoints.drawing import contact_sheet, write_png

REAL_DATA = Path("data/facial-keypoints-detection")
"""Where the competition's files are looked for before faces are drawn."""


def run_demo(out: Path, console: Console, data: str | None = None) -> None:
    """Train the small recipe `demo` on DATA (the competition's files if they are there, else drawn faces).

    Everything it makes goes into the folder `out`; what was there of an earlier demo is replaced.
    """
    if data is None:
        data = str(REAL_DATA) if REAL_DATA.exists() else DRAWN
    with console.status("drawing faces ..." if data == DRAWN else "reading faces ..."):
        faces = load_training(data)
        asked = load_asked(data)
    console.print(f"{len(faces):,} faces to learn from, {len(asked.faces):,} to be asked about ({escape(data)})")
    some = np.random.default_rng(0).permutation(len(faces))[:32]
    shown = faces.take(np.sort(some))
    write_png(out / "faces.png", contact_sheet(shown.faces, shown.points, observed=shown.observed, title="Faces"))

    with console.status("starting torch ..."):
        from facepoints.evaluation.judge import judge
        from facepoints.evaluation.run_answers import answers_of_run
        from facepoints.evaluation.score_tables import print_scores
        from facepoints.evaluation.submission import submit
        from facepoints.training.augmentation import draw_before_and_after
        from facepoints.training.fit import fit
        from facepoints.training.progress import TrainingProgress
        from facepoints.training.recipe_book import find
    recipe = find("demo")
    sample = faces.take(np.flatnonzero(faces.observed.all(axis=1))[:8])
    write_png(out / "augmentation.png", draw_before_and_after(sample, recipe))

    run = out / "run"
    console.print(f"Training the recipe 'demo' ({recipe.summary}) ...")
    fit(recipe, faces, run, force=True, callbacks=[TrainingProgress(console)])
    with console.status("looking at the faces ..."):
        scores = judge(run, faces, out / "evaluation", flip=True)
        values = submit([answers_of_run(run)], asked, out / "submission.csv")
    print_scores(scores, console)
    console.print(f"[bold]What it made[/], in the folder {escape(str(out))}:", soft_wrap=True)
    for path, what in (
        ("faces.png", "faces to learn from, with the points that were labeled"),
        ("augmentation.png", "what the training makes of a face: points move along"),
        ("run/curves.png", "loss, RMSE, MAE and hit rate over the epochs"),
        ("evaluation/worst.png", "the faces on which it errs most, with given and predicted points"),
        ("evaluation/random.png", "what to expect: faces drawn by lot"),
        ("submission.csv", f"the {len(values):,} values that the look-up table asks for"),
    ):
        console.print(f"  {escape(str(out / path))}  [dim]{what}[/]", soft_wrap=True)
    steps = [["recipes"], ["train", "cnn-masked", "--data", data, "--run", "runs/cnn-masked"]]
    if data == DRAWN:
        steps.insert(1, ["download", str(REAL_DATA)])
        steps[-1][3] = str(REAL_DATA)
    console.print("[bold]Next:[/] every approach in one line each, and a whole training:")
    for step in steps:
        console.print(f"  {_program()} {shlex.join(step)}", soft_wrap=True, markup=False, highlight=False)


def _program() -> str:
    """What a shell calls this very program by: its name if that leads here, else its whole path."""
    own = shutil.which("facepoints", path=sysconfig.get_path("scripts"))
    return shlex.quote(own) if own and own != shutil.which("facepoints") else "facepoints"

"""The whole path on built-in data, in minutes: faces, training, report, submission, and what to do next."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from rich.console import Console

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
    console.print(f"{len(faces):,} faces to learn from, {len(asked.faces):,} to be asked about ({data})")
    some = np.random.default_rng(0).permutation(len(faces))[:32]
    shown = faces.take(np.sort(some))
    write_png(out / "faces.png", contact_sheet(shown.faces, shown.points, observed=shown.observed, title="Faces"))

    with console.status("starting torch ..."):
        from facepoints.evaluation.judge import judge
        from facepoints.evaluation.report import print_scores
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
        values = submit(run, asked, out / "submission.csv")
    print_scores(scores, console)
    console.print(f"[bold]What it made[/], in the folder {out}:")
    for path, what in (
        ("faces.png", "faces to learn from, with the points that were labeled"),
        ("augmentation.png", "what the training makes of a face: points move along"),
        ("run/curves.png", "loss, RMSE, MAE and hit rate over the epochs"),
        ("evaluation/worst.png", "the faces on which it errs most, with given and predicted points"),
        ("evaluation/random.png", "what to expect: faces drawn by lot"),
        ("submission.csv", f"the {len(values):,} values that the look-up table asks for"),
    ):
        console.print(f"  {out / path}  [dim]{what}[/]")
    where = data if data != DRAWN else "FOLDER"
    console.print("[bold]Next:[/] every approach in one line each, and our best one on the competition's files:")
    console.print("  facepoints recipes")
    console.print(f"  facepoints train cnn-masked --data {where} --run runs/cnn-masked")

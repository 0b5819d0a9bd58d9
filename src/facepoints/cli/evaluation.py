"""Commands that score models: evaluate, compare, submit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from facepoints.cli.options import (
    BUNDLED,
    MODEL_HELP,
    Corrections,
    Data,
    Flip,
    Json,
    RowsOf,
    Set,
    SkipBroken,
    console,
    labeled_faces,
    note,
    print_json,
    use_json,
)
from facepoints.errors import BadChoice
from facepoints.keypoints import SOURCES

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from facepoints.data.dataset import LabeledFaces
    from facepoints.evaluation.predictor import Predictor
    from facepoints.evaluation.submission import SubmissionModel


def evaluate(
    data: Data,
    model: Annotated[Path | None, typer.Argument(metavar="[MODEL]", help=f"{MODEL_HELP} {BUNDLED}")] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="FOLDER", help="folder for the report \\[default: RUN/evaluation or FILE-evaluation]"
        ),
    ] = None,
    all_rows: Annotated[bool, typer.Option("--all-rows", help="score the training rows, too (optimistic)")] = False,
    rows_of: RowsOf = None,
    flip: Flip = False,
    corrections: Corrections = None,
    skip_broken: SkipBroken = False,
    as_json: Json = False,
) -> None:
    """Score a model on held-out rows: an HTML report, tables, pictures and an error breakdown."""
    use_json(as_json)
    labeled = labeled_faces(data, skip_broken, corrections)
    with console.status("predicting ...") as status:
        from facepoints.evaluation.evaluate import evaluate
        from facepoints.reports.evaluation.files import PAGE
        from facepoints.reports.evaluation.tables import print_scores

        evaluation = _predictor(model, labeled)
        beside = model / "evaluation" if model and model.is_dir() else Path(f"{Path(evaluation.name).stem}-evaluation")
        folder = out or beside
        scores = evaluate(
            evaluation,
            labeled,
            folder,
            rows="all" if all_rows else "fair",
            flip=flip,
            rows_of=_predictor(rows_of, labeled) if rows_of else None,
            step=lambda name: status.update(f"{escape(name)} ..."),
            say=lambda words: console.print(f"Scored: {escape(words)}.", style="dim", highlight=False, soft_wrap=True),
        )
    if as_json:
        print_json(json.loads((folder / "scores.json").read_text("utf-8")))
        return
    print_scores(scores, console)
    console.print(f"The report is [bold]{escape(str(folder / PAGE))}[/]; numbers are in scores.json and per_face.csv")


def compare(
    models: Annotated[list[str], typer.Argument(metavar="MODEL...", help=f"{MODEL_HELP}; with --seeds: recipes")],
    data: Data,
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="folder for the report")] = Path("compare"),
    seeds: Annotated[
        int | None, typer.Option("--seeds", metavar="N", help="train each recipe with N seeds, into the same folder")
    ] = None,
    changes: Set = None,
    rows_of: RowsOf = None,
    flip: Flip = False,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="seed of the bootstrap", min=0)] = 0,
    corrections: Corrections = None,
    skip_broken: SkipBroken = False,
    as_json: Json = False,
) -> None:
    """Compare models on the same rows: which is better, by how much, and is the difference significant?"""
    from facepoints.training.builtin_recipes import open_recipe

    use_json(as_json)
    if len(models) < 2:
        raise BadChoice(f"compare {models[0]}: give two or more models, or with --seeds recipes")
    if changes and seeds is None:
        raise BadChoice("--set changes a recipe that --seeds trains; models that are trained cannot be changed")
    recipes = [] if seeds is None else [open_recipe(name).with_settings(changes or []) for name in models]
    labeled = labeled_faces(data, skip_broken, corrections)
    with console.status("starting ..."):
        from facepoints.evaluation.compare import Candidate, compare
        from facepoints.evaluation.seeds import train_seeds
        from facepoints.reports.comparison.files import names_of, write_comparison
        from facepoints.reports.comparison.tables import print_comparison
    if seeds is None:
        paths = [Path(name) for name in models]
        trained = [(name, [path]) for name, path in zip(names_of(paths), paths, strict=True)]
    else:
        try:
            trained = list(train_seeds(recipes, seeds, labeled, out, console).items())
        except KeyboardInterrupt:
            note(f"stopped; {out} keeps finished trainings and the last complete epoch; the same command continues")
            raise typer.Exit(130) from None
    with console.status("predicting ...") as status:
        candidates = [
            Candidate(name, tuple(_predictor(path, labeled, threads=1) for path in paths)) for name, paths in trained
        ]
        found = compare(
            candidates,
            labeled,
            rows_of=_predictor(rows_of, labeled) if rows_of else None,
            flip=flip,
            seed=seed,
            step=lambda name: status.update(f"{escape(name)} ..."),
        )
        write_comparison(found, out)
    if as_json:
        print_json(json.loads((out / "compare.json").read_text("utf-8")))
        return
    print_comparison(found, console)
    console.print(f"The report is [bold]{escape(str(out / 'compare.html'))}[/]; numbers are in compare.json")


def submit(
    data: Data,
    models: Annotated[
        list[Path] | None,
        typer.Argument(metavar="MODEL", help=f"runs or .onnx files; the points of several are averaged {BUNDLED}"),
    ] = None,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="the submission file")] = Path("submission.csv"),
    flip: Annotated[
        bool, typer.Option("--flip/--no-flip", help="test-time augmentation: average with the mirrored face")
    ] = True,
    stack: Annotated[
        bool, typer.Option("--stack", help="weigh several models by how they do on rows none was trained on")
    ] = False,
    send: Annotated[bool, typer.Option("--send", help="upload it to Kaggle and wait for the score")] = False,
    message: Annotated[
        str | None, typer.Option("--message", metavar="TEXT", help="description shown by Kaggle")
    ] = None,
) -> None:
    """Write the competition's submission file: the values that the look-up table requests."""
    from facepoints.data.loading import load_submission_faces

    with console.status("reading faces ..."):
        asked = load_submission_faces(data)
    with console.status("predicting ..."):
        from facepoints.evaluation.submission import submit as write

        chosen: list[Path | None] = [*models] if models else [None]
        shares = _shares(data, chosen, flip) if stack else None
        values = write([_answerer(model, flip) for model in chosen], asked, out, shares)
    if shares is not None:
        for source, row in zip(SOURCES, shares, strict=True):
            told = ", ".join(f"{model} {share:.0%}" for model, share in zip(chosen, row, strict=True))
            console.print(f"source {source}: {told}", markup=False, highlight=False)
    console.print(f"{len(values):,} values for {len(asked.faces):,} images are in [bold]{escape(str(out))}[/]")
    if send:
        from facepoints.data.kaggle.submission import send as hand_in

        names = ", ".join(model.name for model in models or []) or "as it ships"
        hand_in(out, message or f"facepoints {names}", console)


def _shares(data: str, models: list[Path | None], flip: bool) -> NDArray[np.float64]:
    """How much each model's answers weigh, for each source."""
    from facepoints.data.loading import load_training
    from facepoints.evaluation.stacking import learn_weights

    if len(models) < 2:
        raise BadChoice("--stack weighs several models against each other; name two or more")
    labeled = load_training(data)
    return learn_weights([_predictor(model, labeled) for model in models], labeled, flip=flip)


def _answerer(model: Path | None, flip: bool) -> SubmissionModel:
    """Who answers: a run folder, or a model file (without torch)."""
    if model is not None and model.suffix != ".onnx":
        from facepoints.evaluation.trained_run import run_predictor

        return run_predictor(model, flip=flip)
    from facepoints.evaluation.submission import SubmissionModel
    from facepoints.inference.detector import load

    network = load(model).network
    flip = flip and not network.facts.keypoints.lone_sides()
    return SubmissionModel(network.name, network.facts.keypoints, network.points_with_flip if flip else network.points)


def _predictor(model: Path | None, labeled: LabeledFaces, threads: int | None = None) -> Predictor:
    """MODEL as something to be judged: a run folder, a model file, a table of points about these faces."""
    from facepoints.evaluation.predictor import DetectorModel

    if model is None or model.suffix.lower() == ".onnx":
        from facepoints.inference.detector import load

        return DetectorModel(model.name if model else "flagship", load(model, threads=threads))
    if model.suffix.lower() in (".csv", ".zip"):
        from facepoints.evaluation.points_file import read_points_file

        return read_points_file(model, labeled)
    from facepoints.evaluation.trained_run import open_run

    return open_run(model)

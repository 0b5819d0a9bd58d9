"""Commands that score models: evaluate, compare, submit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

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
    _check_models([model, rows_of])
    labeled = labeled_faces(data, skip_broken, corrections)
    with console.status("predicting ...") as status:
        from facepoints.evaluation.evaluate import evaluate
        from facepoints.evaluation.open_predictor import open_predictor
        from facepoints.reports.evaluation.files import PAGE, write_report
        from facepoints.reports.evaluation.tables import print_scores

        predictor = open_predictor(model, labeled)
        beside = model / "evaluation" if model and model.is_dir() else Path(f"{Path(predictor.name).stem}-evaluation")
        folder = out or beside
        result = evaluate(
            predictor,
            labeled,
            rows="all" if all_rows else "held-out",
            flip=flip,
            rows_of=open_predictor(rows_of, labeled) if rows_of else None,
            progress=lambda step: status.update(f"{escape(step)} ..."),
        )
        status.update("writing the report ...")
        write_report(folder, result)
    if as_json:
        print_json(result.as_dict())
        return
    console.print(f"Scored: {escape(result.rows.description)}.", style="dim", highlight=False, soft_wrap=True)
    print_scores(result.scores, console)
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
    _check_models([rows_of, *(Path(model) for model in models if seeds is None)])
    recipes = [] if seeds is None else [open_recipe(name).with_settings(changes or []) for name in models]
    labeled = labeled_faces(data, skip_broken, corrections)
    with console.status("starting ..."):
        from facepoints.evaluation.compare import Candidate, compare
        from facepoints.evaluation.open_predictor import open_predictor
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
            Candidate(name, tuple(open_predictor(path, labeled, threads=1) for path in paths))
            for name, paths in trained
        ]
        found = compare(
            candidates,
            labeled,
            rows_of=open_predictor(rows_of, labeled) if rows_of else None,
            flip=flip,
            seed=seed,
            progress=lambda step: status.update(f"{escape(step)} ..."),
        )
        write_comparison(found, out)
    if as_json:
        print_json(found.as_dict())
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
    send: Annotated[bool, typer.Option("--send", help="upload it to Kaggle and wait for the score")] = False,
    message: Annotated[
        str | None, typer.Option("--message", metavar="TEXT", help="description shown by Kaggle")
    ] = None,
) -> None:
    """Write the competition's submission file: the values that the look-up table requests."""
    from facepoints.data.loading import load_submission_faces

    _check_models(models or [])
    with console.status("reading faces ..."):
        requested = load_submission_faces(data)
    with console.status("predicting ..."):
        from facepoints.evaluation.open_predictor import open_predictor
        from facepoints.evaluation.predictor import MeanPredictor
        from facepoints.evaluation.submission import submit as write

        chosen: list[Path | None] = [*models] if models else [None]
        opened = tuple(open_predictor(model, points_only=True) for model in chosen)
        values = write(opened[0] if len(opened) == 1 else MeanPredictor(opened), requested, out, flip=flip)
    console.print(f"{len(values):,} values for {len(requested.faces):,} images are in [bold]{escape(str(out))}[/]")
    if send:
        from facepoints.data.kaggle.submission import send as hand_in

        names = ", ".join(model.name for model in models or []) or "bundled weights"
        hand_in(out, message or f"facepoints {names}", console)


def _check_models(models: Sequence[Path | None]) -> None:
    """Raise BadRun for a model that is absent, before data are read and torch is imported."""
    from facepoints.evaluation.open_predictor import model_kind

    for model in models:
        if model is not None:
            model_kind(model)

"""Commands for training: recipes, train, tune."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.markup import escape
from rich.table import Table

from facepoints.cli.options import (
    RECIPE_HELP,
    Corrections,
    Data,
    Json,
    Seed,
    Set,
    SkipBroken,
    console,
    labeled_faces,
    note,
    print_json,
    same_data,
    use_json,
)
from facepoints.errors import AlreadyTrained, BadChoice

if TYPE_CHECKING:
    from facepoints.data.dataset import LabeledFaces
    from facepoints.training.recipe import Recipe


def recipes(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="a recipe to show with its network")] = None,
    diagram: Annotated[
        Path | None, typer.Option("--diagram", metavar="FILE", help="draw the network into this .svg or .png file")
    ] = None,
    fields: Annotated[bool, typer.Option("--fields", help="list every field that --set can change")] = False,
    as_json: Json = False,
) -> None:
    """List the built-in recipes, or show one recipe and its network, layer by layer."""
    use_json(as_json)
    from facepoints.training.recipe import meanings

    if fields and as_json:
        keys = ("type", "default", "meaning")
        print_json({field: dict(zip(keys, what, strict=True)) for field, what in meanings().items()})
    elif fields:
        table = Table("field", "values", "default", "meaning", title="Fields of a recipe", title_justify="left")
        for field, (kind, default, meaning) in meanings().items():
            table.add_row(field, kind, escape(str(list(default) if isinstance(default, tuple) else default)), meaning)
        console.print(table)
    elif name is None:
        _print_recipes(as_json)
    else:
        _print_recipe(name, diagram, as_json)


def train(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help=RECIPE_HELP)],
    data: Data,
    run: Annotated[
        Path | None, typer.Option("--run", metavar="FOLDER", help="the run folder \\[default: runs/RECIPE]")
    ] = None,
    changes: Set = None,
    epochs: Annotated[
        int | None, typer.Option("--epochs", metavar="N", help="as --set epochs=N \\[default: the recipe's]", min=1)
    ] = None,
    seed: Seed = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="print rows, parameters and estimated time; write nothing")
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="continue a stopped training")] = False,
    force: Annotated[bool, typer.Option("--force", help="replace a training in the run folder")] = False,
    precision: Annotated[
        str | None, typer.Option("--precision", metavar="P", help="32-true, bf16-mixed or 16-mixed")
    ] = None,
    accelerator: Annotated[str, typer.Option("--accelerator", metavar="A", help="cpu, gpu, mps or auto")] = "auto",
    devices: Annotated[int, typer.Option("--devices", metavar="N", help="devices on each machine", min=1)] = 1,
    nodes: Annotated[int, typer.Option("--nodes", metavar="N", help="machines", min=1)] = 1,
    logger: Annotated[
        list[str] | None,
        typer.Option("--logger", metavar="NAME", help="tensorboard (default), csv, mlflow, wandb; may repeat"),
    ] = None,
    tracker_uri: Annotated[
        str | None,
        typer.Option("--tracker-uri", metavar="URI", help="address of MLflow's store \\[default: in the run folder]"),
    ] = None,
    corrections: Corrections = None,
    skip_broken: SkipBroken = False,
) -> None:
    """Train a recipe; write weights, history, scores and curves into a run folder."""
    from facepoints.data.corrections import read_corrections
    from facepoints.training.builtin_recipes import open_recipe

    chosen = _changed(open_recipe(recipe).with_settings(changes or []), epochs=epochs, seed=seed, precision=precision)
    folder = run or Path("runs") / chosen.name
    read = read_corrections(corrections) if corrections else None
    labeled = labeled_faces(data, skip_broken, corrections, read)
    if dry_run:
        _print_estimate(chosen, labeled, accelerator)
        return
    with console.status("starting torch ..."):
        from facepoints.reports.evaluation.tables import print_scores
        from facepoints.training.fit import fit
        from facepoints.training.loggers import Trackers
        from facepoints.training.progress import TrainingProgress
        from facepoints.training.trainer import Machine, is_first_process

        trackers = Trackers(logger or ["tensorboard"], chosen, folder, uri=tracker_uri, resume=resume)
    try:
        scores = fit(
            chosen,
            labeled,
            folder,
            corrections=read,
            resume=resume,
            force=force,
            machine=Machine(accelerator, devices, nodes),
            trackers=trackers,
            callbacks=[TrainingProgress(console)],
        )
    except AlreadyTrained as already:
        note(str(already))
        return
    except KeyboardInterrupt as stop:
        note(f"stopped; {stop}; the same command with --resume continues")
        raise typer.Exit(130) from None
    if not is_first_process():
        return  # only the first of several processes prints
    print_scores(scores, console)
    place = escape(str(folder))
    curves = "members/*/curves.png" if chosen.folds else "curves.png"
    console.print(f"The run is in [bold]{place}[/]: look at {curves}; then")
    console.print(f"`facepoints evaluate {place} {escape(same_data(data, corrections, skip_broken))}`")


def tune(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help=RECIPE_HELP)],
    data: Data,
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="folder of the study and its trials")] = Path(
        "tune"
    ),
    trials: Annotated[
        int | None,
        typer.Option("--trials", metavar="N", help="finished trials of the whole study \\[default: 20]", min=1),
    ] = None,
    seconds: Annotated[
        float | None, typer.Option("--seconds", metavar="S", help="start no further trial after this time", min=1)
    ] = None,
    epochs: Annotated[
        int | None, typer.Option("--epochs", metavar="N", help="epochs of a trial \\[default: the recipe's]", min=1)
    ] = None,
    vary: Annotated[
        list[str] | None,
        typer.Option("--vary", metavar="FIELD=SPACE", help="FIELD=low..high, FIELD=a,b,c or just FIELD"),
    ] = None,
    changes: Set = None,
    seed: Seed = None,
    storage: Annotated[
        str | None, typer.Option("--storage", metavar="URL", help="database shared by several processes")
    ] = None,
    study: Annotated[
        str, typer.Option("--study", metavar="NAME", help="name of the study in the storage \\[default: the recipe's]")
    ] = "",
    accelerator: Annotated[str, typer.Option("--accelerator", metavar="A", help="cpu, gpu, mps or auto")] = "auto",
    corrections: Corrections = None,
    skip_broken: SkipBroken = False,
) -> None:
    """Search better values for a recipe's fields by many short trainings; write the best recipe and a report."""
    from facepoints.training.builtin_recipes import open_recipe

    start = _changed(open_recipe(recipe).with_settings(changes or []), seed=seed)
    with console.status("starting torch ..."):
        from facepoints.reports.tuning.page import print_study, write_study
        from facepoints.training.trainer import Machine
        from facepoints.tuning.progress import SearchProgress
        from facepoints.tuning.search import Plan
        from facepoints.tuning.search import tune as search
        from facepoints.tuning.space import in_words, read_space, suggested_space
    space, length = read_space(start, vary or []), epochs or start.epochs
    labeled = labeled_faces(data, skip_broken, corrections)
    space = space or suggested_space(start, labeled)
    plan = Plan(start, space, length, trials or (None if seconds else 20), seconds)
    for field, words in in_words(space).items():
        console.print(f"  {field:<14} [dim]{escape(words)}[/]", highlight=False)
    progress = SearchProgress(console, length)
    try:
        where = Machine(accelerator)
        found = search(plan, labeled, out, progress, storage=storage, name=study, machine=where, report=write_study)
    except KeyboardInterrupt:
        note(f"stopped; the same command continues the study, {out / 'study.html'} shows the trials so far")
        raise typer.Exit(130) from None
    print_study(found, console)
    if found.best is not None:
        console.print(f"The report is [bold]{escape(str(out / 'study.html'))}[/]. Next:")
        console.print(f"`facepoints train {escape(str(out / 'best.toml'))} --data {escape(data)}`")


def _changed(recipe: Recipe, **fields: object) -> Recipe:
    """The recipe with the fields that were given on the command line."""
    return recipe.replace(**{name: value for name, value in fields.items() if value is not None})


def _print_estimate(recipe: Recipe, labeled: LabeledFaces, accelerator: str) -> None:
    with console.status("timing a few steps ..."):
        from facepoints.reports.evaluation.training import duration
        from facepoints.training.dry_run import estimate_training
        from facepoints.training.trainer import Machine

        found = estimate_training(recipe, labeled, Machine(accelerator))
    networks = f" in each of {found.networks} networks" if found.networks > 1 else ""
    console.print(f"recipe           {recipe.name}", highlight=False)
    console.print(f"training rows    {found.training_rows:,}", highlight=False)
    console.print(f"validation rows  {found.validation_rows:,}", highlight=False)
    console.print(f"parameters       {found.parameters:,}{networks}", highlight=False)
    console.print(
        f"estimated time   {duration(found.seconds)} for {recipe.epochs} epochs on this machine", highlight=False
    )


def _print_recipes(as_json: bool) -> None:
    from facepoints.training.builtin_recipes import BUILTIN_RECIPES
    from facepoints.training.recipe import Recipe

    if as_json:
        print_json({name: recipe.as_table() for name, (recipe, _) in BUILTIN_RECIPES.items()})
        return
    table = Table("recipe", "summary, and differences from its parent", title="Built-in recipes", box=box.SIMPLE)
    table.title_justify = "left"
    table.columns[0].no_wrap = True
    for name, (recipe, parent) in BUILTIN_RECIPES.items():
        changes = recipe.differences(parent) if parent else {}
        listed = ", ".join(f"{field}={_value(value)}" for field, value in changes.items())
        line = f"\n[dim]{parent.name} with {escape(listed)}[/]" if parent else ""
        table.add_row(f"[bold]{name}[/]", escape(recipe.summary) + line)
    console.print(table)
    console.print(f"`facepoints recipes {next(iter(BUILTIN_RECIPES))}` shows one recipe with its network.")
    console.print("`facepoints train RECIPE --data DATA --run FOLDER` trains it; --set changes any field")
    console.print(f"(`facepoints recipes --fields` lists the {len(Recipe().as_table())} fields).")


def _value(value: object) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(_value(item) for item in value)})"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _print_recipe(name: str, diagram: Path | None, as_json: bool) -> None:
    from facepoints.training.builtin_recipes import BUILTIN_RECIPES, open_recipe
    from facepoints.training.recipe import Recipe, meanings

    recipe = open_recipe(name)
    if diagram is not None and diagram.suffix not in (".svg", ".png"):
        raise BadChoice(f"{diagram}: expected a file name that ends in .svg or .png")
    with console.status("building the network ..."):
        from facepoints.keypoints import FIFTEEN
        from facepoints.models.networks import build
        from facepoints.models.summary import draw_diagram, layers
        from facepoints.training.fit import size_of

        network = build(recipe.network, len(recipe.keypoints or FIFTEEN.names), size_of(recipe))
        found = layers(network)
        if diagram is not None:
            draw_diagram(network, diagram, recipe.name)
    if as_json:
        shown = [{"layer": one.place, "kind": one.kind, "parameters": one.parameters} for one in found]
        print_json({"recipe": recipe.as_table(), "layers": shown})
        return
    parent = BUILTIN_RECIPES[name][1] if name in BUILTIN_RECIPES else None
    console.print(f"[bold]{escape(recipe.name)}[/]: {escape(recipe.summary)}")
    title = f"Differences from {parent.name if parent else 'the defaults'}"
    fields = Table("field", "value", "meaning", title=title, title_justify="left")
    texts = {field: meaning for field, (_, _, meaning) in meanings().items()}
    for field, value in recipe.differences(parent or Recipe()).items():
        fields.add_row(field, escape(_value(value)), texts[field])
    console.print(fields)
    table = Table("layer", "kind", title=f"Network '{recipe.network}'", title_justify="left", show_footer=True)
    table.columns[0].footer = "total"
    table.add_column("output shape", justify="right")
    table.add_column("parameters", justify="right", footer=f"{sum(layer.parameters for layer in found):,}")
    table.add_column("running statistics", justify="right", footer=f"{sum(layer.statistics for layer in found):,}")
    for layer in found:
        counts = [f"{number:,}" if number else "" for number in (layer.parameters, layer.statistics)]
        table.add_row(layer.place, layer.kind, " × ".join(map(str, layer.shape)), *counts)
    console.print(table)
    if diagram is not None:
        console.print(f"The diagram is in [bold]{escape(str(diagram))}[/]")

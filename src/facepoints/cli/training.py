"""Commands that train: recipes, train, tune."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.markup import escape
from rich.table import Table

from facepoints.cli.options import Corrections, Data, Set, SkipBroken, console, labeled_faces, note, same_data
from facepoints.errors import AlreadyTrained, BadChoice


def recipes(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="one recipe, layer by layer")] = None,
    diagram: Annotated[
        Path | None, typer.Option("--diagram", metavar="FILE", help="where its picture goes (.svg or .png)")
    ] = None,
    fields: Annotated[bool, typer.Option("--fields", help="every field that --set can change")] = False,
) -> None:
    """The recipe book, or one recipe and its network, layer by layer."""
    from facepoints.training.recipe import meanings

    if fields:
        table = Table("field", "values", "default", "meaning", title="Fields of a recipe", title_justify="left")
        for field, (kind, default, meaning) in meanings().items():
            table.add_row(field, kind, escape(str(list(default) if isinstance(default, tuple) else default)), meaning)
        console.print(table)
    elif name is None:
        _print_book()
    else:
        _print_recipe(name, diagram)


def train(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="a name of the book, or a TOML file")],
    data: Data,
    run: Annotated[
        Path | None, typer.Option("--run", metavar="FOLDER", help="the run's folder \\[default: runs/RECIPE]")
    ] = None,
    changes: Set = None,
    resume: Annotated[bool, typer.Option("--resume", help="go on with a stopped training")] = False,
    force: Annotated[bool, typer.Option("--force", help="replace what the folder holds")] = False,
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
        typer.Option("--tracker-uri", metavar="URI", help="MLflow's store; without: in the run's folder"),
    ] = None,
    corrections: Corrections = None,
    skip_broken: SkipBroken = False,
) -> None:
    """Train a recipe; leave weights, history, scores and curves in a run folder."""
    from facepoints.data.corrections import read_corrections
    from facepoints.training.builtin_recipes import open_recipe

    chosen = open_recipe(recipe).but_set(changes or [])
    if precision:
        chosen = chosen.but(precision=precision)
    folder = run or Path("runs") / chosen.name
    said = read_corrections(corrections) if corrections else None
    labeled = labeled_faces(data, skip_broken, corrections, said)
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
            corrections=said,
            resume=resume,
            force=force,
            machine=Machine(accelerator, devices, nodes),
            trackers=trackers,
            callbacks=[TrainingProgress(console)],
        )
    except AlreadyTrained as already:
        note(str(already))
        return
    except KeyboardInterrupt:
        note("stopped; the same command with --resume goes on after the last whole epoch")
        raise typer.Exit(130) from None
    if not is_first_process():
        return  # of several processes the first one speaks
    print_scores(scores, console)
    place = escape(str(folder))
    curves = "members/*/curves.png" if chosen.folds else "curves.png"
    console.print(f"The run is in [bold]{place}[/]: look at {curves}; then")
    console.print(f"`facepoints evaluate {place} {escape(same_data(data, corrections, skip_broken))}`")


def tune(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="a name of the book, or a TOML file")],
    data: Data,
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="where study and trials go")] = Path("tune"),
    trials: Annotated[
        int | None, typer.Option("--trials", metavar="N", help="finished ones of the whole study; without: 20", min=1)
    ] = None,
    seconds: Annotated[
        float | None, typer.Option("--seconds", metavar="S", help="start no trial after this time", min=1)
    ] = None,
    epochs: Annotated[
        int | None, typer.Option("--epochs", metavar="N", help="epochs of a trial; without: the recipe's", min=1)
    ] = None,
    vary: Annotated[
        list[str] | None,
        typer.Option("--vary", metavar="FIELD=SPACE", help="FIELD=low..high, FIELD=a,b,c or just FIELD"),
    ] = None,
    changes: Set = None,
    storage: Annotated[
        str | None, typer.Option("--storage", metavar="URL", help="a database that several processes share")
    ] = None,
    study: Annotated[
        str, typer.Option("--study", metavar="NAME", help="the study's name there; without: the recipe's")
    ] = "",
    accelerator: Annotated[str, typer.Option("--accelerator", metavar="A", help="cpu, gpu, mps or auto")] = "auto",
    corrections: Corrections = None,
    skip_broken: SkipBroken = False,
) -> None:
    """Search better values for a recipe's fields by many short trainings; leave the best as a recipe, with a page."""
    from facepoints.training.builtin_recipes import open_recipe

    start = open_recipe(recipe).but_set(changes or [])
    with console.status("starting torch ..."):
        from facepoints.reports.tuning.page import print_study, write_page
        from facepoints.training.trainer import Machine
        from facepoints.tuning.progress import SearchProgress
        from facepoints.tuning.search import Plan, search
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
        found = search(plan, labeled, out, progress, storage=storage, name=study, machine=where, report=write_page)
    except KeyboardInterrupt:
        note(f"stopped; the same command goes on, and {out / 'study.html'} shows what is known so far")
        raise typer.Exit(130) from None
    print_study(found, console)
    if found.best is not None:
        console.print(f"Look at [bold]{escape(str(out / 'study.html'))}[/]; then")
        console.print(f"`facepoints train {escape(str(out / 'best.toml'))} --data {escape(data)}`")


def _print_book() -> None:
    from facepoints.training.builtin_recipes import BUILTIN_RECIPES
    from facepoints.training.recipe import Recipe

    table = Table("recipe", "what it is, and how it differs from its parent", title="The recipe book", box=box.SIMPLE)
    table.title_justify = "left"
    table.columns[0].no_wrap = True
    for name, (recipe, parent) in BUILTIN_RECIPES.items():
        changes = recipe.differences(parent) if parent else {}
        words = ", ".join(f"{field} {_value(value)}" for field, value in changes.items())
        line = f"\n[dim]{parent.name} but {escape(words)}[/]" if parent else ""
        table.add_row(f"[bold]{name}[/]", escape(recipe.summary) + line)
    console.print(table)
    console.print(
        f"`facepoints recipes {next(iter(BUILTIN_RECIPES))}` shows one with its network; any of them trains with"
    )
    console.print("`facepoints train RECIPE --data DATA --run FOLDER`, any field of it changes with --set")
    console.print(f"(`facepoints recipes --fields` lists the {len(Recipe().as_table())} fields)")


def _value(value: object) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(_value(item) for item in value)})"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _print_recipe(name: str, diagram: Path | None) -> None:
    from facepoints.training.builtin_recipes import BUILTIN_RECIPES, open_recipe
    from facepoints.training.recipe import Recipe, meanings

    recipe = open_recipe(name)
    diagram = diagram or Path(f"{recipe.name}.svg")
    if diagram.suffix not in (".svg", ".png"):
        raise BadChoice(f"{diagram}: the diagram is written as .svg or .png, by the file's ending")
    with console.status("building the network ..."):
        from facepoints.keypoints import FIFTEEN
        from facepoints.models.networks import build
        from facepoints.models.summary import draw_diagram, layers
        from facepoints.training.fit import size_of

        network = build(recipe.network, len(recipe.keypoints or FIFTEEN.names), size_of(recipe))
        found = layers(network)
        draw_diagram(network, diagram, recipe.name)
    parent = BUILTIN_RECIPES[name][1] if name in BUILTIN_RECIPES else None
    console.print(f"[bold]{escape(recipe.name)}[/]: {escape(recipe.summary)}")
    fields = Table("field", "value", "meaning", title=f"differs from {parent.name if parent else 'the defaults'} in")
    fields.title_justify = "left"
    texts = {field: meaning for field, (_, _, meaning) in meanings().items()}
    for field, value in recipe.differences(parent or Recipe()).items():
        fields.add_row(field, escape(_value(value)), texts[field])
    console.print(fields)
    table = Table("layer", "kind", title=f"network '{recipe.network}'", show_footer=True)
    table.title_justify = "left"
    table.columns[0].footer = "total"
    table.add_column("output shape", justify="right")
    table.add_column("parameters", justify="right", footer=f"{sum(layer.parameters for layer in found):,}")
    table.add_column("running statistics", justify="right", footer=f"{sum(layer.statistics for layer in found):,}")
    for layer in found:
        counts = [f"{number:,}" if number else "" for number in (layer.parameters, layer.statistics)]
        table.add_row(layer.place, layer.kind, " × ".join(map(str, layer.shape)), *counts)
    console.print(table)
    console.print(f"The diagram is in [bold]{escape(str(diagram))}[/]")

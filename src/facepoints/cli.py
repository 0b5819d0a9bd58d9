"""Words in, words out: each command calls one function of the library and prints what it gave.

torch, matplotlib and OpenCV are imported by the command that needs them, so that help answers at once.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from facepoints.errors import AlreadyTrained, BadChoice, FacepointsError

if TYPE_CHECKING:
    from facepoints.data.faces import LabeledFaces

app = typer.Typer(
    help="Train, judge and run facial keypoint detectors.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
console = Console()
_errors = Console(stderr=True)

DATA_HELP = "folder with training.zip or .csv (and test.zip, IdLookupTable.csv), a CSV, or 'drawn' for built-in faces"
Data = Annotated[str, typer.Option("--data", metavar="DATA", help=DATA_HELP)]
Run = Annotated[Path, typer.Argument(metavar="RUN", help="a run folder that `facepoints train` left")]
Set = Annotated[list[str] | None, typer.Option("--set", metavar="FIELD=VALUE", help="change a field of the recipe")]
Corrections = Annotated[
    Path | None, typer.Option("--corrections", metavar="FILE", help="corrections.json, as the audit page gives it")
]
SkipBroken = Annotated[bool, typer.Option("--skip-broken", help="leave out rows that cannot be read")]


def main() -> None:
    """The program: a mistake is one line on standard error and exit code 2."""
    try:
        app()
    except FacepointsError as error:
        _errors.print(f"[bold red]error:[/] {_plain(error)}", highlight=False, soft_wrap=True)
        sys.exit(2)
    except KeyboardInterrupt:
        _errors.print("stopped")
        sys.exit(130)


def _plain(error: FacepointsError) -> str:
    return " ".join(str(error).split()).replace("[", "\\[")  # one line, and no mark-up of ours


@app.command()
def demo(
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="where the results go")] = Path("demo"),
    data: Annotated[str | None, typer.Option("--data", metavar="DATA", help=DATA_HELP)] = None,
) -> None:
    """The whole path on built-in data, in minutes: train, evaluate, submit, with pictures to look at."""
    from facepoints.demo import run_demo

    run_demo(out, console, data)


@app.command()
def download(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="where the competition's files go")],
) -> None:
    """Download the competition's files with Kaggle's official client; go on where a download stopped."""
    from facepoints.data.kaggle.files import download as fetch

    fetch(folder, console)
    console.print(f"Next: `facepoints train cnn-masked --data {folder}`")


@app.command()
def explore(
    data: Annotated[str, typer.Argument(metavar="DATA", help=DATA_HELP)],
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="the page's folder")] = Path("explore"),
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="which random faces are shown", min=0)] = 0,
    skip_broken: SkipBroken = False,
) -> None:
    """What is in these files? Tables in the terminal, pictures on one page."""
    from facepoints.data.loading import asked_if_there, files_of

    labeled = _faces(data, skip_broken)
    with console.status("reading the test images ..."):
        asked = asked_if_there(data)
    from facepoints.inspection.explore_data import explore_data

    explore_data(labeled, asked, out, console, files=files_of(data), seed=seed)


@app.command()
def audit(
    data: Annotated[str, typer.Argument(metavar="DATA", help=DATA_HELP)],
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="where list and page go")] = Path("audit"),
    keep_best: Annotated[
        float | None, typer.Option("--keep-best", metavar="SHARE", help="list the worst rows but for this share")
    ] = None,
    corrections: Corrections = None,
    resume: Annotated[bool, typer.Option("--resume/--anew", help="use the networks of an earlier audit")] = True,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="folds and weights of the networks", min=0)] = 0,
    skip_broken: SkipBroken = False,
) -> None:
    """Which labels are wrong, which rows are twins? audit.csv, and a page of suspects to judge."""
    labeled = _faces(data, skip_broken)
    with console.status("starting torch ..."):
        from facepoints.inspection.audit import KEEP_BEST, audit_data
    share = KEEP_BEST if keep_best is None else keep_best
    audit_data(labeled, out, console, keep_best=share, corrections=corrections, resume=resume, seed=seed)
    console.print(
        f"Look at [bold]{out / 'audit.html'}[/] and say what is wrong and what is fine. To train without them:"
    )
    console.print(f"`facepoints train cnn-masked --data {data} --set drop_suspects={out / 'audit.csv'}`")


@app.command()
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
            table.add_row(field, kind, str(list(default) if isinstance(default, tuple) else default), meaning)
        console.print(table)
    elif name is None:
        _print_book()
    else:
        _print_recipe(name, diagram)


@app.command()
def train(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="a name of the book, or a TOML file")],
    data: Data,
    run: Annotated[
        Path | None, typer.Option("--run", metavar="FOLDER", help="the run's folder [default: runs/RECIPE]")
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
    corrections: Corrections = None,
    skip_broken: SkipBroken = False,
) -> None:
    """Train a recipe; leave weights, history, scores and curves in a run folder."""
    from facepoints.training.recipe_book import open_recipe

    chosen = open_recipe(recipe).but_set(changes or [])
    if precision:
        chosen = chosen.but(precision=precision)
    folder = run or Path("runs") / chosen.name
    labeled = _faces(data, skip_broken, corrections)
    with console.status("starting torch ..."):
        from lightning.pytorch.loggers import TensorBoardLogger
        from lightning.pytorch.utilities import rank_zero_only

        from facepoints.evaluation.report import print_scores
        from facepoints.training.fit import Machine, fit
        from facepoints.training.progress import TrainingProgress
    try:
        scores = fit(
            chosen,
            labeled,
            folder,
            resume=resume,
            force=force,
            machine=Machine(accelerator, devices, nodes),
            loggers=[TensorBoardLogger(folder, name="", version="tensorboard")],
            callbacks=[TrainingProgress(console)],
        )
    except AlreadyTrained as already:
        _note(str(already))
        return
    except KeyboardInterrupt:
        _note("stopped; the same command with --resume goes on after the last whole epoch")
        raise typer.Exit(130) from None
    if getattr(rank_zero_only, "rank", 0):
        return  # of several processes the first one speaks
    print_scores(scores, console)
    console.print(
        f"The run is in [bold]{folder}[/]: look at curves.png; then `facepoints evaluate {folder} --data {data}`"
    )


@app.command()
def evaluate(
    run: Run,
    data: Data,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FOLDER", help="the report's folder [default: RUN/evaluation]")
    ] = None,
    all_rows: Annotated[bool, typer.Option("--all-rows", help="score training rows too: that flatters")] = False,
    flip: Annotated[bool, typer.Option("--flip", help="average with the mirrored face's points")] = False,
    corrections: Corrections = None,
    skip_broken: SkipBroken = False,
) -> None:
    """Score a run on its validation rows (all rows of other data), with tables and pictures."""
    labeled = _faces(data, skip_broken, corrections)
    with console.status("looking at the faces ..."):
        from facepoints.evaluation.judge import judge
        from facepoints.evaluation.report import print_scores

        folder = out or run / "evaluation"
        scores = judge(run, labeled, folder, rows="all" if all_rows else "validation", flip=flip)
    print_scores(scores, console)
    console.print(f"Numbers and pictures are in [bold]{folder}[/]: worst.png, random.png, scores.json, per_point.csv")


@app.command()
def submit(
    run: Run,
    data: Data,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="the submission file")] = Path("submission.csv"),
    flip: Annotated[bool, typer.Option("--flip/--no-flip", help="average with the mirrored face's points")] = True,
    send: Annotated[bool, typer.Option("--send", help="hand it in at Kaggle and wait for the score")] = False,
    message: Annotated[str | None, typer.Option("--message", metavar="TEXT", help="what Kaggle lists it as")] = None,
) -> None:
    """Answer the look-up table: write the competition's submission file."""
    from facepoints.data.loading import load_asked

    with console.status("reading faces ..."):
        asked = load_asked(data)
    with console.status("answering the look-up table ..."):
        from facepoints.evaluation.submission import submit as write

        values = write(run, asked, out, flip=flip)
    console.print(f"{len(values):,} values for {len(asked.faces):,} images are in [bold]{out}[/]")
    if send:
        from facepoints.data.kaggle.submission import send as hand_in

        hand_in(out, message or f"facepoints {run.name}", console)


def _faces(data: str, skip_broken: bool, corrections: Path | None = None) -> LabeledFaces:
    """The labeled faces of DATA, as a person corrected them, with a sign of life while they are read or drawn."""
    from facepoints.data.corrections import apply_corrections
    from facepoints.data.loading import load_training

    with console.status("reading faces ...") as status:

        def photos(done: int, total: int) -> None:
            status.update(f"reading photos: {done:,} of {total:,}")

        labeled = load_training(data, skip_broken=skip_broken, say=_note, progress=photos)
    return apply_corrections(labeled, corrections) if corrections else labeled


def _note(message: str) -> None:
    _errors.print(f"[yellow]note:[/] {message}", highlight=False, soft_wrap=True)


def _print_book() -> None:
    from facepoints.training.recipe import Recipe
    from facepoints.training.recipe_book import BOOK

    table = Table("recipe", "what it is, and how it differs from its parent", title="The recipe book", box=box.SIMPLE)
    table.title_justify = "left"
    table.columns[0].no_wrap = True
    for name, (recipe, parent) in BOOK.items():
        changes = recipe.differences(parent) if parent else {}
        words = ", ".join(f"{field} {_value(value)}" for field, value in changes.items())
        line = f"\n[dim]{parent.name} but {words}[/]" if parent else ""
        table.add_row(f"[bold]{name}[/]", recipe.summary + line)
    console.print(table)
    console.print(f"`facepoints recipes {next(iter(BOOK))}` shows one with its network; any of them trains with")
    console.print("`facepoints train RECIPE --data DATA --run FOLDER`, any field of it changes with --set")
    console.print(f"(`facepoints recipes --fields` lists the {len(Recipe().as_table())} fields)")


def _value(value: object) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(_value(item) for item in value)})"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _print_recipe(name: str, diagram: Path | None) -> None:
    from facepoints.training.recipe import Recipe
    from facepoints.training.recipe_book import BOOK, open_recipe

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
    parent = BOOK[name][1] if name in BOOK else None
    console.print(f"[bold]{recipe.name}[/]: {recipe.summary}")
    fields = Table("field", "value", "meaning", title=f"differs from {parent.name if parent else 'the defaults'} in")
    fields.title_justify = "left"
    texts = {field: meaning for field, (_, _, meaning) in _meanings().items()}
    for field, value in recipe.differences(parent or Recipe()).items():
        fields.add_row(field, _value(value), texts[field])
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
    console.print(f"The diagram is in [bold]{diagram}[/]")


def _meanings() -> dict[str, tuple[str, object, str]]:
    from facepoints.training.recipe import meanings

    return meanings()

"""What all commands share: two consoles, common options, reading DATA."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

if TYPE_CHECKING:
    from facepoints.data.corrections import Correction
    from facepoints.data.dataset import LabeledFaces


@dataclass
class Output:
    """How much the program prints; set by the options before the command."""

    quiet: bool = False
    verbose: bool = False


output = Output()
console = Console()
errors = Console(stderr=True)
DATA_HELP = (
    "folder with training.zip or .csv (and test.zip, IdLookupTable.csv), or with points.csv and photos; "
    "one such CSV or zip; or 'synthetic' for built-in faces"
)
Data = Annotated[str, typer.Option("--data", metavar="DATA", help=DATA_HELP)]
Run = Annotated[Path, typer.Argument(metavar="RUN", help="a run folder written by `facepoints train`")]
Set = Annotated[list[str] | None, typer.Option("--set", metavar="FIELD=VALUE", help="change a field of the recipe")]
Seed = Annotated[
    int | None, typer.Option("--seed", metavar="N", help="seed of split, weights, batches and augmentation", min=0)
]
Corrections = Annotated[
    Path | None, typer.Option("--corrections", metavar="FILE", help="corrections.json, saved from the audit page")
]
MODEL_HELP = "a run folder, an .onnx file, or a table of points (.csv, .zip)"
RECIPE_HELP = "a built-in recipe, or a TOML file"
BUNDLED = "\\[default: bundled weights]"
RowsOf = Annotated[
    Path | None, typer.Option("--rows-of", metavar="RUN", help="score only rows outside this run's training data, too")
]
Flip = Annotated[bool, typer.Option("--flip", help="test-time augmentation: average with the mirrored face")]
SkipBroken = Annotated[bool, typer.Option("--skip-broken", help="leave out rows that cannot be read")]
Json = Annotated[bool, typer.Option("--json", help="print the result as JSON; messages go to standard error")]


def use_json(wanted: bool) -> None:
    """Keep standard output free for JSON: tables and messages go to standard error."""
    console.stderr = wanted


def print_json(value: Any) -> None:
    """Print one JSON document to standard output."""
    print(json.dumps(value, indent=2, allow_nan=False))


def same_data(data: str, corrections: Path | None, skip_broken: bool) -> str:
    """The options with which a next command reads the same data."""
    parts = ["--data", data, *(["--corrections", str(corrections)] if corrections else [])]
    return " ".join([*parts, *(["--skip-broken"] if skip_broken else [])])


def labeled_faces(
    data: str, skip_broken: bool, corrections: Path | None = None, read: list[Correction] | None = None
) -> LabeledFaces:
    """The labeled faces of DATA with corrections applied; shows progress meanwhile.

    `read` holds the content of the corrections file if the caller has already read it.
    """
    from facepoints.data.corrections import apply_corrections
    from facepoints.data.loading import load_training

    with console.status("reading faces ...") as status:

        def photos(done: int, total: int) -> None:
            status.update(f"reading photos: {done:,} of {total:,}")

        labeled = load_training(data, skip_broken=skip_broken, say=note, progress=photos)
    return apply_corrections(labeled, corrections, read) if corrections else labeled


def note(message: str) -> None:
    """Print a note to standard error, unless --quiet."""
    if not output.quiet:
        errors.print(f"[yellow]note:[/] {escape(message)}", highlight=False, soft_wrap=True)

"""What all commands share: two consoles, options, how DATA is read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

if TYPE_CHECKING:
    from facepoints.data.corrections import Correction
    from facepoints.data.dataset import LabeledFaces

console = Console()
errors = Console(stderr=True)
DATA_HELP = (
    "folder with training.zip or .csv (and test.zip, IdLookupTable.csv), or with points.csv and photos; "
    "one such CSV or zip; or 'synthetic' for built-in faces"
)
Data = Annotated[str, typer.Option("--data", metavar="DATA", help=DATA_HELP)]
Run = Annotated[Path, typer.Argument(metavar="RUN", help="a run folder that `facepoints train` left")]
Set = Annotated[list[str] | None, typer.Option("--set", metavar="FIELD=VALUE", help="change a field of the recipe")]
Corrections = Annotated[
    Path | None, typer.Option("--corrections", metavar="FILE", help="corrections.json, as the audit page gives it")
]
MODEL_HELP = "a run folder, an .onnx file, or a table of points (.csv, .zip)"
RowsOf = Annotated[
    Path | None, typer.Option("--rows-of", metavar="RUN", help="score only rows that this run was not trained on, too")
]
Flip = Annotated[bool, typer.Option("--flip", help="average with the mirrored face's points")]
SkipBroken = Annotated[bool, typer.Option("--skip-broken", help="leave out rows that cannot be read")]


def same_data(data: str, corrections: Path | None, skip_broken: bool) -> str:
    """How a next command names the data that this one was given."""
    words = ["--data", data, *(["--corrections", str(corrections)] if corrections else [])]
    return " ".join([*words, *(["--skip-broken"] if skip_broken else [])])


def labeled_faces(
    data: str, skip_broken: bool, corrections: Path | None = None, said: list[Correction] | None = None
) -> LabeledFaces:
    """The labeled faces of DATA, as a person corrected them, with a sign of life while they are read or drawn.

    `said` is what is in the file of corrections, if it was read before.
    """
    from facepoints.data.corrections import apply_corrections
    from facepoints.data.loading import load_training

    with console.status("reading faces ...") as status:

        def photos(done: int, total: int) -> None:
            status.update(f"reading photos: {done:,} of {total:,}")

        labeled = load_training(data, skip_broken=skip_broken, say=note, progress=photos)
    return apply_corrections(labeled, corrections, said) if corrections else labeled


def note(message: str) -> None:
    errors.print(f"[yellow]note:[/] {escape(message)}", highlight=False, soft_wrap=True)

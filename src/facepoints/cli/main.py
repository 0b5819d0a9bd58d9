"""The command line: each command parses its arguments, calls the public API and prints the result.

torch, matplotlib and OpenCV are imported by the command that needs them, so that `--help` answers within 0.3 s.
"""

from __future__ import annotations

import errno
import sys
from importlib.metadata import version
from typing import Annotated

import typer
from rich.markup import escape

from facepoints.cli import data, evaluation, inference, training
from facepoints.cli.options import console, errors, output
from facepoints.errors import BadFile, FacepointsError, missing_extra

app = typer.Typer(
    help="Train, evaluate and run facial keypoint detectors.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
for command in (
    data.demo,
    data.download,
    data.explore,
    data.audit,
    training.recipes,
    training.train,
    training.tune,
    evaluation.evaluate,
    evaluation.compare,
    evaluation.submit,
    inference.predict,
    inference.export,
    inference.serve,
):
    app.command()(command)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"facepoints {version('facepoints')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", help="print the version and exit", callback=_print_version, is_eager=True)
    ] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="print only errors and what --json asks for")] = False,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="show the traceback of an error, too")] = False,
) -> None:
    """Train, evaluate and run facial keypoint detectors."""
    output.quiet, output.verbose = quiet, verbose
    console.quiet, console.stderr = quiet, False


def main() -> None:
    """Run the program: a user's mistake is one line on standard error and exit code 2."""
    try:
        app()
    except FacepointsError as error:
        _fail(error)
    except ModuleNotFoundError as error:
        missing = missing_extra(error)
        if missing is None:
            raise
        _fail(missing)
    except OSError as error:
        if error.errno not in _DISK_ERRORS:
            raise
        place = f"{error.filename}: " if error.filename else ""
        _fail(BadFile(f"{place}{error.strerror}. Choose another place, free space or get the permission"))
    except KeyboardInterrupt:
        errors.print("stopped; files that were complete are kept, the same command starts again")
        sys.exit(130)


_DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM}


def _fail(error: FacepointsError) -> None:
    if output.verbose:
        errors.print_exception()
    line = " ".join(str(error).split())
    errors.print(f"[bold red]error:[/] {escape(line)}", highlight=False, soft_wrap=True)
    sys.exit(2)

"""Words in, words out: each command calls one function of the library and prints what it gave.

torch, matplotlib and OpenCV are imported by the command that needs them, so that help answers at once.
"""

from __future__ import annotations

import errno
import sys

import typer
from rich.markup import escape

from facepoints.cli import data, evaluation, inference, training
from facepoints.cli.options import errors
from facepoints.errors import BadFile, FacepointsError, missing_extra

app = typer.Typer(
    help="Train, judge and run facial keypoint detectors.",
    no_args_is_help=True,
    add_completion=False,
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


def main() -> None:
    """The program: a mistake is one line on standard error and exit code 2."""
    try:
        app()
    except FacepointsError as error:
        _fail(error)
    except ModuleNotFoundError as error:
        lack = missing_extra(error)
        if lack is None:
            raise
        _fail(lack)
    except OSError as error:
        if error.errno not in _OF_THE_DISK:
            raise
        place = f"{error.filename}: " if error.filename else ""
        _fail(BadFile(f"{place}{error.strerror}. Choose another place, make room or ask for the permission"))
    except KeyboardInterrupt:
        errors.print("stopped")
        sys.exit(130)


_OF_THE_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM}


def _fail(error: FacepointsError) -> None:
    line = " ".join(str(error).split())
    errors.print(f"[bold red]error:[/] {escape(line)}", highlight=False, soft_wrap=True)
    sys.exit(2)

"""Commands that look at data: demo, download, explore, audit."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from facepoints.cli.options import DATA_HELP, Corrections, SkipBroken, console, labeled_faces, same_data


def demo(
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="where the results go")] = Path("demo"),
    data: Annotated[str | None, typer.Option("--data", metavar="DATA", help=DATA_HELP)] = None,
) -> None:
    """The whole path on built-in data, in minutes: train, evaluate, submit, with pictures to look at."""
    from facepoints.cli.demo import run_demo

    run_demo(out, console, data)


def download(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="where the competition's files go")],
) -> None:
    """Download the competition's files with Kaggle's official client; go on where a download stopped."""
    from facepoints.data.kaggle.download import download as fetch

    fetch(folder, console)
    console.print(f"Next: `facepoints train cnn-masked --data {escape(str(folder))}`")


def explore(
    data: Annotated[str, typer.Argument(metavar="DATA", help=DATA_HELP)],
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="the page's folder")] = Path("explore"),
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="which random faces are shown", min=0)] = 0,
    skip_broken: SkipBroken = False,
) -> None:
    """What is in these files? Tables in the terminal, pictures on one page."""
    from facepoints.data.loading import files_of, submission_faces_if_present

    labeled = labeled_faces(data, skip_broken)
    with console.status("reading the test images ..."):
        asked = submission_faces_if_present(data)
    from facepoints.reports.exploration.files import explore_data

    explore_data(labeled, asked, out, console, files=files_of(data), seed=seed)


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
    labeled = labeled_faces(data, skip_broken)
    with console.status("starting torch ..."):
        from facepoints.auditing.audit import KEEP_BEST, audit_data
    share = KEEP_BEST if keep_best is None else keep_best
    audit_data(labeled, out, console, keep_best=share, corrections=corrections, resume=resume, seed=seed)
    page, listed = escape(str(out / "audit.html")), escape(str(out / "audit.csv"))
    console.print(f"Look at [bold]{page}[/] and say what is wrong and what is fine. To train without them:")
    same = escape(same_data(data, corrections, skip_broken))
    console.print(f"`facepoints train cnn-masked {same} --set drop_label_issues={listed}`")

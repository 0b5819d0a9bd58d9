"""Commands for data sets: demo, download, explore, audit."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from facepoints.cli.options import DATA_HELP, Corrections, SkipBroken, console, labeled_faces, same_data


def demo(
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="folder for the results")] = Path("demo"),
    data: Annotated[str | None, typer.Option("--data", metavar="DATA", help=DATA_HELP)] = None,
) -> None:
    """Train, evaluate and submit on built-in data in a few minutes, with pictures of each step."""
    from facepoints.cli.demo import run_demo

    run_demo(out, console, data)


def download(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="folder for the competition's files")],
) -> None:
    """Download the competition's files with Kaggle's official client; resumes a stopped download."""
    from facepoints.data.kaggle.download import download as fetch

    fetch(folder, console)
    console.print(f"Next: `facepoints train cnn-masked --data {escape(str(folder))}`")


def explore(
    data: Annotated[str, typer.Argument(metavar="DATA", help=DATA_HELP)],
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="folder for the report")] = Path("explore"),
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="seed of the random faces shown", min=0)] = 0,
    skip_broken: SkipBroken = False,
) -> None:
    """Describe a data set: tables in the terminal, pictures in one HTML report."""
    from facepoints.data.loading import files_of, submission_faces_if_present

    labeled = labeled_faces(data, skip_broken)
    with console.status("reading the test images ..."):
        asked = submission_faces_if_present(data)
    from facepoints.exploration.explore import explore as explore_faces
    from facepoints.reports.exploration.files import exploration_progress, print_exploration, write_exploration

    with exploration_progress(console) as step:
        result = explore_faces(labeled, asked, files=files_of(data), seed=seed, step=step)
        write_exploration(result, out, step)
    print_exploration(result, console)
    console.print(f"The report is [bold]{escape(str(out / 'explore.html'))}[/], its numbers are in explore.json")


def audit(
    data: Annotated[str, typer.Argument(metavar="DATA", help=DATA_HELP)],
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="folder for audit.csv and the page")] = Path(
        "audit"
    ),
    keep_best: Annotated[
        float | None,
        typer.Option(
            "--keep-best",
            metavar="SHARE",
            help="share of the rows that is not listed; 0.98 lists the worst 2 % \\[default: 0.98]",
        ),
    ] = None,
    corrections: Corrections = None,
    resume: Annotated[bool, typer.Option("--resume/--anew", help="reuse the networks of an earlier audit")] = True,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="seed of folds and networks", min=0)] = 0,
    skip_broken: SkipBroken = False,
) -> None:
    """Find wrong labels and near-duplicate rows: audit.csv, and a page to review them."""
    labeled = labeled_faces(data, skip_broken)
    with console.status("starting torch ..."):
        from facepoints.auditing.audit import KEEP_BEST
        from facepoints.auditing.audit import audit as audit_faces
        from facepoints.reports.audit import print_counts, write_audit
    result = audit_faces(
        labeled,
        out / "networks",
        keep_best=KEEP_BEST if keep_best is None else keep_best,
        corrections=corrections,
        resume=resume,
        seed=seed,
        console=console,
    )
    write_audit(result, out)
    print_counts(result, console)
    page, listed = escape(str(out / "audit.html")), escape(str(out / "audit.csv"))
    console.print(f"Review the label issues in [bold]{page}[/]. To train without them:")
    same = escape(same_data(data, corrections, skip_broken))
    console.print(f"`facepoints train cnn-masked {same} --set drop_label_issues={listed}`")

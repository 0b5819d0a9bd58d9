"""Commands that use what was trained: export, predict, serve."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.markup import escape
from rich.table import Table

from facepoints.cli.options import DATA_HELP, Run, console, errors, labeled_faces, note


def export(
    run: Run,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="the ONNX file")] = Path("model.onnx"),
    precision: Annotated[
        str, typer.Option("--precision", metavar="P", help="fp32, fp16 (half the file) or int8 (faster, needs --data)")
    ] = "fp32",
    data: Annotated[str | None, typer.Option("--data", metavar="DATA", help=DATA_HELP)] = None,
) -> None:
    """Turn a run into one ONNX file, checked against the run: what predict, serve and other programs read."""
    labeled = labeled_faces(data, skip_broken=False) if data else None
    with console.status("turning the run into an ONNX file ..."):
        from facepoints.exporting.onnx_file import TOLERANCE, export_run

        made = export_run(run, out, precision=precision, data=labeled)
    check = made.check
    away = f"points differ by {check.points:.1g} px"
    if check.expected_error is not None:
        away += f", expected errors by {check.expected_error:.1g} px"
    allowed = f"(at most {TOLERANCE:g} allowed)"
    console.print(f"Checked against the run on {check.faces} {check.kind} faces: {away} {allowed}.", soft_wrap=True)
    if made.full is not None and made.reduced is not None:
        table = Table("", "fp32", precision, box=box.SIMPLE)
        for name, kept in (("RMSE, px", "rmse"), ("ms for a face", "milliseconds"), ("MB", "megabytes")):
            full, reduced = (getattr(cost, kept) for cost in (made.full, made.reduced))
            if full is not None:
                table.add_row(name, f"{full:.3f}", f"{reduced:.3f}")
        console.print(table)
    place = escape(str(out))
    console.print(f"The model is in [bold]{place}[/]: `facepoints predict PHOTO --model {place}`", soft_wrap=True)


def predict(
    inputs: Annotated[
        list[str], typer.Argument(metavar="INPUT ...", help="photos, folders with photos, videos, a camera's number")
    ],
    model: Annotated[
        Path | None, typer.Option("--model", metavar="MODEL", help="an .onnx file or a run \\[default: comes along]")
    ] = None,
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="where the results go")] = Path("points"),
    crops: Annotated[
        bool, typer.Option("--crops", help="each file is one face already, or a competition's test.csv or .zip")
    ] = False,
    names: Annotated[bool, typer.Option("--names", help="write the points' names on the pictures")] = False,
    measures: Annotated[
        bool, typer.Option("--measures", help="further columns: how the head is held, mouth, brows (docs/measures.md)")
    ] = False,
    smooth: Annotated[
        float, typer.Option("--smooth", metavar="S", help="smooth points over time in videos; 0: don't", min=0)
    ] = 1.0,
    face_model: Annotated[
        Path | None,
        typer.Option(
            "--face-model", metavar="FILE", help="find faces with this YuNet .onnx file, or OpenCV's `cascades`"
        ),
    ] = None,
) -> None:
    """Find the faces in photos and videos and their points: points.csv, points.json and annotated copies."""
    with console.status("loading the model ..."):
        from facepoints.cli.media_progress import MediaProgress
        from facepoints.inference.batch.media import Media, predict_media
        from facepoints.inference.batch.predict import predict_crops
        from facepoints.inference.detector import load

        detector = load(_onnx_file(model), face_model=face_model)
    with MediaProgress(console) as bar:

        def photos(done: int, total: int) -> None:
            bar("photos", done, total, "photos")

        if crops:
            media = Media(
                predict_crops(inputs, out, detector, names=names, measured=measures, say=_bad_file, progress=photos)
            )
        else:
            media = predict_media(
                inputs,
                out,
                detector,
                names=names,
                measured=measures,
                smooth=smooth,
                say=_bad_file,
                note=note,
                progress=photos,
                film_progress=bar,
            )
    for line in media.lines():
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    failed = media.tally.failed
    bad = f"[red]{failed:,} file{'s'[: failed != 1]} could not be read.[/] " if failed else ""
    has = "points.csv, points.json and the annotated copies" if media.found else "tables without a line"
    console.print(f"{bad}[bold]{escape(str(out))}[/] has {has}.", soft_wrap=True)
    if media.stopped or failed:
        raise typer.Exit(130 if media.stopped else 1)


def serve(
    model: Annotated[
        Path | None, typer.Option("--model", metavar="MODEL", help="an .onnx file or a run \\[default: comes along]")
    ] = None,
    host: Annotated[
        str, typer.Option("--host", metavar="ADDRESS", help="where to listen; 0.0.0.0: to all")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", metavar="N", help="0: any that is free", min=0, max=65535)] = 8000,
    workers: Annotated[
        int | None, typer.Option("--workers", metavar="N", help="photos at work at once; without: one a core", min=1)
    ] = None,
    waiting: Annotated[
        int, typer.Option("--queue", metavar="N", help="requests that may wait; more are told to come again", min=0)
    ] = 64,
    upload: Annotated[float, typer.Option("--max-upload", metavar="MB", help="of one upload")] = 20,
    megapixels: Annotated[float, typer.Option("--max-pixels", metavar="MP", help="megapixels of one photo")] = 60,
    seconds: Annotated[float, typer.Option("--timeout", metavar="S", help="waiting and work of one request")] = 20,
    cors: Annotated[
        list[str] | None, typer.Option("--cors", metavar="ORIGIN", help="whose pages may ask: https://...; may repeat")
    ] = None,
    face_model: Annotated[
        Path | None,
        typer.Option(
            "--face-model", metavar="FILE", help="find faces with this YuNet .onnx file, or OpenCV's `cascades`"
        ),
    ] = None,
) -> None:
    """Answer over HTTP: photos in, faces and points out, and a page for the browser."""
    # the decoders' own limit, for files whose header says less than they hold; read once, when OpenCV is loaded
    os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(round(megapixels * 1e6)))
    with console.status("starting the server ..."):
        from facepoints.server.app import Settings
        from facepoints.server.limits import Limits
        from facepoints.server.process import KEY, cores, is_open, key_of, serve

        limits = Limits(round(upload * 1e6), round(megapixels * 1e6), seconds, waiting=waiting)
        settings = Settings(limits, workers or cores(), key_of(os.environ), cors or [])
        chosen = _onnx_file(model)
    if is_open(host) and settings.key is None:
        note(f"whoever reaches {host} can use this server. To ask for a key, set {KEY}")

    def ready(url: str) -> None:
        console.print(f"facepoints answers at [bold]{url}[/] (Ctrl-C stops it)", highlight=False, soft_wrap=True)

    serve(chosen, settings, host=host, port=port, face_model=face_model, ready=ready)


def _onnx_file(model: Path | None) -> Path | None:
    """MODEL as an ONNX file: a run is exported into its own folder first, once."""
    if model is None or not model.is_dir():
        return model
    from facepoints.exporting.onnx_file import exported

    return exported(model)


def _bad_file(message: str) -> None:
    errors.print(f"[red]cannot read[/] {escape(' '.join(message.split()))}", highlight=False, soft_wrap=True)

"""Commands that apply a model: export, predict, serve."""

from __future__ import annotations

import json
import os
import tempfile
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.markup import escape
from rich.table import Table

from facepoints.cli.options import (
    BUNDLED,
    DATA_HELP,
    Json,
    Run,
    console,
    errors,
    labeled_faces,
    note,
    print_json,
    use_json,
)
from facepoints.errors import BadChoice, BadRun


def export(
    run: Run,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="the ONNX file")] = Path("model.onnx"),
    precision: Annotated[
        str, typer.Option("--precision", metavar="P", help="fp32, fp16 (half the file) or int8 (faster, needs --data)")
    ] = "fp32",
    data: Annotated[str | None, typer.Option("--data", metavar="DATA", help=DATA_HELP)] = None,
) -> None:
    """Export a run as one ONNX file for predict, serve and other programs; checked against the run."""
    if not (run / "model.safetensors").is_file():
        raise BadRun(f"{run / 'model.safetensors'}: no such file; expected a run folder written by `facepoints train`")
    labeled = labeled_faces(data, skip_broken=False) if data else None
    with console.status("exporting ..."):
        from facepoints.exporting.onnx_file import TOLERANCE, export_run

        made = export_run(run, out, precision=precision, data=labeled)
    check = made.check
    away = f"points differ by at most {check.points:.1g} px"
    if check.expected_error is not None:
        away += f", expected errors by at most {check.expected_error:.1g} px"
    allowed = f"(tolerance {TOLERANCE:g})"
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
        list[str], typer.Argument(metavar="INPUT ...", help="photos, folders of photos, videos, or a camera number")
    ],
    model: Annotated[
        Path | None, typer.Option("--model", metavar="MODEL", help=f"an .onnx file or a run {BUNDLED}")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FOLDER", help="folder for the results \\[default: points; with --json: none]"),
    ] = None,
    crops: Annotated[
        bool, typer.Option("--crops", help="each file is a single face, or a competition's test.csv or .zip")
    ] = False,
    names: Annotated[bool, typer.Option("--names", help="number the points on the pictures, with a legend")] = False,
    measures: Annotated[
        bool, typer.Option("--measures", help="add head pose, mouth and brow measures (docs/measures.md)")
    ] = False,
    smooth: Annotated[
        float,
        typer.Option("--smooth", metavar="S", help="strength of the temporal smoothing in videos; 0: none", min=0),
    ] = 1.0,
    face_model: Annotated[
        Path | None,
        typer.Option(
            "--face-model", metavar="FILE", help="YuNet .onnx file as face detector \\[default: bundled network]"
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Find faces and their points in photos and videos: points.csv, points.json and annotated copies."""
    use_json(as_json)
    unwanted = tempfile.TemporaryDirectory() if as_json and out is None else nullcontext("points")
    with unwanted as folder:
        _predict(inputs, model, out or Path(folder), crops, names, measures, smooth, face_model, as_json)


def _predict(
    inputs: list[str],
    model: Path | None,
    out: Path,
    crops: bool,
    names: bool,
    measures: bool,
    smooth: float,
    face_model: Path | None,
    as_json: bool,
) -> None:
    with console.status("loading the model ..."):
        from facepoints.cli.media_progress import MediaProgress
        from facepoints.inference.batch.predict import predict_files
        from facepoints.inference.detector import load

        detector = load(_onnx_file(model), face_model=face_model)
    with MediaProgress(console) as progress:
        summary = predict_files(
            inputs,
            out,
            detector,
            crops=crops,
            names=names,
            measured=measures,
            smooth=smooth,
            on_error=_bad_file,
            on_note=note,
            progress=progress,
        )
    for line in summary.lines():
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    failed = summary.failed
    if as_json:
        print_json(json.loads((out / "points.json").read_text("utf-8")))
    bad = f"[red]{failed:,} file{'s'[: failed != 1]} could not be read.[/] " if failed else ""
    has = "points.csv, points.json and annotated copies" if summary.found else "empty tables: no faces found"
    if failed or not as_json:
        console.print(f"{bad}[bold]{escape(str(out))}[/] has {has}.", soft_wrap=True)
    if summary.stopped or failed:
        raise typer.Exit(130 if summary.stopped else 1)


def serve(
    model: Annotated[
        Path | None, typer.Option("--model", metavar="MODEL", help=f"an .onnx file or a run {BUNDLED}")
    ] = None,
    host: Annotated[
        str,
        typer.Option(
            "--host", metavar="ADDRESS", help="address to listen on; 0.0.0.0 accepts connections from any host"
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", metavar="N", help="port; 0 chooses a free one", min=0, max=65535)
    ] = 8000,
    workers: Annotated[
        int | None,
        typer.Option("--workers", metavar="N", help="photos processed at once \\[default: one per core]", min=1),
    ] = None,
    waiting: Annotated[
        int, typer.Option("--queue", metavar="N", help="requests that may wait; further requests get 503", min=0)
    ] = 64,
    upload: Annotated[float, typer.Option("--max-upload", metavar="MB", help="largest upload")] = 20,
    megapixels: Annotated[float, typer.Option("--max-pixels", metavar="MP", help="largest photo")] = 60,
    seconds: Annotated[float, typer.Option("--timeout", metavar="S", help="time limit of one request")] = 20,
    cors: Annotated[
        list[str] | None,
        typer.Option(
            "--cors", metavar="ORIGIN", help="origin of pages that may send requests: https://...; may repeat"
        ),
    ] = None,
    face_model: Annotated[
        Path | None,
        typer.Option(
            "--face-model", metavar="FILE", help="YuNet .onnx file as face detector \\[default: bundled network]"
        ),
    ] = None,
) -> None:
    """Serve faces and points over HTTP, with a web page."""
    # the decoders' own limit, for files whose header says less than they hold; read once, when OpenCV is loaded
    os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(round(megapixels * 1e6)))
    with console.status("starting the server ..."):
        from facepoints.server.app import Settings
        from facepoints.server.limits import Limits
        from facepoints.server.process import KEY, is_open, key_of, serve

        limits = Limits(round(upload * 1e6), round(megapixels * 1e6), seconds, queue_size=waiting)
        settings = Settings(limits, workers, key_of(os.environ), cors or [])
        chosen = _onnx_file(model)
    if is_open(host) and settings.key is None:
        note(f"every client that reaches {host} can use this server. To require an API key, set {KEY}")

    def ready(url: str) -> None:
        console.print(f"facepoints answers at [bold]{url}[/] (Ctrl-C stops it)", highlight=False, soft_wrap=True)

    serve(chosen, settings, host=host, port=port, face_model=face_model, ready=ready)


def _onnx_file(model: Path | None) -> Path | None:
    """MODEL as an ONNX file: a run is exported into its own folder first, once."""
    if model is None:
        return None
    from facepoints.evaluation.open_predictor import model_kind

    kind = model_kind(model)
    if kind == "table of points":
        raise BadChoice(f"{model}: a table of points can only be evaluated. Give a run folder or an .onnx file")
    if kind == "ONNX file":
        return model
    from facepoints.exporting.onnx_file import exported

    return exported(model)


def _bad_file(message: str) -> None:
    errors.print(f"[red]cannot read[/] {escape(' '.join(message.split()))}", highlight=False, soft_wrap=True)

"""MODEL argument -> predictor: one rule for all commands. Imports torch only for a run folder."""

from __future__ import annotations

from pathlib import Path

from facepoints.data.dataset import LabeledFaces
from facepoints.errors import BadChoice, BadRun
from facepoints.evaluation.points_file import read_points_file
from facepoints.evaluation.predictor import ModelKind, OnnxPredictor, Predictor


def open_predictor(
    model: Path | str | None,
    data: LabeledFaces | None = None,
    *,
    threads: int | None = None,
    points_only: bool = False,
) -> Predictor:
    """A run folder, an ONNX file, a table of points for the rows of `data`, or None for the bundled weights.

    points_only: predict no expected errors, and with a run all keypoints of its training data, of which those without
    an output get their mean shape. Raises BadRun or BadFile where the model is absent or damaged.
    """
    kind = "ONNX file" if model is None else model_kind(model)
    if model is None or kind == "ONNX file":
        from facepoints.inference.detector import load

        name = "flagship" if model is None else Path(model).name
        return OnnxPredictor(name, load(model, threads=threads), points_only)
    if kind == "table of points":
        if data is None:
            raise BadChoice(f"{model}: a table of points can only be evaluated. Give a run folder or an .onnx file")
        return read_points_file(Path(model), data)
    from facepoints.evaluation.trained_run import open_run  # imports torch

    return open_run(Path(model), all_keypoints=points_only)


def model_kind(model: Path | str) -> ModelKind:
    """What a MODEL argument names, by its suffix; raises BadRun where it is absent or something else."""
    path = Path(model)
    if path.is_dir():
        if not (path / "model.safetensors").is_file():
            raise BadRun(f"{path / 'model.safetensors'}: no such file; expected a run folder of `facepoints train`")
        return "run"
    suffix = path.suffix.lower()
    if not path.exists():
        raise BadRun(f"{path}: no such file or folder; expected a run folder, an .onnx file or a table of points")
    if suffix == ".onnx":
        return "ONNX file"
    if suffix in (".csv", ".zip"):
        return "table of points"
    raise BadRun(f"{path}: not a model; expected a run folder, an .onnx file or a table of points (.csv, .zip)")

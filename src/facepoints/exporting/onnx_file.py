"""A run -> one ONNX file whose predictions are verified against the run."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from facepoints.data.dataset import LabeledFaces
from facepoints.data.synthetic.faces import draw_faces
from facepoints.errors import BadChoice, BadRun, unknown
from facepoints.evaluation.trained_run import open_run
from facepoints.exporting.graph import LICENSE, save_file, to_onnx
from facepoints.exporting.quantization import Cost, cost, to_half, to_int8
from facepoints.files import atomic_write
from facepoints.inference.keypoint_network import FORMAT, METADATA, KeypointNetwork
from facepoints.keypoints import FACE_SIZE, SOURCES
from facepoints.models.model import Model
from facepoints.training.run_folder import MODEL_FILE, read_json

TOLERANCE = 1e-3
"""Maximum difference between the predictions of file and run, px."""

CHECKED_FACES = 64
"""Number of faces on which file and run are compared."""

Precision = Literal["fp32", "fp16", "int8"]


@dataclass(frozen=True)
class Check:
    """Difference between file and run, over faces predicted for both annotation sources."""

    faces: int
    kind: str
    """"real", or "synthetic" if no data was given"""
    points: float
    """largest difference of a coordinate, px"""
    expected_error: float | None
    """largest difference of an expected error, px; None if the model has none"""


@dataclass(frozen=True)
class Exported:
    """The result of an export."""

    check: Check
    full: Cost | None
    """of the 32-bit file; None for precision fp32"""
    reduced: Cost | None
    """of the written file; None for precision fp32"""


class _Graph(nn.Module):
    """Input: bytes (n, 96, 96) and source (n,); output: points, and expected errors if the model has them."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model

    def forward(self, faces: Tensor, source: Tensor) -> tuple[Tensor, ...]:
        points, error = self.model.infer(faces.unsqueeze(1).float() / 255, source)
        return (points,) if error is None else (points, error)


def export_run(run: Path, out: Path, *, precision: str = "fp32", data: LabeledFaces | None = None) -> Exported:
    """Write a trained run as an ONNX file, after verifying it against the run.

    With `data`, file and run are compared, and their accuracy is measured, on the rows that the run was not trained
    on; int8 is calibrated on the other rows. Without, they are compared on synthetic faces. Raises BadRun if the run is
    incomplete or the predictions differ.
    """
    if precision not in get_args(Precision):
        raise unknown("precision", precision, get_args(Precision))
    if precision == "int8" and data is None:
        raise BadChoice("int8 is calibrated on faces: give --data")
    trained = open_run(run)
    known = None if data is None else data.only(trained.keypoints.names)
    held_out = None if known is None else trained.held_out_rows(known).chosen
    unseen = None if known is None or held_out is None or not held_out.any() else known.take(held_out)
    faces = draw_faces(CHECKED_FACES, seed=0)[0] if unseen is None else unseen.faces[:CHECKED_FACES]
    facts = metadata_of(run, trained.model)
    with atomic_write(out) as temporary, tempfile.TemporaryDirectory() as scratch:
        full, reduced = Path(scratch) / "full.onnx", Path(scratch) / "reduced.onnx"
        save_graph(trained.model, facts, full)
        check = compare(trained.model, full, faces, "synthetic" if unseen is None else "real")
        if precision == "fp32":
            temporary.write_bytes(full.read_bytes())
            return Exported(check, None, None)
        if precision == "fp16":
            to_half(full, reduced)
        elif known is not None and held_out is not None:
            to_int8(full, reduced, known if held_out.all() else known.take(~held_out))
        save_file(onnx.load(reduced), facts | {"precision": precision}, temporary, METADATA)
        return Exported(check, cost(full, faces, unseen), cost(temporary, faces, unseen))


def exported(run: Path) -> Path:
    """The ONNX file in the run's folder; written now if it is absent or older than the weights."""
    out, weights = run / "model.onnx", run / MODEL_FILE
    if not (out.is_file() and weights.is_file() and out.stat().st_mtime_ns > weights.stat().st_mtime_ns):
        export_run(run, out)
    return out


def metadata_of(run: Path, model: Model) -> dict[str, Any]:
    """The JSON stored in the file: see `keypoint_network.Facts`."""
    scores, facts = read_json(run / "scores.json"), read_json(run / "run.json")
    names = model.keypoints.names
    columns = [model.all_keypoints.index(name) for name in names]
    try:
        mean_error = [[_mean_error(scores, name, source) for name in names] for source in SOURCES]
        score = {"rmse": scores["rmse"], "faces": scores["faces"]}
        score["rmse_by_source"] = {name: part["rmse"] for name, part in scores["by_source"].items()}
        data = {key: facts["data"][key] for key in ("rows", "fingerprint")}
        data["validation_rows"] = facts["validation_rows"]
    except (KeyError, TypeError) as error:
        raise BadRun(
            f"{run}: scores.json or run.json is not as `facepoints train` writes it ({error}). Copy the run again"
        ) from error
    return {
        "format": FORMAT,
        "facepoints": version("facepoints"),
        "keypoints": names,
        "mirror": model.keypoints.mirror.tolist(),
        "recipe": model.recipe,
        "network": model.network_name,
        "precision": "fp32",
        "score": score,
        "data": data,
        "license": LICENSE,
        "mean_shape": model.mean_shape[:, columns].numpy().round(3).tolist(),
        "mean_error": mean_error,
        "label_offset": model.label_offset.detach().numpy().round(4).tolist(),
    }


def _mean_error(scores: dict[str, Any], name: str, source: str) -> float:
    """RMSE of a keypoint for a source; where the source never labels it, of both sources, else of all keypoints."""
    point = scores["by_keypoint"][name] or {}
    candidates = (point.get("rmse_by_source", {}).get(source), point.get("rmse"), scores["rmse"])
    return round(float(next(rmse for rmse in candidates if rmse is not None)), 4)


def save_graph(model: Model, metadata: dict[str, Any], path: Path) -> None:
    """Write the model as 32-bit ONNX."""
    faces = torch.export.Dim("n", min=1)
    example = (torch.zeros(2, FACE_SIZE, FACE_SIZE, dtype=torch.uint8), torch.tensor([0, 1]))
    graph = _Graph(model).eval()
    with torch.no_grad():
        outputs = ["points", "expected_error"][: len(graph(*example))]
    proto = to_onnx(graph, example, ["faces", "source"], outputs, ({0: faces}, {0: faces}))
    save_file(proto, metadata, path, METADATA)


def compare(model: Model, path: Path, faces: NDArray[np.uint8], kind: str = "real") -> Check:
    """Predict faces with file and model for both sources; raises BadRun if they differ by more than TOLERANCE."""
    network = KeypointNetwork.open(path, threads=1)
    points_off, error_off = [0.0], [0.0]
    for source in range(len(SOURCES)):
        points, error = network(faces, source)
        with torch.inference_mode():
            images = torch.from_numpy(faces.copy()).unsqueeze(1).float() / 255
            model_points, model_error = model.infer(images, torch.full((len(faces),), source))
        points_off.append(float(np.abs(points - model_points.numpy()).max()))
        if model_error is not None:
            error_off.append(float(np.abs(error - model_error.numpy()).max()))
    worst = max(*points_off, *error_off)
    if not worst <= TOLERANCE:
        raise BadRun(f"{path.name}: differs from its run by {worst:.2g} px on {len(faces)} {kind} faces: not written")
    return Check(len(faces), kind, max(points_off), max(error_off) if len(error_off) > 1 else None)

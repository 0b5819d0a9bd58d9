"""A run -> one ONNX file, proven equal to the run.

This file and `precision` are the only ones of this room that know torch, models and runs.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import tempfile
import warnings
from collections.abc import Iterator
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
from facepoints.exporting.quantization import Cost, cost, to_half, to_int8
from facepoints.files import atomic_write
from facepoints.inference.keypoint_network import FORMAT, METADATA, KeypointNetwork
from facepoints.keypoints import FACE_SIZE, SOURCES
from facepoints.models.model import Model
from facepoints.training.run_folder import MODEL_FILE, read_json

OPSET = 18
"""Read by ONNX Runtime from 1.14, onnxruntime-web and OpenVINO from 2023."""

TOLERANCE = 1e-3
"""How far the file's answers may lie from the run's, px: a thousandth of what anybody can see."""

FACES = 64
"""Faces on which file and run are compared."""

LICENSE = "MIT for the program; the weights as the terms of the training data allow"

Precision = Literal["fp32", "fp16", "int8"]


@dataclass(frozen=True)
class Check:
    """How far a file lies from its run, on faces that both were shown, as both sources label."""

    faces: int
    kind: str
    """"real", or "synthetic" where nobody gave any"""
    points: float
    """largest difference of a coordinate, px"""
    expected_error: float | None
    """largest difference of an expected error, px; None where the model has none"""


@dataclass(frozen=True)
class Exported:
    """What came of an export."""

    check: Check
    full: Cost | None
    """of 32-bit numbers; None where nothing smaller was asked for"""
    reduced: Cost | None


class Graph(nn.Module):
    """What the file computes: bytes in, points (and expected errors) out, clipped nowhere."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model

    def forward(self, faces: Tensor, source: Tensor) -> tuple[Tensor, ...]:
        points, error = self.model.infer(faces.unsqueeze(1).float() / 255, source)
        return (points,) if error is None else (points, error)


def export_run(run: Path, out: Path, *, precision: str = "fp32", data: LabeledFaces | None = None) -> Exported:
    """Write a trained run as an ONNX file, checked before it takes its place.

    It is checked and measured on the rows of `data` that the run has not seen, or checked on drawn faces; 8 bits learn
    the range of their values from the other rows. Raises BadRun where the run is not complete, or the file would answer
    otherwise than it.
    """
    if precision not in get_args(Precision):
        raise unknown("precision", precision, get_args(Precision))
    if precision == "int8" and data is None:
        raise BadChoice("int8 has to see faces, to learn how large its numbers get: give --data")
    trained = open_run(run)
    known = None if data is None else data.only(trained.keypoints.names)
    fair = None if known is None else trained.held_out_rows(known).chosen
    unseen = None if known is None or fair is None or not fair.any() else known.take(fair)
    faces = draw_faces(FACES, seed=0)[0] if unseen is None else unseen.faces[:FACES]
    metadata = about(run, trained.model)
    with atomic_write(out) as beside, tempfile.TemporaryDirectory() as scratch:
        full, reduced = Path(scratch) / "full.onnx", Path(scratch) / "reduced.onnx"
        save_graph(trained.model, metadata, full)
        check = compare(trained.model, full, faces, "synthetic" if unseen is None else "real")
        if precision == "fp32":
            beside.write_bytes(full.read_bytes())
            return Exported(check, None, None)
        if precision == "fp16":
            to_half(full, reduced)
        elif known is not None and fair is not None:
            to_int8(full, reduced, known if fair.all() else known.take(~fair))
        save_file(onnx.load(reduced), metadata | {"precision": precision}, beside)
        return Exported(check, cost(full, faces, unseen), cost(beside, faces, unseen))


def exported(run: Path) -> Path:
    """The ONNX file of a run, in the run's folder: written now, unless it is there and newer than the weights."""
    out, weights = run / "model.onnx", run / MODEL_FILE
    if not (out.is_file() and weights.is_file() and out.stat().st_mtime_ns > weights.stat().st_mtime_ns):
        export_run(run, out)
    return out


def about(run: Path, model: Model) -> dict[str, Any]:
    """What the file will say of itself: see keypoint_network.Facts."""
    scores, facts = read_json(run / "scores.json"), read_json(run / "run.json")
    names = model.keypoints.names
    columns = [model.all_keypoints.index(name) for name in names]
    try:
        errors = [[_error_of(scores, name, source) for name in names] for source in SOURCES]
        kept = {"rmse": scores["rmse"], "faces": scores["faces"]}
        kept["rmse_by_source"] = {name: part["rmse"] for name, part in scores["by_source"].items()}
        data = {key: facts["data"][key] for key in ("rows", "fingerprint")}
        data["validation_rows"] = facts["validation_rows"]
    except (KeyError, TypeError) as error:
        raise BadRun(f"{run}: scores.json or run.json is not what `facepoints train` leaves ({error})") from error
    return {
        "format": FORMAT,
        "facepoints": version("facepoints"),
        "keypoints": names,
        "mirror": model.keypoints.mirror.tolist(),
        "recipe": model.recipe,
        "network": model.network_name,
        "precision": "fp32",
        "score": kept,
        "data": data,
        "license": LICENSE,
        "mean_shape": model.mean_shape[:, columns].numpy().round(3).tolist(),
        "mean_error": errors,
        "label_offset": model.label_offset.detach().numpy().round(4).tolist(),
    }


def _error_of(scores: dict[str, Any], name: str, source: str) -> float:
    """RMSE of a point as a source labels it; of both sources, or of all points, where the source never had it."""
    point = scores["by_keypoint"][name] or {}
    known = (point.get("rmse_by_source", {}).get(source), point.get("rmse"), scores["rmse"])
    return round(float(next(rmse for rmse in known if rmse is not None)), 4)


def save_graph(model: Model, metadata: dict[str, Any], path: Path) -> None:
    """Write the model as ONNX with `metadata` inside."""
    n = torch.export.Dim("n", min=1)
    example = (torch.zeros(2, FACE_SIZE, FACE_SIZE, dtype=torch.uint8), torch.tensor([0, 1]))
    graph = Graph(model).eval()
    with torch.no_grad():
        outputs = ["points", "expected_error"][: len(graph(*example))]
    with silence():
        program = torch.onnx.export(
            graph,
            example,
            input_names=["faces", "source"],
            output_names=outputs,
            opset_version=OPSET,
            dynamo=True,
            dynamic_shapes=({0: n}, {0: n}),
            external_data=False,
            verbose=False,
        )
    if program is None:
        raise BadRun(f"{path}: torch gave no ONNX program")
    save_file(program.model_proto, metadata, path)


def save_file(proto: onnx.ModelProto, metadata: dict[str, Any], path: Path, key: str = METADATA) -> None:
    """Write an ONNX model with `metadata`, as JSON under `key`, as its only metadata."""
    del proto.metadata_props[:]
    for node in proto.graph.node:
        del node.metadata_props[:]  # torch writes where on this machine each line of the program stands
        node.doc_string = ""
    for value in (*proto.graph.input, *proto.graph.output, *proto.graph.value_info):
        del value.metadata_props[:]
    proto.metadata_props.add(key=key, value=json.dumps(metadata))
    onnx.checker.check_model(proto)
    path.write_bytes(proto.SerializeToString())


def compare(model: Model, path: Path, faces: NDArray[np.uint8], kind: str = "real") -> Check:
    """Ask file and model the same, for both sources; raises BadRun where they differ by more than TOLERANCE."""
    network = KeypointNetwork.open(path, threads=1)
    away, off = [0.0], [0.0]
    for source in range(len(SOURCES)):
        points, error = network(faces, source)
        with torch.inference_mode():
            images = torch.from_numpy(faces.copy()).unsqueeze(1).float() / 255
            expected, known_error = model.infer(images, torch.full((len(faces),), source))
        away.append(float(np.abs(points - expected.numpy()).max()))
        if known_error is not None:
            off.append(float(np.abs(error - known_error.numpy()).max()))
    worst = max(*away, *off)
    if not worst <= TOLERANCE:
        raise BadRun(f"{path.name}: differs from its run by {worst:.2g} px on {len(faces)} {kind} faces: not written")
    return Check(len(faces), kind, max(away), max(off) if len(off) > 1 else None)


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Without what torch's exporter says of itself: of operators of torchvision, of its own deprecations."""
    loud = logging.getLogger("torch.onnx")
    before = loud.level
    loud.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        loud.setLevel(before)

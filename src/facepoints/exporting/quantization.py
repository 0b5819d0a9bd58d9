"""Smaller ONNX files: 16-bit weights or 8-bit arithmetic; and their accuracy and speed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from facepoints.data.dataset import LabeledFaces
from facepoints.inference.keypoint_network import KeypointNetwork
from facepoints.metrics import squared_error_sums

CALIBRATION_FACES = 256
"""Faces on which the value range of each layer is measured."""

_WEIGHTED = ("Conv", "Gemm", "MatMul")
_ROUNDS = 15


@dataclass(frozen=True)
class Cost:
    """Accuracy, speed and size of a file, on one thread."""

    rmse: float | None
    """per coordinate, px; None without labeled faces"""
    milliseconds: float
    """per face, median"""
    megabytes: float


def decoding(graph: onnx.GraphProto) -> set[str]:
    """Names of the nodes that compute coordinates: the last layers with weights, and all that follow.

    Coordinates need full precision there: an error of 1/256 is a third of a pixel.
    """
    later: dict[str, set[str]] = {}  # node -> nodes with weights that depend on it
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    for node in reversed(graph.node):  # ONNX sorts nodes topologically
        later[node.name] = set()
        for name in node.output:
            for reader in readers.get(name, []):
                later[node.name] |= later[reader.name] | ({reader.name} if reader.op_type in _WEIGHTED else set())
    return {node.name for node in graph.node if not later[node.name]}


def not_for_points(graph: onnx.GraphProto) -> set[str]:
    """Names of the nodes on which the points do not depend: the small head for the expected errors.

    8 bits would save nothing there and bias the estimates: 2.7 px instead of 2.4 px.
    """
    needed, used = {"points"}, set()
    for node in reversed(graph.node):
        if needed & set(node.output):
            needed |= set(node.input)
            used.add(node.name)
    return {node.name for node in graph.node} - used


def to_half(source: Path, out: Path) -> None:
    """Store weights as 16-bit numbers, except in the decoding; arithmetic stays at 32 bits.

    This halves the file without a change in speed: ONNX Runtime has no 16-bit arithmetic on CPUs.
    """
    proto = onnx.load(source)
    kept = decoding(proto.graph)
    exact = {name for node in proto.graph.node if node.name in kept for name in node.input}
    casts: list[onnx.NodeProto] = []
    for weights in proto.graph.initializer:
        if weights.data_type == onnx.TensorProto.FLOAT and weights.name not in exact:
            half = onnx.numpy_helper.to_array(weights).astype(np.float16)
            casts.append(onnx.helper.make_node("Cast", [f"{weights.name}_half"], [weights.name], to=weights.data_type))
            weights.CopyFrom(onnx.numpy_helper.from_array(half, f"{weights.name}_half"))
    nodes = [*casts, *proto.graph.node]  # ONNX Runtime evaluates the casts once, at load time
    del proto.graph.node[:]
    proto.graph.node.extend(nodes)
    onnx.save(proto, out)


def to_int8(source: Path, out: Path, data: LabeledFaces) -> None:
    """8-bit convolutions and matrix products, weights per channel; value ranges measured on some of the faces."""
    chosen = data.take(np.linspace(0, len(data) - 1, min(CALIBRATION_FACES, len(data))).astype(int))
    parts = [slice(start, start + 32) for start in range(0, len(chosen), 32)]
    batches: list[dict[str, NDArray[Any]]] = [
        {"faces": chosen.faces[part], "source": chosen.source[part]} for part in parts
    ]
    quantize(
        source,
        out,
        batches,
        lambda graph: decoding(graph) | not_for_points(graph),
        ["Conv", "Gemm", "MatMul", "Add", "Relu"],
    )


class _Batches(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, batches: Sequence[dict[str, NDArray[Any]]]) -> None:
        self._batches: Iterator[dict[str, NDArray[Any]]] = iter(batches)

    def get_next(self) -> Any:
        return next(self._batches, None)


def quantize(
    source: Path,
    out: Path,
    batches: Sequence[dict[str, NDArray[Any]]],
    full_precision: Callable[[onnx.GraphProto], set[str]],
    op_types: list[str],
) -> None:
    """Quantize operators of these types to 8 bits. batches: calibration inputs; full_precision: nodes to exclude."""
    prepared = out.with_suffix(".prepared.onnx")
    try:
        quant_pre_process(source, prepared, skip_symbolic_shape=True)
        quantize_static(
            prepared,
            out,
            _Batches(batches),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=sorted(full_precision(onnx.load(prepared).graph)),
            op_types_to_quantize=op_types,
        )
    finally:
        prepared.unlink(missing_ok=True)


def cost(path: Path, faces: NDArray[np.uint8], labeled: LabeledFaces | None) -> Cost:
    """Measure a file: RMSE on labeled faces, time per face on faces (n, 96, 96)."""
    network = KeypointNetwork.open(path, threads=1)
    rmse = None
    if labeled is not None:
        points, _ = network(labeled.faces, labeled.source)
        sums, counts = squared_error_sums(points, labeled.points, labeled.observed)
        rmse = float(np.sqrt(sums.sum() / counts.sum()))
    seconds = []
    for i in range(_ROUNDS):
        started = time.perf_counter()
        network(faces[i % len(faces)][None])
        seconds.append(time.perf_counter() - started)
    return Cost(rmse, float(np.median(seconds)) * 1000, path.stat().st_size / 1e6)

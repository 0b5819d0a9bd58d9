"""Smaller numbers in an exported file: weights of 16 bits, or whole numbers of 8; and what they cost."""

from __future__ import annotations

import time
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

CALIBRATION = 256
"""Faces that tell which range of values each layer has."""

_WEIGHTED = ("Conv", "Gemm", "MatMul")
_ROUNDS = 15


@dataclass(frozen=True)
class Cost:
    """What a file answers and how long it takes, on one thread."""

    rmse: float | None
    """of a coordinate, px, on labeled faces; None where nobody gave any"""
    milliseconds: float
    """for one face, median"""
    megabytes: float


def decoding(graph: onnx.GraphProto) -> set[str]:
    """Names of the nodes that turn features into places: the last layers with weights, and all behind them.

    There a coordinate needs all the digits it can get: an error of 1/256 is a third of a pixel.
    """
    behind: dict[str, set[str]] = {}  # node -> the nodes with weights that its answer goes through
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    for node in reversed(graph.node):  # ONNX sorts nodes: whoever reads comes later
        after: set[str] = set()
        for name in node.output:
            for reader in readers.get(name, []):
                after |= behind[reader.name] | ({reader.name} if reader.op_type in _WEIGHTED else set())
        behind[node.name] = after
    return {node.name for node in graph.node if not behind[node.name]}


def beside_points(graph: onnx.GraphProto) -> set[str]:
    """Names of the nodes that the points do not depend on: the small head for expected errors.

    In 8 bits it would save nothing, and tell errors of 2.7 pixels where at full precision it tells 2.4.
    """
    needed, reaching = {"points"}, set()
    for node in reversed(graph.node):
        if needed & set(node.output):
            needed |= set(node.input)
            reaching.add(node.name)
    return {node.name for node in graph.node} - reaching


def to_half(source: Path, out: Path) -> None:
    """Weights as 16-bit numbers, but for those of the decoding; arithmetic stays at 32.

    Half the file at no cost in speed: processors have no 16-bit arithmetic that ONNX Runtime would use, and whoever
    has it (a GPU, a browser's WebGPU) may choose it at loading time.
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
    nodes = [*casts, *proto.graph.node]  # ONNX Runtime does the casts once, when it loads
    del proto.graph.node[:]
    proto.graph.node.extend(nodes)
    onnx.save(proto, out)


class _Faces(CalibrationDataReader):  # type: ignore[misc]
    """Faces and sources for the calibration, a batch at a time."""

    def __init__(self, data: LabeledFaces) -> None:
        parts = [slice(start, start + 32) for start in range(0, len(data), 32)]
        self._batches = iter([{"faces": data.faces[part], "source": data.source[part]} for part in parts])

    def get_next(self) -> Any:
        return next(self._batches, None)


def to_int8(source: Path, out: Path, faces: LabeledFaces) -> None:
    """Convolutions and matrix products in 8 bits, weights per channel; ranges as some of these faces have them."""
    rows = np.linspace(0, len(faces) - 1, min(CALIBRATION, len(faces))).astype(int)
    prepared = out.with_suffix(".prepared.onnx")
    try:
        quant_pre_process(source, prepared, skip_symbolic_shape=True)
        graph = onnx.load(prepared).graph
        kept = sorted(decoding(graph) | beside_points(graph))
        quantize_static(
            prepared,
            out,
            _Faces(faces.take(rows)),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=kept,
            op_types_to_quantize=["Conv", "Gemm", "MatMul", "Add", "Relu"],
        )
    finally:
        prepared.unlink(missing_ok=True)


def cost(path: Path, faces: NDArray[np.uint8], labeled: LabeledFaces | None) -> Cost:
    """Measure a file: RMSE on labeled faces, time for one face of faces (n, 96, 96)."""
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

"""The face detector's network -> an ONNX file with 8-bit convolutions, as read by `inference.face_network`."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from face_detector_training.network import MAPS, SIDES, STRIDE, UNIT, FaceMap
from facepoints.exporting.graph import LICENSE, save_file, to_onnx
from facepoints.exporting.quantization import decoding, quantize
from facepoints.files import atomic_write
from facepoints.inference.face_network import METADATA
from facepoints.inference.keypoint_network import FORMAT


class _Graph(nn.Module):
    """Input: bytes (1, 1, h, w); output: maps (1, 6, h / stride, w / stride)."""

    def __init__(self, model: FaceMap) -> None:
        super().__init__()
        self.model = model

    def forward(self, picture: Tensor) -> Tensor:
        maps: Tensor = self.model(picture.float() / 255)
        return maps


def export_face_map(
    model: FaceMap, out: Path, pictures: Sequence[NDArray[np.uint8]], metadata: dict[str, Any] | None = None
) -> None:
    """Write the network. pictures (h, w) calibrate the value ranges; h and w are multiples of the stride.

    Without pictures the file has 32-bit numbers.
    """
    facts = {
        "format": FORMAT,
        "facepoints": version("facepoints"),
        "stride": STRIDE,
        "sides": SIDES,
        "unit": UNIT,
        "maps": MAPS,
        "precision": "int8" if pictures else "fp32",
        "license": LICENSE,
        **(metadata or {}),
    }
    height, width = (torch.export.Dim(name, min=1, max=1024) * STRIDE for name in ("rows", "columns"))
    graph = _Graph(model.to(memory_format=torch.contiguous_format))  # type: ignore[call-overload]
    example = torch.zeros(1, 1, 128, 256, dtype=torch.uint8)
    proto = to_onnx(graph, (example,), ["picture"], ["maps"], ({2: height, 3: width},))
    with atomic_write(out) as temporary, tempfile.TemporaryDirectory() as scratch:
        if pictures:
            full, small = Path(scratch) / "full.onnx", Path(scratch) / "small.onnx"
            onnx.save(proto, full)
            batches: list[dict[str, NDArray[Any]]] = [{"picture": picture[None, None]} for picture in pictures]
            # without Relu, each layer's output would be rounded twice
            quantize(full, small, batches, _full_precision, ["Conv", "Relu"])
            proto = onnx.load(small)
        save_file(proto, facts, temporary, METADATA)


def _full_precision(graph: onnx.GraphProto) -> set[str]:
    """Nodes that keep 32 bits: the last convolution, whose output is a position, and the first one.

    8-bit kernels are inefficient for the first layer's single input channel: 570 instead of 60 microseconds.
    """
    return decoding(graph) | {next(node.name for node in graph.node if node.op_type == "Conv")}

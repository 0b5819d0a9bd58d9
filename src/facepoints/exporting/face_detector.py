"""A FaceMap -> one ONNX file with convolutions in 8 bits, as `finder_network` reads it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch import Tensor, nn

from facepoints.exporting.onnx_file import LICENSE, OPSET, save_file, silence
from facepoints.exporting.quantization import decoding
from facepoints.files import atomic_write
from facepoints.inference.face_network import FORMAT, METADATA
from facepoints.models.face_detector import MAPS, SIDES, STRIDE, UNIT, FaceMap

_EXAMPLE = 128


class Graph(nn.Module):
    """What the file computes: bytes in, maps out."""

    def __init__(self, model: FaceMap) -> None:
        super().__init__()
        self.model = model

    def forward(self, picture: Tensor) -> Tensor:
        maps: Tensor = self.model(picture.float() / 255)
        return maps


class _Pictures(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, pictures: Sequence[NDArray[np.uint8]]) -> None:
        self._left: Iterator[dict[str, Any]] = iter([{"picture": one[None, None]} for one in pictures])

    def get_next(self) -> Any:
        return next(self._left, None)


def export_face_map(
    model: FaceMap, out: Path, pictures: Sequence[NDArray[np.uint8]], about: dict[str, Any] | None = None
) -> None:
    """Write the network; pictures (h, w), h and w multiples of the stride, tell how large its numbers get.

    No pictures: 32-bit numbers.
    """
    metadata = {
        "format": FORMAT,
        "facepoints": version("facepoints"),
        "stride": STRIDE,
        "sides": SIDES,
        "unit": UNIT,
        "maps": MAPS,
        "precision": "int8" if pictures else "fp32",
        "license": LICENSE,
        **(about or {}),
    }
    with atomic_write(out) as beside, tempfile.TemporaryDirectory() as scratch:
        full, prepared, small = (Path(scratch) / name for name in ("full.onnx", "prepared.onnx", "small.onnx"))
        _save(model, full)
        if pictures:
            quant_pre_process(full, prepared, skip_symbolic_shape=True)
            quantize_static(
                prepared,
                small,
                _Pictures(pictures),
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                nodes_to_exclude=sorted(_exact(onnx.load(prepared).graph)),
                op_types_to_quantize=["Conv", "Relu"],  # without Relu, each layer's answer would be rounded twice
                calibrate_method=CalibrationMethod.MinMax,
            )
        save_file(onnx.load(small if pictures else full), metadata, beside, METADATA)


def _exact(graph: onnx.GraphProto) -> set[str]:
    """Nodes that keep 32 bits: the last convolution, whose answers are places, and the first, whose one channel 8-bit
    arithmetic is made for so little that it takes nine times as long (measured: 570 against 60 microseconds)."""
    return decoding(graph) | {next(node.name for node in graph.node if node.op_type == "Conv")}


def _save(model: FaceMap, path: Path) -> None:
    height, width = (torch.export.Dim(name, min=1, max=1024) * STRIDE for name in ("rows", "columns"))
    with silence():
        program = torch.onnx.export(
            Graph(model.to(memory_format=torch.contiguous_format)).eval(),  # type: ignore[call-overload]
            (torch.zeros(1, 1, _EXAMPLE, 2 * _EXAMPLE, dtype=torch.uint8),),
            input_names=["picture"],
            output_names=["maps"],
            opset_version=OPSET,
            dynamo=True,
            dynamic_shapes=({2: height, 3: width},),
            external_data=False,
            verbose=False,
        )
    assert program is not None
    path.write_bytes(program.model_proto.SerializeToString())

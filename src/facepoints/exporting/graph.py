"""A torch module -> an ONNX graph -> a file with our metadata."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import warnings
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import Tensor, nn

from facepoints.errors import BadRun

OPSET = 18
"""Supported by ONNX Runtime from 1.14, and by onnxruntime-web and OpenVINO from 2023."""

LICENSE = "MIT for the program; the weights as the terms of the training data allow"


def to_onnx(
    module: nn.Module,
    example: tuple[Tensor, ...],
    inputs: list[str],
    outputs: list[str],
    dynamic_shapes: tuple[dict[int, Any], ...],
) -> onnx.ModelProto:
    """Export a module in evaluation mode, without the exporter's own messages."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                module.eval(),
                example,
                input_names=inputs,
                output_names=outputs,
                opset_version=OPSET,
                dynamo=True,
                dynamic_shapes=dynamic_shapes,
                external_data=False,
                verbose=False,
            )
    finally:
        logger.setLevel(level)
    if program is None:
        raise BadRun(f"torch {torch.__version__} returned no ONNX program for {type(module).__name__}")
    return program.model_proto


def save_file(proto: onnx.ModelProto, metadata: dict[str, Any], path: Path, key: str) -> None:
    """Write an ONNX model whose only metadata is `metadata`, as JSON under `key`."""
    del proto.metadata_props[:]
    for node in proto.graph.node:
        del node.metadata_props[:]  # torch stores source paths of this machine
        node.doc_string = ""
    for value in (*proto.graph.input, *proto.graph.output, *proto.graph.value_info):
        del value.metadata_props[:]
    proto.metadata_props.add(key=key, value=json.dumps(metadata))
    onnx.checker.check_model(proto)
    path.write_bytes(proto.SerializeToString())

"""The layers of a network, as rows of a table and as a diagram."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from torchinfo import summary

from facepoints.files import atomic_write
from facepoints.keypoints import FACE_SIZE


@dataclass(frozen=True)
class Layer:
    """One layer of a network."""

    place: str
    """path in the network, such as at12.1.body.0"""
    kind: str
    shape: tuple[int, ...]
    """of the output for one face"""
    parameters: int
    """trainable numbers"""
    statistics: int
    """numbers that are tracked, not trained, such as the running mean of a batch norm"""


def layers(network: nn.Module) -> list[Layer]:
    """The layers of a network in the order of the forward pass."""
    places = {module: place for place, module in network.named_modules()}
    one_face = (torch.zeros(1, 1, FACE_SIZE, FACE_SIZE), torch.zeros(1, dtype=torch.long))
    return [
        Layer(
            places[row.module],
            _kind(row.module),
            tuple(row.output_size[1:]),
            row.trainable_params,
            sum(buffer.numel() for buffer in row.module.buffers() if buffer.is_floating_point()),
        )
        for row in summary(network, input_data=one_face, device="cpu", verbose=0).summary_list
        if not list(row.module.children())
    ]


def draw_diagram(network: nn.Module, path: Path, title: str) -> None:
    """Write the layers with a size of their own as blocks from left to right; SVG or PNG by the suffix.

    A block's height is the side of its feature maps, its width grows with the logarithm of its channels.
    """
    from matplotlib.figure import Figure

    blocks = [layer for layer in layers(network) if layer.kind.split()[0] in _COLORS]
    figure = Figure(figsize=(max(6.0, 0.62 * len(blocks)), 4.2), layout="constrained")
    axes = figure.subplots()
    axes.set_axis_off()
    for i, block in enumerate(blocks):
        channels, *sides = block.shape
        height = 0.1 + (sides[0] / FACE_SIZE if sides else 0.02)
        width = 0.25 + 0.05 * math.log2(channels)
        axes.bar(i, height, width, bottom=-height / 2, color=_COLORS[block.kind.split()[0]])
        size = f"{channels}" + (f"\n{sides[0]}²" if sides else "")
        axes.text(i, -height / 2 - 0.02, size, ha="center", va="top", fontsize=7)
        axes.text(i, height / 2 + 0.02, block.kind.replace(" ", "\n"), ha="center", va="bottom", fontsize=6.5)
    total = sum(parameter.numel() for parameter in network.parameters())
    axes.set_title(f"{title}: {total:,} trainable parameters", loc="left")
    axes.set_ylim(-0.75, 0.75)
    with atomic_write(path) as partial:
        figure.savefig(partial, format=path.suffix.lstrip(".").lower(), dpi=130, facecolor="white")


_COLORS = {"conv": "#2f6f9f", "pool": "#8fb7d3", "dense": "#5b8a3c"}


def _kind(module: nn.Module) -> str:
    if isinstance(module, nn.Conv2d):
        side, stride = module.kernel_size[0], module.stride[0]
        return f"conv {side}×{side}" + (f" /{stride}" if stride > 1 else "")
    if isinstance(module, nn.MaxPool2d):
        return f"pool {module.kernel_size}×{module.kernel_size}"
    if isinstance(module, nn.Linear):
        return f"dense {module.out_features}"
    return type(module).__name__

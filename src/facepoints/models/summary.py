"""A network to look at: its layers as a table, and as a diagram."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from facepoints.keypoints import FACE_SIZE
from facepoints.writing import written_whole


@dataclass(frozen=True)
class Layer:
    """One layer that a face passes, in order."""

    place: str
    """where it is in the network, such as at12.1.body.0"""
    kind: str
    shape: tuple[int, ...]
    """of its output for one face"""
    parameters: int
    """that are trained"""
    statistics: int
    """that are counted along, such as a batch norm's running mean"""


def layers(network: nn.Module) -> list[Layer]:
    """The layers of a network in the order in which a face passes them."""
    found: list[Layer] = []
    hooks = []

    def note(place: str, module: nn.Module) -> None:
        def hook(_module: nn.Module, _inputs: object, output: Tensor) -> None:
            trained = sum(p.numel() for p in module.parameters())
            counted = sum(b.numel() for b in module.buffers() if b.is_floating_point())
            kind = _in_words(module)
            found.append(Layer(place, kind, tuple(output.shape[1:]), trained, counted))

        hooks.append(module.register_forward_hook(hook))

    for place, module in network.named_modules():
        if not list(module.children()):
            note(place, module)
    training = network.training
    try:
        with torch.inference_mode():
            network.eval()(torch.zeros(1, 1, FACE_SIZE, FACE_SIZE), torch.zeros(1, dtype=torch.long))
    finally:
        network.train(training)
        for handle in hooks:
            handle.remove()
    return found


def draw_diagram(network: nn.Module, path: Path, title: str) -> None:
    """Write the network as a picture (SVG or PNG by the suffix): a block per stage, as high as its maps, with its size.

    Blocks stand in the order of the computation. A block's height is the side of its maps in pixels, its width grows
    with the logarithm of its channels; layers that keep the shape share a block.
    """
    from matplotlib.figure import Figure
    from matplotlib.patches import FancyBboxPatch

    blocks = _blocks(network)
    heights = [0.25 + 2.0 * (b.shape[1] / FACE_SIZE if len(b.shape) == 3 else 0.02) for b in blocks]
    widths = [0.25 + 0.1 * float(torch.tensor(float(b.shape[0])).log2()) if b.shape else 0.25 for b in blocks]
    figure = Figure(figsize=(max(5.0, sum(widths) + 0.75 * len(blocks) + 0.8), 4.1))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_aspect("equal")
    x = 0.4
    for block, height, width in zip(blocks, heights, widths, strict=True):
        color = "#c8541b" if block is blocks[-1] else _COLORS.get(block.kind.split()[0], "#7a8793")
        axes.add_patch(
            FancyBboxPatch((x, -height / 2), width, height, boxstyle="round,pad=0,rounding_size=0.05", color=color)
        )
        size = " × ".join(str(s) for s in block.shape)
        axes.text(x + width / 2, -height / 2 - 0.12, size, ha="center", va="top", fontsize=7.5, color="#333f48")
        label = "\n".join(block.kind.split(" + "))
        axes.text(x + width / 2, height / 2 + 0.1, label, ha="center", va="bottom", fontsize=7, color="#333f48")
        if block is not blocks[-1]:
            axes.annotate(
                "",
                (x + width + 0.68, 0),
                (x + width + 0.07, 0),
                arrowprops={"arrowstyle": "-|>", "color": "#aab4bd", "lw": 1.2},
            )
        x += width + 0.75
    total = sum(p.numel() for p in network.parameters())
    axes.text(0.4, 2.35, title, fontsize=13, weight="bold", color="#1d262c")
    axes.text(0.4, 2.12, f"{total:,} trainable parameters", fontsize=9, color="#55636e")
    axes.set_xlim(0, x)
    axes.set_ylim(-1.55, 2.6)
    with written_whole(path) as beside:
        figure.savefig(beside, format=path.suffix.lstrip(".").lower() or "png", dpi=130, facecolor="white")


_COLORS = {"conv": "#2f6f9f", "pool": "#8fb7d3", "residual": "#24577d", "dense": "#5b8a3c", "flatten": "#aab4bd"}


def _blocks(network: nn.Module) -> list[Layer]:
    """The layers, put together where neighbors keep the shape or only shrink it: what a diagram has room for."""
    blocks: list[Layer] = []
    residual: str | None = None
    for layer in layers(network):
        stage = layer.place.split(".body.")[0] if ".body." in layer.place else None
        kind = "residual" if stage else layer.kind
        silent = layer.kind.split()[0] in ("relu", "leaky", "batch", "dropout", "identity")
        if (stage and stage == residual) or (silent and blocks):
            last = blocks.pop()
            blocks.append(Layer(last.place, last.kind, layer.shape, last.parameters + layer.parameters, 0))
        else:
            blocks.append(Layer(layer.place, kind, layer.shape, layer.parameters, 0))
        residual = stage
    return blocks


def _in_words(module: nn.Module) -> str:
    if isinstance(module, nn.Conv2d):
        side, stride = module.kernel_size[0], module.stride[0]
        return f"conv {side}×{side}" + (f" / {stride}" if stride > 1 else "")
    if isinstance(module, nn.MaxPool2d):
        return f"pool {module.kernel_size}×{module.kernel_size}"
    if isinstance(module, nn.Linear):
        return f"dense {module.out_features}"
    if isinstance(module, nn.Dropout):
        return f"dropout {module.p:g}"
    if isinstance(module, nn.LeakyReLU):
        return f"leaky relu {module.negative_slope:g}"
    return {"BatchNorm2d": "batch norm", "ReLU": "relu", "Flatten": "flatten", "Identity": "identity"}.get(
        type(module).__name__, type(module).__name__.lower()
    )

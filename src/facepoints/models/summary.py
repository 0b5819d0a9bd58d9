"""A network to look at: its layers as a table, and as a diagram."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, fx, nn
from torch.fx.passes.shape_prop import ShapeProp

from facepoints.files import atomic_write
from facepoints.keypoints import FACE_SIZE
from facepoints.models.heatmaps import Residual
from facepoints.models.networks import FullPrecisionLinear, SamePadConv2d


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
    """Write the network as a picture (SVG or PNG by the suffix), as it is computed: torch traces what feeds what.

    A block's height is the side of its maps in pixels, its width grows with the logarithm of its channels. Blocks
    stand in the order of the computation; an arrow that jumps over others is a branch.
    """
    from matplotlib.figure import Figure
    from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
    from matplotlib.path import Path as MplPath

    blocks = _blocks(network)
    heights = [0.2 + 2.0 * (b.shape[1] / FACE_SIZE if len(b.shape) == 3 else 0.02) for b in blocks]
    widths = [0.2 + 0.07 * math.log2(b.shape[0]) for b in blocks]
    lefts = [0.5 + sum(widths[:i]) + 0.52 * i for i in range(len(blocks))]
    wide = lefts[-1] + widths[-1] + 0.5
    figure = Figure(figsize=(max(6.0, wide), 4.2))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(0, max(6.0, wide))
    axes.set_ylim(-1.7, 2.5)
    for i, (block, x, width, height) in enumerate(zip(blocks, lefts, widths, heights, strict=True)):
        color = _COLORS.get(block.kind.split()[0], "#7a8793")
        shape = "round,pad=0,rounding_size=0.04"
        axes.add_patch(FancyBboxPatch((x, -height / 2), width, height, boxstyle=shape, color=color))
        size = f"{block.shape[0]}" + (f"\n{block.shape[1]}²" if len(block.shape) == 3 else "")
        axes.text(x + width / 2, -height / 2 - 0.08, size, ha="center", va="top", fontsize=7, color="#333f48")
        words = block.kind.replace(" / ", "/").replace(" ", "\n")
        axes.text(x + width / 2, height / 2 + 0.07, words, ha="center", va="bottom", fontsize=6.5, color="#333f48")
        for j in block.fed_by:
            if j == i - 1:
                line = MplPath([(lefts[j] + widths[j] + 0.06, 0.0), (x - 0.06, 0.0)])
            else:  # around the blocks between, deeper the farther it goes
                start, end = lefts[j] + widths[j] / 2, x + width / 2
                low = -0.95 - 0.09 * min(i - j, 8)
                ends = -heights[j] / 2 - 0.4, -height / 2 - 0.4
                path_points = [(start, ends[0]), (start + 0.1, low), (end - 0.1, low), (end, ends[1])]
                line = MplPath(path_points, [MplPath.MOVETO, *[MplPath.CURVE4] * 3])
            arrow = FancyArrowPatch(path=line, arrowstyle="-|>", mutation_scale=8, fill=False)
            arrow.set_color("#8d99a3")
            axes.add_patch(arrow)
    total = sum(p.numel() for p in network.parameters())
    axes.text(0.5, 2.3, title, fontsize=13, weight="bold", color="#1d262c")
    axes.text(0.5, 2.08, f"{total:,} trainable parameters", fontsize=9, color="#55636e")
    with atomic_write(path) as beside:
        figure.savefig(beside, format=path.suffix.lstrip(".").lower(), dpi=130, facecolor="white")


_COLORS = {
    "conv": "#2f6f9f",
    "residual": "#24577d",
    "pool": "#8fb7d3",
    "up": "#8fb7d3",
    "add": "#c9a227",
    "dense": "#5b8a3c",
    "softmax": "#c8541b",
    "points": "#c8541b",
}


@dataclass(frozen=True)
class _Block:
    kind: str
    shape: tuple[int, ...]
    fed_by: tuple[int, ...]


class _Stages(fx.Tracer):
    """A tracer that takes a block of convolutions around which the input passes as one step."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, Residual | SamePadConv2d | FullPrecisionLinear) or super().is_leaf_module(
            m, module_qualified_name
        )


def _blocks(network: nn.Module) -> list[_Block]:
    """The steps worth a block, each with the earlier ones that feed it."""
    traced = fx.GraphModule(network, _Stages().trace(network))
    traced.eval()
    with torch.inference_mode():
        ShapeProp(traced).propagate(torch.zeros(1, 1, FACE_SIZE, FACE_SIZE), torch.zeros(1, dtype=torch.long))
    modules = dict(traced.named_modules())
    blocks: list[_Block] = []
    feeding: dict[fx.Node, tuple[int, ...]] = {}  # for each step, the blocks that its value comes from
    for node in traced.graph.nodes:
        sources = tuple(sorted({i for before in node.all_input_nodes for i in feeding[before]}))
        if node.target is getattr:  # a shape is no value: nothing flows
            sources = ()
        kind = _worth_a_block(node, modules, len(sources))
        if kind is None or (node.op == "placeholder" and node.name != "images"):
            feeding[node] = sources
            continue
        meta = node.meta["tensor_meta"] if node.op != "output" else node.args[0].meta["tensor_meta"]
        feeding[node] = (len(blocks),)
        blocks.append(_Block(kind, tuple(meta.shape[1:]), sources))
    return blocks


def _worth_a_block(node: fx.Node, modules: dict[str, nn.Module], sources: int) -> str | None:
    if node.op == "output":
        return "points"
    if node.op == "placeholder":
        return "face" if node.name == "images" else None
    if node.op == "call_module":
        module = modules[str(node.target)]
        if isinstance(module, Residual):
            return "residual"
        return _in_words(module) if isinstance(module, nn.Conv2d | nn.Linear | nn.MaxPool2d) else None
    name = getattr(node.target, "__name__", str(node.target))
    if name == "interpolate":
        return "up 2×"
    if name == "softmax":
        return "softmax mean"
    return "add" if name == "add" and sources > 1 and len(node.meta["tensor_meta"].shape) == 4 else None


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

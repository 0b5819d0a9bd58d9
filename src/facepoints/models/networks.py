"""The networks by name.

Each maps images, float (n, 1, 96, 96) from 0 to 1, and the annotation source (n,) to points, float (n, k, 2), px. Only
the heatmap networks predict differently for each source; the others ignore it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from facepoints.errors import BadChoice, unknown
from facepoints.keypoints import FACE_SIZE
from facepoints.models.ensemble import Ensemble
from facepoints.models.heatmaps import HeatmapNetwork, MultiSourceNetwork

_MIDDLE = (FACE_SIZE - 1) / 2


@dataclass(frozen=True)
class Size:
    """The size of a network; each network uses the fields that it needs."""

    width: int = 32
    kernel: int = 3
    dense_units: int = 512
    dropout: float = 0.0
    members: tuple[str, ...] = ()
    """the networks of an ensemble; empty: a single network"""


class SamePadConv2d(nn.Conv2d):
    """A convolution with output as large as its input, as Keras' `same`: even filters pad more after than before.

    Padding by k // 2 on all sides and dropping the first row and column is equivalent, and avoids the padded copy
    that torch's padding="same" makes for even filters.
    """

    def __init__(self, before: int, after: int, kernel: int, bias: bool = True) -> None:
        super().__init__(before, after, kernel, padding=kernel // 2, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        y = super().forward(x)
        even = 1 - self.kernel_size[0] % 2
        return y[:, :, even:, even:]


class FullPrecisionLinear(nn.Linear):
    """An output layer in 32 bits under mixed precision too: bf16 would round points to tenths of a pixel."""

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            return super().forward(x.float())


class Regression(nn.Module):
    """Layers followed by 2k outputs: distances from the middle of the face, in units of `unit` pixels."""

    def __init__(self, layers: list[nn.Module], units: int, keypoints: int, unit: float = _MIDDLE) -> None:
        """units: inputs of the output layer."""
        super().__init__()
        self.layers = nn.Sequential(*layers, FullPrecisionLinear(units, 2 * keypoints))
        self.keypoints = keypoints
        self.unit = unit

    def forward(self, images: Tensor, source: Tensor) -> Tensor:
        outputs: Tensor = self.layers(images)
        return outputs.view(-1, self.keypoints, 2) * self.unit + _MIDDLE


def dense(size: Size, keypoints: int) -> nn.Module:
    """Fully connected: two hidden layers."""
    units = size.dense_units
    layers: list[nn.Module] = [nn.Flatten()]
    for before, after in ((FACE_SIZE**2, units), (units, units // 2)):
        layers += [nn.Linear(before, after), nn.ReLU(), nn.Dropout(size.dropout)]
    return Regression(layers, units // 2, keypoints)


def plain(size: Size, keypoints: int) -> nn.Module:
    """Three times convolution and max-pooling, then two dense layers."""
    w, k = size.width, size.kernel
    layers: list[nn.Module] = []
    for before, after in ((1, w), (w, 2 * w), (2 * w, 4 * w)):
        layers += [_conv(before, after, k), nn.ReLU(), nn.MaxPool2d(2)]
    layers += [nn.Flatten(), nn.Dropout(size.dropout), nn.Linear(4 * w * 12 * 12, size.dense_units), nn.ReLU()]
    return Regression(layers, size.dense_units, keypoints)


def leaky(size: Size, keypoints: int) -> nn.Module:
    """Four wide leaky convolutions and three dense layers: 20,369,374 trainable parameters at width 64, 15 points.

    Filters of 5, 4, 3 and 2 px, `same` padding as in Keras, no bias before the batch norms.
    """
    w, units = size.width, size.dense_units
    layers: list[nn.Module] = []
    for before, after, kernel in ((1, w, 5), (w, 2 * w, 4), (2 * w, 4 * w, 3), (4 * w, 8 * w, 2)):
        conv = SamePadConv2d(before, after, kernel, bias=False)
        layers += [conv, nn.LeakyReLU(0.1), nn.BatchNorm2d(after), nn.MaxPool2d(2)]
    layers += [nn.Flatten(), nn.Linear(8 * w * 6 * 6, units), nn.ReLU(), nn.Linear(units, units // 2), nn.ReLU()]
    # outputs in pixels, as published: the learning rate of 1e-3 is far too large for units of half a face
    return Regression([*layers, nn.Dropout(size.dropout)], units // 2, keypoints, unit=1.0)


def five(size: Size, keypoints: int) -> nn.Module:
    """Five convolutions, three of them followed by max-pooling, and a linear output."""
    w, k = size.width, size.kernel
    layers: list[nn.Module] = []
    for before, after, pool in ((1, w, True), (w, 2 * w, True), (2 * w, 4 * w, False), (4 * w, 4 * w, True)):
        layers += [_conv(before, after, k), nn.ReLU()] + ([nn.MaxPool2d(2)] if pool else [])
    layers += [_conv(4 * w, 8 * w, k), nn.ReLU(), nn.Flatten(), nn.Dropout(size.dropout)]
    layers += [nn.Linear(8 * w * 12 * 12, size.dense_units), nn.ReLU()]
    return Regression(layers, size.dense_units, keypoints)


def base(size: Size, keypoints: int) -> nn.Module:
    """Two strided convolutions and one dense layer: the smallest CNN."""
    w, k = size.width, size.kernel
    layers: list[nn.Module] = [_conv(1, w, k, stride=2), nn.ReLU(), _conv(w, 2 * w, k, stride=2), nn.ReLU()]
    layers += [nn.Flatten(), nn.Linear(2 * w * 24 * 24, size.dense_units), nn.ReLU()]
    return Regression(layers, size.dense_units, keypoints)


def base_extended(size: Size, keypoints: int) -> nn.Module:
    """More filters, max-pooling and dropout that grows with depth."""
    w, k, p = size.width, size.kernel, size.dropout
    layers: list[nn.Module] = []
    for depth, (before, after) in enumerate(((1, w), (w, 2 * w), (2 * w, 4 * w), (4 * w, 8 * w)), start=1):
        layers += [_conv(before, after, k), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(p * depth / 5)]
    layers += [nn.Flatten(), nn.Linear(8 * w * 6 * 6, size.dense_units), nn.ReLU(), nn.Dropout(p)]
    return Regression(layers, size.dense_units, keypoints)


def heatmap(size: Size, keypoints: int) -> nn.Module:
    """Residual CNN with a heatmap per point and source, read by its expectation."""
    w = size.width
    return HeatmapNetwork((max(1, w // 2), w, 2 * w, 4 * w), keypoints, size.dropout)


def heatmap_wide(size: Size, keypoints: int) -> nn.Module:
    """`heatmap` with more channels at low resolution, where they cost least."""
    w = size.width
    return HeatmapNetwork((max(1, w // 2), w, 5 * w // 2, 5 * w), keypoints, size.dropout)


HEATMAP_NETWORKS = ("heatmap", "heatmap-wide")
"""The networks with outputs for all sources: required for teachers, ensembles and expected errors."""

NETWORKS: dict[str, Callable[[Size, int], nn.Module]] = {
    "dense": dense,
    "plain": plain,
    "leaky": leaky,
    "five": five,
    "base": base,
    "base-extended": base_extended,
    "heatmap": heatmap,
    "heatmap-wide": heatmap_wide,
}


def build(name: str, keypoints: int, size: Size) -> nn.Module:
    """The named network, or the ensemble of `size.members`, for k keypoints; weights from torch's random state."""
    if size.members:
        built = [build(member, keypoints, replace(size, members=())) for member in size.members]
        members = [network for network in built if isinstance(network, MultiSourceNetwork)]
        if len(members) < len(built):
            names = ", ".join(HEATMAP_NETWORKS)
            raise BadChoice(f"members: each needs heatmaps ({names}), not {', '.join(size.members)}")
        return Ensemble(members)
    if name not in NETWORKS:
        raise unknown("network", name, NETWORKS)
    return NETWORKS[name](size, keypoints)


def _conv(before: int, after: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    if stride == 1:
        return SamePadConv2d(before, after, kernel)
    return nn.Conv2d(before, after, kernel, stride=stride, padding=(kernel - 1) // 2)

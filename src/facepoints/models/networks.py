"""The networks, and the dict that names them.

Each takes images, float (n, 1, 96, 96) from 0 to 1, and the source (n,) whose way of labeling is wanted, and gives
points, float (n, k, 2) in pixels. Most do not tell the sources apart and say so by ignoring the second argument.
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
    """How large to build a network; each takes what it has a use for."""

    width: int = 32
    kernel: int = 3
    dense_units: int = 512
    dropout: float = 0.0
    members: tuple[str, ...] = ()
    """the networks of an ensemble; empty: one network alone"""


class SamePadConv2d(nn.Conv2d):
    """A convolution whose output is as large as its input, as Keras' `same`: even filters pad more after than before.

    Padding by k // 2 all around and leaving out the first row and column is the same, and spares the padded copy
    that torch's own padding="same" makes for even filters.
    """

    def __init__(self, before: int, after: int, kernel: int, bias: bool = True) -> None:
        super().__init__(before, after, kernel, padding=kernel // 2, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        y = super().forward(x)
        even = 1 - self.kernel_size[0] % 2
        return y[:, :, even:, even:]


class FullPrecisionLinear(nn.Linear):
    """The last layer: in full precision whatever the rest has, as bf16 knows no steps below a tenth of a pixel."""

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            return super().forward(x.float())


class Regression(nn.Module):
    """Layers that end in 2k numbers, taken as distances from the middle of the face, in units of `unit` pixels."""

    def __init__(self, layers: nn.Sequential, keypoints: int, unit: float = _MIDDLE) -> None:
        super().__init__()
        self.layers = layers
        self.keypoints = keypoints
        self.unit = unit

    def forward(self, images: Tensor, source: Tensor) -> Tensor:
        numbers: Tensor = self.layers(images)
        return numbers.view(-1, self.keypoints, 2) * self.unit + _MIDDLE


def dense(size: Size, keypoints: int) -> nn.Module:
    """Fully connected: every pixel to every unit."""
    units = size.dense_units
    return Regression(
        nn.Sequential(
            nn.Flatten(),
            nn.Linear(FACE_SIZE**2, units),
            nn.ReLU(),
            nn.Dropout(size.dropout),
            nn.Linear(units, units // 2),
            nn.ReLU(),
            nn.Dropout(size.dropout),
            FullPrecisionLinear(units // 2, 2 * keypoints),
        ),
        keypoints,
    )


def plain(size: Size, keypoints: int) -> nn.Module:
    """Three times convolution and max-pooling, then two dense layers."""
    w, k = size.width, size.kernel
    layers: list[nn.Module] = []
    for before, after in ((1, w), (w, 2 * w), (2 * w, 4 * w)):
        layers += [_conv(before, after, k), nn.ReLU(), nn.MaxPool2d(2)]
    layers += [
        nn.Flatten(),
        nn.Dropout(size.dropout),
        nn.Linear(4 * w * 12 * 12, size.dense_units),
        nn.ReLU(),
    ]
    return Regression(nn.Sequential(*layers, FullPrecisionLinear(size.dense_units, 2 * keypoints)), keypoints)


def leaky(size: Size, keypoints: int) -> nn.Module:
    """Four wide leaky convolutions and three dense layers: 20,369,374 trainable parameters at width 64, 15 points.

    Filters of 5, 4, 3 and 2 pixels, `same` padding as in Keras (a filter of even size pads more after than before),
    no bias before the batch norms.
    """
    w = size.width
    layers: list[nn.Module] = []
    for before, after, kernel in ((1, w, 5), (w, 2 * w, 4), (2 * w, 4 * w, 3), (4 * w, 8 * w, 2)):
        layers += [
            SamePadConv2d(before, after, kernel, bias=False),
            nn.LeakyReLU(0.1),
            nn.BatchNorm2d(after),
            nn.MaxPool2d(2),
        ]
    units = size.dense_units
    layers += [
        nn.Flatten(),
        nn.Linear(8 * w * 6 * 6, units),
        nn.ReLU(),
        nn.Linear(units, units // 2),
        nn.ReLU(),
    ]
    layers += [nn.Dropout(size.dropout), FullPrecisionLinear(units // 2, 2 * keypoints)]
    # in pixels, as its source has it: steps of 1e-3 suit that; in units of half a face they are far too long
    return Regression(nn.Sequential(*layers), keypoints, unit=1.0)


def five(size: Size, keypoints: int) -> nn.Module:
    """Five convolutions, three of them followed by max-pooling, and a linear output."""
    w, k = size.width, size.kernel
    layers: list[nn.Module] = []
    for before, after, pool in ((1, w, True), (w, 2 * w, True), (2 * w, 4 * w, False), (4 * w, 4 * w, True)):
        layers += [_conv(before, after, k), nn.ReLU()] + ([nn.MaxPool2d(2)] if pool else [])
    layers += [_conv(4 * w, 8 * w, k), nn.ReLU(), nn.Flatten(), nn.Dropout(size.dropout)]
    layers += [nn.Linear(8 * w * 12 * 12, size.dense_units), nn.ReLU()]
    return Regression(nn.Sequential(*layers, FullPrecisionLinear(size.dense_units, 2 * keypoints)), keypoints)


def base(size: Size, keypoints: int) -> nn.Module:
    """Two strided convolutions and one dense layer: the least that can be called a CNN."""
    w, k = size.width, size.kernel
    layers: list[nn.Module] = [_conv(1, w, k, stride=2), nn.ReLU(), _conv(w, 2 * w, k, stride=2), nn.ReLU()]
    layers += [nn.Flatten(), nn.Linear(2 * w * 24 * 24, size.dense_units), nn.ReLU()]
    return Regression(nn.Sequential(*layers, FullPrecisionLinear(size.dense_units, 2 * keypoints)), keypoints)


def base_extended(size: Size, keypoints: int) -> nn.Module:
    """More filters, max-pooling and dropout that grows with depth."""
    w, k, p = size.width, size.kernel, size.dropout
    layers: list[nn.Module] = []
    for depth, (before, after) in enumerate(((1, w), (w, 2 * w), (2 * w, 4 * w), (4 * w, 8 * w)), start=1):
        layers += [_conv(before, after, k), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(p * depth / 5)]
    layers += [nn.Flatten(), nn.Linear(8 * w * 6 * 6, size.dense_units), nn.ReLU(), nn.Dropout(p)]
    return Regression(nn.Sequential(*layers, FullPrecisionLinear(size.dense_units, 2 * keypoints)), keypoints)


def heatmap(size: Size, keypoints: int) -> nn.Module:
    """Residual CNN with a map per point and source, read by its expectation."""
    w = size.width
    return HeatmapNetwork((max(1, w // 2), w, 2 * w, 4 * w), keypoints, size.dropout)


def heatmap_wide(size: Size, keypoints: int) -> nn.Module:
    """The same with more channels where the maps are coarse: there they cost least."""
    w = size.width
    return HeatmapNetwork((max(1, w // 2), w, 5 * w // 2, 5 * w), keypoints, size.dropout)


HEATMAP_NETWORKS = ("heatmap", "heatmap-wide")
"""The networks that answer for all sources at once, and so can teach, sit in an ensemble, and expect errors."""

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
    """The named network for k keypoints, with fresh weights from torch's global random state; or an ensemble."""
    if size.members:
        return _ensemble(size, keypoints)
    if name not in NETWORKS:
        raise unknown("network", name, NETWORKS)
    return NETWORKS[name](size, keypoints)


def _ensemble(size: Size, keypoints: int) -> Ensemble:
    built = [build(name, keypoints, replace(size, members=())) for name in size.members]
    seeing = [network for network in built if isinstance(network, MultiSourceNetwork)]
    if len(seeing) < len(built):
        raise BadChoice(f"members: each needs maps ({', '.join(HEATMAP_NETWORKS)}), not {', '.join(size.members)}")
    return Ensemble(seeing)


def _conv(before: int, after: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    if stride == 1:
        return SamePadConv2d(before, after, kernel)
    return nn.Conv2d(before, after, kernel, stride=stride, padding=(kernel - 1) // 2)

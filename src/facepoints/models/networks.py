"""The networks, and the dict that names them.

Each takes images, float (n, 1, 96, 96) from 0 to 1, and the source (n,) whose way of labeling is wanted, and gives
points, float (n, k, 2) in pixels. Most do not tell the sources apart and say so by ignoring the second argument.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facepoints.errors import unknown
from facepoints.keypoints import FACE_SIZE, SOURCES

_MIDDLE = (FACE_SIZE - 1) / 2


@dataclass(frozen=True)
class Size:
    """How large to build a network; each takes what it has a use for."""

    width: int = 32
    kernel: int = 3
    dense_units: int = 512
    dropout: float = 0.0


class Same(nn.Conv2d):
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


class Regression(nn.Module):
    """Layers that end in 2k numbers, taken as coordinates: -1 is the first pixel's center and 1 the last one's."""

    def __init__(self, layers: nn.Sequential, keypoints: int) -> None:
        super().__init__()
        self.layers = layers
        self.keypoints = keypoints

    def forward(self, images: Tensor, source: Tensor) -> Tensor:
        numbers: Tensor = self.layers(images)
        return numbers.float().view(-1, self.keypoints, 2) * _MIDDLE + _MIDDLE


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
            nn.Linear(units // 2, 2 * keypoints),
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
    return Regression(nn.Sequential(*layers, nn.Linear(size.dense_units, 2 * keypoints)), keypoints)


def leaky(size: Size, keypoints: int) -> nn.Module:
    """Four wide leaky convolutions and three dense layers: 20,369,374 trainable parameters at width 64, 15 points.

    Filters of 5, 4, 3 and 2 pixels, `same` padding as in Keras (a filter of even size pads more after than before),
    no bias before the batch norms.
    """
    w = size.width
    layers: list[nn.Module] = []
    for before, after, kernel in ((1, w, 5), (w, 2 * w, 4), (2 * w, 4 * w, 3), (4 * w, 8 * w, 2)):
        layers += [Same(before, after, kernel, bias=False), nn.LeakyReLU(0.1), nn.BatchNorm2d(after), nn.MaxPool2d(2)]
    units = size.dense_units
    layers += [
        nn.Flatten(),
        nn.Linear(8 * w * 6 * 6, units),
        nn.ReLU(),
        nn.Linear(units, units // 2),
        nn.ReLU(),
    ]
    return Regression(nn.Sequential(*layers, nn.Dropout(size.dropout), nn.Linear(units // 2, 2 * keypoints)), keypoints)


def five(size: Size, keypoints: int) -> nn.Module:
    """Five convolutions, three of them followed by max-pooling, and a linear output."""
    w, k = size.width, size.kernel
    layers: list[nn.Module] = []
    for before, after, pool in ((1, w, True), (w, 2 * w, True), (2 * w, 4 * w, False), (4 * w, 4 * w, True)):
        layers += [_conv(before, after, k), nn.ReLU()] + ([nn.MaxPool2d(2)] if pool else [])
    layers += [_conv(4 * w, 8 * w, k), nn.ReLU(), nn.Flatten(), nn.Dropout(size.dropout)]
    layers += [nn.Linear(8 * w * 12 * 12, size.dense_units), nn.ReLU()]
    return Regression(nn.Sequential(*layers, nn.Linear(size.dense_units, 2 * keypoints)), keypoints)


def base(size: Size, keypoints: int) -> nn.Module:
    """Two strided convolutions and one dense layer: the least that can be called a CNN."""
    w, k = size.width, size.kernel
    layers: list[nn.Module] = [_conv(1, w, k, stride=2), nn.ReLU(), _conv(w, 2 * w, k, stride=2), nn.ReLU()]
    layers += [nn.Flatten(), nn.Linear(2 * w * 24 * 24, size.dense_units), nn.ReLU()]
    return Regression(nn.Sequential(*layers, nn.Linear(size.dense_units, 2 * keypoints)), keypoints)


def base_extended(size: Size, keypoints: int) -> nn.Module:
    """More filters, max-pooling and dropout that grows with depth."""
    w, k, p = size.width, size.kernel, size.dropout
    layers: list[nn.Module] = []
    for depth, (before, after) in enumerate(((1, w), (w, 2 * w), (2 * w, 4 * w), (4 * w, 8 * w)), start=1):
        layers += [_conv(before, after, k), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(p * depth / 5)]
    layers += [nn.Flatten(), nn.Linear(8 * w * 6 * 6, size.dense_units), nn.ReLU(), nn.Dropout(p)]
    return Regression(nn.Sequential(*layers, nn.Linear(size.dense_units, 2 * keypoints)), keypoints)


class Residual(nn.Module):
    """Two 3x3 convolutions around which the input passes (He et al., 2016, "Identity mappings", the plain form)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.body(x) + x, inplace=True)


class PointMaps(nn.Module):
    """A map per point and source, read by its expectation: our first good one.

    A strided stem, residual stages at 48, 24, 12 and 6 pixels, features brought back up to 24 x 24, then the softmax
    of each map and the mean place under it (soft-argmax; Luvizon et al., 2017), moved by a small regressed offset
    that sees the whole face: an expectation alone can't leave the grid's hull.
    """

    places: Tensor
    answering: Tensor

    def __init__(self, width: int, keypoints: int, dropout: float) -> None:
        super().__init__()
        w1, w2, w3, w4 = max(1, width // 2), width, 2 * width, 4 * width
        self.keypoints = keypoints
        answers = len(SOURCES) * keypoints
        self.stem = nn.Sequential(nn.Conv2d(1, w1, 5, stride=2, padding=2), nn.ReLU(inplace=True))
        self.at24 = nn.Sequential(_normed(w1, w2, 3, stride=2), Residual(w2))
        self.at12 = nn.Sequential(_normed(w2, w3, 3, stride=2), Residual(w3), Residual(w3))
        self.at6 = nn.Sequential(_normed(w3, w4, 3, stride=2), Residual(w4), Residual(w4))
        self.down6 = nn.Conv2d(w4, w3, 1)
        self.down12 = nn.Conv2d(w3, w2, 1)
        self.maps = nn.Sequential(_normed(w2, w2, 3, stride=1), nn.Conv2d(w2, answers, 1))
        self.offset = nn.Sequential(
            nn.Conv2d(w4, w2, 1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Dropout(dropout),
            nn.Linear(w2 * 36, 2 * answers),
        )
        for start in self.offset[-1].parameters():
            nn.init.zeros_(start)  # the maps alone decide at first
        self.register_buffer("places", _cell_centers(24), persistent=False)
        self.register_buffer("answering", torch.arange(answers).view(len(SOURCES), keypoints))

    def hear(self, labeled: Tensor) -> None:
        """Let source A answer for the points that source B never labels, and the other way round.

        labeled bool (sources, k): did training rows of this source have this point? A head that never heard of a
        point would answer noise when somebody asks for it.
        """
        for source in range(len(SOURCES)):
            deaf = ~labeled[source] & labeled[1 - source]
            self.answering[source, deaf] = (1 - source) * self.keypoints + torch.nonzero(deaf).flatten()

    def forward(self, images: Tensor, source: Tensor) -> Tensor:
        half = self.stem(images)
        quarter = self.at24(half)
        eighth = self.at12(quarter)
        deep = self.at6(eighth)
        x = self.down12(eighth + F.interpolate(self.down6(deep), scale_factor=2.0))
        maps = self.maps(quarter + F.interpolate(x, scale_factor=2.0)).flatten(2)
        asked = self.answering[source].unsqueeze(2)
        weight = maps.gather(1, asked.expand(-1, -1, maps.shape[2])).float().softmax(dim=2)
        offset = self.offset(deep).view(images.shape[0], -1, 2).gather(1, asked.expand(-1, -1, 2))
        # a sum, not a matrix product, which mixed precision would round to a tenth of a pixel
        points: Tensor = (weight.unsqueeze(3) * self.places).sum(2) + offset.float()
        return points


def point_maps(size: Size, keypoints: int) -> nn.Module:
    """Residual CNN with a map per point and source, read by its expectation."""
    return PointMaps(size.width, keypoints, size.dropout)


NETWORKS: dict[str, Callable[[Size, int], nn.Module]] = {
    "dense": dense,
    "plain": plain,
    "leaky": leaky,
    "five": five,
    "base": base,
    "base-extended": base_extended,
    "point-maps": point_maps,
}


def build(name: str, keypoints: int, size: Size) -> nn.Module:
    """The named network for k keypoints, with fresh weights from torch's global random state."""
    if name not in NETWORKS:
        raise unknown("network", name, NETWORKS)
    return NETWORKS[name](size, keypoints)


def _conv(before: int, after: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    if stride == 1:
        return Same(before, after, kernel)
    return nn.Conv2d(before, after, kernel, stride=stride, padding=kernel // 2)


def _normed(before: int, after: int, kernel: int, stride: int) -> nn.Sequential:
    conv = nn.Conv2d(before, after, kernel, stride=stride, padding=kernel // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(after), nn.ReLU(inplace=True))


def _cell_centers(cells: int) -> Tensor:
    """The centers of a grid's cells in pixels of the face, (cells * cells, 2), row by row, (x, y)."""
    size = FACE_SIZE / cells
    line = torch.arange(cells) * size + (size - 1) / 2
    y, x = torch.meshgrid(line, line, indexing="ij")
    return torch.stack([x.flatten(), y.flatten()], dim=1)

"""Heatmap networks: one heatmap per keypoint and annotation source, read by its expectation (soft-argmax).

A strided stem and residual stages at 24, 12 and 6 px; the features are upsampled again to 24 x 24. The point is the
mean position under the softmax of the heatmap (Luvizon et al., 2017) plus a small offset regressed from the whole
face, because an expectation cannot leave the convex hull of the grid.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facepoints.keypoints import FACE_SIZE, SOURCES

CELLS = 24
"""Rows and columns of a heatmap; a cell is 4 px wide."""


class Features(NamedTuple):
    """Outputs for n images and all sources: the k points of source A, then those of B (s = sources * k)."""

    points: Tensor
    """(n, s, 2), px"""
    spread: Tensor
    """(n, s), px: standard deviation of the heatmap about its mean"""
    peak: Tensor
    """(n, s), 0 to 1: largest weight of one cell"""
    deep: Tensor
    """(n, channels): the coarsest features, averaged over the face"""
    maps: Tensor
    """(n, s, CELLS²): heatmap logits, row by row"""


class Residual(nn.Module):
    """Two 3x3 convolutions with a skip connection (He et al., 2016)."""

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


class MultiSourceNetwork(nn.Module):
    """Base class of networks that predict the points of every source at once; `forward` selects one source."""

    source_channels: Tensor
    """(sources, k): the output channel used for each point of each source"""

    def __init__(self, keypoints: int, deep_channels: int) -> None:
        super().__init__()
        self.keypoints = keypoints
        self.deep_channels = deep_channels
        self.register_buffer("source_channels", torch.arange(len(SOURCES) * keypoints).view(len(SOURCES), keypoints))

    def set_labeled(self, labeled: Tensor) -> None:
        """Use the other source's channel for points that a source never labels: its own channel is untrained noise.

        labeled: bool (sources, k), True where training rows of this source have this point.
        """
        for source in range(len(SOURCES)):
            untrained = ~labeled[source] & labeled[1 - source]
            other = (1 - source) * self.keypoints + torch.nonzero(untrained).flatten()
            self.source_channels[source, untrained] = other

    def extract(self, images: Tensor) -> Features:
        """All outputs for images (n, 1, 96, 96), 0 to 1."""
        raise NotImplementedError

    def corrected(self, points: Tensor) -> Tensor:
        """Points (n, sources * k, 2) after the network's own bias correction; here unchanged."""
        return points

    def select_source(self, outputs: Tensor, source: Tensor) -> Tensor:
        """From outputs (n, sources * k, c) those of the sources (n,): (n, k, c)."""
        return outputs.gather(1, self.source_channels[source].unsqueeze(2).expand(-1, -1, outputs.shape[2]))

    def forward(self, images: Tensor, source: Tensor) -> Tensor:
        return self.select_source(self.corrected(self.extract(images).points), source)


class HeatmapNetwork(MultiSourceNetwork):
    """A heatmap per point and source. `widths`: channels at 48, 24, 12 and 6 px."""

    line: Tensor

    def __init__(self, widths: tuple[int, int, int, int], keypoints: int, dropout: float) -> None:
        w1, w2, w3, w4 = widths
        super().__init__(keypoints, deep_channels=w4)
        outputs = len(SOURCES) * keypoints
        self.stem = nn.Sequential(nn.Conv2d(1, w1, 5, stride=2, padding=2), nn.ReLU(inplace=True))
        self.at24 = nn.Sequential(_normed(w1, w2, stride=2), Residual(w2))
        self.at12 = nn.Sequential(_normed(w2, w3, stride=2), Residual(w3), Residual(w3))
        self.at6 = nn.Sequential(_normed(w3, w4, stride=2), Residual(w4), Residual(w4))
        self.down6 = nn.Conv2d(w4, w3, 1)
        self.down12 = nn.Conv2d(w3, w2, 1)
        self.maps = nn.Sequential(_normed(w2, w2, stride=1), nn.Conv2d(w2, outputs, 1))
        self.offset = nn.Sequential(
            nn.Conv2d(w4, w2, 1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Dropout(dropout),
            nn.Linear(w2 * 36, 2 * outputs),
        )
        for parameter in self.offset[-1].parameters():
            nn.init.zeros_(parameter)  # start from the heatmaps alone
        cell = FACE_SIZE / CELLS
        self.register_buffer("line", torch.arange(CELLS) * cell + (cell - 1) / 2, persistent=False)

    def extract(self, images: Tensor) -> Features:
        quarter = self.at24(self.stem(images))
        eighth = self.at12(quarter)
        deep = self.at6(eighth)
        x = self.down12(eighth + F.interpolate(self.down6(deep), scale_factor=2.0))
        maps = self.maps(quarter + F.interpolate(x, scale_factor=2.0)).flatten(2)
        weight = maps.float().softmax(dim=2).unflatten(2, (CELLS, CELLS))
        # sums along rows and columns: mixed precision would round a matrix product to a tenth of a pixel
        across, down = weight.sum(2), weight.sum(3)
        mean = torch.stack([(across * self.line).sum(2), (down * self.line).sum(2)], dim=2)
        square = (across * self.line.square()).sum(2) + (down * self.line.square()).sum(2)
        spread = (square - mean.square().sum(2)).clamp_min(1e-6).sqrt()
        offset = self.offset(deep).view(images.shape[0], -1, 2).float()
        return Features(mean + offset, spread, weight.flatten(2).amax(2), deep.float().mean((2, 3)), maps)


def _normed(before: int, after: int, stride: int) -> nn.Sequential:
    conv = nn.Conv2d(before, after, 3, stride=stride, padding=1, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(after), nn.ReLU(inplace=True))

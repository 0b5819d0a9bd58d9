"""Networks that give a map to each point and source, and read it by its expectation: our good ones.

A strided stem, stages at 24, 12 and 6 pixels, features brought back up to 24 x 24, then the softmax of each map and
the mean place under it (soft-argmax; Luvizon et al., 2017), moved by a small regressed offset that sees the whole
face: an expectation alone can't leave the grid's hull.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facepoints.keypoints import FACE_SIZE, SOURCES

CELLS = 24
"""Rows and columns of a map: a cell is 4 pixels wide."""


class Features(NamedTuple):
    """What the network saw in n images, for all answers: the points of source A, then those of B."""

    points: Tensor
    """(n, answers, 2), pixels"""
    spread: Tensor
    """(n, answers), pixels: how far a map's weight is scattered about its middle"""
    peak: Tensor
    """(n, answers), 0 to 1: the largest share that one cell has"""
    deep: Tensor
    """(n, channels): the coarsest features, averaged over the face"""
    maps: Tensor
    """(n, answers, CELLS²): the maps, row by row, whose softmax weighs the places"""


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


class MultiSourceNetwork(nn.Module):
    """Networks that see what each source would say; the source of each image tells which of it is given."""

    source_channels: Tensor

    def __init__(self, keypoints: int, deep_channels: int) -> None:
        super().__init__()
        self.keypoints = keypoints
        self.deep_channels = deep_channels
        self.register_buffer("source_channels", torch.arange(len(SOURCES) * keypoints).view(len(SOURCES), keypoints))

    def set_labeled(self, labeled: Tensor) -> None:
        """Let source A answer for the points that source B never labels, and the other way round.

        labeled bool (sources, k): did training rows of this source have this point? A head that never heard of a
        point would answer noise when somebody asks for it.
        """
        for source in range(len(SOURCES)):
            deaf = ~labeled[source] & labeled[1 - source]
            self.source_channels[source, deaf] = (1 - source) * self.keypoints + torch.nonzero(deaf).flatten()

    def extract(self, images: Tensor) -> Features:
        """All that there is to see in images (n, 1, 96, 96), 0 to 1."""
        raise NotImplementedError

    def corrected(self, points: Tensor) -> Tensor:
        """The points (n, sources * k, 2) that are answered, from those seen, or from the mean over several views."""
        return points

    def select_source(self, answers: Tensor, source: Tensor) -> Tensor:
        """Of all answers (n, sources * k, c) those that the sources (n,) give: (n, k, c)."""
        return answers.gather(1, self.source_channels[source].unsqueeze(2).expand(-1, -1, answers.shape[2]))

    def forward(self, images: Tensor, source: Tensor) -> Tensor:
        return self.select_source(self.corrected(self.extract(images).points), source)


class HeatmapNetwork(MultiSourceNetwork):
    """A map per point and source. `widths` are the channels at 48, 24, 12 and 6 pixels."""

    line: Tensor

    def __init__(self, widths: tuple[int, int, int, int], keypoints: int, dropout: float) -> None:
        w1, w2, w3, w4 = widths
        super().__init__(keypoints, deep_channels=w4)
        answers = len(SOURCES) * keypoints
        self.stem = nn.Sequential(nn.Conv2d(1, w1, 5, stride=2, padding=2), nn.ReLU(inplace=True))
        self.at24 = nn.Sequential(_normed(w1, w2, stride=2), Residual(w2))
        self.at12 = nn.Sequential(_normed(w2, w3, stride=2), Residual(w3), Residual(w3))
        self.at6 = nn.Sequential(_normed(w3, w4, stride=2), Residual(w4), Residual(w4))
        self.down6 = nn.Conv2d(w4, w3, 1)
        self.down12 = nn.Conv2d(w3, w2, 1)
        self.maps = nn.Sequential(_normed(w2, w2, stride=1), nn.Conv2d(w2, answers, 1))
        self.offset = nn.Sequential(
            nn.Conv2d(w4, w2, 1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Dropout(dropout),
            nn.Linear(w2 * 36, 2 * answers),
        )
        for start in self.offset[-1].parameters():
            nn.init.zeros_(start)  # the maps alone decide at first
        cell = FACE_SIZE / CELLS
        self.register_buffer("line", torch.arange(CELLS) * cell + (cell - 1) / 2, persistent=False)

    def extract(self, images: Tensor) -> Features:
        quarter = self.at24(self.stem(images))
        eighth = self.at12(quarter)
        deep = self.at6(eighth)
        x = self.down12(eighth + F.interpolate(self.down6(deep), scale_factor=2.0))
        maps = self.maps(quarter + F.interpolate(x, scale_factor=2.0)).flatten(2)
        weight = maps.float().softmax(dim=2).unflatten(2, (CELLS, CELLS))
        # sums along rows and columns, not a matrix product, which mixed precision would round to a tenth of a pixel
        across, down = weight.sum(2), weight.sum(3)
        middle = torch.stack([(across * self.line).sum(2), (down * self.line).sum(2)], dim=2)
        square = (across * self.line.square()).sum(2) + (down * self.line.square()).sum(2)
        spread = (square - middle.square().sum(2)).clamp_min(1e-6).sqrt()
        offset = self.offset(deep).view(images.shape[0], -1, 2).float()
        return Features(middle + offset, spread, weight.flatten(2).amax(2), deep.float().mean((2, 3)), maps)


def _normed(before: int, after: int, stride: int) -> nn.Sequential:
    conv = nn.Conv2d(before, after, 3, stride=stride, padding=1, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(after), nn.ReLU(inplace=True))

"""A small fully convolutional network that predicts face centers on a grey picture.

It covers a little more than one octave of face sizes; the detector applies it to the picture at full, half, quarter
size and so on. This needs few weights, and large faces cost next to nothing. After Zhou et al. (2019), "Objects as
Points": a face is a peak of the first output map; the other maps give its offset, size and roll there.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

STRIDE = 8
"""Pixels between neighboring cells of the output maps: half the smallest face."""

SIDES = (16.0, 48.0)
"""Sides of the smallest and the largest face square, px."""

UNIT = 28.0
"""Side, px, that the size map encodes as 0."""

MAPS = ("likeness", "right", "down", "size", "cosine", "sine")
"""Output maps: log-odds of a face center; offset of the center from the cell's center, in strides; log(side / UNIT);
direction of the roll."""


class FaceMap(nn.Module):
    """Plain 3 x 3 convolutions, which are the fastest layers per weight in 8 bits."""

    def __init__(self, widths: tuple[int, int, int] = (16, 32, 96), depth: int = 6) -> None:
        """widths: channels at 1/2, 1/4 and 1/8 of the picture's size; depth: further convolutions at 1/8."""
        super().__init__()
        half, quarter, eighth = widths
        channels = [1, half, quarter, quarter, *[eighth] * (depth + 1)]
        strides = [2, 2, 1, 2, *[1] * depth]
        layers = zip(pairwise(channels), strides, strict=True)
        self.trunk = nn.Sequential(*(_layer(before, after, stride) for (before, after), stride in layers))
        self.head = nn.Conv2d(eighth, len(MAPS), 1)
        nn.init.constant_(self.head.bias[:1], -4.0)  # type: ignore[index]  # faces are rare: start near p = 0.02

    def forward(self, pictures: Tensor) -> Tensor:
        """Maps (n, 6, h / 8, w / 8) of pictures, float (n, 1, h, w), 0 to 1."""
        features = self.trunk(pictures - 0.5)  # so that zero padding is mid-grey
        with torch.autocast(features.device.type, enabled=False):
            maps: Tensor = self.head(features.float())
        return maps


def _layer(before: int, after: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU(inplace=True)
    )

"""A small fully convolutional network that says of every place of a grey picture whether a face has its middle there.

It knows one octave of sizes and a little more: a picture is shown to it whole, at half its size, at a quarter and so
on. So few weights suffice, a large face costs next to nothing, and every size is as well known as any other.
After Zhou et al. (2019), "Objects as Points": a face is the peak of a map, the other maps tell the rest at the peak.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

STRIDE = 8
"""Pixels of the picture from one cell of the maps to the next: half the smallest face."""

SIDES = (16.0, 48.0)
"""Sides of the smallest and the largest face's square, px of the picture."""

UNIT = 28.0
"""The side, px, whose logarithm the third map counts from."""

MAPS = ("likeness", "right", "down", "size", "cosine", "sine")
"""What the maps tell: log-odds of being a face's middle; its way from the cell's middle, in strides; log(side / UNIT);
the direction of the roll."""


class FaceMap(nn.Module):
    """Plain 3 x 3 convolutions: in 8 bits nothing that a processor does is faster for each weight."""

    def __init__(self, widths: tuple[int, int, int] = (16, 32, 96), depth: int = 6) -> None:
        """widths: channels at half, a quarter and an eighth of the picture's size; depth: convolutions at an eighth."""
        super().__init__()
        half, quarter, eighth = widths
        channels = [1, half, quarter, quarter, *[eighth] * (depth + 1)]
        strides = [2, 2, 1, 2, *[1] * depth]
        self.trunk = nn.Sequential(
            *(
                _layer(before, after, stride)
                for (before, after), stride in zip(pairwise(channels), strides, strict=True)
            )
        )
        self.head = nn.Conv2d(eighth, len(MAPS), 1)
        nn.init.constant_(self.head.bias[:1], -4.0)  # type: ignore[index]  # faces are rare: begin by saying so

    def forward(self, pictures: Tensor) -> Tensor:
        """Maps (n, 6, h / 8, w / 8) of pictures, float (n, 1, h, w), 0 to 1."""
        features = self.trunk(pictures - 0.5)  # beyond the edge it is as if all were mid-grey
        with torch.autocast(features.device.type, enabled=False):
            maps: Tensor = self.head(features.float())
        return maps


def _layer(before: int, after: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU(inplace=True)
    )

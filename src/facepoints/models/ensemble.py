"""Several heatmap networks as one: the mean of their points plus a linear bias correction.

Averaging networks trained on different rows lowers the error (Hansen and Salamon, 1990, "Neural network ensembles").
Errors that they share remain, such as brow ends that are predicted too low when the mouth is open. A linear map from
all points to the error, fitted by ridge regression on out-of-fold predictions, removes part of them (stacking: Wolpert,
1992, "Stacked generalization").
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from facepoints.models.heatmaps import Features, MultiSourceNetwork


class Ensemble(MultiSourceNetwork):
    """Averages its members' outputs, each shifted by the difference of its label offset from the mean offset."""

    shift: Tensor
    """(members, sources * k, 2), px"""
    bias_correction: Tensor
    """(2 * sources * k + 1, 2 * sources * k); the last row is the constant"""

    def __init__(self, members: Sequence[MultiSourceNetwork]) -> None:
        super().__init__(members[0].keypoints, deep_channels=sum(member.deep_channels for member in members))
        self.members = nn.ModuleList(members)
        outputs = self.source_channels.numel()
        self.register_buffer("shift", torch.zeros(len(members), outputs, 2))
        self.register_buffer("bias_correction", torch.zeros(2 * outputs + 1, 2 * outputs))

    def extract(self, images: Tensor) -> Features:
        found = [member.extract(images) for member in self.members]  # type: ignore[operator]
        each = torch.stack([one.points for one in found], dim=1) + self.shift
        points = each.mean(1)
        within = torch.stack([one.spread for one in found]).square().mean(0)
        between = (each - points.unsqueeze(1)).square().sum(3).mean(1)
        return Features(
            points,
            (within + between).sqrt(),
            torch.stack([one.peak for one in found]).mean(0),
            torch.cat([one.deep for one in found], dim=1),
            torch.stack([one.maps for one in found]).mean(0),
        )

    def corrected(self, points: Tensor) -> Tensor:
        """Points (n, sources * k, 2) plus the bias correction; apply after averaging a flipped view."""
        flat = points.flatten(1)
        return points + (flat @ self.bias_correction[:-1] + self.bias_correction[-1]).view_as(points)

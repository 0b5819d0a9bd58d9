"""Several networks as one: they answer with their mean, which an affine map learned on unseen faces then straightens.

Networks that were trained on different rows err differently, and their mean less than each (Hansen and Salamon, 1990,
"Neural network ensembles"). What errs together is left: brow ends too low where the mouth is open, say. A linear map
from all points to the errors of those faces that a network was not trained on takes some of it away (stacking:
Wolpert, 1992, "Stacked generalization").
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from facepoints.models.heatmaps import Features, MultiSourceNetwork


class Ensemble(MultiSourceNetwork):
    """Networks with maps that answer together, each in the frame of its own label offset."""

    shift: Tensor
    bias_correction: Tensor

    def __init__(self, members: Sequence[MultiSourceNetwork]) -> None:
        super().__init__(members[0].keypoints, deep_channels=sum(member.deep_channels for member in members))
        self.members = nn.ModuleList(members)
        answers = self.source_channels.numel()
        self.register_buffer("shift", torch.zeros(len(members), answers, 2))
        self.register_buffer("bias_correction", torch.zeros(2 * answers + 1, 2 * answers))

    def extract(self, images: Tensor) -> Features:
        seen = [member.extract(images) for member in self.members]  # type: ignore[operator]
        each = torch.stack([one.points for one in seen], dim=1) + self.shift
        points = each.mean(1)
        spread = torch.stack([one.spread for one in seen]).square().mean(0)
        apart = (each - points.unsqueeze(1)).square().sum(3).mean(1)
        return Features(
            points,
            (spread + apart).sqrt(),
            torch.stack([one.peak for one in seen]).mean(0),
            torch.cat([one.deep for one in seen], dim=1),
            torch.stack([one.maps for one in seen]).mean(0),
        )

    def corrected(self, points: Tensor) -> Tensor:
        """The points (n, answers, 2), straightened: after a mirrored view is averaged in, as labels have sides."""
        flat = points.flatten(1)
        return points + (flat @ self.bias_correction[:-1] + self.bias_correction[-1]).view_as(points)

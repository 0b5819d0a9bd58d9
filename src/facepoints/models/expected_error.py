"""How far a point is likely to be off: a second, small head that looks at what the first one saw."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from facepoints.keypoints import FACE_SIZE, SOURCES
from facepoints.models.point_maps import AllAnswers, Seen

LEAST, LARGEST = 0.1, FACE_SIZE / 2
"""No label is exact to a tenth of a pixel, and no guess is worse than half a face."""

_UNITS = 64


class ExpectedError(nn.Module):
    """Seen in, expected errors out: (n, answers), pixels, the root mean square error of one coordinate.

    It is trained after the points, on what they then leave over, so that it cannot cost them accuracy. A calibration
    learned from rows that nothing was trained on turns what it says into `exp(shift) * error ** power`, for each
    source (sources, 2): training rows flatter.
    """

    calibration: Tensor

    def __init__(self, network: AllAnswers) -> None:
        super().__init__()
        self.keypoints = network.keypoints
        answers = len(SOURCES) * network.keypoints
        self.layers = nn.Sequential(
            nn.BatchNorm1d(network.deep_channels + 2 * answers, affine=False),
            nn.Linear(network.deep_channels + 2 * answers, _UNITS),
            nn.ReLU(),
            nn.Linear(_UNITS, answers),
        )
        self.register_buffer("calibration", torch.tensor([[0.0, 1.0]]).repeat(len(SOURCES), 1))

    def forward(self, seen: Seen) -> Tensor:
        return self.log_error(seen).clamp(math.log(LEAST), math.log(LARGEST)).exp()

    def log_error(self, seen: Seen) -> Tensor:
        """The natural logarithm of the expected errors, (n, answers), calibrated."""
        evidence = torch.cat([seen.spread.log(), seen.peak.log(), seen.deep], dim=1)
        shift, power = self.calibration.repeat_interleave(self.keypoints, dim=0).unbind(1)
        log_error: Tensor = self.layers(evidence)
        return log_error * power + shift

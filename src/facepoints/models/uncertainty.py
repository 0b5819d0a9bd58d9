"""Expected error of each point, predicted by a small second head from the features of the first one."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from facepoints.keypoints import FACE_SIZE, SOURCES
from facepoints.models.heatmaps import Features, MultiSourceNetwork

MIN_ERROR, MAX_ERROR = 0.1, FACE_SIZE / 2
"""Bounds of the expected error, px: labels are not exact to 0.1 px, and a random point is off by half a face."""

KNEE = math.log(1.5)
"""Natural logarithm of the expected error, px, at which the calibration changes its slope."""

IDENTITY = (KNEE, 1.0, 1.0)
"""The calibration that changes nothing: value at the knee, slope below, slope above."""

MIN_SLOPE = 0.2
"""Keeps the calibration increasing, so that few labels cannot reverse the order of expected errors."""

_UNITS = 64


class ExpectedError(nn.Module):
    """Maps Features to expected errors (n, sources * k), px: root mean square error of one coordinate.

    The head is trained after the points, on their remaining errors, so that it cannot cost accuracy. Its output is
    calibrated for each source on rows that no training used: errors on training rows are too small, and the
    arbitrarily rotated faces of the training are harder than labeled ones.
    """

    calibration: Tensor
    """(sources, 3)"""

    def __init__(self, network: MultiSourceNetwork) -> None:
        super().__init__()
        self.keypoints = network.keypoints
        outputs = len(SOURCES) * network.keypoints
        self.layers = nn.Sequential(
            nn.BatchNorm1d(network.deep_channels + 2 * outputs, affine=False),
            nn.Linear(network.deep_channels + 2 * outputs, _UNITS),
            nn.ReLU(),
            nn.Linear(_UNITS, outputs),
        )
        self.register_buffer("calibration", torch.tensor([IDENTITY]).repeat(len(SOURCES), 1))

    def reset(self) -> None:
        """Fresh weights from torch's global random state."""
        for layer in self.layers:
            if isinstance(layer, nn.Linear | nn.BatchNorm1d):
                layer.reset_parameters()
        self.calibration.copy_(torch.tensor([IDENTITY]).repeat(len(SOURCES), 1))

    def forward(self, features: Features) -> Tensor:
        return self.log_error(features).clamp(math.log(MIN_ERROR), math.log(MAX_ERROR)).exp()

    def log_error(self, features: Features) -> Tensor:
        """Natural logarithm of the calibrated expected errors, (n, sources * k)."""
        log_error: Tensor = self.layers(torch.cat([features.spread.log(), features.peak.log(), features.deep], dim=1))
        return calibrated(log_error, self.calibration.repeat_interleave(self.keypoints, dim=0))


def calibrated(log_error: Tensor, calibration: Tensor) -> Tensor:
    """Log errors mapped by a piecewise linear function (..., 3): value at the knee, slope below, slope above."""
    value, below, above = calibration.unbind(-1)
    x = log_error - KNEE
    return value + below * x.clamp_max(0) + above * x.clamp_min(0)

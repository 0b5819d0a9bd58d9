"""How far a point is likely to be off: a second, small head that looks at what the first one saw."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from facepoints.keypoints import FACE_SIZE, SOURCES
from facepoints.models.heatmaps import Features, MultiSourceNetwork

LEAST, LARGEST = 0.1, FACE_SIZE / 2
"""No label is exact to a tenth of a pixel, and no guess is worse than half a face."""

KNEE = math.log(1.5)
"""Natural logarithm of the expected error, in pixels, below and above which it is stretched by powers of its own."""

NO_STRETCH = (KNEE, 1.0, 1.0)
LEAST_POWER = 0.2
"""Who is less sure is expected to err more, whatever a few labels say."""

_UNITS = 64


class ExpectedError(nn.Module):
    """Features in, expected errors out: (n, answers), pixels, the root mean square error of one coordinate.

    It is trained after the points, on what they then leave over, so that it cannot cost them accuracy. A calibration
    learned from rows that nothing was trained on stretches what it says, for each source (sources, 3): training rows
    flatter, and faces turned by any angle are harder than those that people label.
    """

    calibration: Tensor

    def __init__(self, network: MultiSourceNetwork) -> None:
        super().__init__()
        self.keypoints = network.keypoints
        answers = len(SOURCES) * network.keypoints
        self.layers = nn.Sequential(
            nn.BatchNorm1d(network.deep_channels + 2 * answers, affine=False),
            nn.Linear(network.deep_channels + 2 * answers, _UNITS),
            nn.ReLU(),
            nn.Linear(_UNITS, answers),
        )
        self.register_buffer("calibration", torch.tensor([NO_STRETCH]).repeat(len(SOURCES), 1))

    def reset(self) -> None:
        """Start anew, with weights from torch's global random state."""
        for layer in self.layers:
            if isinstance(layer, nn.Linear | nn.BatchNorm1d):
                layer.reset_parameters()
        self.calibration.copy_(torch.tensor([NO_STRETCH]).repeat(len(SOURCES), 1))

    def forward(self, seen: Features) -> Tensor:
        return self.log_error(seen).clamp(math.log(LEAST), math.log(LARGEST)).exp()

    def log_error(self, seen: Features) -> Tensor:
        """The natural logarithm of the expected errors, (n, answers), calibrated."""
        evidence = torch.cat([seen.spread.log(), seen.peak.log(), seen.deep], dim=1)
        log_error: Tensor = self.layers(evidence)
        return stretched(log_error, self.calibration.repeat_interleave(self.keypoints, dim=0))


def stretched(log_error: Tensor, calibration: Tensor) -> Tensor:
    """Logarithms of errors as a calibration (..., 3) has them: its value at the knee, the powers below and above."""
    value, below, above = calibration.unbind(-1)
    x = log_error - KNEE
    return value + below * x.clamp_max(0) + above * x.clamp_min(0)

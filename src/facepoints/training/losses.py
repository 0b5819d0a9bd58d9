"""Squared error over given points, and its relatives."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from facepoints.keypoints import FACE_SIZE

HUBER_LIMIT = 2.0
"""Pixels up to which the huber loss is squared: labels err by one or two; beyond that, a label rather is wrong."""


def heatmap_loss(maps: Tensor, points: Tensor, observed: Tensor) -> Tensor:
    """Cross entropy of maps (n, k, cells²) with a spot at each observed point (n, k, 2), pixels; in nats.

    The spot is a Gaussian of one cell: the expectation under a map is right for many maps, this asks for the one that
    has its weight where the point is (Nibali et al., 2018, "Numerical coordinate regression with CNNs").
    """
    cells = math.isqrt(maps.shape[2])
    cell = FACE_SIZE / cells
    line = torch.arange(cells, device=maps.device) * cell + (cell - 1) / 2
    across, down = ((-((line - points[..., i : i + 1]) / cell).square() / 2).softmax(2) for i in range(2))
    spot = (down.unsqueeze(3) * across.unsqueeze(2)).flatten(2)
    each = -(spot * maps.float().log_softmax(2)).sum(2)
    return torch.where(observed, each, 0).sum() / observed.sum().clamp_min(1)


def point_loss(predicted: Tensor, points: Tensor, observed: Tensor, kind: str = "squared") -> Tensor:
    """Mean loss of the observed coordinates, in px² (absolute: px). points (n, k, 2) in pixels; observed (n, k).

    A masked point changes neither the loss nor the gradient, whatever number stands there. Huber's function
    (Huber, 1964) is doubled so that it equals the squared error up to its limit.
    """
    seen = observed.unsqueeze(2).expand_as(points)
    error = torch.where(seen, predicted - torch.where(seen, points, 0), 0)
    if kind == "squared":
        each = error.square()
    elif kind == "huber":
        each = 2 * F.huber_loss(error, torch.zeros_like(error), reduction="none", delta=HUBER_LIMIT)
    else:
        each = error.abs()
    return each.sum() / seen.sum().clamp_min(1)

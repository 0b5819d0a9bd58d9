"""Squared error over given points, and its relatives."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

HUBER_LIMIT = 2.0
"""Pixels up to which the huber loss is squared: labels err by one or two; beyond that, a label rather is wrong."""


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

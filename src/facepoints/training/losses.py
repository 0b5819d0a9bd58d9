"""Losses of points and heatmaps over the observed points."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from facepoints.keypoints import FACE_SIZE

HUBER_LIMIT = 2.0
"""Error, px, up to which the Huber loss is squared: labels are off by 1 or 2 px, wrong labels by more."""


def heatmap_loss(maps: Tensor, points: Tensor, observed: Tensor) -> Tensor:
    """Cross entropy, nats, of heatmap logits (n, k, cells²) to Gaussian targets at the observed points (n, k, 2), px.

    The Gaussian's standard deviation is one cell. Many heatmaps have the right expectation; this loss prefers those
    concentrated at the point (Nibali et al., 2018, "Numerical coordinate regression with CNNs").
    """
    cells = math.isqrt(maps.shape[2])
    cell = FACE_SIZE / cells
    line = torch.arange(cells, device=maps.device) * cell + (cell - 1) / 2
    across, down = ((-((line - points[..., i : i + 1]) / cell).square() / 2).softmax(2) for i in range(2))
    target = (down.unsqueeze(3) * across.unsqueeze(2)).flatten(2)
    each = -(target * maps.float().log_softmax(2)).sum(2)
    return torch.where(observed, each, 0).sum() / observed.sum().clamp_min(1)


def point_loss(predicted: Tensor, points: Tensor, observed: Tensor, kind: str = "squared") -> Tensor:
    """Mean loss of the observed coordinates, px² (absolute: px). points (n, k, 2), px; observed (n, k).

    Unobserved points, whatever their value, change neither the loss nor the gradient. Huber's function (Huber, 1964)
    is doubled, so that it equals the squared error up to its limit.
    """
    mask = observed.unsqueeze(2).expand_as(points)
    error = torch.where(mask, predicted - torch.where(mask, points, 0), 0)
    if kind == "squared":
        each = error.square()
    elif kind == "huber":
        each = 2 * F.huber_loss(error, torch.zeros_like(error), reduction="none", delta=HUBER_LIMIT)
    else:
        each = error.abs()
    return each.sum() / mask.sum().clamp_min(1)

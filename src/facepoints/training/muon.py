"""Muon for convolution filters, AdamW for everything else.

A few strong directions of a gradient dominate many weak ones; orthogonalized, all of them progress alike (Jordan et
al., 2024, "Muon: An optimizer for hidden layers in neural networks"). torch.optim.Muon takes matrices only; here a
filter bank (out, in, h, w) is the matrix (out, in * h * w).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

MOMENTUM = 0.95
ADAM_SHARE = 0.1
"""Learning rate of AdamW as a share of Muon's."""

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the quintic iteration, from the paper."""


class Muon(torch.optim.AdamW):
    """Updates groups with `orthogonal=True` by Muon, the others by AdamW."""

    def __init__(self, groups: list[dict[str, Any]], lr: float) -> None:
        super().__init__(groups, lr=lr, fused=True)
        # AdamW's kernel skips steps with overflowing scaled gradients; ours must not get them (16-mixed)
        self._step_supports_amp_scaling = False

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        groups = self.param_groups
        self.param_groups = [group for group in groups if not group.get("orthogonal")]
        try:
            super().step()
        finally:
            self.param_groups = groups
        for group in groups:
            for weight in group["params"] if group.get("orthogonal") else ():
                if weight.grad is not None:
                    self._update(weight, weight.grad, group["lr"], group["weight_decay"])
        return loss

    def _update(self, weight: Tensor, gradient: Tensor, rate: float, decay: float) -> None:
        state = self.state[weight]
        if not state:
            state["momentum"] = torch.zeros_like(weight)
            state["step"] = torch.zeros(())  # AdamW expects it when it loads a saved state
        state["momentum"].lerp_(gradient, 1 - MOMENTUM)
        direction = torch.lerp(gradient, state["momentum"], MOMENTUM).flatten(1)  # Nesterov
        # a tall matrix has as many directions as columns; the factor makes the step's length independent of the shape
        length = max(1.0, direction.shape[0] / direction.shape[1]) ** 0.5
        weight.mul_(1 - rate * decay).add_(orthogonal(direction).view(weight.shape), alpha=-rate * length)


def orthogonal(matrix: Tensor, steps: int = 5) -> Tensor:
    """The nearest matrix (m, n) with singular values of 0.7 to 1.2, by the Newton-Schulz iteration in bf16."""
    a, b, c = _COEFFICIENTS
    tall = matrix.shape[0] > matrix.shape[1]
    x = (matrix.mT if tall else matrix).bfloat16()
    x = x / (x.norm() + 1e-7)
    for _ in range(steps):
        square = x @ x.mT
        x = a * x + (b * square + c * square @ square) @ x
    found: Tensor = (x.mT if tall else x).to(matrix.dtype)
    return found


def muon_groups(network: nn.Module, rate: float, decay: float) -> list[dict[str, Any]]:
    """Parameter groups: filters with several input channels; other weights; biases and norms, without decay."""
    filters = [p for p in network.parameters() if p.ndim == 4 and p.shape[1] > 1]
    rest = [p for p in network.parameters() if not any(p is f for f in filters)]
    return [
        {"params": filters, "weight_decay": decay, "lr": rate, "orthogonal": True},
        {"params": [p for p in rest if p.ndim > 1], "weight_decay": decay, "lr": ADAM_SHARE * rate},
        {"params": [p for p in rest if p.ndim <= 1], "weight_decay": 0.0, "lr": ADAM_SHARE * rate},
    ]

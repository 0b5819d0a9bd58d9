"""Steps whose directions are orthogonal."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from facepoints.training.muon import ADAM_SHARE, Muon, muon_groups, orthogonal


@pytest.mark.parametrize("shape", [(8, 8), (8, 72), (72, 8), (1, 5)])
def test_all_singular_values_come_near_one(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    matrix = torch.randn(shape) * torch.logspace(0, -2, shape[1])  # strong and weak directions
    found = torch.linalg.svdvals(orthogonal(matrix))
    assert found.max() < 1.3
    if min(shape) == 1 or shape[0] != shape[1]:
        assert found.min() > 0.5
    before = torch.linalg.svd(matrix)
    turned = orthogonal(matrix)
    assert (before.U[:, 0] @ turned @ before.Vh[0]) > 0.5  # the strongest direction stays a direction


def test_filters_get_muon_and_everything_else_adamw() -> None:
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Conv2d(4, 8, 3), nn.BatchNorm2d(8), nn.Flatten(), nn.Linear(8, 2))
    filters, weights, rest = muon_groups(network, rate=0.02, decay=0.1)
    assert [p.shape for p in filters["params"]] == [(8, 4, 3, 3)]
    assert [p.shape for p in weights["params"]] == [(4, 1, 3, 3), (2, 8)]
    assert all(p.ndim == 1 for p in rest["params"])
    assert len(filters["params"] + weights["params"] + rest["params"]) == len(list(network.parameters()))
    assert filters["orthogonal"]
    assert (weights["lr"], weights["weight_decay"], rest["weight_decay"]) == (ADAM_SHARE * 0.02, 0.1, 0.0)


def test_a_step_has_the_same_length_however_small_the_gradient() -> None:
    lengths = []
    for size in (1.0, 1e-4):
        torch.manual_seed(0)
        layer = nn.Conv2d(4, 8, 3)
        optimizer = Muon(muon_groups(layer, rate=0.1, decay=0.0), lr=0.1)
        before = layer.weight.detach().clone()
        (size * layer(torch.randn(2, 4, 8, 8)).square().mean()).backward()
        optimizer.step()
        lengths.append(float((layer.weight.detach() - before).norm()))
    assert lengths[0] == pytest.approx(lengths[1], rel=0.05)
    assert lengths[0] == pytest.approx(0.1 * 8**0.5, rel=0.3)  # eight directions, each a step of the rate


def test_it_goes_down_and_goes_on_from_its_kept_state() -> None:
    def steps(n: int, state: Any = None, weights: Any = None) -> tuple[nn.Module, Muon, float]:
        torch.manual_seed(0)
        network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.Flatten(), nn.Linear(64, 1))
        images, wanted = torch.randn(16, 1, 8, 8), torch.randn(16, 1)
        optimizer = Muon(muon_groups(network, rate=0.02, decay=0.0), lr=0.02)
        if state and weights:
            network.load_state_dict(weights)
            optimizer.load_state_dict(state)
        for _ in range(n):
            optimizer.zero_grad()
            loss = (network(images) - wanted).square().mean()
            loss.backward()
            optimizer.step()
        return network, optimizer, float(loss.detach())

    whole, _, end = steps(30)
    half, optimizer, middle = steps(15)
    again, _, _ = steps(15, optimizer.state_dict(), {k: v.clone() for k, v in half.state_dict().items()})
    assert end < middle / 2
    for one, other in zip(whole.parameters(), again.parameters(), strict=True):
        torch.testing.assert_close(one, other)

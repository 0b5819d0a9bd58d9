"""The loss looks at observed points, and at nothing else."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from facepoints.training.losses import HUBER_LIMIT, heatmap_loss, point_loss

KINDS = ("squared", "huber", "absolute")


@pytest.fixture
def batch() -> tuple[Tensor, Tensor, Tensor]:
    """Predicted and given points (7, 5, 2), some 10 px apart, and observed (7, 5), about half of them."""
    chance = torch.Generator().manual_seed(0)
    given = torch.rand(7, 5, 2, generator=chance) * 96
    predicted = given + 10 * torch.randn(7, 5, 2, generator=chance)
    return predicted, given, torch.rand(7, 5, generator=chance) < 0.5


def loss_and_gradient(predicted: Tensor, points: Tensor, observed: Tensor, kind: str) -> tuple[Tensor, Tensor]:
    asked = predicted.clone().requires_grad_()
    loss = point_loss(asked, points, observed, kind)
    loss.backward()  # type: ignore[no-untyped-call]
    assert asked.grad is not None
    return loss.detach(), asked.grad


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("nonsense", [float("nan"), float("inf"), 1e9, -1e30, 0.0])
def test_a_masked_point_changes_neither_loss_nor_gradient(
    batch: tuple[Tensor, Tensor, Tensor], kind: str, nonsense: float
) -> None:
    predicted, given, observed = batch
    loss, gradient = loss_and_gradient(predicted, given, observed, kind)
    changed = torch.where(observed.unsqueeze(2), given, nonsense)
    other_loss, other_gradient = loss_and_gradient(predicted, changed, observed, kind)
    assert torch.equal(loss, other_loss)
    assert torch.equal(gradient, other_gradient)
    assert not gradient[~observed].any()
    assert gradient[observed].all()


@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_is_that_of_the_observed_points_alone(batch: tuple[Tensor, Tensor, Tensor], kind: str) -> None:
    predicted, given, observed = batch
    alone = predicted[observed].unsqueeze(0), given[observed].unsqueeze(0), torch.ones(1, int(observed.sum())).bool()
    torch.testing.assert_close(point_loss(*batch, kind), point_loss(*alone, kind))


def test_squared_and_absolute_are_what_they_are_called(batch: tuple[Tensor, Tensor, Tensor]) -> None:
    predicted, given, observed = batch
    error = (predicted - given)[observed]
    torch.testing.assert_close(point_loss(*batch, "squared"), error.square().mean())
    torch.testing.assert_close(point_loss(*batch, "absolute"), error.abs().mean())
    assert torch.equal(point_loss(*batch), point_loss(*batch, "squared"))


def test_huber_is_squared_where_errors_are_small(batch: tuple[Tensor, Tensor, Tensor]) -> None:
    predicted, given, observed = batch
    near = given + (predicted - given).clamp(-HUBER_LIMIT, HUBER_LIMIT)
    huber, gradient = loss_and_gradient(near, given, observed, "huber")
    squared, same_gradient = loss_and_gradient(near, given, observed, "squared")
    torch.testing.assert_close(huber, squared)
    torch.testing.assert_close(gradient, same_gradient)


def test_huber_pulls_no_harder_than_at_its_limit(batch: tuple[Tensor, Tensor, Tensor]) -> None:
    predicted, given, observed = batch
    huber, gradient = loss_and_gradient(given + 1e4 * (predicted - given), given, observed, "huber")
    assert huber < point_loss(given + 1e4 * (predicted - given), given, observed, "squared")
    at_limit = 2 * HUBER_LIMIT / (2 * observed.sum())
    torch.testing.assert_close(gradient[observed].abs(), at_limit.expand_as(gradient[observed]))


@pytest.mark.parametrize("kind", KINDS)
def test_right_points_and_absent_points_cost_nothing(batch: tuple[Tensor, Tensor, Tensor], kind: str) -> None:
    predicted, given, observed = batch
    assert point_loss(given, given, observed, kind) == 0
    loss, gradient = loss_and_gradient(predicted, given, torch.zeros_like(observed), kind)
    assert loss == 0
    assert not gradient.any()


def test_a_map_with_its_spot_at_the_point_loses_least() -> None:
    points = torch.tensor([[[40.0, 20.0], [60.0, 70.0]]])
    line = torch.arange(24) * 4 + 1.5
    at = -((line.view(1, 1, 1, -1) - points[..., :1].unsqueeze(3)) ** 2).expand(-1, -1, 24, -1)
    at = at - (line.view(1, 1, -1, 1) - points[..., 1:].unsqueeze(3)) ** 2
    right = (at / 32).flatten(2)  # a Gaussian of one cell, 4 pixels
    observed = torch.tensor([[True, True]])
    least = float(heatmap_loss(right, points, observed))
    assert least == pytest.approx(math.log(2 * math.pi * math.e), rel=0.01)  # the entropy of such a Gaussian
    for other in (right.roll(1, 2), 2 * right, torch.zeros_like(right), right.flip(1)):
        assert float(heatmap_loss(other, points, observed)) > least + 0.05
    first = torch.tensor([[True, False]])
    wrong = torch.stack([right[:, 0], torch.full_like(right[:, 1], 7.0)], dim=1)
    assert float(heatmap_loss(wrong, points, first)) == pytest.approx(
        float(heatmap_loss(right[:, :1], points[:, :1], observed[:, :1]))
    )

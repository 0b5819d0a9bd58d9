"""The networks: as large as they are said to be, the same for one face and for many, and honest about sources."""

from __future__ import annotations

import warnings

import pytest
import torch
from torch import Tensor, nn

from facepoints.errors import BadChoice
from facepoints.keypoints import FACE_SIZE
from facepoints.models.heatmaps import HeatmapNetwork
from facepoints.models.networks import NETWORKS, Regression, SamePadConv2d, Size, build

SMALL = Size(width=4, kernel=3, dense_units=16, dropout=0.5)


@pytest.fixture
def images() -> Tensor:
    return torch.rand(5, 1, FACE_SIZE, FACE_SIZE, generator=torch.Generator().manual_seed(0))


def trained_a_bit(name: str, keypoints: int, size: Size = SMALL) -> nn.Module:
    """A network whose layers all matter: fresh ones have offsets of zero and batch norms that do nothing."""
    torch.manual_seed(1)
    network = build(name, keypoints, size)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    network.train()(torch.rand(8, 1, FACE_SIZE, FACE_SIZE), torch.zeros(8, dtype=torch.long))
    return network.eval()


def counts(network: nn.Module, kind: type[nn.Module]) -> list[int]:
    layers = [layer for layer in network.modules() if isinstance(layer, kind)]
    return [sum(p.numel() for p in layer.parameters()) for layer in layers]


def test_leaky_has_exactly_the_published_parameters() -> None:
    network = build("leaky", 15, Size(width=64, dense_units=1024, dropout=0.5))
    assert counts(network, nn.Conv2d) == [1_600, 131_072, 294_912, 524_288]
    assert counts(network, nn.Linear) == [18_875_392, 524_800, 15_390]
    assert sum(counts(network, nn.BatchNorm2d)) == 1_920
    trainable = sum(p.numel() for p in network.parameters() if p.requires_grad)
    statistics = sum(b.numel() for b in network.buffers() if b.is_floating_point())
    assert trainable == 20_369_374
    assert trainable + statistics == 20_371_294


def test_heatmap_is_compact() -> None:
    assert sum(p.numel() for p in build("heatmap", 15, Size(width=32)).parameters()) < 2_000_000


@pytest.mark.parametrize("kernel", [1, 2, 3, 4, 5])
def test_same_pads_as_keras_does(kernel: int) -> None:
    torch.manual_seed(0)
    ours = SamePadConv2d(3, 6, kernel)
    theirs = nn.Conv2d(3, 6, kernel, padding="same")
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(2, 3, 13, 12)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Using padding='same' with even kernel")  # slow, as it says; right, too
        expected = theirs(x)
    torch.testing.assert_close(ours(x), expected)


@pytest.mark.parametrize("keypoints", [15, 4])
@pytest.mark.parametrize("name", NETWORKS)
def test_points_come_in_pairs(name: str, keypoints: int, images: Tensor) -> None:
    points = trained_a_bit(name, keypoints)(images, torch.tensor([0, 1, 0, 1, 1]))
    assert points.shape == (5, keypoints, 2)
    assert points.dtype == torch.float32
    assert points.isfinite().all()


@pytest.mark.parametrize("name", NETWORKS)
def test_one_image_and_a_batch_agree(name: str, images: Tensor) -> None:
    network, source = trained_a_bit(name, 15), torch.tensor([0, 1, 0, 1, 1])
    together = network(images, source)
    alone = torch.cat([network(images[i : i + 1], source[i : i + 1]) for i in range(5)])
    torch.testing.assert_close(together, alone, atol=1e-3, rtol=0)
    assert together.std(dim=0).min() > 0  # not the same for every face


@pytest.mark.parametrize("name", NETWORKS)
def test_only_maps_tell_the_sources_apart(name: str, images: Tensor) -> None:
    network = trained_a_bit(name, 15)
    a, b = (network(images, torch.full((5,), source)) for source in (0, 1))
    assert torch.equal(a, b) == (not isinstance(network, HeatmapNetwork))


@pytest.mark.parametrize("name", NETWORKS)
def test_every_parameter_learns(name: str, images: Tensor) -> None:
    network = trained_a_bit(name, 4).train()
    network(images, torch.tensor([0, 1, 0, 1, 1])).square().sum().backward()
    still = [place for place, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert still == []


@pytest.mark.parametrize("kernel", [2, 3, 4, 5])
def test_any_filter_size_builds_a_base(kernel: int, images: Tensor) -> None:
    size = Size(width=4, kernel=kernel, dense_units=16)
    assert build("base", 4, size)(images, torch.zeros(5, dtype=torch.long)).shape == (5, 4, 2)


@pytest.mark.parametrize("name", NETWORKS)
def test_mixed_precision_does_not_round_the_answers(name: str, images: Tensor) -> None:
    network, source = trained_a_bit(name, 15), torch.zeros(5, dtype=torch.long)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        points = network(images, source)
    numbers = (points - (FACE_SIZE - 1) / 2) / (network.unit if isinstance(network, Regression) else 1)
    assert not torch.allclose(numbers, numbers.bfloat16().float(), atol=1e-6, rtol=0)


def test_an_unknown_network_is_answered_with_the_nearest() -> None:
    with pytest.raises(BadChoice, match="no network 'leakey'; did you mean 'leaky'"):
        build("leakey", 15, SMALL)

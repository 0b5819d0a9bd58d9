"""Heatmap networks: points are expectations of heatmaps, and each source has output channels of its own."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from facepoints.keypoints import FACE_SIZE
from facepoints.models.heatmaps import HeatmapNetwork
from facepoints.models.networks import Size, build

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


def test_untrained_heatmaps_predict_points_within_the_face(images: Tensor) -> None:
    torch.manual_seed(0)
    points = build("heatmap", 15, SMALL).eval()(images, torch.zeros(5, dtype=torch.long))
    assert points.min() >= 1.5  # the centres of the outermost of 24 cells
    assert points.max() <= FACE_SIZE - 1 - 1.5


def test_maps_are_read_at_the_middle_of_their_cells() -> None:
    network = build("heatmap", 1, SMALL)
    assert isinstance(network, HeatmapNetwork)
    assert network.line[0] == 1.5  # of pixels 0, 1, 2 and 3
    assert network.line[20] == 81.5


@pytest.mark.parametrize("name", ["heatmap", "heatmap-wide"])
def test_points_are_those_of_the_features(name: str, images: Tensor) -> None:
    network = trained_a_bit(name, 4)
    assert isinstance(network, HeatmapNetwork)
    seen, source = network.extract(images), torch.tensor([0, 1, 0, 1, 1])
    said = seen.points.view(5, 2, 4, 2)[torch.arange(5), source]
    torch.testing.assert_close(network(images, source), said)
    assert ((seen.spread > 0) & (seen.spread < FACE_SIZE)).all()
    assert ((seen.peak >= 1 / 24**2) & (seen.peak <= 1)).all()  # an even map has that share in each cell
    assert seen.deep.shape == (5, network.deep_channels)


def test_a_untrained_channel_answers_with_the_other_source_s(images: Tensor) -> None:
    network = trained_a_bit("heatmap", 4)
    assert isinstance(network, HeatmapNetwork)
    a, b = (network(images, torch.full((5,), source)) for source in (0, 1))
    # A never labeled point 0, B never points 1 and 2, neither source point 3
    network.set_labeled(torch.tensor([[False, True, True, False], [True, False, False, False]]))
    a_now, b_now = (network(images, torch.full((5,), source)) for source in (0, 1))
    assert torch.equal(a_now, torch.stack([b[:, 0], a[:, 1], a[:, 2], a[:, 3]], dim=1))
    assert torch.equal(b_now, torch.stack([b[:, 0], a[:, 1], a[:, 2], b[:, 3]], dim=1))

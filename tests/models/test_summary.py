"""Layer tables add up, and diagrams are pictures of them."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
import torch

from facepoints.models.networks import NETWORKS, Size, build
from facepoints.models.summary import draw_diagram, layers

SMALL = Size(width=4, dense_units=16, dropout=0.5)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_table_adds_up(name: str) -> None:
    network = build(name, 15, SMALL)
    found = layers(network)
    assert sum(layer.parameters for layer in found) == sum(p.numel() for p in network.parameters())
    statistics = [b for place, b in network.named_buffers() if place.rsplit(".")[-1].startswith("running_")]
    assert sum(layer.statistics for layer in found) == sum(b.numel() for b in statistics)
    assert len({layer.place for layer in found}) == len(found)


def test_the_table_of_the_leaky_network() -> None:
    found = layers(build("leaky", 15, Size(width=64, dense_units=1024, dropout=0.5)))
    convolutions = [layer for layer in found if layer.kind.startswith("conv")]
    assert [layer.kind for layer in convolutions] == ["conv 5×5", "conv 4×4", "conv 3×3", "conv 2×2"]
    assert [layer.shape for layer in convolutions] == [(64, 96, 96), (128, 48, 48), (256, 24, 24), (512, 12, 12)]
    assert [layer.kind for layer in found if layer.kind.startswith("dense")] == ["dense 1024", "dense 512", "dense 30"]
    assert [layer.shape for layer in found][-1] == (30,)
    assert sum(layer.statistics for layer in found) == 1_920


@pytest.mark.parametrize("training", [True, False])
def test_looking_changes_nothing(training: bool) -> None:
    network = build("heatmap", 4, SMALL).train(training)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    assert layers(network) == layers(network)
    assert network.training == training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert not any(module._forward_hooks for module in network.modules())


@pytest.mark.parametrize("name", NETWORKS)
def test_a_diagram_shows_the_network(name: str, tmp_path: Path) -> None:
    network = build(name, 15, SMALL)
    draw_diagram(network, tmp_path / "deep" / "net.svg", title=f"the {name} network")
    ElementTree.parse(tmp_path / "deep" / "net.svg")
    draw_diagram(network, tmp_path / "net.png", title="the network")
    height, width, _ = np.asarray(cv2.imread(str(tmp_path / "net.png")), np.uint8).shape
    assert width > height > 200
    assert sorted(file.name for file in tmp_path.rglob("*.*")) == ["net.png", "net.svg"]

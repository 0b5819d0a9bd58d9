"""A shift injected into the labels of synthetic faces is recovered."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from facepoints.data.dataset import LabeledFaces
from facepoints.data.synthetic.faces import SOURCE_B_OFFSET, synthetic_training
from facepoints.exploration.label_offset import Interval, LabelOffsets, label_offsets


@pytest.fixture(scope="module")
def data() -> LabeledFaces:
    return synthetic_training(1500)


@pytest.fixture(scope="module")
def found(data: LabeledFaces) -> LabelOffsets:
    offsets = label_offsets(data)
    assert offsets is not None
    return offsets


def holds(interval: Interval, truth: float, times: float = 1.0) -> bool:
    """Is the truth within the interval, made so many times as wide?"""
    half = times * (interval.high - interval.low) / 2
    return abs(interval.value - truth) <= half


def test_the_offsets_of_synthetic_faces_are_recovered(found: LabelOffsets) -> None:
    a, b = found.by_source[0], found.by_source[1]
    for offset, truth in ((a, (0.0, 0.0)), (b, SOURCE_B_OFFSET)):
        assert holds(offset.x, truth[0], 2)
        assert holds(offset.y, truth[1], 2)
        assert offset.x.high - offset.x.low < 1  # not a trivially wide interval
    assert found.difference is not None
    for axis in range(2):
        assert holds(found.difference[axis], SOURCE_B_OFFSET[axis], 2)


def test_an_injected_shift_moves_the_estimate_by_itself(data: LabeledFaces, found: LabelOffsets) -> None:
    injected = np.array([-0.8, 1.2], np.float32)
    shift = np.where((data.source == 1)[:, None, None], injected, 0)
    shifted = label_offsets(replace(data, points=data.points + shift))
    assert shifted is not None
    before, after = found.by_source[1], shifted.by_source[1]
    assert after.x.value - before.x.value == pytest.approx(-0.8, abs=0.12)
    assert after.y.value - before.y.value == pytest.approx(1.2, abs=0.6)
    assert found.difference is not None
    assert shifted.difference is not None
    moved = [b.value - a.value for a, b in zip(found.difference, shifted.difference, strict=True)]
    np.testing.assert_allclose(moved, injected, atol=0.12)


def test_none_without_eyes_or_faces(data: LabeledFaces) -> None:
    assert label_offsets(data.only(("nose_tip", "mouth_center_top_lip"))) is None
    assert label_offsets(data.take(np.arange(60))) is None


def test_one_source_has_no_difference_and_progress_ends_at_one(data: LabeledFaces) -> None:
    shares: list[float] = []
    offsets = label_offsets(data.take(data.source == 0), advance=shares.append)
    assert offsets is not None
    assert offsets.difference is None
    assert list(offsets.by_source) == [0]
    assert sum(shares) == pytest.approx(1)

"""YuNet: regions from its eyes, and photos passed through a file of its kind."""

from __future__ import annotations

import numpy as np
import pytest

from facepoints.data.photos.photo_crop import EYES
from facepoints.inference.face_detection import _regions_of_eyes
from facepoints.inference.regions import Regions


@pytest.mark.parametrize("roll", [0, 50, 180])
def test_regions_follow_from_yunets_eyes(roll: float) -> None:
    there = Regions(np.array([[300.0, 200.0]]), np.array([150.0]), np.array([np.radians(roll)]))
    (left, right), row = there.on_photo(EYES[None])[0], np.zeros((1, 15))
    row[0, 4:8] = [*right, *left]
    found = _regions_of_eyes(row)
    np.testing.assert_allclose(found.center, there.center, atol=0.1)
    np.testing.assert_allclose(found.side, there.side, rtol=1e-3)
    assert np.degrees(found.roll) == pytest.approx(roll, abs=0.01)


def test_no_faces_give_no_regions() -> None:
    assert len(_regions_of_eyes(np.zeros((0, 15)))) == 0

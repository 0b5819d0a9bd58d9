"""What tests of deployment stand on: the detector that ships, and photos with a drawn face whose points are known."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from facepoints import Detector, load
from facepoints.data.drawn_faces import draw_faces


@dataclass(frozen=True)
class Portrait:
    """A gray photo with one drawn face."""

    pixels: NDArray[np.uint8]
    """(h, w)"""
    points: NDArray[np.float64]
    """(15, 2), px of the photo"""


def portrait(number: int, size: int = 3) -> Portrait:
    """A drawn face, enlarged `size` times, somewhere in a wider photo."""
    faces, points = draw_faces(number + 1, seed=3)
    large = cv2.resize(faces[number], None, fx=size, fy=size, interpolation=cv2.INTER_CUBIC)
    photo = cv2.copyMakeBorder(large, 60, 40, 100, 150, cv2.BORDER_REPLICATE)
    return Portrait(np.asarray(photo, np.uint8), size * (points[number] + 0.5) - 0.5 + [100, 60])


@pytest.fixture(scope="session")
def detector() -> Detector:
    return load(threads=1)


@pytest.fixture(scope="session")
def anna() -> Portrait:
    return portrait(0)


@pytest.fixture(scope="session")
def ben() -> Portrait:
    return portrait(2)

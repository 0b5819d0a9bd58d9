"""Photos of nobody, for whoever wants to see what the page does before showing it a photo: drawn faces."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from facepoints.data.synthetic.faces import draw_faces

EXAMPLES = {"one": (0,), "other": (2,), "both": (0, 2)}
"""Which drawn faces stand side by side, by the name in the picture's address."""

_SEED, _LARGER = 3, 4


@cache
def example(name: str) -> bytes:
    """A PNG, grey, with some space around each face."""
    wanted = EXAMPLES[name]
    faces, _ = draw_faces(max(wanted) + 1, seed=_SEED)
    encoded, content = cv2.imencode(".png", np.concatenate([_portrait(faces[i]) for i in wanted], axis=1))
    assert encoded  # a grey picture of this size always is
    return bytes(content)


def _portrait(face: NDArray[np.uint8]) -> NDArray[np.uint8]:
    large = cv2.resize(face, None, fx=_LARGER, fy=_LARGER, interpolation=cv2.INTER_CUBIC)
    return np.asarray(cv2.copyMakeBorder(large, 60, 40, 60, 60, cv2.BORDER_REPLICATE), np.uint8)

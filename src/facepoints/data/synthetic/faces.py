"""Synthetic faces, labeled like those of the competition's two sources: a data set that needs no download.

Source A labels all fifteen points at their place. Source B labels the FOUR: its nose point is under the nose, its mouth
point between the lips, all shifted by a constant offset, on blurrier photos. The j-th face of a source does not depend
on the number of faces, so small tests and long trainings use the same faces.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from facepoints.data.dataset import LabeledFaces, SubmissionFaces
from facepoints.data.synthetic.person import MID_MOUTH, UNDER_NOSE
from facepoints.data.synthetic.portrait import draw_portrait
from facepoints.errors import BadChoice
from facepoints.keypoints import FACE_SIZE, FIFTEEN, FOUR

SOURCE_B_OFFSET = (1.0, 1.5)
"""(x, y) px from the point to the label of source B. Source A has no offset."""
LABEL_NOISE = (0.25, 0.7)
"""Standard deviation in px of the label noise of sources A and B, for each coordinate."""
SOFTNESS = (0.45, 1.0)
"""Mean blur in px of the photos of sources A and B."""
TRAINING_ROWS = (2284, 4765)
"""Rows of sources A and B in the competition's training file."""
TEST_IMAGES = (591, 1192)
"""The same for its test images."""
COMPLETE_A = 0.94
"""Share of source A's rows with all fifteen points; the others lack one to four points, none of the FOUR."""
COMPLETE_B = 0.995
"""Share of source B's rows with all of the FOUR; the others lack one."""

_TRAINING, _TEST = 1, 2
_FOUR = np.array([FIFTEEN.index(name) for name in FOUR])
_OTHERS = np.setdiff1d(np.arange(len(FIFTEEN)), _FOUR)
_NOSE, _MOUTH = FIFTEEN.index("nose_tip"), FIFTEEN.index("mouth_center_bottom_lip")


def draw_faces(n: int, *, seed: int = 0) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """n faces uint8 (n, 96, 96) and their true points float32 (n, 15, 2) px, without label noise."""
    faces, points = _empty(n)
    for i in range(n):
        face, true = draw_portrait(np.random.default_rng([seed, i]))
        faces[i], points[i] = face, true[: len(FIFTEEN)]
    return faces, points


def synthetic_training(n: int = 2000, *, seed: int = 0) -> LabeledFaces:
    """n labeled faces, the rows of source A before those of B, in the competition's proportion."""
    faces, points, source = _labeled(n, TRAINING_ROWS, seed, _TRAINING)
    observed = np.zeros(points.shape[:2], np.bool_)
    for i, rng in enumerate(_generators(source, seed, _TRAINING, "gaps")):
        observed[i] = _labeled_points(rng, int(source[i]))
    points[~observed] = 0
    return LabeledFaces(faces, points, observed, source, FIFTEEN, np.arange(n))


def synthetic_submission(n: int = 400, *, seed: int = 1) -> tuple[SubmissionFaces, NDArray[np.float32]]:
    """n test images with their look-up table, and the labels float32 (r,) px of the requested values.

    The first third is source A with 30 requested values; the rest is source B with eight. No image is one of
    synthetic_training, whatever the seeds.
    """
    faces, points, source = _labeled(n, TEST_IMAGES, seed, _TEST)
    wanted = np.zeros(points.shape, np.bool_)
    wanted[source == 0] = True
    wanted[:, _FOUR] = True
    image, column = np.nonzero(wanted.reshape(n, -1))
    ids = np.arange(1, n + 1)
    requested = SubmissionFaces(faces, ids, source, np.arange(1, len(image) + 1), image, column, FIFTEEN)
    return requested, points[wanted]


def _empty(n: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    if n < 1:
        raise BadChoice(f"cannot draw {n} faces; choose 1 or more")
    return np.zeros((n, FACE_SIZE, FACE_SIZE), np.uint8), np.zeros((n, len(FIFTEEN), 2), np.float32)


def _generators(source: NDArray[np.int64], seed: int, use: int, what: str) -> list[Generator]:
    """One generator per row, A before B: that of the j-th row of a source does not depend on n; uses share none."""
    first_b = int((source == 0).sum())
    tag = {"face": 1, "gaps": 2}[what]
    return [np.random.default_rng([seed, i - first_b * int(s), use, 1 + int(s), tag]) for i, s in enumerate(source)]


def _labeled(
    n: int, proportion: tuple[int, int], seed: int, use: int
) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.int64]]:
    """Faces (n, 96, 96), the labels (n, 15, 2) of their source before gaps, and the sources (n,)."""
    faces, points = _empty(n)
    source = (np.arange(n) >= round(n * proportion[0] / sum(proportion))).astype(np.int64)
    for i, rng in enumerate(_generators(source, seed, use, "face")):
        s = int(source[i])
        faces[i], true = draw_portrait(rng, SOFTNESS[s])
        if s == 1:
            true[[_NOSE, _MOUTH]] = true[[UNDER_NOSE, MID_MOUTH]]
            true += SOURCE_B_OFFSET
        labels = true[: len(FIFTEEN)] + rng.normal(0, LABEL_NOISE[s], (len(FIFTEEN), 2))
        points[i] = np.clip(labels, 0, FACE_SIZE - 1)
    return faces, points, source


def _labeled_points(rng: Generator, source: int) -> NDArray[np.bool_]:
    """(15,): which points an annotator labels in one row."""
    given = np.zeros(len(FIFTEEN), np.bool_)
    given[_FOUR] = True
    if source == 0:
        given[:] = True
        if rng.random() >= COMPLETE_A:
            gaps = int(rng.choice([1, 2, 3, 4], p=[0.66, 0.21, 0.07, 0.06]))
            given[rng.choice(_OTHERS, gaps, replace=False)] = False
    elif rng.random() >= COMPLETE_B:
        given[rng.choice(_FOUR)] = False
    return given

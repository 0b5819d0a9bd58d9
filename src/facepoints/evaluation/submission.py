"""Look-up table -> submission file: exactly the values that are asked for, in the table's order. No torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facepoints.data.dataset import SubmissionFaces
from facepoints.data.kaggle.writer import write_submission
from facepoints.errors import BadRun
from facepoints.keypoints import FACE_SIZE, SOURCES, KeypointSet


@dataclass(frozen=True)
class SubmissionModel:
    """Somebody who answers for test images: a run, a model file."""

    name: str
    keypoints: KeypointSet
    """the k points that it answers for"""
    answer: Callable[[NDArray[np.uint8], NDArray[np.int64]], NDArray[np.float32]]
    """faces (n, 96, 96), sources (n,) -> points (n, k, 2), px"""


def submit(
    answerers: Sequence[SubmissionModel], asked: SubmissionFaces, out: Path, shares: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Write submission.csv and give its values (r,), pixels, in the look-up table's order.

    Several answer with the mean of their points, weighed by `shares` (sources, answerers) if given. Each image is
    answered in the way of the source that labeled it, which the table betrays. Values are clipped to the image, 0 to
    96, as the competition does.
    """
    each = np.stack([_points(one, asked) for one in answerers], axis=1)
    weights = np.full((len(SOURCES), len(answerers)), 1 / len(answerers)) if shares is None else shares
    points = np.einsum("nm,nmkc->nkc", weights[asked.source], each)
    values = points.reshape(len(asked.faces), -1)[asked.requested_image, asked.requested_column]
    clipped: NDArray[np.float64] = np.clip(values, 0, FACE_SIZE)
    write_submission(out, asked.row_id, clipped)
    return clipped


def _points(one: SubmissionModel, asked: SubmissionFaces) -> NDArray[np.float32]:
    """Points (n, k, 2) for the keypoints that the table asks for, in its order."""
    unknown = sorted(set(asked.keypoints.names) - set(one.keypoints.names))
    if unknown:
        raise BadRun(f"{one.name}: was trained on data without {', '.join(unknown)}, which the look-up table asks for")
    order = [one.keypoints.index(name) for name in asked.keypoints.names]
    return one.answer(asked.faces, asked.source)[:, order]

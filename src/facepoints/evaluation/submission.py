"""Look-up table -> submission file: exactly the requested values, in the order of the table. No torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facepoints.data.dataset import LabeledFaces, SubmissionFaces
from facepoints.data.kaggle.writer import write_submission
from facepoints.errors import BadRun
from facepoints.evaluation.predictor import Predictor, predictions_on
from facepoints.keypoints import FACE_SIZE


def submit(model: Predictor, requested: SubmissionFaces, out: Path, *, flip: bool = True) -> NDArray[np.float64]:
    """Write submission.csv and return its values (r,), px, in the order of the look-up table.

    Each image is predicted with the annotation source inferred from the look-up table. `flip` averages with the
    mirrored faces where the keypoints have a mirror image. Values are clipped to 0 to 96, as in the competition.
    """
    unknown = sorted(set(requested.keypoints.names) - set(model.keypoints.names))
    if unknown:
        what = f"was trained on data without {', '.join(unknown)}, which the look-up table requests"
        raise BadRun(f"{model.name}: {what}")
    n, k = len(requested.faces), len(requested.keypoints)
    unlabeled = LabeledFaces(
        requested.faces,
        np.zeros((n, k, 2), np.float32),
        np.zeros((n, k), np.bool_),
        requested.source,
        requested.keypoints,
        requested.image_id,
    )
    points = predictions_on(unlabeled, model, flip=flip and not model.keypoints.lone_sides()).points
    values = points.reshape(n, -1)[requested.requested_image, requested.requested_column].astype(np.float64)
    clipped: NDArray[np.float64] = np.clip(values, 0, FACE_SIZE)
    write_submission(out, requested.row_id, clipped)
    return clipped

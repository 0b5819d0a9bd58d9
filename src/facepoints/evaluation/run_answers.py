"""A run that answers for test images, those points too that it never learned."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from facepoints.evaluation.submission import Answerer
from facepoints.models.checkpoint import load_model
from facepoints.training.run_folder import MODEL_FILE


def answers_of_run(run: Path, *, flip: bool = True) -> Answerer:
    """The run's best model; a point that it never learned gets its typical place.

    `flip` averages with what it says of the mirrored faces, where its keypoints have a mirror image.
    """
    model, _ = load_model(run / MODEL_FILE)
    flip = flip and not model.keypoints.lone_sides()
    return Answerer(str(run), model.all_keypoints, partial(model.predict_all, flip=flip))

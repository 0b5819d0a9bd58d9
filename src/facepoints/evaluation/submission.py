"""Look-up table -> submission file: exactly the values that are asked for, in the table's order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facepoints.data.faces import AskedFaces
from facepoints.data.written_files import write_submission
from facepoints.errors import BadRun
from facepoints.keypoints import FACE_SIZE
from facepoints.models.checkpoint import load_model
from facepoints.training.run_folder import MODEL_FILE


def submit(run: Path, asked: AskedFaces, out: Path, *, flip: bool = True) -> NDArray[np.float64]:
    """Write submission.csv for a run and give its values (r,), pixels, in the look-up table's order.

    Each image is answered in the way of the source that labeled it, which the table betrays. A point that the run
    never learned gets its typical place. Values are clipped to the image, 0 to 96, as the competition does.
    """
    model, _ = load_model(run / MODEL_FILE)
    points = model.predict_all(asked.faces, asked.source, flip=flip and not model.keypoints.lone_sides())
    unknown = sorted(set(asked.keypoints.names) - set(model.all_keypoints.names))
    if unknown:
        raise BadRun(f"{run}: was trained on data without {', '.join(unknown)}, which the look-up table asks for")
    order = [model.all_keypoints.index(name) for name in asked.keypoints.names]
    values = points[:, order].reshape(len(points), -1)[asked.asked_image, asked.asked_column]
    clipped = np.clip(values.astype(np.float64), 0, FACE_SIZE)
    write_submission(out, asked.row_id, clipped)
    return clipped

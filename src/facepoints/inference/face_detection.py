"""The interface of face detectors, and OpenCV's YuNet behind it. Our own network is in `face_network`."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from facepoints.data.images import Photo
from facepoints.data.photos.photo_crop import EYES
from facepoints.errors import BadRun
from facepoints.inference.regions import Regions


class FaceDetector(Protocol):
    """Proposes regions with high recall; the keypoint network verifies them. Thread-safe and picklable."""

    def detect(self, photo: Photo) -> Regions:
        """Candidate regions in a photo."""
        ...


class YuNet:
    """OpenCV's FaceDetectorYN with a YuNet file of the user."""

    def __init__(self, model: Path) -> None:
        if not model.is_file():
            raise BadRun(f"{model}: no such file; expected a YuNet .onnx file, as in OpenCV's model zoo")
        self.model = model
        self._own = threading.local()  # the OpenCV class keeps the input size: one for each thread

    def __reduce__(self) -> tuple[Any, ...]:
        return YuNet, (self.model,)

    def detect(self, photo: Photo) -> Regions:
        height, width = photo.gray.shape
        try:
            if not hasattr(self._own, "detector"):
                self._own.detector = cv2.FaceDetectorYN.create(str(self.model), "", (width, height), 0.6)
            self._own.detector.setInputSize((width, height))
            _, found = self._own.detector.detect(photo.bgr)
        except cv2.error as error:
            reason = " ".join(str(error.err).split())
            raise BadRun(f"{self.model}: not a YuNet file that OpenCV reads ({reason})") from error
        return _regions_of_eyes(np.zeros((0, 15)) if found is None else found)


def _regions_of_eyes(found: NDArray[Any]) -> Regions:
    """Regions of YuNet's rows (n, 15): x, y, w, h, then x and y of right eye, left eye, nose tip, mouth corners, score.

    Each region places the eyes where they are in training faces, whatever the roll.
    """
    right, left = found[:, 4:6], found[:, 6:8]
    return Regions.of_points(np.stack([left, right], axis=1), EYES)

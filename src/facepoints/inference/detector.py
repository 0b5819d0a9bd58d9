"""Faces and their points in photos and crops, from one ONNX file. No torch.

detector = facepoints.load()
for face in detector.faces("me.jpg"):
    print(face.points, face.expected_error)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from facepoints.data.images import open_image
from facepoints.inference.face_detection import FaceDetector, YuNet
from facepoints.inference.face_network import FaceNetwork
from facepoints.inference.faces import Face, RefinedFaces
from facepoints.inference.keypoint_network import KeypointNetwork
from facepoints.inference.regions import Gray, Regions
from facepoints.inference.verification import VIEWS, disagreement, distinct, face_score
from facepoints.inference.video.reading import Frame, stream
from facepoints.keypoints import FACE_SIZE, KeypointSet

FLAGSHIP = "flagship.onnx"
"""The bundled weights."""

MIN_SCORE = 0.8
"""Score above which a candidate is a face. Above one half, because a photo has many candidates and few faces."""

MAX_ERROR = 5.0
"""Multiple of the network's mean validation error. Candidates with a larger expected error that the face detector
considers unlikely are rejected after one view: on 60 photos that saved a quarter of the time and lost no face."""


class Detector:
    """A keypoint network and a face detector. Thread-safe; unpickling starts new sessions."""

    def __init__(self, network: KeypointNetwork, face_detector: FaceDetector | None = None) -> None:
        self.network = network
        self.face_detector: FaceDetector = face_detector or FaceNetwork.bundled(network.threads)

    def __repr__(self) -> str:
        return f"Detector({self.network.name}, {len(self.keypoints)} points)"

    @property
    def keypoints(self) -> KeypointSet:
        """The predicted points, in order."""
        return self.network.facts.keypoints

    @property
    def trained_on(self) -> Mapping[str, Any]:
        """The training data according to the file: fingerprint, and the rows held out for validation."""
        found: Mapping[str, Any] = self.network.facts.metadata.get("data", {})
        return found

    def points(
        self, crops: NDArray[np.uint8], source: ArrayLike = 0
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Points (n, k, 2) and expected errors (n, k), px of the crops, of crops uint8 (n, 96, 96).

        source: annotation source to imitate, 0 or 1, for all crops or for each (n,).
        """
        return self.network(crops, source)

    def points_with_flip(self, crops: NDArray[np.uint8], source: ArrayLike = 0) -> NDArray[np.float32]:
        """Points (n, k, 2), px of the crops, averaged over each crop and its mirror image; twice the time."""
        return self.network.points_with_flip(crops, source)

    def faces(self, photo: object) -> tuple[Face, ...]:
        """All faces in a photo, largest first.

        photo: a path, a Pillow image, or a uint8 array, grey (h, w), RGB (h, w, 3) or RGBA (h, w, 4).
        """
        opened = open_image(photo)
        found = self._verified(opened.gray, self.face_detector.detect(opened))
        return tuple(self._face(found, i) for i in np.argsort(-found.regions.side, kind="stable"))

    def _verified(self, gray: Gray, candidates: Regions) -> RefinedFaces:
        """The candidates that are faces, without duplicates. The odds of both networks multiply."""
        first = self.refine(gray, candidates, views=1)
        unknown = candidates.likelihood_ratio is None
        ratio = np.ones(len(candidates)) if unknown else np.asarray(candidates.likelihood_ratio)
        error = first.expected_error.mean(axis=1) * FACE_SIZE / candidates.side
        likely = np.flatnonzero((ratio >= 1) | (error <= MAX_ERROR * self.network.facts.mean_error[0].mean()))
        wanted = self.regions_of(first.points)
        once = likely[distinct(first.points[likely], wanted.side[likely], np.arange(len(likely)))]
        ratio = ratio[once]
        found = self.refine(gray, wanted.take(once)).updated(ratio)
        unsure = found.score < MIN_SCORE
        # a second refinement for crops that were far off
        again = self.refine(gray, self.regions_of(found.points[unsure])).updated(ratio[unsure])
        found = RefinedFaces.joined([found, again])
        found = found.take(found.score >= MIN_SCORE)
        return found.take(distinct(found.points, found.regions.side, np.argsort(-found.score, kind="stable")))

    def regions_of(self, points: NDArray[np.floating[Any]]) -> Regions:
        """The regions that align faces with these points (n, k, 2), px of the photo, with the mean shape."""
        return Regions.of_points(points, self.network.facts.mean_shape[0])

    def refine(self, gray: Gray, regions: Regions, *, source: int = 0, views: int = len(VIEWS)) -> RefinedFaces:
        """The points of the faces in these regions of a grey photo (h, w), in one call of the network.

        Each region is processed at several sizes (test-time augmentation). The points are the mean of the views; the
        score measures their agreement and is 1 for a single view. Regions come from `Regions.of_boxes`, or from
        `regions_of` the points of a previous refinement or video frame.
        """
        scaled = [regions.grown(size) for size in VIEWS[:views]]
        on_crop, error = self.network(np.concatenate([view.crops(gray) for view in scaled]), source)
        points = np.stack([view.on_photo(part) for view, part in zip(scaled, np.split(on_crop, views), strict=True)])
        scale = np.stack([view.side for view in scaled])[:, :, None] / FACE_SIZE
        expected = (error.reshape(points.shape[:3]) * scale).mean(axis=0).astype(np.float32)
        return RefinedFaces(regions, points.mean(axis=0), expected, face_score(disagreement(points, regions)))

    def stream(self, video: str | Path | int, *, smooth: float = 1.0) -> Iterator[Frame]:
        """The faces of a video file or camera, frame by frame: see `facepoints.inference.video.reading.stream`."""
        yield from stream(self, video, smooth=smooth)

    def _face(self, found: RefinedFaces, i: int) -> Face:
        x, y, w, h = (float(v) for v in found.regions.boxes[i])
        score = float(found.score[i])
        return Face((x, y, w, h), score, found.points[i], found.expected_error[i], self.keypoints)


def load(
    model: Path | str | None = None, *, threads: int | None = None, face_model: Path | str | None = None
) -> Detector:
    """A detector from an .onnx file written by `facepoints export`, or with the bundled weights.

    threads: for each network; None: the number of cores, at most 4. face_model: a YuNet file to use instead of our own
    face detector. Raises BadRun if a file is absent, damaged or of another kind.
    """
    if model is None:
        content = files("facepoints").joinpath("weights", FLAGSHIP).read_bytes()
        network = KeypointNetwork(content, FLAGSHIP, threads)
    else:
        network = KeypointNetwork.open(Path(model), threads)
    return Detector(network, None if face_model is None else YuNet(Path(face_model)))

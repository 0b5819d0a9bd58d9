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
from facepoints.inference.face_detection import Cascades, FaceDetector, YuNet
from facepoints.inference.face_network import FaceNetwork
from facepoints.inference.faces import Face, Refined
from facepoints.inference.keypoint_network import KeypointNetwork
from facepoints.inference.regions import Gray, Regions
from facepoints.inference.verification import VIEWS, disagreement, distinct, face_score
from facepoints.inference.video.reading import Frame, stream
from facepoints.keypoints import FACE_SIZE, KeypointSet

FLAGSHIP = "flagship.onnx"
"""The weights that ship with the package."""

CASCADES = "cascades"
"""The word that stands for OpenCV's cascades, where a file of a face model could."""

ENOUGH = 0.8
"""The score from which a candidate is a face. Higher than one half: a photo gives many candidates and few faces."""

LOST = 5.0
"""Times the typical error that the network may expect at the first look. Beyond, it is lost, and a candidate that the
finder holds for none, either, is dropped: on 60 photos that saved a quarter of the time and lost no face."""


class Detector:
    """A keypoint network and a face finder. Threads may share one; a pickled one starts its session anew."""

    def __init__(self, network: KeypointNetwork, face_detector: FaceDetector | None = None) -> None:
        self.network = network
        self.face_detector: FaceDetector = face_detector or FaceNetwork.shipped(network.threads)

    @property
    def keypoints(self) -> KeypointSet:
        """The points that it gives, in order."""
        return self.network.facts.keypoints

    @property
    def trained_on(self) -> Mapping[str, Any]:
        """The data behind the network, as its file tells: fingerprint, and the rows kept for validation."""
        found: Mapping[str, Any] = self.network.facts.metadata.get("data", {})
        return found

    def points(
        self, crops: NDArray[np.uint8], source: ArrayLike = 0
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Points (n, k, 2) and expected errors (n, k), px of the crops, of crops uint8 (n, 96, 96).

        source, 0 or 1, for all or for each (n,): whose way of labeling is wanted.
        """
        return self.network(crops, source)

    def mirrored_too(self, crops: NDArray[np.uint8], source: ArrayLike = 0) -> NDArray[np.float32]:
        """Points (n, k, 2), px of the crops, averaged with those of the mirrored crops; twice the time."""
        return self.network.mirrored_too(crops, source)

    def faces(self, photo: object) -> tuple[Face, ...]:
        """Every face in a photo, the largest first.

        photo: a path, a Pillow image, or an array uint8, grey (h, w) or RGB (h, w, 3).
        """
        seen = open_image(photo)
        for candidates in self.face_detector.rounds(seen):
            found = self._judged(seen.gray, candidates)
            if len(found.regions):
                return tuple(self._face(found, i) for i in np.argsort(-found.regions.side, kind="stable"))
        return ()

    def _judged(self, gray: Gray, candidates: Regions) -> Refined:
        """Those candidates that are faces, each face once. Views and finder are two witnesses: their odds multiply."""
        first = self.refine(gray, candidates, views=1)
        odds = np.ones(len(candidates)) if candidates.odds is None else candidates.odds
        error = first.expected_error.mean(axis=1) * FACE_SIZE / candidates.side
        likely = np.flatnonzero((odds >= 1) | (error <= LOST * self.network.facts.mean_error[0].mean()))
        wanted = self.regions_of(first.points)
        once = likely[distinct(first.points[likely], wanted.side[likely], np.arange(len(likely)))]
        odds = odds[once]
        found = self.refine(gray, wanted.take(once)).weighed(odds)
        unsure = found.score < ENOUGH
        # a crop that was far off gets one more chance
        again = self.refine(gray, self.regions_of(found.points[unsure])).weighed(odds[unsure])
        found = Refined.joined([found, again])
        found = found.take(found.score >= ENOUGH)
        return found.take(distinct(found.points, found.regions.side, np.argsort(-found.score, kind="stable")))

    def regions_of(self, points: NDArray[np.floating[Any]]) -> Regions:
        """The regions in which faces with these points (n, k, 2), px of the photo, lie as faces usually do."""
        return Regions.of_points(points, self.network.facts.mean_shape[0])

    def refine(self, gray: Gray, regions: Regions, *, source: int = 0, views: int = len(VIEWS)) -> Refined:
        """The points of the faces in these regions of a grey photo (h, w), all in one call of the network.

        Each region is seen in several sizes; the points are the mean, the score tells how well the views agree (a
        single view always does: its score is 1). Regions come from `Regions.of_boxes`, or from `regions_of` the points
        of a first look or of the frame before.
        """
        seen = [regions.grown(size) for size in VIEWS[:views]]
        on_crop, error = self.network(np.concatenate([view.crops(gray) for view in seen]), source)
        points = np.stack([view.on_photo(part) for view, part in zip(seen, np.split(on_crop, views), strict=True)])
        scale = np.stack([view.side for view in seen])[:, :, None] / FACE_SIZE
        expected = (error.reshape(points.shape[:3]) * scale).mean(axis=0).astype(np.float32)
        return Refined(regions, points.mean(axis=0), expected, face_score(disagreement(points, regions)))

    def stream(self, video: str | Path | int, *, smooth: float = 1.0) -> Iterator[Frame]:
        """The faces of a video file or camera, frame by frame: see `facepoints.inference.video.reading.stream`."""
        yield from stream(self, video, smooth=smooth)

    def _face(self, found: Refined, i: int) -> Face:
        x, y, w, h = (float(v) for v in found.regions.boxes[i])
        score = float(found.score[i])
        return Face((x, y, w, h), score, found.points[i], found.expected_error[i], self.keypoints)


def load(
    model: Path | str | None = None, *, threads: int | None = None, face_model: Path | str | None = None
) -> Detector:
    """A detector from an .onnx file of `facepoints export`, or with the weights that ship with the package.

    threads: for each network; None: as many as there are cores, at most 4. face_model: a YuNet file that finds the
    faces instead of our own network, or the word `cascades` for those of OpenCV. Raises BadRun where a file is absent,
    damaged or something else.
    """
    if model is None:
        content = files("facepoints").joinpath("weights", FLAGSHIP).read_bytes()
        network = KeypointNetwork(content, FLAGSHIP, threads)
    else:
        network = KeypointNetwork.open(Path(model), threads)
    if face_model is None:
        return Detector(network)
    return Detector(network, Cascades() if str(face_model) == CASCADES else YuNet(Path(face_model)))

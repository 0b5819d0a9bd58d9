"""The page's own way to faces is the Python's: the same looks at a picture, the same candidates, the same judgment."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from facepoints import Detector
from facepoints.data.images import Photo
from facepoints.inference.face_network import FaceNetwork, _Facts
from facepoints.inference.keypoint_network import KeypointNetwork
from facepoints.inference.regions import Regions

from .javascript import in_node

STRIDE, SIDES, UNIT = 8, (16.0, 48.0), 28.0


class DrawnMaps:
    """Stands in for the finder's network: answers with maps drawn by chance, and keeps them with what it was shown."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng(4)
        self.shown: list[list[int]] = []
        self.told: list[list[float]] = []

    def run(self, _: None, feeds: dict[str, NDArray[np.uint8]]) -> list[NDArray[np.float32]]:
        picture = feeds["picture"][0, 0]
        maps = self.rng.normal(0, 1, (6, picture.shape[0] // STRIDE, picture.shape[1] // STRIDE)).astype(np.float32)
        maps[0] = 2 * maps[0] - 3
        self.shown.append([*picture.shape, checksum(picture)])
        self.told.append(maps.ravel().tolist())
        return [maps[None]]


def checksum(picture: NDArray[np.uint8]) -> int:
    """One number that changes when pixels change or move."""
    return int((picture.ravel().astype(np.int64) * (np.arange(picture.size) % 251 + 1)).sum())


CANDIDATES = """
const shown = [];
const maps = async (pixels, height, width) => {
    shown.push([height, width, pixels.reduce((sum, value, i) => sum + value * (i % 251 + 1), 0)]);
    return Float32Array.from(given.told[shown.length - 1]);
};
const level = {gray: Uint8Array.from(given.gray), width: given.width, height: given.height};
const found = await candidates(level, given.facts, maps);
return [shown, found.map(({x, y, side, roll, odds}) => [x, y, side, roll, odds])];
"""


@pytest.mark.parametrize("size", [(1, 1), (5, 3), (31, 47), (301, 203), (2300, 150), (90, 2110)])
def test_both_read_the_same_candidates_from_the_face_detectors_maps(tmp_path: Path, size: tuple[int, int]) -> None:
    gray = np.random.default_rng(1).integers(0, 256, size, np.uint8)
    drawn = DrawnMaps()
    network = FaceNetwork.__new__(FaceNetwork)  # a file for each size of picture would say no more
    network._session, network._facts = drawn, _Facts(STRIDE, SIDES, UNIT)
    found = network.find(gray)
    facts = {"stride": STRIDE, "sides": SIDES, "unit": UNIT}
    given = {"gray": gray.ravel().tolist(), "height": size[0], "width": size[1], "facts": facts, "told": drawn.told}
    shown, own = in_node(tmp_path, 'import { candidates } from "./detect-faces.js";\n', CANDIDATES, given)
    assert shown == drawn.shown
    assert found.likelihood_ratio is not None
    expected = np.column_stack([found.center, found.side, found.roll, found.likelihood_ratio])
    np.testing.assert_allclose(np.array(own).reshape(-1, 5), expected, rtol=1e-5, atol=1e-6)
    assert len(own) > 10 or max(size) < 200


class Recorded(KeypointNetwork):
    """Keeps what it answered, in order."""

    def __init__(self, network: KeypointNetwork) -> None:
        self.__dict__.update(network.__dict__)
        self.answers: list[dict[str, Any]] = []

    def __call__(self, crops: NDArray[np.uint8], source: Any = 0) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        points, errors = super().__call__(crops, source)
        if len(crops):
            self.answers.append({"points": points.tolist(), "errors": errors.tolist()})
        return points, errors


class Given:
    """A finder that knows its candidates."""

    def __init__(self, regions: Regions) -> None:
        self.regions = regions

    def detect(self, photo: Photo) -> Regions:
        return self.regions


JUDGED = """
const picture = new Picture(Uint8Array.from(given.gray), given.width, given.height);
const counts = [];
const look = async (crops) => {
    counts.push(crops.length);
    return given.answers[counts.length - 1];
};
return [counts, await verified(picture, given.candidates, given.facts, look)];
"""


def test_both_judge_the_same_candidates_alike(tmp_path: Path, detector: Detector, anna: Any, ben: Any) -> None:
    both = np.hstack([anna.pixels, ben.pixels])
    rng = np.random.default_rng(0)
    faces = detector.regions_of(np.stack([anna.points, ben.points + (anna.pixels.shape[1], 0)]))
    near = [
        Regions(faces.center + rng.normal(0, 15, (2, 2)), faces.side * grown, faces.roll) for grown in (0.8, 1, 1.6)
    ]
    elsewhere = Regions(rng.uniform(0, 380, (20, 2)), rng.uniform(30, 200, 20), rng.uniform(-3, 3, 20))
    candidates = replace(Regions.joined([elsewhere, *near]), likelihood_ratio=rng.uniform(0.2, 3, 26))
    network = Recorded(detector.network)
    found = Detector(network, Given(candidates)).faces(both)
    assert len(found) == 2
    assert candidates.likelihood_ratio is not None
    listed = np.column_stack(
        [candidates.center, candidates.side, candidates.roll, candidates.likelihood_ratio]
    ).tolist()
    known = network.facts
    given = {
        "gray": both.ravel().tolist(),
        "height": both.shape[0],
        "width": both.shape[1],
        "candidates": [dict(zip(("x", "y", "side", "roll", "odds"), one, strict=True)) for one in listed],
        "facts": {"mean_shape": known.mean_shape.tolist(), "mean_error": known.mean_error.tolist()},
        "answers": network.answers,
    }
    imports = 'import { verified } from "./verify.js";\nimport { Picture } from "./geometry.js";\n'
    counts, own = in_node(tmp_path, imports, JUDGED, given)
    assert counts == [len(answer["points"]) for answer in network.answers]
    for mine, face in zip(own, found, strict=True):
        np.testing.assert_allclose(mine["points"], face.points, atol=1e-3)
        np.testing.assert_allclose(mine["errors"], face.expected_error, atol=1e-4)
        assert mine["score"] == pytest.approx(face.score, abs=1e-4)
        assert mine["region"]["side"] == pytest.approx(face.box[2], abs=1e-3)


def test_both_cut_the_same_crops(tmp_path: Path) -> None:
    noise = np.random.default_rng(3).integers(0, 256, (30, 40), np.uint8)
    gray = np.asarray(cv2.resize(noise, (640, 480), interpolation=cv2.INTER_CUBIC), np.uint8)
    squares = [
        (300, 200, 80, 0),
        (310.4, 190.7, 150, 0.4),
        (20, 460, 300, -2.5),
        (320, 240, 600, 3.0),
        (600, 30, 40, 1),
    ]
    regions = Regions(
        *(np.array(part, float) for part in ([s[:2] for s in squares], *list(zip(*squares, strict=True))[2:]))
    )
    keys = ("x", "y", "side", "roll")
    given = {"gray": gray.ravel().tolist(), "regions": [dict(zip(keys, square, strict=True)) for square in squares]}
    body = """
    const picture = new Picture(Uint8Array.from(given.gray), 640, 480);
    return given.regions.map((region) => [...picture.crop(region)]);
    """
    own = in_node(tmp_path, 'import { Picture } from "./geometry.js";\n', body, given)
    away = np.abs(np.array(own).reshape(-1, 96, 96) - regions.crops(gray).astype(float))
    # OpenCV counts positions in 1/32 px, and blocks of a reduced picture begin elsewhere
    assert away.mean(axis=(1, 2)).max() < 3
    assert away.mean() < 1

"""Finding candidates: where in the photo, however large it is, however it lies."""

from __future__ import annotations

import pickle
from typing import Any

import cv2
import numpy as np
import pytest

from facepoints import Detector
from facepoints.data.images import Photo
from facepoints.data.photos.photo_crop import EYES
from facepoints.inference import face_detection as face_finder
from facepoints.inference.face_detection import TILE, Cascades, _Cascade, _rolled
from facepoints.inference.regions import Gray, Regions


def nearest(found: Regions, wanted: Regions) -> float:
    """Distance of the candidate that fits best, in sides of the region; a side twice too large counts as 0.7."""
    away = np.linalg.norm(found.center - wanted.center, axis=1) / wanted.side + np.abs(np.log(found.side / wanted.side))
    return float(away.min(initial=np.inf))


def test_a_candidate_lies_as_the_face_does(detector: Detector, anna: Any) -> None:
    assert nearest(next(Cascades().rounds(Photo(anna.pixels))), detector.regions_of(anna.points[None])) < 0.25


@pytest.mark.parametrize("shrink", [1.0, 0.2])
def test_large_photos_lose_neither_large_nor_small_faces(
    detector: Detector, anna: Any, shrink: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = cv2.resize(anna.pixels, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    photo = np.full((700, 900), 100, np.uint8)
    photo[250 : 250 + small.shape[0], 300 : 300 + small.shape[1]] = small
    monkeypatch.setattr(face_finder, "TILE", 256)  # as if these were 40 megapixels
    (face,) = Detector(detector.network, Cascades()).faces(photo)
    where = (anna.points + 0.5) * shrink - 0.5 + [300, 250]
    assert np.linalg.norm(face.points - where, axis=1).mean() < 0.05 * face.box[2]


@pytest.mark.parametrize("roll", [0, 50, 180])
def test_what_yunet_says_of_eyes_tells_how_the_face_lies(roll: float) -> None:
    there = Regions(np.array([[300.0, 200.0]]), np.array([150.0]), np.array([np.radians(roll)]))
    (left, right), line = there.on_photo(EYES[None])[0], np.zeros((1, 15))
    line[0, 4:8] = [*right, *left]
    assert nearest(face_finder._around_eyes(line), there) < 1e-3
    assert np.degrees(face_finder._around_eyes(line).roll) == pytest.approx(roll, abs=0.01)


def test_a_finder_pickles(anna: Any) -> None:
    face_detector = Cascades()
    before = next(face_detector.rounds(Photo(anna.pixels)))
    after = next(pickle.loads(pickle.dumps(face_detector)).rounds(Photo(anna.pixels)))
    np.testing.assert_array_equal(before.boxes, after.boxes)


def test_the_next_round_waits_until_it_is_asked_for(detector: Detector, anna: Any) -> None:
    class Counting:
        asked = 0

        def rounds(self, photo: Photo) -> Any:
            for self.asked, round_ in enumerate(Cascades().rounds(photo), start=1):
                yield round_

    counting = Counting()
    assert len(Detector(detector.network, counting).faces(anna.pixels)) == 1
    assert counting.asked == 1
    assert Detector(detector.network, counting).faces(np.zeros((90, 90), np.uint8)) == ()
    assert counting.asked == 7


def test_a_long_narrow_photo_is_searched_in_bounded_memory() -> None:
    sizes: list[int] = []

    class Watched(_Cascade):
        def find(self, gray: Gray) -> Regions:
            sizes.append(gray.size)
            return Regions.of_boxes([[0, 0, 40, 40]])

    strip = np.zeros((57, 60_000), np.uint8)  # turned by 35 degrees as it is, it would fill 1.7 gigapixels
    found = _rolled(Watched("haarcascade_frontalface_alt2", 1, 0, 0), strip, np.radians(35))
    assert max(sizes) <= 1.1 * TILE**2
    assert found.side[0] > 40  # in px of the photo

"""Tracking of synthetic faces with known positions, with a detector that finds exactly the visible ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from facepoints.data.images import Photo
from facepoints.data.synthetic.faces import draw_faces
from facepoints.inference.faces import Face, RefinedFaces
from facepoints.inference.regions import Regions
from facepoints.inference.video.tracking import DETECTION_INTERVAL_LOST, Tracker, stabilize
from facepoints.keypoints import FIFTEEN

FPS = 30.0
HEADS, POINTS = draw_faces(6, seed=2)
MEAN_SHAPE = POINTS.mean(axis=0)
Path = Callable[[float], tuple[float, float] | None]


@dataclass
class Puppet:
    """A synthetic head and the position of its center at each time; None: out of the frame."""

    head: int
    path: Path


@dataclass
class Stage:
    """Draws puppets, the first farthest away, and acts as the face detector."""

    puppets: list[Puppet]
    time: float = 0.0
    blind: bool = False
    cut: float = 1e9
    """from this time on there is another background"""
    keypoints = FIFTEEN
    calls: list[int] = field(default_factory=list)

    def photo(self, time: float) -> Photo:
        self.time = time
        scene = cv2.GaussianBlur(
            np.random.default_rng(int(time >= self.cut)).integers(0, 255, (300, 480), np.uint8), (0, 0), 8
        )
        for puppet in self.puppets:
            place = puppet.path(time)
            if place is not None:
                shift = np.array([[1, 0, place[0] - 47.5], [0, 1, place[1] - 47.5]])
                there = cv2.warpAffine(np.full((96, 96), 255, np.uint8), shift, (480, 300)) > 127
                scene[there] = cv2.warpAffine(HEADS[puppet.head], shift, (480, 300))[there]
        return Photo(np.asarray(scene, np.uint8))

    def visible(self) -> list[tuple[Puppet, NDArray[np.float64]]]:
        """Puppets that are inside the frame and not occluded, with their positions."""
        places = [(p, np.array(at)) for p in self.puppets if (at := p.path(self.time)) is not None]
        places = [(p, at) for p, at in places if (at > 0).all() and (at < (480, 300)).all()]
        return [
            (p, at)
            for i, (p, at) in enumerate(places)
            if all(np.abs(at - other).max() > 45 for _, other in places[i + 1 :])
        ]

    def regions_of(self, points: NDArray[np.float64]) -> Regions:
        return Regions.of_points(points, MEAN_SHAPE)

    def refine(self, gray: NDArray[np.uint8], regions: Regions, views: int) -> RefinedFaces:
        assert views >= 2
        self.calls.append(len(regions))
        points = regions.on_photo(np.broadcast_to(MEAN_SHAPE, (len(regions), 15, 2)))
        score = np.full(len(regions), 0.05)
        for i in range(len(regions)):
            for puppet, at in self.visible():
                if np.linalg.norm(regions.center[i] - at) < 0.35 * regions.side[i]:
                    points[i], score[i] = POINTS[puppet.head] - 47.5 + at, 0.9
        return RefinedFaces(regions, points, np.full(points.shape[:2], 1.5, np.float32), score)

    def faces(self, photo: Photo) -> tuple[Face, ...]:
        assert photo.gray.ndim == 2
        found = [] if self.blind else [(POINTS[p.head] - 47.5 + at, at) for p, at in self.visible()]
        return tuple(
            Face(
                (at[0] - 48, at[1] - 48, 96, 96), 0.9, points.astype(np.float32), np.full(15, 1.5, np.float32), FIFTEEN
            )
            for points, at in found
        )


def run(stage: Stage, seconds: float) -> list[tuple[Face, ...]]:
    tracker = Tracker(stage, smooth=0)  # type: ignore[arg-type]
    stage.photo(0)
    return [tracker.step(stage.photo(i / FPS), i / FPS) for i in range(round(seconds * FPS))]


def ids(faces: tuple[Face, ...]) -> dict[int | None, float]:
    """Track id -> x of the face's center."""
    return {face.id: float(face.points[:, 0].mean()) for face in faces}


def line(x: float, speed: float, y: float = 150.0) -> Path:
    return lambda t: (x + speed * t, y)


def test_a_followed_face_keeps_its_number_and_costs_one_prediction_per_frame() -> None:
    stage = Stage([Puppet(0, line(80, 100))])
    frames = run(stage, 3)
    assert [list(ids(f)) for f in frames] == [[1]] * 90
    assert len(stage.calls) <= 100
    for i in (0, 30, 89):
        np.testing.assert_allclose(frames[i][0].points, POINTS[0] - 47.5 + stage.puppets[0].path(i / FPS), atol=0.01)


def test_the_detector_runs_rarely_while_all_tracks_are_live_and_often_while_one_is_lost() -> None:
    calm = Tracker(stage := Stage([Puppet(0, line(240, 0))]))  # type: ignore[arg-type]
    for i in range(150):
        calm.step(stage.photo(i / FPS), i / FPS)
    assert calm.detections == 5
    empty = Tracker(stage := Stage([]))  # type: ignore[arg-type]
    for i in range(150):
        assert empty.step(stage.photo(i / FPS), i / FPS) == ()
    assert empty.detections == pytest.approx(5 / DETECTION_INTERVAL_LOST, abs=2)


@pytest.mark.parametrize("y", [150.0, 165.0])
@pytest.mark.parametrize("speed", [60.0, 150.0, 300.0])
@pytest.mark.parametrize("heads", [(0, 1), (2, 3), (4, 5)])
def test_numbers_stay_when_two_people_cross(heads: tuple[int, int], speed: float, y: float) -> None:
    seconds = 380 / speed
    frames = run(Stage([Puppet(heads[0], line(50, speed)), Puppet(heads[1], line(430, -speed, y))]), seconds)
    first, last = ids(frames[0]), ids(frames[-1])
    assert set(first) == set(last) == {1, 2}
    assert [first[1] < first[2], last[1] > last[2]] == [first[1] < first[2]] + [first[1] < first[2]]
    assert max(map(len, frames)) == 2


def test_two_people_who_meet_and_turn_back_are_distinguished_by_appearance() -> None:
    def there_and_back(x: float, sign: float) -> Path:
        return lambda t: (x + sign * 190 * (1 - abs(1 - t)), 150)

    frames = run(Stage([Puppet(0, there_and_back(50, 1)), Puppet(1, there_and_back(430, -1))]), 2)
    first, last = ids(frames[0]), ids(frames[-1])
    assert {i: round(x) // 240 for i, x in first.items()} == {i: round(x) // 240 for i, x in last.items()}


def hidden(start: float, end: float, before: Path, after: Path | None = None) -> Path:
    return lambda t: before(t) if t < start else None if t < end else (after or before)(t)


@pytest.mark.parametrize(("gone", "number"), [(0.1, 1), (0.5, 1), (2.0, 1), (4.0, 2)])
def test_a_lost_face_is_not_invented_and_comes_back_with_its_number_if_soon(gone: float, number: int) -> None:
    frames = run(Stage([Puppet(3, hidden(1, 1 + gone, line(200, 0), line(215, 0)))]), 2 + gone)
    assert all(f == () for f in frames[30 : round(30 + FPS * gone)])
    assert list(ids(frames[-1])) == [number]


def test_a_similar_face_is_matched_anywhere_and_a_different_one_in_the_same_place_gets_a_new_number() -> None:
    elsewhere = run(Stage([Puppet(3, hidden(1, 1.5, line(100, 0), line(400, 0)))]), 2.5)
    assert list(ids(elsewhere[-1])) == [1]
    for head, scene in ((2, 9.0), (4, 1.0)):
        stranger = Puppet(head, hidden(0, 1, line(0, 0), line(200, 0)))
        cut = run(Stage([Puppet(0, hidden(1, 9, line(200, 0))), stranger], cut=scene), 2)
        assert [list(ids(cut[i])) for i in (29, 30, -1)] == [[1], [2], [2]]


def test_a_new_face_is_detected_within_a_second_and_gets_the_next_number() -> None:
    stage = Stage([Puppet(0, line(100, 0)), Puppet(1, hidden(0, 1.2, line(0, 0), line(380, 0)))])
    frames = run(stage, 2.3)
    assert list(ids(frames[35])) == [1]
    assert list(ids(frames[-1])) == [1, 2]


def test_a_face_that_leaves_the_picture_is_gone() -> None:
    assert ids(run(Stage([Puppet(0, line(400, 200))]), 1.5)[-1]) == {}


def test_frames_far_apart_are_detected_anew() -> None:
    stage = Stage([Puppet(0, line(100, 20))])
    tracker = Tracker(stage)  # type: ignore[arg-type]
    found = [ids(tracker.step(stage.photo(t), t)) for t in (0.0, 2.0, 4.0, 6.0)]
    assert tracker.detections == 4
    assert [list(f) for f in found] == [[1]] * 4


def test_without_the_detector_a_lost_face_stays_lost() -> None:
    stage = Stage([Puppet(0, hidden(1, 1.3, line(200, 0), line(340, 0)))])
    tracker = Tracker(stage)  # type: ignore[arg-type]
    for i in range(60):
        stage.blind = i > 20
        faces = tracker.step(stage.photo(i / FPS), i / FPS)
        assert (len(faces) == 1) == (i < 30)


def test_a_still_face_keeps_its_crop_and_a_moving_one_does_not() -> None:
    old = Regions(np.array([[50.0, 50.0]] * 4), np.full(4, 100.0), np.zeros(4))
    moved = np.array([[50.5, 50.5], [58.0, 50.0], [50.0, 50.0], [50.0, 50.0]])
    new = Regions(moved, np.array([101.0, 100.0, 110.0, 100.0]), np.array([0.01, 0.0, 0.0, 0.2 + 2 * np.pi]))
    kept = stabilize(old, new)
    assert kept.side.tolist() == [100, 100, 110, 100]
    np.testing.assert_array_equal(kept.center, [[50, 50], [58, 50], [50, 50], [50, 50]])
    assert kept.roll[0] == 0
    assert kept.roll[3] == new.roll[3]

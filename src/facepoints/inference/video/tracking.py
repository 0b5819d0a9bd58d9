"""Who is who from frame to frame: each face is followed by its own points, and looked for where that does not do.

A followed face costs one call of the network: the points of the frame before, moved on at the speed they had, give
the crop. The finder runs at the start, once in a while for newcomers, and at once when a face is lost. A face that
no longer looks like itself is lost, never guessed; one that comes back nearby, or looks alike, gets its number again.
"""

from __future__ import annotations

from itertools import combinations

import cv2
import numpy as np
from numpy.typing import NDArray

from facepoints.data.images import Photo
from facepoints.inference.faces import Face, FaceSource, Refined, TrackedFace  # TrackedFace
from facepoints.inference.regions import Gray, Regions
from facepoints.inference.video.reidentification import ELSE, LONGEST_STEP, Floats, Track, looks, recognize, unit
from facepoints.inference.video.smoothing import Smoother

LOOK_FOR_NEWCOMERS, LOOK_FOR_LOST = 1.0, 0.2
"""Seconds of video between two runs of the finder: while all is well; while somebody is missing, or nobody is there."""

REMEMBERED = 3.0
"""Seconds after which a lost face is forgotten: who comes back later is somebody new."""

HOLDS = 0.4
"""The least score of a followed face. A found one needs more: who was a face a moment ago is likely one still."""

CUT = 0.5
"""Correlation of two coarse frames under which another scene has begun, where places mean nothing."""

SAME_PLACE = 0.2
"""Mean distance of two faces' points, in sides of a crop, under which they are one face."""

_VIEWS = 2  # the fewest that can disagree: three, as for a photo, cost half as much again
_SCENE = (32, 24)
_FAR = 0.08  # sides: a crop this far from where its points want it is taken again
_STILL = (0.02, 0.03, 0.035)  # sides, natural logarithm of the side, radians: smaller moves leave the crop where it is


class Tracker:
    """Follows all faces of one video. Frames go in in order, with their times."""

    def __init__(self, detector: FaceSource, smooth: float = 1.0) -> None:
        """smooth: strength of the `Smoother` of each face; 0 leaves the points as the network gives them."""
        Smoother(smooth)  # refuses what is no strength before the first face comes
        self.detector = detector
        self.smooth = smooth
        self.searches = 0
        """how often the finder ran"""
        self._tracks: list[Track] = []
        self._faces: dict[int, TrackedFace] = {}
        self._ids = 0
        self._time: float | None = None
        self._searched = -np.inf
        self._scene: NDArray[np.float32] | None = None

    def step(self, frame: Photo, time: float) -> tuple[TrackedFace, ...]:
        """The faces of the next frame, in order of their numbers; time in seconds."""
        gap = time - self._time if self._time is not None else np.inf
        self._time = time
        self._faces = {}
        self._tracks = [track for track in self._tracks if time - track.seen <= REMEMBERED]
        live = [track for track in self._tracks if not track.lost]
        cut = self._new_scene(frame.gray)
        if live and gap <= LONGEST_STEP and not cut:
            self._follow(live, frame.gray, time)
        else:
            for track in live:
                track.lost, track.cut = True, cut
        if cut or self._due(time, any(track.lost for track in live)):
            self._search(frame, time)
        return tuple(self._faces[i] for i in sorted(self._faces))

    def _new_scene(self, gray: Gray) -> bool:
        """Whether this frame is of another scene than the one before."""
        step = max(1, min(gray.shape) // 240)  # of a large frame every few pixels do
        coarse = cv2.resize(gray[::step, ::step], _SCENE, interpolation=cv2.INTER_AREA).astype(np.float32)
        before, self._scene = self._scene, unit((coarse - coarse.mean()).ravel())
        return before is not None and float(before @ self._scene) < CUT

    def _follow(self, live: list[Track], gray: Gray, time: float) -> None:
        """Look where each face should be now; what is not there or not itself is lost."""
        wanted = self.detector.regions_of(np.stack([track.at(time) for track in live]))
        seen = self._look(gray, steady(Regions.joined([track.region for track in live]), wanted))
        if (_away(seen.regions, self.detector.regions_of(seen.points)) > _FAR).any():
            seen = self._look(gray, self.detector.regions_of(seen.points))
        new = looks(gray, self.detector.regions_of(seen.points))
        alike = (new * np.stack([track.look for track in live])).sum(axis=1)
        middle = seen.points.mean(axis=1)
        inside = ((middle > 0) & (middle < gray.shape[::-1])).all(axis=1)
        holds = (seen.score >= HOLDS) & (alike >= ELSE) & inside
        for i, j in combinations(np.flatnonzero(holds).tolist(), 2):
            if _coincide(seen.points[i], seen.points[j], float(seen.regions.side[i])):
                holds[i if alike[i] < alike[j] else j] = False  # one hides the other
        for i, track in enumerate(live):
            track.lost = not holds[i]
            if holds[i]:
                track.moved(seen.points[i].astype(np.float64), seen.regions.take(slice(i, i + 1)), new[i], time)
                box = tuple(seen.regions.boxes[i].tolist())
                self._show(track, box, float(seen.score[i]), seen.points[i], seen.expected_error[i])

    def _look(self, gray: Gray, regions: Regions) -> Refined:
        return self.detector.refine(gray, regions, views=_VIEWS)

    def _due(self, time: float, just_lost: bool) -> bool:
        calm = bool(self._tracks) and not any(track.lost for track in self._tracks)
        return just_lost or time - self._searched >= (LOOK_FOR_NEWCOMERS if calm else LOOK_FOR_LOST) - 1e-6

    def _search(self, frame: Photo, time: float) -> None:
        """Run the finder: lost faces are recognized, all others are newcomers."""
        self._searched = time
        self.searches += 1
        here = list(self._faces.values())
        found = [face for face in self.detector.faces(frame) if not any(_one(face, other) for other in here)]
        if not found:
            return
        points = np.stack([face.points for face in found]).astype(np.float64)
        regions = self.detector.regions_of(points)
        new = looks(frame.gray, regions)
        lost = [track for track in self._tracks if track.lost]
        recognized: dict[int, Track] = {}
        if lost:
            expected = self.detector.regions_of(np.stack([track.at(time) for track in lost]))
            recognized = recognize(lost, regions, new, expected, time)
        for i, face in enumerate(found):
            track, region = recognized.get(i), regions.take(slice(i, i + 1))
            if track is None:
                if any(not t.cut for t in lost) and any(_beside(face, other) for other in here):
                    continue  # perhaps a lost one, still half hidden: named when it comes clear
                self._ids += 1
                track = Track(self._ids, points[i], region, new[i], time, Smoother(self.smooth), np.zeros(2))
                self._tracks.append(track)
            else:
                track.moved(points[i], region, new[i], time)
            self._show(track, face.box, face.score, face.points, face.expected_error)

    def _show(
        self,
        track: Track,
        box: tuple[float, ...],
        score: float,
        points: NDArray[np.float32],
        error: NDArray[np.float32],
    ) -> None:
        x, y, w, h = box
        smooth = track.smoother(points, error, track.seen)
        self._faces[track.id] = TrackedFace(
            track.id, (x, y, w, h), score, smooth, error.astype(np.float32), self.detector.keypoints
        )


def steady(old: Regions, new: Regions) -> Regions:
    """For each face the new region, or the old one where it would do: a still face keeps its crop, pixel for pixel.

    Otherwise the network's jitter would move the crop, and the moved crop the network's answer.
    """
    turned = np.abs((new.roll - old.roll + np.pi) % (2 * np.pi) - np.pi)
    sized = np.abs(np.log(np.maximum(new.side, 1e-6) / np.maximum(old.side, 1e-6)))
    keep = (_away(old, new) < _STILL[0]) & (sized < _STILL[1]) & (turned < _STILL[2])
    return Regions(
        np.where(keep[:, None], old.center, new.center),
        np.where(keep, old.side, new.side),
        np.where(keep, old.roll, new.roll),
    )


def _away(old: Regions, new: Regions) -> Floats:
    """(n,): distance of the middles, in sides of the new."""
    return np.asarray(np.linalg.norm(new.center - old.center, axis=1) / np.maximum(new.side, 1e-6))


def _coincide(a: NDArray[np.float32], b: NDArray[np.float32], side: float) -> bool:
    return bool(np.linalg.norm(a - b, axis=1).mean() < SAME_PLACE * side)


def _one(face: Face, other: TrackedFace) -> bool:
    return _coincide(face.points, other.points, max(face.box[2], other.box[2]))


def _beside(face: Face, other: TrackedFace) -> bool:
    """Whether one of the two can hide a part of the other."""
    away = np.linalg.norm(face.points.mean(axis=0) - other.points.mean(axis=0))
    return bool(away < (face.box[2] + other.box[2]) / 2)

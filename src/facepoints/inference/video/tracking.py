"""Face tracking: points of the previous frame give the crop of the next one; the face detector runs now and then.

Tracking a face takes one call of the keypoint network per frame: the crop comes from the previous points, moved with
the track's velocity. The face detector runs at the start, periodically for new faces, and as soon as a track is lost.
A face whose appearance changes abruptly is lost. A detected face that matches a lost track continues it.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import cv2
import numpy as np
from numpy.typing import NDArray

from facepoints.data.images import Photo
from facepoints.inference.faces import Face, FaceSource
from facepoints.inference.regions import Gray, Regions
from facepoints.inference.video.reidentification import (
    KEEP_TRACK,
    LONGEST_GAP,
    Floats,
    Track,
    appearances,
    match_lost,
    unit,
)
from facepoints.inference.video.smoothing import Smoother

DETECTION_INTERVAL, DETECTION_INTERVAL_LOST = 1.0, 0.2
"""Seconds of video between two runs of the face detector: if all tracks are live; if one is lost or none exists."""

TRACK_TIMEOUT = 3.0
"""Seconds after which a lost track is removed."""

MIN_SCORE = 0.4
"""Minimum score of a tracked face. Detected faces need more: the previous frame is evidence that the face exists."""

CUT_CORRELATION = 0.5
"""Correlation of consecutive frames, 32 x 24 px, below which the scene has changed and positions are meaningless."""

SAME_FACE_DISTANCE = 0.2
"""Mean distance between the points of two detections, in sides of the crop, below which they are the same face."""

_VIEWS = 2  # the minimum for a disagreement; three, as for a photo, take 1.5 times as long
_FRAME_SIZE = (32, 24)
_LARGE_OFFSET = 0.08  # sides: a crop this far from the one its points define is predicted again
_SMALL_CHANGE = (0.02, 0.03, 0.035)  # sides, logarithm of the side, radians: below all three the crop stays


class Tracker:
    """Tracks all faces of one video. Frames must be passed in order."""

    def __init__(self, detector: FaceSource, smooth: float = 1.0) -> None:
        """smooth: strength of each face's `Smoother`; 0 returns the predicted points unchanged."""
        Smoother(smooth)  # reports an invalid strength before the first face appears
        self.detector = detector
        self.smooth = smooth
        self.detections = 0
        """number of runs of the face detector"""
        self._tracks: list[Track] = []
        self._faces: dict[int, Face] = {}
        self._last_id = 0
        self._time: float | None = None
        self._detected = -np.inf
        self._frame: NDArray[np.float32] | None = None

    def step(self, frame: Photo, time: float) -> tuple[Face, ...]:
        """The faces of the next frame, sorted by id; time in seconds."""
        gap = time - self._time if self._time is not None else np.inf
        self._time = time
        self._faces = {}
        self._tracks = [track for track in self._tracks if time - track.time <= TRACK_TIMEOUT]
        live = [track for track in self._tracks if not track.lost]
        cut = self._is_cut(frame.gray)
        if live and gap <= LONGEST_GAP and not cut:
            self._follow(live, frame.gray, time)
        else:
            for track in live:
                track.lost, track.lost_at_cut = True, cut
        stable = bool(self._tracks) and not any(track.lost for track in self._tracks)
        interval = DETECTION_INTERVAL if stable else DETECTION_INTERVAL_LOST
        if cut or any(track.lost for track in live) or time - self._detected >= interval - 1e-6:
            self._detect(frame, time)
        return tuple(self._faces[i] for i in sorted(self._faces))

    def _is_cut(self, gray: Gray) -> bool:
        """Whether the scene changed since the previous frame."""
        step = max(1, min(gray.shape) // 240)  # subsampling saves time on large frames
        coarse = cv2.resize(gray[::step, ::step], _FRAME_SIZE, interpolation=cv2.INTER_AREA).astype(np.float32)
        previous, self._frame = self._frame, unit((coarse - coarse.mean()).ravel())
        return previous is not None and float(previous @ self._frame) < CUT_CORRELATION

    def _follow(self, live: list[Track], gray: Gray, time: float) -> None:
        """Predict each face at its extrapolated position; mark tracks that are not confirmed as lost."""
        detector = self.detector
        predicted = detector.regions_of(np.stack([track.predicted(time) for track in live]))
        crops = stabilize(Regions.joined([track.region for track in live]), predicted)
        found = detector.refine(gray, crops, views=_VIEWS)
        if (_offset(found.regions, detector.regions_of(found.points)) > _LARGE_OFFSET).any():
            found = detector.refine(gray, detector.regions_of(found.points), views=_VIEWS)
        new = appearances(gray, detector.regions_of(found.points))
        similarity = (new * np.stack([track.appearance for track in live])).sum(axis=1)
        center = found.points.mean(axis=1)
        inside = ((center > 0) & (center < gray.shape[::-1])).all(axis=1)
        confirmed = (found.score >= MIN_SCORE) & (similarity >= KEEP_TRACK) & inside
        for i, j in combinations(np.flatnonzero(confirmed).tolist(), 2):
            if _coincide(found.points[i], found.points[j], float(found.regions.side[i])):
                confirmed[i if similarity[i] < similarity[j] else j] = False  # one occludes the other
        for i, track in enumerate(live):
            track.lost = not confirmed[i]
            if confirmed[i]:
                x, y, w, h = found.regions.boxes[i].tolist()
                face = Face(
                    (x, y, w, h), float(found.score[i]), found.points[i], found.expected_error[i], detector.keypoints
                )
                track.update(face.points.astype(np.float64), found.regions.take(slice(i, i + 1)), new[i], time)
                self._output(track, face)

    def _detect(self, frame: Photo, time: float) -> None:
        """Run the face detector; each new face continues a lost track or starts one."""
        self._detected = time
        self.detections += 1
        current = list(self._faces.values())
        found = [face for face in self.detector.faces(frame) if not any(_same_face(face, other) for other in current)]
        if not found:
            return
        points = np.stack([face.points for face in found]).astype(np.float64)
        regions = self.detector.regions_of(points)
        new = appearances(frame.gray, regions)
        lost = [track for track in self._tracks if track.lost]
        matched: dict[int, Track] = {}
        if lost:
            predicted = self.detector.regions_of(np.stack([track.predicted(time) for track in lost]))
            matched = match_lost(lost, regions, new, predicted, time)
        for i, face in enumerate(found):
            track, region = matched.get(i), regions.take(slice(i, i + 1))
            if track is not None:
                track.update(points[i], region, new[i], time)
            elif any(not t.lost_at_cut for t in lost) and any(_may_occlude(face, other) for other in current):
                continue  # possibly a lost face that is still partly occluded: decided once it is visible
            else:
                self._last_id += 1
                track = Track(self._last_id, points[i], region, new[i], time, Smoother(self.smooth), np.zeros(2))
                self._tracks.append(track)
            self._output(track, face)

    def _output(self, track: Track, face: Face) -> None:
        points = track.smoother(face.points, face.expected_error, track.time)
        self._faces[track.id] = replace(face, points=points, id=track.id)


def stabilize(old: Regions, new: Regions) -> Regions:
    """The new regions, but the old one where the change is small.

    A resting face thus keeps its crop. Otherwise jitter of the predicted points would move the crop, and the moved
    crop would change the prediction again.
    """
    roll = np.abs((new.roll - old.roll + np.pi) % (2 * np.pi) - np.pi)
    scale = np.abs(np.log(np.maximum(new.side, 1e-6) / np.maximum(old.side, 1e-6)))
    keep = (_offset(old, new) < _SMALL_CHANGE[0]) & (scale < _SMALL_CHANGE[1]) & (roll < _SMALL_CHANGE[2])
    return Regions(
        np.where(keep[:, None], old.center, new.center),
        np.where(keep, old.side, new.side),
        np.where(keep, old.roll, new.roll),
    )


def _offset(old: Regions, new: Regions) -> Floats:
    """(n,): distance between the centers, in sides of the new regions."""
    return np.asarray(np.linalg.norm(new.center - old.center, axis=1) / np.maximum(new.side, 1e-6))


def _coincide(a: NDArray[np.float32], b: NDArray[np.float32], side: float) -> bool:
    return bool(np.linalg.norm(a - b, axis=1).mean() < SAME_FACE_DISTANCE * side)


def _same_face(face: Face, other: Face) -> bool:
    return _coincide(face.points, other.points, max(face.box[2], other.box[2]))


def _may_occlude(face: Face, other: Face) -> bool:
    """Whether the two faces are close enough for one to occlude a part of the other."""
    distance = np.linalg.norm(face.points.mean(axis=0) - other.points.mean(axis=0))
    return bool(distance < (face.box[2] + other.box[2]) / 2)

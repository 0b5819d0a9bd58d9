"""Faces with their points, as detector and tracker return them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from facepoints.inference.regions import Gray, Regions
from facepoints.keypoints import KeypointSet


@dataclass(frozen=True)
class Face:
    """A face in a photo; everything in px of the photo as a person sees it, pixel centers whole numbers."""

    box: tuple[float, float, float, float]
    """x, y, w, h of the upright square that the network saw around the face"""
    score: float
    """0 to 1: how likely this is a face"""
    points: NDArray[np.float32]
    """(k, 2)"""
    expected_error: NDArray[np.float32]
    """(k,): what each coordinate is expected to be off"""
    keypoints: KeypointSet


@dataclass(frozen=True)
class Refined:
    """n faces after a look at their regions; everything in px of the photo."""

    regions: Regions
    """what the network saw last"""
    points: NDArray[np.float32]
    """(n, k, 2)"""
    expected_error: NDArray[np.float32]
    """(n, k)"""
    score: NDArray[np.float64]
    """(n,), 0 to 1: how much this looks like a face"""

    @classmethod
    def joined(cls, parts: Sequence[Refined]) -> Refined:
        """All of the parts, in order."""
        return cls(
            Regions.joined([part.regions for part in parts]),
            np.concatenate([part.points for part in parts]),
            np.concatenate([part.expected_error for part in parts]),
            np.concatenate([part.score for part in parts]),
        )

    def weighed(self, odds: NDArray[np.float64]) -> Refined:
        """The same with scores after one more witness, who says so many times likelier a face than none, (n,)."""
        return replace(self, score=self.score * odds / (self.score * odds + 1 - self.score))

    def take(self, which: NDArray[Any] | slice) -> Refined:
        """Those at these positions, or where a mask holds."""
        return Refined(self.regions.take(which), self.points[which], self.expected_error[which], self.score[which])


@dataclass(frozen=True)
class TrackedFace:
    """A face in one frame of a video; everything in px of the frame."""

    id: int
    """the same number for the same face, from 1"""
    box: tuple[float, float, float, float]
    """x, y, w, h of the upright square around what the network saw"""
    score: float
    """0 to 1: how likely this is a face"""
    points: NDArray[np.float32]
    """(k, 2), smoothed"""
    expected_error: NDArray[np.float32]
    """(k,): what each coordinate is expected to be off"""
    keypoints: KeypointSet


class FaceSource(Protocol):
    """What a tracker needs of a detector."""

    @property
    def keypoints(self) -> KeypointSet:
        """The k points of each face, in order."""

    def faces(self, photo: object) -> tuple[Face, ...]:
        """All faces of a photo."""

    def regions_of(self, points: NDArray[np.floating[Any]]) -> Regions:
        """The regions in which the network expects faces with these points (n, k, 2), px of the photo."""

    def refine(self, gray: Gray, regions: Regions, *, source: int = 0, views: int = ...) -> Refined:
        """The points of the faces in these regions of a grey photo (h, w)."""

"""Faces with their points, as returned by detector and tracker."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from facepoints.inference.regions import Gray, Regions
from facepoints.keypoints import KeypointSet


@dataclass(frozen=True, repr=False)
class Face:
    """A face in a photo or video frame; lengths in px of the photo as displayed, pixel centers at whole numbers."""

    box: tuple[float, float, float, float]
    """x, y, w, h of the upright square that the network processed"""
    score: float
    """probability of being a face, 0 to 1"""
    points: NDArray[np.float32]
    """(k, 2); smoothed over time in a video"""
    expected_error: NDArray[np.float32]
    """(k,): expected error of each coordinate"""
    keypoints: KeypointSet
    id: int | None = None
    """number of the face in its video, from 1; None in a photo"""

    def __repr__(self) -> str:
        number = "" if self.id is None else f"id={self.id}, "
        box = ", ".join(f"{v:.0f}" for v in self.box)
        what = f"{len(self.points)} points, expected error {self.expected_error.mean():.1f} px"
        return f"Face({number}score={self.score:.2f}, box=({box}), {what})"

    def _repr_html_(self) -> str:
        """A table of the points, for notebooks."""
        rows = "".join(
            f"<tr><td>{html.escape(name)}</td><td>{x:.1f}</td><td>{y:.1f}</td><td>± {error:.1f}</td></tr>"
            for name, (x, y), error in zip(self.keypoints.names, self.points, self.expected_error, strict=True)
        )
        head = "<tr><th>point</th><th>x, px</th><th>y, px</th><th>expected error</th></tr>"
        return f"<table><caption>{html.escape(repr(self))}</caption>{head}{rows}</table>"


@dataclass(frozen=True)
class RefinedFaces:
    """n faces whose points come from the network; all lengths in px of the photo."""

    regions: Regions
    """the regions that the network processed"""
    points: NDArray[np.float32]
    """(n, k, 2)"""
    expected_error: NDArray[np.float32]
    """(n, k)"""
    score: NDArray[np.float64]
    """(n,), 0 to 1: probability of being a face"""

    @classmethod
    def joined(cls, parts: Sequence[RefinedFaces]) -> RefinedFaces:
        """All of the parts, in order."""
        return cls(
            Regions.joined([part.regions for part in parts]),
            np.concatenate([part.points for part in parts]),
            np.concatenate([part.expected_error for part in parts]),
            np.concatenate([part.score for part in parts]),
        )

    def updated(self, likelihood_ratio: NDArray[np.float64]) -> RefinedFaces:
        """The same with scores multiplied, as odds, by the likelihood ratio (n,) of the face detector."""
        odds = self.score * likelihood_ratio
        return replace(self, score=odds / (odds + 1 - self.score))

    def take(self, which: NDArray[Any] | slice) -> RefinedFaces:
        """The faces at these positions, or where a mask is true."""
        return RefinedFaces(self.regions.take(which), self.points[which], self.expected_error[which], self.score[which])


class FaceSource(Protocol):
    """The part of a detector that a tracker uses."""

    @property
    def keypoints(self) -> KeypointSet:
        """The k points of each face, in order."""

    def faces(self, photo: object) -> tuple[Face, ...]:
        """All faces of a photo."""

    def regions_of(self, points: NDArray[np.floating[Any]]) -> Regions:
        """The regions that the network expects for faces with these points (n, k, 2), px of the photo."""

    def refine(self, gray: Gray, regions: Regions, *, source: int = 0, views: int = ...) -> RefinedFaces:
        """The points of the faces in these regions of a grey photo (h, w)."""

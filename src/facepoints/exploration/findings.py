"""All that `explore` has found, for the page, the pictures and the numbers alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facepoints.data.dataset import LabeledFaces, SubmissionFaces
from facepoints.data.head_pose import HeadPose
from facepoints.data.image_quality import Quality
from facepoints.exploration.imputation_error import FillScore
from facepoints.exploration.label_offset import LabelOffsets
from facepoints.exploration.source_difference import MeanShape, PointDifference
from facepoints.exploration.statistics import Column, FileFact, Missing, Pattern, Sources, TestFacts


@dataclass(frozen=True)
class Changed:
    """m faces after one kind of augmentation."""

    kind: str
    fields: dict[str, object]
    """the recipe's fields that ask for it"""
    faces: NDArray[np.uint8]
    """(m, 96, 96)"""
    points: NDArray[np.float32]
    """(m, k, 2) px, NaN where not labeled or out of the picture"""


@dataclass(frozen=True)
class Exploration:
    """The data and the facts found in it."""

    data: LabeledFaces
    asked: SubmissionFaces | None
    seed: int
    files: list[FileFact]
    memory: int
    """bytes of the training arrays"""
    columns: list[Column]
    missing: list[Missing]
    patterns: list[Pattern]
    sources: Sources
    pose: HeadPose | None
    """None for keypoints without eyes"""
    unit: float | None
    """px of the usual eye distance"""
    shapes: dict[int, MeanShape]
    """by the source's number; empty without eyes"""
    differences: list[PointDifference]
    quality: Quality
    offsets: LabelOffsets | None
    fills: list[FillScore]
    changed: tuple[LabeledFaces, list[Changed]] | None
    """some faces and what each kind of augmentation makes of them; None without torch"""
    test: TestFacts | None
    test_quality: Quality | None

    def source_rows(self) -> dict[int, NDArray[np.int64]]:
        """Positions of the rows of each source."""
        return {int(s): np.flatnonzero(self.data.source == s) for s in np.unique(self.data.source)}

    def shown_points(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Points (m, k, 2) px of some faces, NaN where not labeled."""
        known = self.data.observed[rows][:, :, None]
        return np.where(known, self.data.points[rows], np.nan).astype(np.float32)

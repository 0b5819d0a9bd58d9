"""Statistics of a data set: counts, sources, head pose, image quality, label offsets, imputation, test images."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from facepoints.data.dataset import LabeledFaces, SubmissionFaces
from facepoints.data.head_pose import HeadPose, head_pose, upright
from facepoints.data.image_quality import Quality
from facepoints.data.image_quality import quality as measure_quality
from facepoints.errors import BadFile
from facepoints.exploration import statistics
from facepoints.exploration.imputation_error import ImputationError, imputation_errors
from facepoints.exploration.label_offset import LabelOffsets, label_offsets
from facepoints.exploration.source_difference import MeanShape, PointDifference, mean_shape, point_differences

if TYPE_CHECKING:
    from facepoints.exploration.augmentation_examples import Augmented

AUGMENTED_FACES = 4


@dataclass(frozen=True, repr=False)
class Exploration:
    """Result of `explore`: the data and its statistics."""

    data: LabeledFaces
    submission: SubmissionFaces | None
    """the test images"""
    seed: int
    files: list[statistics.FileSize]
    memory: int
    """bytes of the training arrays"""
    columns: list[statistics.Column]
    missing: list[statistics.Missing]
    patterns: list[statistics.Pattern]
    sources: statistics.Sources
    pose: HeadPose | None
    """None for keypoints without eyes"""
    eye_distance: float | None
    """median, px"""
    shapes: dict[int, MeanShape]
    """by source number; empty without eyes"""
    differences: list[PointDifference]
    quality: Quality
    offsets: LabelOffsets | None
    imputation: list[ImputationError]
    augmented: tuple[LabeledFaces, list[Augmented]] | None
    """some faces, and the same faces after each kind of augmentation; None without torch"""
    test: statistics.TestImages | None
    test_quality: Quality | None

    def source_rows(self) -> dict[int, NDArray[np.int64]]:
        """Source number -> positions of its rows."""
        return {int(s): np.flatnonzero(self.data.source == s) for s in np.unique(self.data.source)}

    def labels(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Points (m, k, 2) px of these rows, NaN where not labeled."""
        known = self.data.observed[rows][:, :, None]
        return np.where(known, self.data.points[rows], np.nan).astype(np.float32)

    def __repr__(self) -> str:
        sources = ", ".join(f"{s.name}: {s.rows}" for s in self.sources.found)
        return f"Exploration({len(self.data)} faces, {len(self.data.keypoints)} keypoints, rows by source {sources})"

    def _repr_html_(self) -> str:
        rows = "".join(f"<tr><td>{s.name}</td><td>{s.rows}</td><td>{s.complete}</td></tr>" for s in self.sources.found)
        return f"<table><tr><th>source</th><th>rows</th><th>complete</th></tr>{rows}</table>"


def explore(
    data: LabeledFaces,
    submission: SubmissionFaces | None = None,
    *,
    files: Sequence[Path] = (),
    seed: int = 0,
    step: Callable[[str, float], None] = lambda name, work: None,
) -> Exploration:
    """Compute all statistics. `files` are the files of the data, for their sizes.

    `step(name, work)` is called before each step with its name and the work of the previous one; the sum is 11.
    """
    if not len(data):
        raise BadFile("no faces to explore. Give a folder with training.csv or training.zip.")
    pose = head_pose(data)
    shapes, differences, eye_distance = {}, [], None
    if pose is not None and upright(pose).any():
        eye_distance = float(np.median(pose.eye_distance[upright(pose)]))
        shapes = {int(s): mean_shape(data, pose, int(s), eye_distance) for s in np.unique(data.source)}
        if len(shapes) == 2:
            differences = point_differences(data, *shapes.values())
    step("measuring brightness and sharpness", 0)
    quality = measure_quality(data.faces)
    step("estimating label offsets", 1)
    offsets = label_offsets(data, seed=seed, advance=lambda share: step("estimating label offsets", 7 * share))
    step("measuring imputation errors", 0)
    imputation = imputation_errors(data, seed)
    augmented = None
    if importlib.util.find_spec("torch") is not None:
        step("augmenting", 1)
        from facepoints.exploration.augmentation_examples import augment  # torch takes seconds to start

        order = np.random.default_rng(seed).permutation(len(data))
        most_labeled = np.argsort(-data.observed[order].sum(axis=1), kind="stable")[:AUGMENTED_FACES]
        some = data.take(order[most_labeled])
        augmented = (some, augment(some, seed))
    step("comparing with the test images", 1)
    test = test_quality = None
    if submission is not None:
        test, test_quality = statistics.test_images(data, submission), measure_quality(submission.faces)
    step("counting", 1)
    return Exploration(
        data=data,
        submission=submission,
        seed=seed,
        files=statistics.file_sizes(files),
        memory=statistics.bytes_in_memory(data),
        columns=statistics.describe(data),
        missing=statistics.missing_counts(data),
        patterns=statistics.missing_patterns(data),
        sources=statistics.find_sources(data),
        pose=pose,
        eye_distance=eye_distance,
        shapes=shapes,
        differences=differences,
        quality=quality,
        offsets=offsets,
        imputation=imputation,
        augmented=augmented,
        test=test,
        test_quality=test_quality,
    )

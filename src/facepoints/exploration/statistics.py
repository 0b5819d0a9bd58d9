"""Counts and summaries of a data set as frozen objects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facepoints.data.dataset import LabeledFaces, SubmissionFaces
from facepoints.data.similarity import SAME_IMAGE, similar_pairs
from facepoints.data.tables.pixel_text import pixel_text
from facepoints.errors import BadFile
from facepoints.metrics import source_name


@dataclass(frozen=True)
class FileSize:
    name: str
    bytes: int


@dataclass(frozen=True)
class Column:
    """The columns of pandas' `describe` for one coordinate, in px; None if the count is 0."""

    name: str
    count: int
    mean: float | None
    std: float | None
    """with n - 1, as in pandas"""
    minimum: float | None
    quarter: float | None
    median: float | None
    three_quarters: float | None
    maximum: float | None


@dataclass(frozen=True)
class Missing:
    """Number of rows without a point."""

    name: str
    rows: int
    share: float


@dataclass(frozen=True)
class Pattern:
    """Rows that lack exactly the same points."""

    missing: tuple[str, ...]
    rows: int
    share: float
    by_source: dict[str, int]


@dataclass(frozen=True)
class SourceRows:
    """One source's rows."""

    name: str
    rows: int
    complete: int
    labels_per_row: tuple[int, int]
    """fewest and most points labeled in a row"""
    first_row: int
    last_row: int


@dataclass(frozen=True)
class Sources:
    """The annotation sources, and how clearly they are separated."""

    found: tuple[SourceRows, ...]
    rows_by_labels: dict[int, int]
    """number of labeled points -> rows"""
    switches: int
    """number of changes of the source from one row to the next"""
    overlap: bool
    """do two sources have rows with the same number of labels?"""


@dataclass(frozen=True)
class TestImages:
    """The test images compared with the training images."""

    images: int
    requested_values: int
    near_duplicates: tuple[tuple[int, int, float], ...]
    """(ImageId, row of the training file, likeness) of pictures that are in both"""
    by_source: dict[str, int]


def file_sizes(files: Sequence[Path]) -> list[FileSize]:
    """Name and size of each file."""
    try:
        return [FileSize(file.name, file.stat().st_size) for file in files]
    except OSError as error:
        raise BadFile(f"{error.filename}: cannot be read ({error.strerror}). Check the path.") from error


def bytes_in_memory(data: LabeledFaces) -> int:
    """Size of the arrays when loaded."""
    return sum(a.nbytes for a in (data.faces, data.points, data.observed, data.source, data.row))


def pixel_head(face: NDArray[np.uint8], values: int = 8) -> str:
    """The start and the end of a face's pixel string in the file."""
    words = pixel_text(face).decode().split(" ")
    return " ".join(words[:values]) + " … " + " ".join(words[-3:])


def describe(data: LabeledFaces) -> list[Column]:
    """Each coordinate's summary, in the order of the keypoint set."""
    columns = []
    for k, name in enumerate(data.keypoints.names):
        labeled = data.points[data.observed[:, k], k].astype(np.float64)
        for axis, letter in enumerate("xy"):
            v = labeled[:, axis]
            if not len(v):
                columns.append(Column(f"{name}_{letter}", 0, None, None, None, None, None, None, None))
                continue
            low, quarter, median, three, high = (float(q) for q in np.percentile(v, [0, 25, 50, 75, 100]))
            std = float(v.std(ddof=1)) if len(v) > 1 else None
            columns.append(Column(f"{name}_{letter}", len(v), float(v.mean()), std, low, quarter, median, three, high))
    return columns


def missing_counts(data: LabeledFaces) -> list[Missing]:
    """Missing labels of each point, descending."""
    absent = (~data.observed).sum(axis=0)
    order = np.argsort(-absent, kind="stable")
    return [Missing(data.keypoints.names[k], int(absent[k]), float(absent[k] / max(len(data), 1))) for k in order]


def missing_patterns(data: LabeledFaces) -> list[Pattern]:
    """Points that are missing together, by descending number of rows; () is the pattern of complete rows."""
    patterns, which = np.unique(data.observed, axis=0, return_inverse=True)
    which = which.reshape(-1)
    found = []
    for p, observed in enumerate(patterns):
        rows = which == p
        names = tuple(name for name, known in zip(data.keypoints.names, observed, strict=True) if not known)
        by_source = Counter(source_name(int(s)) for s in data.source[rows])
        found.append(Pattern(names, int(rows.sum()), float(rows.mean()), dict(sorted(by_source.items()))))
    return sorted(found, key=lambda pattern: (-pattern.rows, pattern.missing))


def find_sources(data: LabeledFaces) -> Sources:
    """The sources of the rows, and how clearly they are separated."""
    labels = data.observed.sum(axis=1)
    found, ranges = [], []
    for s in np.unique(data.source):
        mine = np.flatnonzero(data.source == s)
        counts = labels[mine]
        complete = int((counts == len(data.keypoints)).sum())
        ranges.append(set(counts.tolist()))
        low, high = int(counts.min()), int(counts.max())
        first, last = int(data.row[mine].min()), int(data.row[mine].max())
        found.append(SourceRows(source_name(int(s)), len(mine), complete, (low, high), first, last))
    overlap = any(a & b for i, a in enumerate(ranges) for b in ranges[:i])
    rows_by_labels = {int(c): int(n) for c, n in zip(*np.unique(labels, return_counts=True), strict=True)}
    return Sources(tuple(found), rows_by_labels, int((np.diff(data.source) != 0).sum()), overlap)


def test_images(data: LabeledFaces, submission: SubmissionFaces) -> TestImages:
    """The sources of the test images, and those that are near-duplicates of training images."""
    pairs, similarities = similar_pairs(submission.faces, SAME_IMAGE, data.faces)
    near_duplicates = [
        (int(submission.image_id[i]), int(data.row[j]), round(float(similarity), 4))
        for (i, j), similarity in zip(pairs, similarities, strict=True)
    ]
    counts = Counter(source_name(int(s)) for s in submission.source)
    requested, images = len(submission.row_id), len(submission.faces)
    return TestImages(images, requested, tuple(near_duplicates), dict(sorted(counts.items())))

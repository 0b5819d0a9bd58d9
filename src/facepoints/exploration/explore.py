"""All statistics of a data set."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from facepoints.data.dataset import LabeledFaces, SubmissionFaces
from facepoints.data.head_pose import head_pose, upright
from facepoints.data.image_quality import quality as measure_quality
from facepoints.exploration import statistics as look
from facepoints.exploration.findings import Exploration
from facepoints.exploration.imputation_error import fill_scores
from facepoints.exploration.label_offset import label_offsets
from facepoints.exploration.source_difference import mean_shape, point_differences


def gather(
    data: LabeledFaces,
    asked: SubmissionFaces | None,
    files: list[Path],
    seed: int = 0,
    step: Callable[[str, float], None] = lambda name, work: None,
) -> Exploration:
    """All that is to be told. `step` hears what comes next and how much work the last thing was, 13 in all."""
    pose = head_pose(data)
    sources = look.sources_found(data)
    shapes, differences, unit = {}, [], None
    if pose is not None and upright(pose).any():
        unit = float(np.median(pose.eye_distance[upright(pose)]))
        shapes = {int(s): mean_shape(data, pose, int(s), unit) for s in np.unique(data.source)}
        if len(shapes) == 2:
            differences = point_differences(data, *shapes.values())
    step("measuring brightness and sharpness", 1)
    quality = measure_quality(data.faces)
    step("estimating label offsets", 1)
    offsets = label_offsets(data, seed=seed, advance=lambda share: step("estimating label offsets", 7 * share))
    step("hiding and filling labels", 0)
    scores = fill_scores(data, seed)
    changed = None
    if importlib.util.find_spec("torch") is not None:
        step("augmenting", 1)
        from facepoints.exploration.augmentation_examples import augmented  # torch takes seconds to start

        some = _most_labeled(data, 4, seed)
        changed = (data.take(some), augmented(data.take(some), seed))
    step("comparing with the test images", 1)
    test = test_quality = None
    if asked is not None:
        ids = (asked.image_id, asked.source, len(asked.row_id))
        test, test_quality = look.facts_of_test(data, asked.faces, *ids), measure_quality(asked.faces)
    step("drawing", 2)
    return Exploration(
        data=data,
        asked=asked,
        seed=seed,
        files=look.file_facts(files),
        memory=look.bytes_in_memory(data),
        columns=look.describe(data),
        missing=look.missing_counts(data),
        patterns=look.missing_patterns(data),
        sources=sources,
        pose=pose,
        unit=unit,
        shapes=shapes,
        differences=differences,
        quality=quality,
        offsets=offsets,
        fills=scores,
        changed=changed,
        test=test,
        test_quality=test_quality,
    )


def _most_labeled(data: LabeledFaces, count: int, seed: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    order = np.random.default_rng(seed).permutation(len(data))
    return order[np.argsort(-data.observed[order].sum(axis=1), kind="stable")][:count]

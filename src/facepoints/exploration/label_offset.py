"""Estimate of each source's constant label offset, in px.

A label is the true position of a point plus an offset o that is the same in every image of a source. Within one image
o cannot be observed: a model learns it as part of the point. But a flipped image has o on the wrong side, and an image
rotated to make the head upright has o rotated. So each face is shown upright, as it is and flipped, in a window at a
random distance of a few pixels from the label, and two quantities are predicted from the window: the position of the
label, and D, the linear map of o by flip and rotation. The residuals satisfy

    label - E[label | window]  =  (D - E[D | window]) o  +  noise

(a partially linear model, both expectations cross-fitted ridge regressions on HOG features: Robinson 1988;
Chernozhukov and others 2018, "Double/debiased machine learning"). The windows are placed relative to labels, which
contain o and bias the estimate towards zero; iterations with windows relative to labels minus the estimate remove this.

Flips determine x from every face. y is determined by natural head roll only, and light from above has the same effect
as an offset. On seven sets of 1,500 to 4,000 synthetic faces the error of x was at most 0.16 px, that of y at most
0.6 px (source B's always too large), that of the difference at most 0.17 px.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from facepoints.data.dataset import LabeledFaces
from facepoints.data.head_pose import EYES, HeadPose, eye_indices, head_pose, upright

SYSTEMATIC = (0.08, 0.3)
"""(x, y) px: standard error of the method itself, from synthetic faces. Included in every interval."""
BETWEEN_SOURCES = (0.08, 0.18)
"""The same for the difference of two sources. In y, on the competition's files, the method and the mean image around
the eye labels differ by 0.3 px."""
FEWEST = 150
"""Minimum number of faces of a source."""
MOST = 3000
"""Maximum number of faces of a source; more take longer and hardly reduce the error."""

_SIDE = 48  # window in px of its own; shows 1.3 eye distances
_SPAN = 1.3
_JITTER = 3 / 36  # eye distances: maximum distance of a window from its label
_ROUNDS = 4
_FOLDS = 4
_RIDGE = 1e-3
_HOG = ((_SIDE, _SIDE), (16, 16), (16, 16), (8, 8), 9)

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """A number with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class SourceOffset:
    """The label offset of a source, px of the image: positive is right, and down."""

    faces: int
    x: Interval
    y: Interval
    by_point: dict[str, tuple[float, float]]
    """separate estimate of each point"""


@dataclass(frozen=True)
class LabelOffsets:
    """Label offsets by source number."""

    by_source: dict[int, SourceOffset]
    difference: tuple[Interval, Interval] | None
    """(x, y) px: second source minus first, at the eyes, which both label alike; None with one source"""


def label_offsets(
    data: LabeledFaces, *, seed: int = 0, advance: Callable[[float], None] = lambda share: None
) -> LabelOffsets | None:
    """Estimate the offsets; None without eye labels or with too few faces. `advance` gets the share of each step."""
    pose, eyes = head_pose(data), eye_indices(data.keypoints)
    if pose is None or eyes is None:
        return None
    rng = np.random.default_rng(seed)
    rows = _rows(data.source, upright(pose), rng)
    if not len(rows):
        return None
    some, pose = data.take(rows), pose.take(rows)
    numbers = np.unique(some.source)
    midline = _midline_points(some)
    found: dict[int, dict[str, tuple[Array, Array]]] = {int(s): {} for s in numbers}
    step = 1 / (1 + len(midline) * len(numbers))

    which = np.searchsorted(numbers, some.source)
    at_eyes = _estimate(some.faces, pose.middle, which, pose, rng)
    for i, s in enumerate(numbers.tolist()):
        found[s]["eyes"] = at_eyes[:, i].mean(axis=0), at_eyes[:, i].std(axis=0)
    advance(step)
    for k in midline:
        for s in numbers.tolist():
            mine = np.flatnonzero((some.source == s) & some.observed[:, k])
            if len(mine) >= FEWEST:
                places = some.points[mine, k].astype(np.float64)
                one = _estimate(some.faces[mine], places, np.zeros(len(mine), int), pose.take(mine), rng)[:, 0]
                found[s][some.keypoints.names[k]] = one.mean(axis=0), one.std(axis=0)
            advance(step)

    by_source = {s: _joined(by_point, int((some.source == s).sum())) for s, by_point in found.items()}
    difference = None
    if len(numbers) == 2:
        between = at_eyes[:, 1] - at_eyes[:, 0]
        value, spread = between.mean(axis=0), np.hypot(between.std(axis=0), BETWEEN_SOURCES)
        difference = (_interval(value[0], spread[0]), _interval(value[1], spread[1]))
    return LabelOffsets(by_source, difference)


def _rows(source: NDArray[np.int64], good: NDArray[np.bool_], rng: Generator) -> NDArray[np.int64]:
    """At most MOST good rows of each source that has FEWEST."""
    each = [np.flatnonzero(good & (source == s)) for s in np.unique(source)]
    chosen = [rng.permutation(rows)[:MOST] for rows in each if len(rows) >= FEWEST]
    return np.sort(np.concatenate(chosen)) if chosen else np.empty(0, np.int64)


def _midline_points(data: LabeledFaces) -> list[int]:
    """Up to two points on the face's midline that each source labels often."""
    own = np.flatnonzero(data.keypoints.mirror == np.arange(len(data.keypoints)))
    eyes = {name for pair in EYES for name in pair}
    often = [np.array([data.observed[data.source == s, k].sum() for s in np.unique(data.source)]) for k in own]
    named = [int(k) for k, count in zip(own, often, strict=True) if (count >= FEWEST).all()]
    return [k for k in named if data.keypoints.names[k] not in eyes][:2]


def _estimate(
    faces: NDArray[np.uint8], labels: Array, which: NDArray[np.int64], pose: HeadPose, rng: Generator
) -> Array:
    """Bootstrap samples over faces of the offset of each source, (200, sources, 2) px. labels (n, 2) px."""
    n, sources = len(faces), int(which.max()) + 1
    fold = rng.integers(0, _FOLDS, n)
    offset = np.zeros((sources, 2))
    faces = np.ascontiguousarray(faces)
    for _ in range(_ROUNDS):
        features, target, carried = _windows(faces, labels, labels - offset[which], pose, rng)
        of_source = np.zeros((2 * n, 2, sources, 2))
        of_source[np.arange(2 * n), :, np.tile(which, 2)] = carried
        both = np.hstack([target, of_source.reshape(2 * n, -1)])
        left = both - _cross_fitted(features, both, np.tile(fold, 2))
        y, D = left[:, :2], left[:, 2:].reshape(2 * n, 2, 2 * sources)
        A = np.einsum("iab,iac->ibc", D, D).reshape(2, n, 2 * sources, 2 * sources).sum(axis=0)
        b = np.einsum("iab,ia->ib", D, y).reshape(2, n, 2 * sources).sum(axis=0)
        offset = np.linalg.solve(A.sum(axis=0), b.sum(axis=0)).reshape(sources, 2)
    draws = rng.multinomial(n, np.full(n, 1 / n), size=200).astype(np.float64)
    A = (draws @ A.reshape(n, -1)).reshape(-1, 2 * sources, 2 * sources)
    found: Array = np.linalg.solve(A, (draws @ b)[:, :, None]).reshape(-1, sources, 2)
    return found


def _windows(
    faces: NDArray[np.uint8], labels: Array, centers: Array, pose: HeadPose, rng: Generator
) -> tuple[NDArray[np.float32], Array, Array]:
    """HOG (2n, f) of upright windows near `centers` (n, 2) px of the faces, then of the flipped faces; the label's
    position in each (2n, 2), and the linear map to it (2n, 2, 2). The window's unit is the eye distance."""
    n, zoom = len(faces), _SIDE / _SPAN
    hog = cv2.HOGDescriptor(*_HOG)
    angle, scale = np.radians(pose.roll), pose.eye_distance
    rotation = np.moveaxis(np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]), 2, 0)
    centers = centers + np.einsum("iab,ib->ia", rotation, rng.uniform(-_JITTER, _JITTER, (n, 2))) * scale[:, None]
    features = np.empty((2 * n, hog.getDescriptorSize()), np.float32)
    target, carried = np.empty((2 * n, 2)), np.empty((2 * n, 2, 2))
    for copy, mirror in enumerate((np.diag([1.0, 1.0]), np.diag([-1.0, 1.0]))):
        part = slice(copy * n, copy * n + n)
        carried[part] = mirror @ rotation.transpose(0, 2, 1) / scale[:, None, None]
        target[part] = np.einsum("iab,ib->ia", carried[part], labels - centers)
        for i in range(n):
            matrix = np.empty((2, 3))
            matrix[:, :2] = zoom * carried[copy * n + i]
            matrix[:, 2] = (_SIDE - 1) / 2 - matrix[:, :2] @ centers[i]
            window = cv2.warpAffine(faces[i], matrix, (_SIDE, _SIDE), borderMode=cv2.BORDER_REPLICATE)
            features[copy * n + i] = np.asarray(hog.compute(window)).reshape(-1)
    return features, target, carried


def _cross_fitted(features: NDArray[np.float32], values: Array, fold: NDArray[np.int64]) -> Array:
    """Ridge predictions (n, m) of values (n, m) from features (n, f), each by a fit on the other folds."""
    X = np.hstack([features, np.ones((len(features), 1), np.float32)])
    X[:, :-1] -= X[:, :-1].mean(axis=0)  # for rounding only: the last column is the intercept
    parts = [(X[fold == f].T @ X[fold == f], X[fold == f].T @ values[fold == f]) for f in range(_FOLDS)]
    G, R = sum(p[0] for p in parts), sum(p[1] for p in parts)
    predicted = np.empty_like(values)
    for f, (g, r) in enumerate(parts):
        penalty = np.full(X.shape[1], _RIDGE * np.count_nonzero(fold != f))
        penalty[-1] = 1e-6
        W = np.linalg.solve((G - g).astype(np.float64) + np.diag(penalty), R - r)
        predicted[fold == f] = X[fold == f] @ W
    return predicted


def _joined(by_point: dict[str, tuple[Array, Array]], faces: int) -> SourceOffset:
    """The inverse-variance weighted mean of the points' estimates; its interval is wider where points disagree."""
    value = np.array([v for v, _ in by_point.values()])
    spread = np.hypot(np.array([s for _, s in by_point.values()]), SYSTEMATIC)
    weight = 1 / spread**2
    mean = (weight * value).sum(axis=0) / weight.sum(axis=0)
    disagreement = (weight * (value - mean) ** 2).sum(axis=0) / max(len(value) - 1, 1)  # Birge's ratio, squared
    # systematic errors of the points may be the same: not less than SYSTEMATIC
    error = np.maximum(np.sqrt(np.maximum(disagreement, 1) / weight.sum(axis=0)), SYSTEMATIC)
    return SourceOffset(
        faces,
        _interval(mean[0], error[0]),
        _interval(mean[1], error[1]),
        {name: (float(v[0]), float(v[1])) for name, (v, _) in by_point.items()},
    )


def _interval(value: float, error: float) -> Interval:
    return Interval(float(value), float(value - 1.96 * error), float(value + 1.96 * error))

"""Each source's constant label offset, in pixels: where its labels lie beside what they name.

A label is the true place of a point plus an offset o that is the same in every picture of a source. In the face
itself o cannot be seen: a model learns it with the rest. But a mirrored face carries o to the wrong side, and a
tilted head turned upright carries it around. So each face is shown upright, as it is and mirrored, in a window a few
random pixels beside its label, and two things are learned from the window: where the label is, and how o would
have been carried, D. What cannot be learned of the first is laid beside what cannot be learned of the second:

    label - E[label | window]  =  (D - E[D | window]) o  +  noise

(a partially linear model, both expectations cross-fitted ridge regressions on HOG features: Robinson 1988;
Chernozhukov and others 2018, "Double/debiased machine learning"). The windows are laid around labels, which carry
o themselves and pull the estimate towards zero; laid again around labels less the estimate it grows to its full size.

Mirrors tell x: every face takes part. Only natural tilts tell y, and light that falls from above moves what is seen
in the same way as an offset would. On seven sets of 1,500 to 4,000 drawn faces x
came out within 0.16 px and y within 0.6 px of the truth (source B's always too large), the difference within 0.17 px.
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
"""(x, y) px: the standard error of the method itself, by drawn faces, where the truth is known. In every interval."""
BETWEEN_SOURCES = (0.08, 0.18)
"""The same for the difference of two sources. In y, on the competition's files, the method and the plain mean of all
eyes around their labels are 0.3 px apart."""
FEWEST = 150
"""Faces of a source below which nothing is said."""
MOST = 3000
"""Faces of a source that are looked at: more would take longer and say hardly more."""

_SIDE = 48  # window in px of its own; shows 1.3 eye distances
_SPAN = 1.3
_JITTER = 3 / 36  # eye distances that a window lies beside its label, at most
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
    """Where the labels of a source lie beside what they name, px of the image: positive is right, and below."""

    faces: int
    x: Interval
    y: Interval
    by_point: dict[str, tuple[float, float]]
    """the estimate of each point alone: they should agree"""


@dataclass(frozen=True)
class LabelOffsets:
    """What could be found out, by the sources' numbers."""

    by_source: dict[int, SourceOffset]
    difference: tuple[Interval, Interval] | None
    """(x, y) px: second source less first, at the eyes, which both name alike; None with one source"""


def label_offsets(
    data: LabeledFaces, *, seed: int = 0, advance: Callable[[float], None] = lambda share: None
) -> LabelOffsets | None:
    """Estimate the offsets, or None without eyes or faces enough. `advance` is told the share that each step is."""
    pose, eyes = head_pose(data), eye_indices(data.keypoints)
    if pose is None or eyes is None:
        return None
    rng = np.random.default_rng(seed)
    rows = _rows(data.source, upright(pose), rng)
    if not len(rows):
        return None
    some, pose = data.take(rows), pose.take(rows)
    numbers = np.unique(some.source)
    middles = _middle_points(some)
    found: dict[int, dict[str, tuple[Array, Array]]] = {int(s): {} for s in numbers}
    step = 1 / (1 + len(middles) * len(numbers))

    which = np.searchsorted(numbers, some.source)
    at_eyes = _estimate(some.faces, pose.middle, which, pose, rng)
    for i, s in enumerate(numbers.tolist()):
        found[s]["eyes"] = at_eyes[:, i].mean(axis=0), at_eyes[:, i].std(axis=0)
    advance(step)
    for k in middles:
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


def _middle_points(data: LabeledFaces) -> list[int]:
    """Points on the face's middle line that each source labels often: their mirror image is themselves."""
    own = np.flatnonzero(data.keypoints.mirror == np.arange(len(data.keypoints)))
    eyes = {name for pair in EYES for name in pair}
    often = [np.array([data.observed[data.source == s, k].sum() for s in np.unique(data.source)]) for k in own]
    named = [int(k) for k, count in zip(own, often, strict=True) if (count >= FEWEST).all()]
    return [k for k in named if data.keypoints.names[k] not in eyes][:2]


def _estimate(
    faces: NDArray[np.uint8], labels: Array, which: NDArray[np.int64], pose: HeadPose, rng: Generator
) -> Array:
    """Bootstrap draws over faces of the offset of each source, (draws, sources, 2) px. labels (n, 2) px of faces."""
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
    """HOG (2n, f) of upright windows near `centers` (n, 2) px, faces as they are and then mirrored; where the label is
    in each (2n, 2), and what carried it there (2n, 2, 2). The window's unit is the eye distance."""
    n, zoom = len(faces), _SIDE / _SPAN
    hog = cv2.HOGDescriptor(*_HOG)
    angle, scale = np.radians(pose.roll), pose.eye_distance
    turned = np.moveaxis(np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]), 2, 0)
    centers = centers + np.einsum("iab,ib->ia", turned, rng.uniform(-_JITTER, _JITTER, (n, 2))) * scale[:, None]
    features = np.empty((2 * n, hog.getDescriptorSize()), np.float32)
    target, carried = np.empty((2 * n, 2)), np.empty((2 * n, 2, 2))
    for copy, mirror in enumerate((np.diag([1.0, 1.0]), np.diag([-1.0, 1.0]))):
        part = slice(copy * n, copy * n + n)
        carried[part] = mirror @ turned.transpose(0, 2, 1) / scale[:, None, None]
        target[part] = np.einsum("iab,ib->ia", carried[part], labels - centers)
        for i in range(n):
            matrix = np.empty((2, 3))
            matrix[:, :2] = zoom * carried[copy * n + i]
            matrix[:, 2] = (_SIDE - 1) / 2 - matrix[:, :2] @ centers[i]
            window = cv2.warpAffine(faces[i], matrix, (_SIDE, _SIDE), borderMode=cv2.BORDER_REPLICATE)
            features[copy * n + i] = np.asarray(hog.compute(window)).reshape(-1)
    return features, target, carried


def _cross_fitted(features: NDArray[np.float32], values: Array, fold: NDArray[np.int64]) -> Array:
    """Ridge predictions (n, m) of values (n, m) from features (n, f), each by a fit that has not seen its fold."""
    X = np.hstack([features, np.ones((len(features), 1), np.float32)])
    X[:, :-1] -= X[:, :-1].mean(axis=0)  # of no influence but on rounding: the last column is the intercept
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
    """The points' estimates as one, weighted by their certainty. Where points disagree more than chance lets them,
    something of the face itself is uneven, and the interval grows."""
    value = np.array([v for v, _ in by_point.values()])
    spread = np.hypot(np.array([s for _, s in by_point.values()]), SYSTEMATIC)
    weight = 1 / spread**2
    mean = (weight * value).sum(axis=0) / weight.sum(axis=0)
    disagreement = (weight * (value - mean) ** 2).sum(axis=0) / max(len(value) - 1, 1)  # Birge's ratio, squared
    # what one point's estimate gets wrong by its nature, the next may get wrong too: no smaller than SYSTEMATIC
    error = np.maximum(np.sqrt(np.maximum(disagreement, 1) / weight.sum(axis=0)), SYSTEMATIC)
    return SourceOffset(
        faces,
        _interval(mean[0], error[0]),
        _interval(mean[1], error[1]),
        {name: (float(v[0]), float(v[1])) for name, (v, _) in by_point.items()},
    )


def _interval(value: float, error: float) -> Interval:
    return Interval(float(value), float(value - 1.96 * error), float(value + 1.96 * error))

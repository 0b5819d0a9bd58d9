"""The probability that the labels of a row are wrong, and how: a Bayesian comparison of hypotheses.

Each hypothesis gives the labels of a row a probability density, given the out-of-fold predictions. Bayes' rule turns
the densities into probabilities, so that all kinds of label issues share one scale.

    fine        errors, in units of the error scale of point, source and face, are distributed as in normal rows
    swapped     they are after left and right points are exchanged
    displaced   they are for all points but a few, which may be anywhere
    mismatched  the labels form a face that is unrelated to the image
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facepoints.auditing.cross_validation import OutOfFoldPoints
from facepoints.auditing.shape_model import StudentT, fit_student_t, log_density, product_of_gaussians
from facepoints.data.dataset import LabeledFaces
from facepoints.keypoints import FACE_SIZE

Array = NDArray[np.float64]

PRIOR = {"swapped": 0.004, "displaced": 0.004, "mismatched": 0.004}
"""Prior probability of each kind: a few rows in a thousand, as in published data sets."""
TEMPER = (0.65, -3.5)
"""Calibration from the log odds of the hypotheses to those of a wrong row: factor and shift. Some faces are harder than
the hypotheses admit (far off the center, sunglasses, a hand over the mouth): of the rows with uncalibrated even odds
19 in 20 were right. By logistic regression on three copies of 7,049 real faces with 45 injected errors each and about
as many original errors marked by a person."""
WIDER = 2.5
"""Mismatched labels may also be an unusual face: half of the density has its scale multiplied by this."""
CLOSE = 2.0
"""Mean square error, in units of the error scale, up to which labels may belong to an image."""
ROUNDS = 4
"""The distribution of normal errors is fitted to rows weighted by the probability that they are fine."""


@dataclass(frozen=True)
class Posterior:
    """Hypotheses for n rows. Probabilities are log odds: 0 is even, 4.6 is 99 %."""

    expected: NDArray[np.float32]
    """(n, k, 2) px: expected points, as the row's source labels them"""
    error_scale: Array
    """(n, k) px: scale of the distance of correct labels from there, for this point, source and face"""
    log_odds: dict[str, Array]
    """kind -> (n,): log odds of the kind against "fine", not calibrated"""
    displaced: NDArray[np.bool_]
    """(n, k): points that the likeliest hypothesis of displacement considers displaced"""

    @property
    def log_odds_wrong(self) -> Array:
        """(n,): calibrated log odds that a row's labels are wrong in any way"""
        factor, shift = TEMPER
        return factor * _log_sum(list(self.log_odds.values())) + shift

    def exchanged(self, data: LabeledFaces, row: int) -> NDArray[np.floating]:
        """The row's points (k, 2) px after the exchange of left and right that fits best."""
        both = data.observed[row] & data.observed[row, data.keypoints.mirror]
        tried = [
            _exchange(data.points[row], order, reflect)
            for _, order, reflect in _exchanges(data.keypoints.mirror, single=True)
        ]
        return min(tried, key=lambda p: float(np.linalg.norm((p - self.expected[row])[both], axis=1).sum()))

    def kind(self, row: int) -> str:
        """The likeliest kind of label issue of a row."""
        return max(self.log_odds, key=lambda name: float(self.log_odds[name][row]))


def estimate_posterior(data: LabeledFaces, predicted: OutOfFoldPoints) -> Posterior:
    """Compare the hypotheses for every row, given its out-of-fold predictions."""
    expected = predicted.points + _bias(data, predicted.points)
    scale = error_scales(data, expected, predicted.spread)
    fine = np.ones(len(data))
    shapes = {
        int(s): fit_student_t(data.points[data.source == s], data.observed[data.source == s]) for s in set(data.source)
    }
    log_odds: dict[str, Array] = {}
    displaced = np.zeros_like(data.observed)
    for _ in range(ROUNDS):
        log_odds = {name: np.full(len(data), -np.inf) for name in PRIOR}
        for s, shape in shapes.items():
            rows = np.flatnonzero(data.source == s)
            part, mu, sigma = data.take(rows), expected[rows], scale[rows]
            errors = fit_student_t(_in_units(part.points, mu, sigma), part.observed, fine[rows], centered=True)
            hypotheses = _Hypotheses(part, mu, sigma, errors, shape)
            log_odds["swapped"][rows] = hypotheses.swapped()
            log_odds["mismatched"][rows] = hypotheses.mismatched()
            log_odds["displaced"][rows], displaced[rows] = hypotheses.displaced()
        fine = 1 / (1 + np.exp(np.clip(_log_sum(list(log_odds.values())), -50, 50)))
    return Posterior(expected.astype(np.float32), scale, log_odds, displaced)


class _Hypotheses:
    """Log odds (n,) of each hypothesis against "fine" for the rows of one source."""

    def __init__(
        self, data: LabeledFaces, expected: NDArray[np.floating], scale: Array, errors: StudentT, shape: StudentT
    ) -> None:
        self.data, self.expected, self.scale = data, expected, scale
        self.errors, self.shape = errors, shape
        # network and shape model combined by their precisions for each face: where the network is uncertain the shape
        # model decides, so that labels of an ordinary shape are not considered wrong
        size = np.repeat(scale, 2, axis=1)
        network_scatter = errors.scatter * size[:, :, None] * size[:, None, :]
        self.combined, weight = product_of_gaussians(network_scatter, shape.scatter)
        to_network = (expected - shape.center).reshape(len(size), -1, 1)
        self.center = shape.center + (weight @ to_network).reshape(expected.shape)
        self.fine = self._normal(data.points, data.observed)

    def _normal(
        self, points: NDArray[np.floating], observed: NDArray[np.bool_], rows: NDArray[np.int64] | slice = slice(None)
    ) -> Array:
        """Log density of the labels of these rows under normal errors, per px² and point.

        An equal mixture of errors from the network's prediction and errors from network and shape model combined.
        """
        units = _in_units(points, self.expected[rows], self.scale[rows])
        in_px: Array = 2 * (np.log(self.scale[rows]) * observed).sum(axis=1)
        by_network = self.errors.log_density(units, observed) - in_px
        together = log_density(points - self.center[rows], self.combined[rows], observed, self.errors.freedom)
        mixture: Array = np.logaddexp(by_network, together) - np.log(2)
        return mixture

    def swapped(self) -> Array:
        """All pairs exchanged, the image reflected (with and without the names), or one pair exchanged."""
        mirror = self.data.keypoints.mirror
        pairs = np.flatnonzero(mirror > np.arange(len(mirror)))
        if not len(pairs):
            return np.full(len(self.data), -np.inf)
        points, observed = self.data.points, self.data.observed
        densities = [
            np.log(share) + self._normal(_exchange(points, order, reflect), observed[:, order])
            for share, order, reflect in _exchanges(mirror, single=len(pairs) > 1)
        ]
        # without both points of any pair the hypotheses equal "fine"
        paired = (observed & observed[:, mirror])[:, pairs].any(axis=1)
        return np.where(paired, np.log(PRIOR["swapped"]) + _log_sum(densities) - self.fine, -np.inf)

    def mismatched(self) -> Array:
        """The labels are distributed as faces of the source are, independent of the image."""
        wide = StudentT(self.shape.center, self.shape.scatter * WIDER**2, self.shape.freedom)
        densities = [s.log_density(self.data.points, self.data.observed) + np.log(0.5) for s in (self.shape, wide)]
        several = self.data.observed.sum(axis=1) > 1  # a single wrong point is displaced
        return np.where(several, np.log(PRIOR["mismatched"]) + np.logaddexp(*densities) - self.fine, -np.inf)

    def displaced(self) -> tuple[Array, NDArray[np.bool_]]:
        """Greedy search: one point after the other is considered displaced, first the one that raises the density most.

        Returns the log odds summed over the sets of points that were tried, and the likeliest set, bool (n, k).
        """
        observed = self.data.observed
        n, k = observed.shape
        anywhere = -np.log(float(FACE_SIZE**2))  # log density of a point that is uniform over the image
        kept = observed.copy()
        total = np.full(n, -np.inf)
        best, displaced = np.full(n, -np.inf), np.zeros_like(observed)
        for number in range(1, max(1, int(observed.sum(axis=1).max()) // 3) + 1):
            trials = np.full((n, k), -np.inf)
            for point in range(k):
                rows = np.flatnonzero(kept[:, point] & ((number == 1) | (kept.sum(axis=1) > max(1, k // 4))))
                if number > 1:
                    rows = rows[best[rows] > -8]  # only where one displaced point is not ruled out
                if len(rows):
                    without = kept[rows].copy()
                    without[:, point] = False
                    normal = self._normal(self.data.points[rows], without, rows)
                    trials[rows, point] = normal + number * anywhere - self.fine[rows]
            if not np.isfinite(trials).any():
                break
            prior = np.log(PRIOR["displaced"]) - np.log(np.maximum(observed.sum(axis=1), 1)) - (number - 1) * np.log(10)
            trials += prior[:, None]
            total = np.logaddexp(total, _log_sum(list(trials.T)))
            chosen, value = trials.argmax(axis=1), trials.max(axis=1)
            kept[np.arange(n), chosen] &= ~np.isfinite(value)
            better = value > best
            displaced[better] = (observed & ~kept)[better]
            best = np.where(better, value, best)
        return total, displaced


def matching_face(data: LabeledFaces, posterior: Posterior, row: int) -> int | None:
    """The position of the face of the same source that the row's labels fit, or None if none stands out.

    A few points fit many faces: the best must be thirty times likelier than the second, with errors of normal size.
    """
    others = np.flatnonzero((data.source == data.source[row]) & (np.arange(len(data)) != row))
    given = data.observed[row]
    scale = posterior.error_scale[others]
    units = _in_units(data.points[row], posterior.expected[others], scale)[:, given]
    fit = -np.square(units).sum(axis=(1, 2)) / 2 - 2 * np.log(scale[:, given]).sum(axis=1)
    if len(fit) < 2:
        return None
    second, best = np.argsort(fit)[-2:]
    close = np.square(units[best]).sum() / (2 * given.sum()) < CLOSE
    return int(others[best]) if close and fit[best] - fit[second] > np.log(30) else None


def error_scales(data: LabeledFaces, expected: NDArray[np.floating], spread: NDArray[np.floating]) -> Array:
    """Scale (n, k), px, of the distance of correct labels from the expected points, by point, source and face.

    The log distance is regressed on the log spread of the views at the point and over the face, with an intercept for
    each point and source. Wrong labels have little influence on logarithms.
    """
    n, k = data.observed.shape
    at_point = np.log(spread + 0.05)
    over_face = np.repeat(at_point.mean(axis=1, keepdims=True), k, axis=1)
    features = np.stack([at_point, over_face], axis=-1)
    distance = np.log(np.linalg.norm(data.points - expected, axis=2) + 0.05)
    scale = np.zeros((n, k))
    for s in np.unique(data.source):
        rows = data.source == s
        where = np.nonzero(data.observed & rows[:, None])
        columns = np.hstack([features[where], np.eye(k)[where[1]]])
        # the ridge penalty determines the points that this source never labels
        penalty = np.diag([1e-3] * (2 + k))
        solved = np.linalg.solve(columns.T @ columns + penalty, columns.T @ distance[where])
        # E[log distance] of a plane's Gaussian with standard deviation 1 is 0.058 (log 2 and Euler's constant, halved)
        scale[rows] = np.exp(features[rows] @ solved[:2] + solved[2:] - 0.058)
    return np.maximum(scale, 0.1)


def _exchanges(mirror: NDArray[np.int64], *, single: bool) -> list[tuple[float, NDArray[np.int64], bool]]:
    """(prior, order of the points, reflect the image?) of each way to exchange left and right."""
    identity = np.arange(len(mirror))
    ways = [(0.5, mirror, False), (0.15, mirror, True), (0.15, identity, True)]
    pairs = np.flatnonzero(mirror > identity)
    for pair in pairs if single else ():
        order = identity.copy()
        order[[pair, mirror[pair]]] = mirror[pair], pair
        ways.append((0.2 / len(pairs), order, False))
    return ways


def _exchange(points: NDArray[np.floating], order: NDArray[np.int64], reflect: bool) -> NDArray[np.floating]:
    points = points[..., order, :]
    return np.stack([FACE_SIZE - 1 - points[..., 0], points[..., 1]], axis=-1) if reflect else points


def _bias(data: LabeledFaces, expected: NDArray[np.floating]) -> Array:
    """(n, k, 2) px: median difference of labels and predictions of each point and source."""
    bias = np.zeros(expected.shape)
    for s in np.unique(data.source):
        rows = data.source == s
        for point in range(len(data.keypoints)):
            given = rows & data.observed[:, point]
            if given.any():
                bias[rows, point] = np.median(data.points[given, point] - expected[given, point], axis=0)
    return bias


def _in_units(points: NDArray[np.floating], expected: NDArray[np.floating], scale: Array) -> Array:
    units: Array = (points - expected) / scale[..., None]
    return units


def _log_sum(logs: list[Array]) -> Array:
    """log(exp(a) + exp(b) + ...), element by element"""
    total: Array = np.logaddexp.reduce(np.stack(logs), axis=0)
    return total

"""What most likely happened to each row's labels: they are fine, left and right changed places, points slipped, or
they belong to another face.

Each of these stories gives the labels of a row a probability density, in the light of where networks that have not
seen the row expect its points. Bayes' rule turns the densities into the probability that a story is true, so that
all kinds of suspicion have one scale.

    fine        the errors, in units of what is usual for point, source and face, are those of normal rows
    swapped     they are so after left and right points change places again
    displaced   they are so for all points but a few, which may lie anywhere
    foreign     the labels make a face, somewhere, that has nothing to do with this picture
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facepoints.auditing.cross_validation import Expected
from facepoints.auditing.shape_model import NormalShape, blend, fit_shape, log_density_each
from facepoints.data.dataset import LabeledFaces
from facepoints.keypoints import FACE_SIZE

PRIOR = {"swapped": 0.004, "displaced": 0.004, "mismatched": 0.004}
"""How many rows of each kind are wrong before anything is looked at: a few in a thousand, as in the field's files."""
TEMPER = (0.65, -3.5)
"""From log odds as the stories give them to those of a row being wrong: factor and shift. A few faces are harder than
the stories admit (far off the middle, sunglasses, a hand over the mouth), so that even odds were held by rows of which
nineteen in twenty were right. Logistic regression on three copies of 7,049 real faces with 45 planted wrong rows each,
and about as many of their own that a person had marked."""
WIDER = 2.5
"""Foreign labels may also make an unusual face: half of them are expected this much more spread out."""
CLOSE = 2.0
"""Mean square error, in units of the usual one, up to which labels may be those of a picture."""
ROUNDS = 4
"""Normal errors are learned from the rows that seem fine, which is known better each time."""


@dataclass(frozen=True)
class Posterior:
    """What is believed of n rows. Probabilities as log odds: 0 is even, 4.6 is 99 %."""

    expected: NDArray[np.float32]
    """(n, k, 2) px: where the points are expected, as the row's source would label them"""
    usual: NDArray[np.float64]
    """(n, k) px: the usual distance of a good label from there, for this point, source and face"""
    odds: dict[str, NDArray[np.float64]]
    """kind -> (n,): log of the probability of the kind against that of "fine", as the stories give it"""
    slipped: NDArray[np.bool_]
    """(n, k): the points that the likeliest story of displacement holds for displaced"""

    @property
    def wrong(self) -> NDArray[np.float64]:
        """(n,): log odds that a row's labels are wrong in any way, tempered: what is called even turns out even"""
        factor, shift = TEMPER
        return factor * _log_sum(list(self.odds.values())) + shift

    def unswapped(self, data: LabeledFaces, row: int) -> NDArray[np.floating]:
        """The row's points (k, 2) px after the exchange of left and right that fits best."""
        points, mirror = data.points[row], data.keypoints.mirror
        reflected = np.stack([FACE_SIZE - 1 - points[:, 0], points[:, 1]], axis=-1)
        both = data.observed[row] & data.observed[row, mirror]
        tried = [points[mirror], reflected[mirror], reflected]
        for pair in np.flatnonzero(mirror > np.arange(len(mirror))):
            one = np.arange(len(mirror))
            one[[pair, mirror[pair]]] = mirror[pair], pair
            tried.append(points[one])
        return min(tried, key=lambda p: float(np.linalg.norm((p - self.expected[row])[both], axis=1).sum()))

    def kind(self, row: int) -> str:
        """The likeliest kind of fault of a row."""
        return max(self.odds, key=lambda name: float(self.odds[name][row]))


def judge_rows(data: LabeledFaces, found: Expected) -> Posterior:
    """Weigh the stories for every row, given what networks expect that have not learned from it."""
    expected = found.points + _bias(data, found.points)
    usual = usual_errors(data, expected, found.spread)
    trust = np.ones(len(data))
    shapes = {
        int(s): fit_shape(data.points[data.source == s], data.observed[data.source == s]) for s in set(data.source)
    }
    odds: dict[str, NDArray[np.float64]] = {}
    slipped = np.zeros_like(data.observed)
    for _ in range(ROUNDS):
        odds = {name: np.full(len(data), -np.inf) for name in PRIOR}
        for s, shape in shapes.items():
            rows = np.flatnonzero(data.source == s)
            part, mu, sigma = data.take(rows), expected[rows], usual[rows]
            errors = fit_shape(_in_units(part.points, mu, sigma), part.observed, trust[rows], centered=True)
            weigh = _Stories(part, mu, sigma, errors, shape)
            odds["swapped"][rows] = weigh.swapped()
            odds["mismatched"][rows] = weigh.mismatched()
            odds["displaced"][rows], slipped[rows] = weigh.displaced()
        trust = 1 / (1 + np.exp(np.clip(_log_sum(list(odds.values())), -50, 50)))
    return Posterior(expected.astype(np.float32), usual, odds, slipped)


class _Stories:
    """Log odds of each story against "fine" for the rows of one source, (n,)."""

    def __init__(
        self,
        data: LabeledFaces,
        expected: NDArray[np.floating],
        usual: NDArray[np.float64],
        errors: NormalShape,
        shape: NormalShape,
    ) -> None:
        self.data, self.expected, self.usual = data, expected, usual
        self.errors, self.shape = errors, shape
        # what the network expects and what the shape expects, weighed for every face: where the network is at a
        # loss the shape decides, and labels that make a usual face are not held against a row
        size = np.repeat(usual, 2, axis=1)
        by_network = errors.scatter * size[:, :, None] * size[:, None, :]
        self.blended, weight = blend(by_network, shape.scatter)
        to_network = (expected - shape.center).reshape(len(size), -1, 1)
        self.center = shape.center + (weight @ to_network).reshape(expected.shape)
        self.fine = self._as_normal(data.points, data.observed)

    def _as_normal(
        self, points: NDArray[np.floating], observed: NDArray[np.bool_], rows: NDArray[np.int64] | slice = slice(None)
    ) -> NDArray[np.float64]:
        """Log density, per px² and point, of labels of these rows that normal errors explain.

        Errors from what the network expects, or from what network and shape expect together: both have half a say.
        """
        units = _in_units(points, self.expected[rows], self.usual[rows])
        in_px: NDArray[np.float64] = 2 * (np.log(self.usual[rows]) * observed).sum(axis=1)
        by_network = self.errors.log_density(units, observed) - in_px
        together = log_density_each(points - self.center[rows], self.blended[rows], observed, self.errors.freedom)
        either: NDArray[np.float64] = np.logaddexp(by_network, together) - np.log(2)
        return either

    def swapped(self) -> NDArray[np.float64]:
        """All pairs exchanged, the places mirrored (with and without the names), or one pair exchanged."""
        mirror = self.data.keypoints.mirror
        pairs = np.flatnonzero(mirror > np.arange(len(mirror)))
        if not len(pairs):
            return np.full(len(self.data), -np.inf)
        points, observed = self.data.points, self.data.observed
        reflected = np.stack([FACE_SIZE - 1 - points[..., 0], points[..., 1]], axis=-1)
        stories = [
            (0.5, self._as_normal(points[:, mirror], observed[:, mirror])),
            (0.15, self._as_normal(reflected[:, mirror], observed[:, mirror])),
            (0.15, self._as_normal(reflected, observed)),
        ]
        for pair in pairs if len(pairs) > 1 else []:
            one = np.arange(len(mirror))
            one[[pair, mirror[pair]]] = mirror[pair], pair
            stories.append((0.2 / len(pairs), self._as_normal(points[:, one], observed[:, one])))
        # a face without both points of any pair can't be swapped: the stories would be "fine" itself
        paired = (observed & observed[:, mirror])[:, pairs].any(axis=1)
        mixed = _log_sum([np.log(share) + density for share, density in stories])
        return np.where(paired, np.log(PRIOR["swapped"]) + mixed - self.fine, -np.inf)

    def mismatched(self) -> NDArray[np.float64]:
        wide = NormalShape(self.shape.center, self.shape.scatter * WIDER**2, self.shape.freedom)
        densities = [s.log_density(self.data.points, self.data.observed) + np.log(0.5) for s in (self.shape, wide)]
        # one point alone is displaced rather than a face
        several = self.data.observed.sum(axis=1) > 1
        return np.where(several, np.log(PRIOR["mismatched"]) + np.logaddexp(*densities) - self.fine, -np.inf)

    def displaced(self) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Points are set free one after the other, the one that helps most first, while that makes the row likelier.

        Gives the log odds summed over the sets of points that were tried, and the likeliest set, bool (n, k).
        """
        n, k = self.data.observed.shape
        observed = self.data.observed
        anywhere = -np.log(float(FACE_SIZE**2))  # log density of a point that may lie anywhere
        held = observed.copy()
        total = np.full(n, -np.inf)
        best, slipped = np.full(n, -np.inf), np.zeros_like(observed)
        most = max(1, int(observed.sum(axis=1).max()) // 3)
        for number in range(1, most + 1):
            trials = np.full((n, k), -np.inf)
            for point in range(k):
                rows = np.flatnonzero(held[:, point] & ((number == 1) | (held.sum(axis=1) > max(1, k // 4))))
                if number > 1:
                    rows = rows[best[rows] > -8]  # only where one displaced point is at all worth a thought
                if len(rows):
                    without = held[rows].copy()
                    without[:, point] = False
                    normal = self._as_normal(self.data.points[rows], without, rows)
                    trials[rows, point] = normal + number * anywhere - self.fine[rows]
            if not np.isfinite(trials).any():
                break
            share = np.log(PRIOR["displaced"]) - np.log(np.maximum(observed.sum(axis=1), 1)) - (number - 1) * np.log(10)
            trials += share[:, None]
            total = np.logaddexp(total, _log_sum(list(trials.T)))
            chosen, value = trials.argmax(axis=1), trials.max(axis=1)
            held[np.arange(n), chosen] &= ~np.isfinite(value)
            better = value > best
            slipped[better] = (observed & ~held)[better]
            best = np.where(better, value, best)
        return total, slipped


def likely_owner(data: LabeledFaces, posterior: Posterior, row: int) -> int | None:
    """The position whose picture these labels fit, if there is one that stands out; both are of one source.

    A few points fit many faces: the best has to be thirty times likelier than the second, and as close as good labels
    are.
    """
    others = np.flatnonzero((data.source == data.source[row]) & (np.arange(len(data)) != row))
    given = data.observed[row]
    units = _in_units(data.points[row], posterior.expected[others], posterior.usual[others])[:, given]
    fit = -np.square(units).sum(axis=(1, 2)) / 2 - 2 * np.log(posterior.usual[others][:, given]).sum(axis=1)
    if len(fit) < 2:
        return None
    second, best = np.argsort(fit)[-2:]
    close = np.square(units[best]).sum() / (2 * given.sum()) < CLOSE
    return int(others[best]) if close and fit[best] - fit[second] > np.log(30) else None


def usual_errors(
    data: LabeledFaces, expected: NDArray[np.floating], spread: NDArray[np.floating]
) -> NDArray[np.float64]:
    """The usual distance (n, k), px, of a label from where it is expected, by point, source and face.

    The logarithm of the distance is linear in those of how much the views' answers differ at the point and over the
    face, with a constant for each point and source: logarithms keep wrong labels from counting much.
    """
    n, k = data.observed.shape
    at_point = np.log(spread + 0.05)
    over_face = np.repeat(at_point.mean(axis=1, keepdims=True), k, axis=1)
    features = np.stack([at_point, over_face], axis=-1)
    distance = np.log(np.linalg.norm(data.points - expected, axis=2) + 0.05)
    usual = np.zeros((n, k))
    for s in np.unique(data.source):
        rows = data.source == s
        given = data.observed & rows[:, None]
        where = np.nonzero(given)
        columns = np.hstack([features[where], np.eye(k)[where[1]]])
        # a slight pull to zero settles the points that this source never labels
        strength = np.diag([1e-3] * 2 + [1e-3] * k)
        solved = np.linalg.solve(columns.T @ columns + strength, columns.T @ distance[where])
        everywhere = features[rows] @ solved[:2] + solved[2:]
        # E[log distance] of a plane's Gaussian with standard deviation 1 is 0.058 (log 2 and Euler's constant, halved)
        usual[rows] = np.exp(everywhere - 0.058)
    return np.maximum(usual, 0.1)


def _bias(data: LabeledFaces, expected: NDArray[np.floating]) -> NDArray[np.float64]:
    """(n, k, 2) px: how far labels lie from what is expected, by the median of the point and source."""
    bias = np.zeros(expected.shape)
    for s in np.unique(data.source):
        rows = data.source == s
        for point in range(len(data.keypoints)):
            given = rows & data.observed[:, point]
            if given.any():
                bias[rows, point] = np.median(data.points[given, point] - expected[given, point], axis=0)
    return bias


def _in_units(
    points: NDArray[np.floating], expected: NDArray[np.floating], usual: NDArray[np.float64]
) -> NDArray[np.float64]:
    units: NDArray[np.float64] = (points - expected) / usual[..., None]
    return units


def _log_sum(logs: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """log(exp(a) + exp(b) + ...), entry by entry"""
    total: NDArray[np.float64] = np.logaddexp.reduce(np.stack(logs), axis=0)
    return total

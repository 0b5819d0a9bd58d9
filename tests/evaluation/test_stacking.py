"""Shares of a joint answer: more for who errs less, none for who only repeats."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from facepoints.data.dataset import LabeledFaces
from facepoints.data.synthetic.faces import synthetic_submission
from facepoints.errors import BadChoice
from facepoints.evaluation.predictor import HeldOutRows, ModelFacts, Predictions, unknown_training
from facepoints.evaluation.stacking import learn_weights, least_error_shares
from facepoints.evaluation.submission import SubmissionModel, submit
from facepoints.keypoints import KeypointSet

RUN = ModelFacts("run")


@dataclass(frozen=True)
class Wrong:
    """Answers the labels, with noise of some pixels for each source; `unseen` rows are fair."""

    name: str
    keypoints: KeypointSet
    noise: tuple[float, float]
    unseen: NDArray[np.bool_] | None = None
    summary: None = None
    facts: ModelFacts = RUN

    def held_out_rows(self, data: LabeledFaces) -> HeldOutRows:
        if self.unseen is None:
            return unknown_training(data)
        return HeldOutRows(self.unseen[data.row], "validation", "")

    def answer(self, data: LabeledFaces, *, flip: bool = False) -> Predictions:
        rng = np.random.default_rng([ord(c) for c in self.name])
        noise = rng.normal(size=data.points.shape) * np.array(self.noise)[data.source][:, None, None]
        return Predictions((data.points + noise).astype(np.float32), None)

    def milliseconds(self, data: LabeledFaces) -> None:
        return None


@pytest.fixture(scope="module")
def many(few_faces: LabeledFaces) -> LabeledFaces:
    data = few_faces.take(np.arange(400) % len(few_faces))
    return replace(data, row=np.arange(400), source=np.arange(400) % 2)


def test_shares_are_those_of_independent_errors() -> None:
    rng = np.random.default_rng(0)
    errors = rng.normal(size=(3, 20_000)) * np.array([[1.0], [2.0], [1.0]])
    # independent errors weigh as the inverse of their variances
    np.testing.assert_allclose(least_error_shares(errors), np.array([4, 1, 4]) / 9, atol=0.02)


def test_who_only_adds_to_another_s_errors_gets_nothing() -> None:
    rng = np.random.default_rng(0)
    good = rng.normal(size=10_000)
    shares = least_error_shares(np.stack([good, 2 * good + rng.normal(size=10_000)]))
    np.testing.assert_allclose(shares, [1, 0], atol=1e-6)


def test_each_source_has_its_own_shares(many: LabeledFaces) -> None:
    everyone = np.ones(400, bool)
    models = [Wrong("a", many.keypoints, (1, 3), everyone), Wrong("b", many.keypoints, (3, 1), everyone)]
    shares = learn_weights(models, many)
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    np.testing.assert_allclose(shares, [[0.9, 0.1], [0.1, 0.9]], atol=0.05)


def test_only_rows_that_nobody_was_trained_on_count(many: LabeledFaces) -> None:
    first, second = np.arange(400) < 250, np.arange(400) >= 200
    models = [Wrong("a", many.keypoints, (1, 1), first), Wrong("b", many.keypoints, (1, 1), second)]
    with pytest.raises(BadChoice, match="only 50 faces were kept from the training of all 2 models"):
        learn_weights(models, many)
    stranger = replace(models[0], unseen=None, facts=ModelFacts("model file"))
    with pytest.raises(BadChoice, match="a does not say on which of these faces it was trained"):
        learn_weights([stranger, models[1]], many)


def test_a_submission_weighs_by_the_source_of_each_image(tmp_path) -> None:
    asked = synthetic_submission(12)[0]
    one = np.ones((1, len(asked.keypoints), 2), np.float32)
    models = [
        SubmissionModel(
            str(value), asked.keypoints, lambda faces, source, value=value: value * one.repeat(len(faces), axis=0)
        )
        for value in (10.0, 30.0)
    ]
    values = submit(models, asked, tmp_path / "s.csv", np.array([[1.0, 0.0], [0.25, 0.75]]))
    expected = np.where(asked.source[asked.requested_image] == 0, 10.0, 25.0)
    np.testing.assert_allclose(values, expected)

"""An ensemble predicts the mean of its members; its bias correction is applied after the flip average."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from facepoints.data.dataset import LabeledFaces
from facepoints.keypoints import FIFTEEN
from facepoints.models.ensemble import Ensemble
from facepoints.models.model import Model
from facepoints.models.networks import Size
from facepoints.training.ensemble import join
from facepoints.training.recipe import Recipe

KINDS = ("heatmap", "heatmap-wide")


@pytest.fixture
def ensemble(tiny: Recipe) -> Recipe:
    return tiny.replace(
        name="both", network="heatmap", folds=2, ensemble_networks=KINDS, epochs=1, width=4, expected_error=False
    )


def models(n: int = 3) -> list[Model]:
    made = []
    for seed in range(n):
        torch.manual_seed(seed)
        model = Model(KINDS[seed % 2], FIFTEEN, Size(width=4), {"name": "x"})
        with torch.no_grad():
            for weight in model.network.parameters():
                weight.add_(0.05 * torch.randn_like(weight))
            model.label_offset.copy_(torch.randn(2, 15, 2))
        made.append(model.eval())
    return made


def test_an_ensemble_predicts_the_mean_with_each_source_s_offset(few_faces: LabeledFaces) -> None:
    members = models()
    joined = join(members, Recipe(name="x"), Size(width=4))
    faces, source = few_faces.faces[:6], few_faces.source[:6]
    for flip in (False, True):
        mean = np.mean([member.predict(faces, source, flip=flip) for member in members], axis=0)
        np.testing.assert_allclose(joined.predict(faces, source, flip=flip), mean, atol=2e-3)


@pytest.mark.parametrize("flip", [False, True])
def test_the_bias_correction_is_not_mirrored(few_faces: LabeledFaces, flip: bool) -> None:
    joined = join(models(), Recipe(name="x"), Size(width=4))
    assert isinstance(joined.network, Ensemble)
    faces, source = few_faces.faces[:6], few_faces.source[:6]
    before = joined.predict(faces, source, flip=flip)
    joined.network.bias_correction[-1, ::2] = 3.0  # each point three pixels to the right
    np.testing.assert_allclose(joined.predict(faces, source, flip=flip), before + [3, 0], atol=1e-3)

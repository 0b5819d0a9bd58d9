"""An ensemble's members, their rows, and what it learns of their common errors."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from lightning.pytorch.utilities import rank_zero_only

from facepoints.data.dataset import LabeledFaces
from facepoints.data.similarity import group_alike
from facepoints.data.split import Split
from facepoints.errors import AlreadyTrained, BadChoice, BadRun
from facepoints.evaluation.trained_run import open_run
from facepoints.keypoints import FIFTEEN
from facepoints.models.checkpoint import load_model
from facepoints.models.ensemble import Ensemble
from facepoints.models.model import Model
from facepoints.models.networks import Size
from facepoints.training.ensemble import fit_bias_correction, join, member_recipes, member_rows
from facepoints.training.fit import fit
from facepoints.training.recipe import Recipe
from facepoints.training.run_folder import MODEL_FILE

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


def test_each_fold_trains_each_kind_with_a_seed_of_its_own(ensemble: Recipe) -> None:
    members = member_recipes(ensemble.replace(seed=7))
    assert [(fold, recipe.network) for fold, recipe in members] == [(f, kind) for f in (0, 1) for kind in KINDS]
    assert [recipe.seed for _, recipe in members] == [7, 8, 9, 10]
    assert len({recipe.name for _, recipe in members}) == 4
    assert not any(recipe.folds or recipe.ensemble_networks for _, recipe in members)


def test_each_training_row_is_kept_from_one_fold(ensemble: Recipe, few_faces: LabeledFaces, plain_split: Split) -> None:
    parts = member_rows(ensemble, few_faces, plain_split)
    kept = np.concatenate([part.validation for part in parts])
    assert sorted(kept) == sorted(plain_split.training)
    group = group_alike(few_faces.faces)
    for part in parts:
        assert set(part.training) | set(part.validation) == set(plain_split.training)
        assert not set(group[part.training]) & set(group[part.validation])


def test_a_common_error_is_corrected(few_faces: LabeledFaces) -> None:
    """Labels are the members' own points, stretched about the middle: all of the error is linear in the points."""
    members = models()
    joined = join(members, Recipe(name="x"), Size(width=4))
    rng = np.random.default_rng(0)
    faces = rng.integers(0, 256, (1400, 96, 96)).astype(np.uint8)
    everyone = LabeledFaces(
        faces,
        np.zeros((1400, 15, 2), np.float32),
        np.ones((1400, 15), bool),
        np.zeros(1400, np.int64),
        few_faces.keypoints,
        np.arange(1400),
    )
    said = joined.predict(faces, everyone.source, flip=True)
    labels = (1.5 * (said - 47.5) + 47.5 + [1, 0]).astype(np.float32)
    labeled = replace(everyone, points=labels)
    parts = [labeled.take(np.arange(600)), labeled.take(np.arange(600, 1200))]
    fit_bias_correction(joined, [members[0], members[0]], [0, 1], parts)
    assert isinstance(joined.network, Ensemble)
    assert joined.network.bias_correction.any()
    assert not joined.network.bias_correction[:, 30:].any()  # of source B there was nothing to learn from


def test_an_ensemble_is_trained_kept_and_not_trained_again(
    ensemble: Recipe, few_faces: LabeledFaces, plain_split: Split, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    scores = fit(ensemble, few_faces, run, rows=plain_split)
    assert len(list((run / "members").iterdir())) == 4
    model, _ = load_model(run / MODEL_FILE)
    assert model.network_name == "ensemble"
    assert model.size.members == KINDS * 2
    held = few_faces.take(plain_split.validation)
    members = [load_model(path / MODEL_FILE)[0] for path in sorted((run / "members").iterdir())]
    straight = np.mean([member.predict(held.faces, held.source) for member in members], axis=0)
    assert np.abs(model.predict(held.faces, held.source) - straight).max() < 5
    kept = json.loads((run / "scores.json").read_text())
    assert kept["rmse"] == pytest.approx(scores.overall.rmse)
    assert kept["epochs"] == 4
    assert json.loads((run / "run.json").read_text())["parameters"] == sum(
        p.numel() for p in model.network.parameters()
    )
    with pytest.raises(AlreadyTrained):
        fit(ensemble, few_faces, run, rows=plain_split)
    each = [open_run(member).facts.training_seconds for member in (run / "members").iterdir()]
    assert open_run(run).facts.training_seconds == pytest.approx(sum(seconds or 0 for seconds in each))
    assert all(each)


@pytest.mark.parametrize("force", [False, True])
def test_a_process_beside_the_first_takes_up_what_that_one_has_begun(
    ensemble: Recipe,
    few_faces: LabeledFaces,
    plain_split: Split,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    force: bool,
) -> None:
    fit(ensemble, few_faces, tmp_path, rows=plain_split)
    (tmp_path / "scores.json").unlink()  # as if the first process still had the last step before it
    before = (tmp_path / "members" / "both-0-heatmap" / MODEL_FILE).stat().st_mtime_ns
    monkeypatch.setattr(rank_zero_only, "rank", 1)
    fit(ensemble, few_faces, tmp_path, rows=plain_split, force=force)
    assert (tmp_path / "members" / "both-0-heatmap" / MODEL_FILE).stat().st_mtime_ns == before


def test_a_stopped_ensemble_goes_on_with_the_members_it_lacks(
    ensemble: Recipe, few_faces: LabeledFaces, plain_split: Split, tmp_path: Path
) -> None:
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    fit(ensemble, few_faces, whole, rows=plain_split)
    fold, first = member_recipes(ensemble)[0]
    kept = member_rows(ensemble, few_faces, plain_split)[fold]
    fit(first, few_faces, stopped / "members" / first.name, rows=kept)
    for name in ("recipe.toml", "run.json"):
        (stopped / name).write_bytes((whole / name).read_bytes())
    with pytest.raises(BadRun, match="a stopped training; go on with --resume"):
        fit(ensemble, few_faces, stopped, rows=plain_split)
    before = (stopped / "members" / first.name / MODEL_FILE).stat().st_mtime_ns
    fit(ensemble, few_faces, stopped, rows=plain_split, resume=True)
    assert (stopped / "members" / first.name / MODEL_FILE).stat().st_mtime_ns == before
    both = [load_model(run / MODEL_FILE)[0].state_dict() for run in (whole, stopped)]
    assert all(torch.equal(value, both[1][name]) for name, value in both[0].items())


def test_members_without_maps_are_refused(ensemble: Recipe, few_faces: LabeledFaces, tmp_path: Path) -> None:
    with pytest.raises(BadChoice, match="needs heatmap networks"):
        fit(ensemble.replace(ensemble_networks=("dense",)), few_faces, tmp_path)
    assert not list(tmp_path.iterdir())


def test_force_replaces_every_member(
    ensemble: Recipe, few_faces: LabeledFaces, plain_split: Split, tmp_path: Path
) -> None:
    fit(ensemble, few_faces, tmp_path, rows=plain_split)
    alone = ensemble.replace(ensemble_networks=())
    fit(alone, few_faces, tmp_path, rows=plain_split, force=True)
    assert sorted(path.name for path in (tmp_path / "members").iterdir()) == ["both-0-heatmap", "both-1-heatmap"]
    assert json.loads((tmp_path / "scores.json").read_text())["epochs"] == 2
    fit(ensemble.replace(folds=0, ensemble_networks=()), few_faces, tmp_path, rows=plain_split, force=True)
    assert not (tmp_path / "members").exists()


def test_one_fold_would_leave_nothing_to_learn_from(ensemble: Recipe, few_faces: LabeledFaces, tmp_path: Path) -> None:
    with pytest.raises(BadChoice, match="folds=1 would leave no rows"):
        fit(ensemble.replace(folds=1), few_faces, tmp_path)

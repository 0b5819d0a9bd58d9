"""What a search varies is read from the recipe's own fields, holds the recipe, and refuses what no recipe can be."""

from __future__ import annotations

import dataclasses
from dataclasses import replace

import numpy as np
import optuna
import pytest

from facepoints.data.dataset import LabeledFaces
from facepoints.errors import BadChoice
from facepoints.keypoints import KeypointSet
from facepoints.models.networks import NETWORKS
from facepoints.training.builtin_recipes import BUILTIN_RECIPES
from facepoints.training.recipe import Recipe, meanings
from facepoints.tuning.space import (
    FIXED,
    LOGARITHMIC,
    SUGGESTED,
    Choice,
    Range,
    Space,
    Value,
    in_words,
    nearest,
    read_space,
    sample,
    sizes_used,
    suggested_space,
)

RECIPES = {name: recipe for name, (recipe, _) in BUILTIN_RECIPES.items()}
START = RECIPES["cnn-flip"]


def drawn_values(space: Space, times: int) -> list[dict[str, Value]]:
    """What random trials draw from a space."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=3))
    return [sample(space, study.ask()) for _ in range(times)]


def test_what_is_said_of_fields_is_said_of_fields_that_there_are() -> None:
    fields = set(meanings())
    assert set(SUGGESTED) <= fields
    assert set(FIXED) <= fields
    assert fields >= LOGARITHMIC
    lists = {f.name for f in dataclasses.fields(Recipe) if isinstance(f.default, tuple)}
    assert lists <= set(FIXED)


TYPED = {
    "learning_rate=1e-4..1e-2": Range(1e-4, 1e-2, log=True),
    "learning_rate=0.001..0.002": Range(0.001, 0.002, log=True),
    "weight_decay=0..0.1": Range(0, 0.1),
    "dropout=0..0.5": Range(0, 0.5),
    "shift=0.1..10": Range(0.1, 10, log=True),
    "shift=0.5..10": Range(0.5, 10),
    "width=8..64": Range(8, 64, whole=True),
    "width=4..400": Range(4, 400, log=True, whole=True),
    "width=16,32,64": Choice((16, 32, 64)),
    "width=16, 16 ,32": Choice((16, 32)),
    "missing=mask,mean": Choice(("mask", "mean")),
    "label_offset=true,false": Choice((True, False)),
    "rotation=5,10.5": Choice((5.0, 10.5)),
    "network=plain,five": Choice(("plain", "five")),
}


@pytest.mark.parametrize("typed", TYPED)
def test_a_space_is_read_as_it_is_typed(typed: str) -> None:
    field = typed.partition("=")[0]
    assert read_space(START, [typed]) == {field: TYPED[typed]}


REFUSED = {
    "learnin_rate=1..2": "did you mean 'learning_rate'",
    "width=16": "a single value",
    "width=64..16": "low..high",
    "width=16..16": "low..high",
    "width=0..16": "expected 1 to 1,024",
    "width=8.5..16": "whole number",
    "dropout=0..2": "expected 0 to 0.95",
    "learning_rate=..1": "expected a number",
    "missing=mask,meen": "did you mean 'mean'",
    "missing=mask..mean": "two numbers",
    "network=plain,fife": "did you mean 'five'",
    "label_offset=true..false": "two numbers",
    "epochs=3..9": "--epochs",
    "seed=0,1": "best by chance",
    "split=groups,last": "the same for all trials",
    "angles=1,2": "rotation",
    "optimizer": "optimizer=a,b",
    "": "no field ''",
}


@pytest.mark.parametrize("typed", REFUSED)
def test_what_no_search_can_vary_is_refused_in_one_line(typed: str) -> None:
    with pytest.raises(BadChoice) as refused:
        read_space(START, [typed])
    assert REFUSED[typed] in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_the_suggested_space_holds_the_recipe(recipe: Recipe, few_faces: LabeledFaces) -> None:
    space = suggested_space(recipe, few_faces)
    assert nearest(space, recipe) == {field: getattr(recipe, field) for field in space}
    assert {"learning_rate", "batch_size", "missing"} <= set(space)


def test_what_cannot_be_is_not_suggested(few_faces: LabeledFaces) -> None:
    flat = KeypointSet(("left_eye_center", "nose_tip"))
    lone = replace(few_faces, points=few_faces.points[:, :2], observed=few_faces.observed[:, :2], keypoints=flat)
    assert "flip" in suggested_space(START, few_faces)
    assert "flip" not in suggested_space(START, lone)
    gappy = replace(few_faces, observed=few_faces.observed & (np.arange(len(few_faces.keypoints)) > 0))
    assert "drop" not in suggested_space(START, gappy)["missing"].values  # type: ignore[union-attr]
    assert "rotation" not in suggested_space(RECIPES["cnn-rotated"], few_faces)


@pytest.mark.parametrize("network", NETWORKS)
def test_a_size_is_used_where_it_changes_the_network(network: str) -> None:
    used = sizes_used(START.replace(network=network))
    assert used <= {"width", "kernel", "dense_units", "dropout"}
    assert used


def test_the_plain_network_uses_all_sizes_and_the_dense_one_no_filters() -> None:
    assert sizes_used(START) == {"width", "kernel", "dense_units", "dropout"}
    assert sizes_used(RECIPES["dense"]) == {"dense_units", "dropout"}


def test_every_draw_is_a_recipe_within_the_space(few_faces: LabeledFaces) -> None:
    space = suggested_space(START, few_faces) | read_space(START, ["weight_decay=1e-6..1e-1", "shear=0.0001..45"])
    for values in drawn_values(space, 40):
        recipe = START.replace(**values)
        for field, domain in space.items():
            value = getattr(recipe, field)
            assert type(value) is type(getattr(START, field))
            if isinstance(domain, Range):
                assert domain.low <= value <= domain.high
                assert domain.whole or value == float(f"{value:.4g}")
            else:
                assert value in domain.values


def test_a_start_outside_the_space_is_moved_to_its_edge() -> None:
    space = read_space(START, ["width=20,64", "learning_rate=1e-5..1e-4", "missing=mask,mean", "rotation=5..9"])
    assert nearest(space, START) == {"width": 20, "learning_rate": 1e-4, "missing": "mask", "rotation": 5.0}


def test_the_words_of_a_space_tell_spaces_apart() -> None:
    words = [in_words(read_space(START, [typed])) for typed in TYPED]
    assert len({str(each) for each in words}) == len(TYPED)

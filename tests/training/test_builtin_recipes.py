"""The book: every approach of the field under its name, buildable, told as a difference."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from facepoints.errors import BadChoice, BadRun
from facepoints.keypoints import FIFTEEN, FOUR
from facepoints.models.networks import NETWORKS, Size, build
from facepoints.training.builtin_recipes import BUILTIN_RECIPES, find, open_recipe
from facepoints.training.recipe import Recipe

PROMISED: dict[str, dict[str, Any]] = {
    "dense": {"network": "dense", "missing": "interpolate"},
    "cnn": {"network": "plain", "missing": "interpolate"},
    "cnn-flip": {"network": "plain", "missing": "interpolate", "flip": 0.5},
    "cnn-rotated": {"network": "plain", "missing": "backward-forward", "angles": (-15.0, 0.0, 15.0)},
    "cnn-leaky": {
        "network": "leaky",
        "missing": "mean",
        "batch_size": 32,
        "optimizer": "adam",
        "loss": "squared",
        "epochs": 30,
        "split": "last",
        "validation_fraction": 0.2,
        "patience": 5,
        "dropout": 0.5,
    },
    "cnn-leaky-median": {"network": "leaky", "missing": "median"},
    "cnn-leaky-complete": {"network": "leaky", "missing": "drop"},
    "cnn-leaky-eight": {"network": "leaky", "keypoints": FOUR},
    "cnn-five": {"network": "five", "missing": "forward", "loss": "squared"},
    "base": {"network": "base", "missing": "drop"},
    "base-extended": {"network": "base-extended", "missing": "drop"},
    "masked": {"network": "base-extended", "missing": "mask"},
    "cnn-masked": {
        "network": "heatmap",
        "missing": "mask",
        "optimizer": "adamw",
        "schedule": "cosine",
        "label_offset": True,
    },
}


@pytest.mark.parametrize("name", PROMISED)
def test_a_recipe_is_what_its_name_promises(name: str) -> None:
    recipe = find(name)
    assert {field: getattr(recipe, field) for field in PROMISED[name]} == PROMISED[name]


def test_the_first_good_one_augments_and_averages() -> None:
    recipe = find("cnn-masked")
    assert all((recipe.flip, recipe.rotation, recipe.shift, recipe.scale, recipe.gamma, recipe.blur))
    assert all((recipe.ema, recipe.warmup_epochs))


def test_the_variants_of_one_network_differ_in_the_missing_points_alone() -> None:
    leaky = find("cnn-leaky")
    for name in ("cnn-leaky-median", "cnn-leaky-complete", "cnn-leaky-eight"):
        assert set(find(name).differences(leaky)) <= {"missing", "keypoints"}
    assert set(find("masked").differences(find("base-extended"))) == {"missing"}


@pytest.mark.parametrize("name", BUILTIN_RECIPES)
def test_a_recipe_differs_from_its_parent(name: str) -> None:
    recipe, parent = BUILTIN_RECIPES[name]
    assert recipe.name == name
    assert 10 < len(recipe.summary) < 100
    assert recipe.differences(parent or Recipe())
    if parent is not None:
        assert BUILTIN_RECIPES[parent.name][0] is parent
        assert list(BUILTIN_RECIPES).index(parent.name) < list(BUILTIN_RECIPES).index(name)  # read from top to bottom
        assert len(recipe.differences(parent)) < len(recipe.differences(Recipe()))


@pytest.mark.parametrize("name", BUILTIN_RECIPES)
def test_every_recipe_names_a_network_and_points_that_exist(name: str) -> None:
    recipe = find(name)
    assert recipe.network in NETWORKS
    chosen = FIFTEEN.only(recipe.keypoints or FIFTEEN.names)
    assert not (recipe.flip and chosen.lone_sides())


def test_every_network_is_used() -> None:
    assert {recipe.network for recipe, _ in BUILTIN_RECIPES.values()} == set(NETWORKS)


def test_the_leaky_recipe_has_the_published_parameters() -> None:
    recipe = find("cnn-leaky")
    size = Size(recipe.width, recipe.kernel, recipe.dense_units, recipe.dropout)
    network = build(recipe.network, 15, size)
    assert sum(p.numel() for p in network.parameters()) == 20_369_374


def test_a_recipe_is_opened_by_name_or_from_a_file(tmp_path: Path) -> None:
    assert open_recipe("cnn") is find("cnn") is BUILTIN_RECIPES["cnn"][0]
    (tmp_path / "mine.toml").write_text('network = "five"\n')
    assert open_recipe(str(tmp_path / "mine.toml")) == Recipe(name="mine", network="five")
    (tmp_path / "named.toml").write_text('name = "so"\n')
    assert open_recipe(str(tmp_path / "named.toml")).name == "so"


def test_a_file_may_start_from_a_built_in_recipe(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('parent = "cnn-masked"\nepochs = 3\nangles = [1, 2]\n')
    own = open_recipe(str(path))
    assert own.differences(find("cnn-masked")) == {"epochs": 3, "angles": (1.0, 2.0)}
    assert (own.name, own.summary) == ("mine", "cnn-masked, changed by mine.toml")
    path.write_text('parent = "cnn-maskd"\n')
    with pytest.raises(BadChoice, match="no recipe 'cnn-maskd'; did you mean 'cnn-masked'"):
        open_recipe(str(path))


def test_an_unknown_recipe_is_answered_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(BadChoice, match=r"no recipe 'cnn-maskd'; did you mean 'cnn-masked'\?"):
        open_recipe("cnn-maskd")
    with pytest.raises(BadChoice, match=r"there are: .*cnn-leaky"):
        open_recipe("???")
    with pytest.raises(BadRun, match="cannot be read"):
        open_recipe(str(tmp_path / "cnn.toml"))

"""A recipe changes only as asked, survives TOML, JSON and the command line, and refuses what cannot be."""

from __future__ import annotations

import dataclasses
import json
import math
import tomllib
from pathlib import Path
from typing import Any

import pytest

from facepoints.errors import BadChoice, BadRun, FacepointsError
from facepoints.models.networks import NETWORKS
from facepoints.training.builtin_recipes import BUILTIN_RECIPES
from facepoints.training.recipe import NETWORK_NAMES, Recipe, from_table, meanings, read_toml

RECIPES = {name: recipe for name, (recipe, _) in BUILTIN_RECIPES.items()}
FIELDS = {field.name: field for field in dataclasses.fields(Recipe)}

ODD = Recipe(
    name='a "name"',
    summary="wörds = # 1\n\ttabs and \\ back",
    keypoints=("nose_tip", "left_eye_center"),
    angles=(-15.0, 0.0, 1e-7),
    learning_rate=1.0 / 3,
    label_offset=True,
    epochs=100_000,
)


def as_typed(value: Any) -> str:
    """A field's value as a person would type it after --set field=."""
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return str(value)


@pytest.mark.parametrize("recipe", [*RECIPES.values(), Recipe(), ODD], ids=lambda recipe: recipe.name)
def test_a_recipe_survives_toml_json_and_files(recipe: Recipe, tmp_path: Path) -> None:
    assert from_table(tomllib.loads(recipe.to_toml())) == recipe
    assert from_table(json.loads(json.dumps(recipe.as_table()))) == recipe
    (tmp_path / "recipe.toml").write_text(recipe.to_toml(), "utf-8")
    assert read_toml(tmp_path / "recipe.toml") == recipe


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_a_recipe_can_be_typed(recipe: Recipe) -> None:
    typed = [f"{name}={as_typed(value)}" for name, value in recipe.differences(Recipe()).items()]
    assert Recipe(recipe.name, recipe.summary).with_settings(typed) == recipe


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_differences_are_what_makes_one_of_the_other(recipe: Recipe) -> None:
    for other in (Recipe(), *RECIPES.values()):
        changes = recipe.differences(other)
        assert other.replace(name=recipe.name, summary=recipe.summary, **changes) == recipe
        assert {"name", "summary"}.isdisjoint(changes)
    assert recipe.differences(recipe.replace(name="other", summary="other")) == {}


def test_the_toml_explains_every_field() -> None:
    lines = Recipe().to_toml().splitlines()
    assert len(lines) == len(FIELDS)
    for line, (name, (_, _, meaning)) in zip(lines, meanings().items(), strict=True):
        assert line.startswith(f"{name} = ")
        assert line.endswith(f"# {meaning}")
        assert len(meaning) > 10


def test_but_leaves_its_parent_alone() -> None:
    parent = Recipe()
    child = parent.replace(epochs=3)
    assert (parent.epochs, child.epochs) == (30, 3)
    with pytest.raises(dataclasses.FrozenInstanceError):
        child.epochs = 4  # type: ignore[misc]


@pytest.mark.parametrize(
    ("typed", "field", "value"),
    [
        ("epochs=5", "epochs", 5),
        (" epochs = 5 ", "epochs", 5),
        ("learning_rate=1e-4", "learning_rate", 1e-4),
        ("learning_rate=1", "learning_rate", 1.0),
        ("label_offset=true", "label_offset", True),
        ("label_offset=False", "label_offset", False),
        ("missing=backward-forward", "missing", "backward-forward"),
        ("angles=-15,0,15", "angles", (-15.0, 0.0, 15.0)),
        ("angles=[-15, 0, 15]", "angles", (-15.0, 0.0, 15.0)),
        ("angles=", "angles", ()),
        ("keypoints=nose_tip", "keypoints", ("nose_tip",)),
        ("keypoints=['nose_tip', \"left_eye_center\"]", "keypoints", ("nose_tip", "left_eye_center")),
        ("name=a=b", "name", "a=b"),
    ],
)
def test_typed_values_are_read_in_the_field_s_kind(typed: str, field: str, value: object) -> None:
    found = getattr(Recipe().with_settings([typed]), field)
    assert found == value
    assert type(found) is type(value)


def test_the_last_assignment_wins() -> None:
    assert Recipe().with_settings(["epochs=5", "epochs=6"]).epochs == 6
    assert Recipe().with_settings([]) == Recipe()


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("epochs", "expected field=value, such as --set epochs=5"),
        ("epoch=5", "no field 'epoch'; did you mean 'epochs'?"),
        ("lerning_rate=1", "did you mean 'learning_rate'?"),
        ("=5", "no field ''"),
        ("epochs=", "field 'epochs' is '', expected a whole number"),
        ("epochs=five", "field 'epochs' is 'five', expected a whole number"),
        ("epochs=5.5", "expected a whole number"),
        ("learning_rate=fast", "expected a number"),
        ("label_offset=maybe", "expected a true | false"),
        ("label_offset=1", "expected a true | false"),
        ("angles=-15,x", "expected a list of numbers"),
        ("missing=medain", "no missing 'medain'; did you mean 'median'?"),
        ("optimizer=lion", "no optimizer 'lion'; "),
        ("precision=fp8", "no precision 'fp8'; "),
        ("flip=1.5", "field 'flip' is 1.5, expected 0 to 1"),
        ("flip=nan", "field 'flip' is nan, expected 0 to 1"),
        ("warmup_epochs=inf", "field 'warmup_epochs' is inf, expected at least 0"),
        ("angles=nan", "field 'angles' is nan"),
        ("angles=0,inf", "field 'angles' is inf"),
        ("epochs=0", "expected 1 to 100,000"),
        ("seed=-1", "field 'seed' is -1, expected 0 to 2,147,483,647"),
    ],
)
def test_wrong_assignments_are_named(typed: str, message: str) -> None:
    with pytest.raises(BadChoice) as error:
        Recipe().with_settings([typed])
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("epochs", 5.0),
        ("epochs", "5"),
        ("epochs", True),
        ("epochs", None),
        ("learning_rate", "fast"),
        ("learning_rate", True),
        ("label_offset", 1),
        ("name", 7),
        ("keypoints", "nose_tip"),
        ("keypoints", (1, 2)),
        ("angles", 15.0),
        ("angles", ("15",)),
        ("missing", ["mask"]),
        ("summary", {"a": 1}),
    ],
)
def test_values_of_another_kind_are_refused(field: str, value: object) -> None:
    with pytest.raises(BadChoice, match=f"field '{field}' is .*, expected a"):
        Recipe().replace(**{field: value})
    table = {field: value}
    with pytest.raises(BadChoice, match=f"field '{field}'"):
        from_table(table)


LIMITED = [name for name, field in FIELDS.items() if math.isfinite(field.metadata["low"])]


@pytest.mark.parametrize("name", LIMITED)
def test_limits_belong_to_what_is_allowed(name: str) -> None:
    low, high = FIELDS[name].metadata["low"], FIELDS[name].metadata["high"]
    kind: Any = type(FIELDS[name].default)
    assert getattr(Recipe().replace(**{name: kind(low)}), name) == kind(low)
    with pytest.raises(BadChoice, match=f"field '{name}' is .*, expected"):
        Recipe().replace(**{name: kind(low - 1)})
    if math.isfinite(high):
        assert getattr(Recipe().replace(**{name: kind(high)}), name) == kind(high)
        with pytest.raises(BadChoice, match=f"field '{name}' is .*, expected"):
            Recipe().replace(**{name: kind(high + 1)})


def test_every_number_has_a_lower_limit() -> None:
    numbers = [name for name, field in FIELDS.items() if type(field.default) in (int, float)]
    assert numbers == LIMITED


@pytest.mark.parametrize(
    ("name", "choice"), [(name, choice) for name, field in FIELDS.items() for choice in field.metadata["among"]]
)
def test_whatever_is_offered_can_be_chosen(name: str, choice: str) -> None:
    value = getattr(Recipe().with_settings([f"{name}={choice}"]), name)
    assert value in (choice, (choice,))
    assert choice in meanings()[name][0]


def test_the_network_names_are_those_of_the_networks() -> None:
    assert tuple(NETWORKS) == NETWORK_NAMES


def test_whole_numbers_do_for_numbers() -> None:
    recipe = Recipe().replace(flip=1, angles=(0, 90))
    assert (type(recipe.flip), recipe.angles) == (float, (0.0, 90.0))
    assert type(recipe.angles[0]) is float


def test_fields_that_a_file_leaves_out_have_their_defaults(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("epochs = 3\nangles = [1, 2.5]  # a comment\n")
    assert read_toml(tmp_path / "mine.toml") == Recipe(epochs=3, angles=(1.0, 2.5))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read (No such file or directory)"),
        (b"epochs = ", "not a TOML file"),
        (b"\xff\xfe", "not a TOML file"),
        (b"epoch = 3", "no field 'epoch'; did you mean 'epochs'?"),
        (b"[epochs]\nn = 3", "field 'epochs' is {'n': 3}, expected a whole number"),
        (b"epochs = 1979-05-27", "field 'epochs' is"),
    ],
)
def test_files_that_are_no_recipe_are_named(content: bytes | None, message: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "r.toml").write_bytes(content)
    with pytest.raises(FacepointsError) as error:
        read_toml(tmp_path / "r.toml")
    assert message in str(error.value)
    if "TOML" in message or content is None:
        assert isinstance(error.value, BadRun)
        assert str(tmp_path / "r.toml") in str(error.value)

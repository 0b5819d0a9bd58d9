"""The built-in recipes (builtin_recipes.toml), and recipes in a user's TOML file."""

from __future__ import annotations

from pathlib import Path

from facepoints.errors import unknown
from facepoints.training.recipe import Recipe, from_table, read_table


def _read() -> dict[str, tuple[Recipe, Recipe | None]]:
    recipes: dict[str, tuple[Recipe, Recipe | None]] = {}
    for name, table in read_table(Path(__file__).with_suffix(".toml")).items():
        parent = recipes[table.pop("parent")][0] if "parent" in table else None
        recipes[name] = from_table({"name": name, **table}, parent), parent
    return recipes


BUILTIN_RECIPES = _read()
"""Name -> the recipe and its parent; None: described by its differences from the fields' defaults."""


def open_recipe(name: str) -> Recipe:
    """A built-in recipe by name or a recipe in a TOML file, which may name a built-in one as its `parent`.

    Raises BadChoice or BadRun.
    """
    if not name.endswith(".toml"):
        return find(name)
    table = {"name": "", **read_table(Path(name))}
    parent = find(str(table.pop("parent"))) if "parent" in table else None
    if parent:
        table = {"summary": f"{parent.name}, changed by {Path(name).name}", **table}
    return from_table(table | {"name": table["name"] or Path(name).stem}, parent)


def find(name: str) -> Recipe:
    """The built-in recipe of this name; raises BadChoice with the nearest name if there is none."""
    if name not in BUILTIN_RECIPES:
        raise unknown("recipe", name, BUILTIN_RECIPES)
    return BUILTIN_RECIPES[name][0]

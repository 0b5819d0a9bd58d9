"""The house: imports run downhill, never in a circle, and what anybody can install never asks for torch."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import facepoints
from facepoints import cli

SOURCES = Path(__file__).parents[1] / "src" / "facepoints"
README = Path(__file__).parents[1] / "README.md"

FLOORS = (
    ("errors", "keypoints", "writing", "scoring", "drawing", "pages", "page_style", "charts"),
    ("data",),
    ("models",),
    ("training",),
    ("inspection",),
    ("evaluation",),
    ("deployment",),
    ("demo",),
    ("commands",),
    ("cli",),
)
"""From low to high. A room may import from its own floor and from those below."""

PUBLIC = frozenset({"Detector", "Face", "load"})
"""What `import facepoints` offers."""

TRAINING_EXTRA = {
    "torch",
    "torchvision",
    "lightning",
    "safetensors",
    "matplotlib",
    "pandas",
    "optuna",
    "filelock",
    "sqlalchemy",
    "mlflow",
    "wandb",
    "onnx",
    "onnxscript",
    "tensorboard",
}
"""Packages that the base install lacks."""

EXPORT = ("facepoints.deployment.export", "facepoints.deployment.finder_export", "facepoints.deployment.precision")
"""The one door from deployment to training: it turns networks into files, and makes those smaller."""


def name_of(path: Path) -> str:
    parts = ("facepoints", *path.relative_to(SOURCES).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): ast.parse(path.read_text("utf-8")) for path in sorted(SOURCES.rglob("*.py"))}


def imports(tree: ast.AST, lazy: bool) -> Iterator[str]:
    """What a module imports by its full name; `lazy`: inside functions, too. Imports for types alone don't count."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide where they lead"
            assert node.module
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in MODULES else node.module
        elif isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            continue
        elif lazy or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from imports(node, lazy)


def of_the_house(module: str, lazy: bool) -> set[str]:
    return {name for name in imports(MODULES[module], lazy) if name.split(".")[0] == "facepoints"} - {module}


def floor(module: str) -> int:
    room = module.split(".")[1]
    return next(height for height, rooms in enumerate(FLOORS) if room in rooms)


INNER = [module for module in MODULES if module != "facepoints"]


def test_the_imports_were_found() -> None:
    assert "facepoints.data.faces" in of_the_house("facepoints.training.fit", lazy=False)
    assert "facepoints.training.fit" in of_the_house("facepoints.commands.training", lazy=True)
    assert "facepoints.training.fit" not in of_the_house("facepoints.commands.training", lazy=False)
    assert "torch" in set(imports(MODULES["facepoints.training.fit"], lazy=False))


@pytest.mark.parametrize("module", INNER)
def test_every_room_has_its_floor(module: str) -> None:
    assert any(module.split(".")[1] in rooms for rooms in FLOORS), "say in FLOORS where it belongs"


@pytest.mark.parametrize("module", INNER)
def test_imports_run_downhill(module: str) -> None:
    """Those inside functions, too: they are for start-up time, not for circles."""
    up = {name for name in of_the_house(module, lazy=True) if name == "facepoints" or floor(name) > floor(module)}
    assert up == set()


def circle_through(module: str, path: tuple[str, ...], done: set[str]) -> tuple[str, ...]:
    if module in path:
        return (*path[path.index(module) :], module)
    if module in done:
        return ()
    for name in sorted(of_the_house(module, lazy=True)):
        if circle := circle_through(name, (*path, module), done):
            return circle
    done.add(module)
    return ()


def test_no_imports_run_in_a_circle() -> None:
    done: set[str] = set()
    assert [circle for module in INNER if (circle := circle_through(module, (), done))] == []


def test_training_and_deployment_meet_only_in_a_file() -> None:
    apart = ("facepoints.training", "facepoints.models", "facepoints.evaluation", "facepoints.inspection")
    crossed = {
        module: sorted(name for name in of_the_house(module, lazy=True) if name.startswith(apart))
        for module in INNER
        if module.startswith("facepoints.deployment") and module not in EXPORT
    }
    assert {module: names for module, names in crossed.items() if names} == {}
    packages = {(m, name.split(".")[0]) for m in crossed for name in imports(MODULES[m], lazy=True)}
    assert {(module, package) for module, package in packages if package in TRAINING_EXTRA} == set()
    below = {module for module in INNER if module.startswith(apart)}
    assert {module for module in below for name in of_the_house(module, lazy=True) if ".deployment" in name} == set()


def loaded_with(module: str, seen: set[str]) -> Iterator[tuple[str, str]]:
    """(module of the house, package) for everything that importing a module loads."""
    seen.add(module)
    for name in imports(MODULES[module], lazy=False):
        package = name.split(".")[0]
        if package != "facepoints":
            yield module, package
        elif name in MODULES and name not in seen:
            yield from loaded_with(name, seen)


BASE = [
    module
    for module in MODULES
    if module.split(".")[1:2] in (["data"], ["deployment"], ["demo"], ["commands"], ["cli"]) or module.count(".") < 2
    if module not in EXPORT
]


@pytest.mark.parametrize("module", BASE)
def test_the_base_install_is_enough_to_import(module: str) -> None:
    heavy = {(where, package) for where, package in loaded_with(module, set()) if package in TRAINING_EXTRA}
    assert heavy == set()


def test_the_public_names_are_these() -> None:
    assert set(facepoints.__all__) == PUBLIC
    assert all(hasattr(facepoints, name) for name in PUBLIC)
    bound: set[str] = set()
    for node in ast.walk(MODULES["facepoints"]):
        if isinstance(node, ast.ImportFrom) and node.module not in ("__future__", "typing"):
            bound |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            bound.add(node.name)
    assert {name for name in bound if not name.startswith("_")} == PUBLIC | {"detector"}  # looked up when asked for


@pytest.mark.parametrize("command", [c.callback.__name__ for c in cli.app.registered_commands if c.callback])
def test_every_command_stands_in_the_readme(command: str) -> None:
    assert re.search(rf"\bfacepoints {command}\b", README.read_text("utf-8"))

"""The structure: imports point downward, never in a circle, and the base install never imports torch."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from facepoints.cli import main as cli

ROOT = Path(__file__).parents[1]
SOURCES = ROOT / "src" / "facepoints"

LEVELS = (
    ("errors", "keypoints", "files", "metrics", "scores", "drawing"),
    ("data",),
    ("models", "inference"),
    ("training",),
    ("evaluation", "exploration", "auditing", "tuning"),
    ("reports", "exporting", "server"),
    ("cli",),
)
"""From low to high. A module imports from its own package and from lower levels; the lowest modules may also
import each other."""

TRAINING_EXTRA = frozenset(
    [
        "torch",
        "torchvision",
        "torchinfo",
        "lightning",
        "safetensors",
        "matplotlib",
        "jinja2",
        "scipy",
        "pandas",
        "optuna",
        "filelock",
        "sqlalchemy",
        "mlflow",
        "wandb",
        "onnx",
        "onnxscript",
        "tensorboard",
        "plotly",
    ]
)
"""Distributions that the base install lacks."""

NO_TORCH = ("inference", "server")
"""Packages that meet training only in a file."""

MOST_MODULES, MOST_LINES = 15, 300


def name_of(path: Path) -> str:
    parts = ("facepoints", *path.relative_to(SOURCES).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


PATHS = {name_of(path): path for path in sorted(SOURCES.rglob("*.py"))}
MODULES = {name: ast.parse(path.read_text("utf-8")) for name, path in PATHS.items()}
INNER = [module for module in MODULES if module != "facepoints"]


def imports(tree: ast.AST, *, lazy: bool) -> Iterator[str]:
    """Full names of what a module imports; `lazy` adds imports inside functions and under TYPE_CHECKING."""
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
            yield from imports(node, lazy=lazy) if lazy else ()
        elif lazy or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from imports(node, lazy=lazy)


def own_imports(module: str, *, lazy: bool) -> set[str]:
    return {name for name in imports(MODULES[module], lazy=lazy) if name.split(".")[0] == "facepoints"} - {module}


def package(module: str) -> str:
    return module.split(".")[1]


def level(module: str) -> int:
    return next(height for height, packages in enumerate(LEVELS) if package(module) in packages)


def test_the_imports_were_found() -> None:
    assert "facepoints.data.dataset" in own_imports("facepoints.training.fit", lazy=False)
    assert "facepoints.training.fit" in own_imports("facepoints.cli.training", lazy=True)
    assert "facepoints.training.fit" not in own_imports("facepoints.cli.training", lazy=False)
    assert "torch" in set(imports(MODULES["facepoints.training.fit"], lazy=False))


@pytest.mark.parametrize("module", INNER)
def test_imports_point_downward(module: str) -> None:
    """Those inside functions and under TYPE_CHECKING, too."""
    base = package(module) in LEVELS[0]
    wrong = {
        name
        for name in own_imports(module, lazy=True)
        if (name == "facepoints" and package(module) != "cli")
        or (
            name != "facepoints"
            and package(name) != package(module)
            and level(name) >= level(module)
            and not (base and level(name) == 0)
        )
    }
    assert wrong == set()


def circle_through(module: str, path: tuple[str, ...], done: set[str]) -> tuple[str, ...]:
    if module in path:
        return (*path[path.index(module) :], module)
    if module in done:
        return ()
    for name in sorted(own_imports(module, lazy=True)):
        if circle := circle_through(name, (*path, module), done):
            return circle
    done.add(module)
    return ()


def test_no_import_circle() -> None:
    done: set[str] = set()
    assert [circle for module in MODULES if (circle := circle_through(module, (), done))] == []


def test_training_and_inference_meet_only_in_a_file() -> None:
    """Not even inside a function: both packages work without torch."""
    heavy = {
        (module, name.split(".")[0])
        for module in INNER
        if package(module) in NO_TORCH
        for name in imports(MODULES[module], lazy=True)
    }
    assert {(module, name) for module, name in heavy if name in TRAINING_EXTRA} == set()


def loaded_with(module: str, seen: set[str]) -> Iterator[tuple[str, str]]:
    """(own module, distribution) for everything that importing a module loads."""
    seen.add(module)
    for name in imports(MODULES[module], lazy=False):
        first = name.split(".")[0]
        if first != "facepoints":
            yield module, first
        elif name in MODULES and name not in seen:
            yield from loaded_with(name, seen)


BASE = [m for m in INNER if package(m) in ("data", "cli", *NO_TORCH, *LEVELS[0])]


@pytest.mark.parametrize("module", ["facepoints", *BASE])
def test_the_base_install_is_enough_to_import(module: str) -> None:
    heavy = {(where, name) for where, name in loaded_with(module, set()) if name in TRAINING_EXTRA}
    assert heavy == set()


def test_folders_and_modules_stay_small() -> None:
    folders = Counter(path.parent for path in PATHS.values() if path.name != "__init__.py")
    assert {str(folder): n for folder, n in folders.items() if n > MOST_MODULES} == {}
    lines = {name: len(path.read_text("utf-8").splitlines()) for name, path in PATHS.items()}
    assert {name: n for name, n in lines.items() if n > MOST_LINES} == {}


def test_tests_mirror_the_sources() -> None:
    """Modules with functions or classes have a test module at the mirrored path.

    tests/without_own_tests.txt lists those that only the tests of other modules cover. The list may shrink, not grow.
    """
    with_logic = {
        path.relative_to(SOURCES)
        for name, path in PATHS.items()
        if path.name != "__init__.py"
        and any(isinstance(node, ast.FunctionDef | ast.ClassDef) for node in ast.walk(MODULES[name]))
    }
    tests = ROOT / "tests"
    without = {path.as_posix() for path in with_logic if not (tests / path.parent / f"test_{path.name}").exists()}
    assert without == set((tests / "without_own_tests.txt").read_text("utf-8").split())


def test_javascript_and_python_files_have_different_names() -> None:
    scripts = {path.stem for path in SOURCES.rglob("*.js")}
    assert scripts & {path.stem for path in PATHS.values()} == set()


@pytest.mark.parametrize("command", [c.callback.__name__ for c in cli.app.registered_commands if c.callback])
def test_every_command_stands_in_the_readme(command: str) -> None:
    assert re.search(rf"\bfacepoints {command}\b", (ROOT / "README.md").read_text("utf-8"))

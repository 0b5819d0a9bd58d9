"""The table of the recipes: what is measured anew replaces what was there, and the rest stays."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from facepoints.data.faces import LabeledFaces
from facepoints.training.recipe_book import BOOK

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "accuracy.py"


@pytest.fixture
def accuracy(monkeypatch: pytest.MonkeyPatch, few_faces: LabeledFaces) -> ModuleType:
    """The script, with trainings that cost nothing: each is worse than the one before."""
    found = importlib.util.spec_from_file_location("accuracy_benchmark", SCRIPT)
    assert found is not None
    assert found.loader is not None
    script = importlib.util.module_from_spec(found)
    found.loader.exec_module(script)
    scores = iter(range(2, 1000))

    def measure(name: str, *_: object) -> dict[str, Any]:
        one = {"rmse": next(scores), "interval": (1, 3), "median_face": 1}
        return {**row(), "recipe": name, "all": one, "parameters": 5, "seconds_per_epoch": 1.0}

    monkeypatch.setattr(script, "measure", measure)
    monkeypatch.setattr(script, "load_training", lambda data: few_faces)
    return script


def row(epochs: int = 30, allowed: int = 30, of_recipe: int = 30) -> dict[str, Any]:
    return {"epochs": epochs, "epochs_allowed": allowed, "epochs_of_recipe": of_recipe}


def test_only_some_recipes_leave_the_others_figures_and_the_readme(
    accuracy: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    readme, table = tmp_path / "README.md", tmp_path / "out" / "recipes.json"
    readme.write_text(f"before\n{accuracy.BEGIN}\nold\n{accuracy.END}\nafter\n")

    def run(*words: str) -> dict[str, int]:
        monkeypatch.setattr(sys, "argv", ["accuracy.py", "drawn", "--out", str(table.parent), *words])
        accuracy.main()
        return {line["recipe"]: line["all"]["rmse"] for line in json.loads(table.read_text())}

    assert run("--only", "cnn", "--readme", str(readme)) == {"cnn": 2}
    assert "old" in readme.read_text()
    everything = run("--readme", str(readme))
    assert {"dense", "cnn", "masked", "cnn-masked"} <= set(everything) <= set(BOOK) - {"demo"}
    text = readme.read_text()
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "old" not in text
    assert all(f"| `{name}` |" in text for name in everything)
    assert "chosen by its RMSE on these very rows" in text

    again = run("--only", "masked", "--only", "dense", "--readme", str(readme))
    assert {name for name in again if again[name] != everything[name]} == {"masked", "dense"}
    assert all(f"| `{name}` |" in readme.read_text() for name in everything)


def test_figures_of_other_rows_are_not_mixed_in(accuracy: ModuleType, tmp_path: Path) -> None:
    lines = [{"recipe": "a", "judged": "these"}, {"recipe": "b", "judged": "others"}, {"recipe": "older"}]
    (tmp_path / "recipes.json").write_text(json.dumps(lines))
    assert set(accuracy.kept(tmp_path / "recipes.json", "these")) == {"a", "older"}
    assert accuracy.kept(tmp_path / "none.json", "these") == {}


@pytest.mark.parametrize(
    ("epochs", "allowed", "of_recipe", "words"),
    [
        (30, 30, 30, ""),
        (12, 12, 30, " (capped)"),
        (9, 12, 30, " (stopped early)"),
        (9, 30, 30, " (stopped early)"),
    ],
)
def test_why_a_training_ended(accuracy: ModuleType, epochs: int, allowed: int, of_recipe: int, words: str) -> None:
    assert accuracy.ending(row(epochs, allowed, of_recipe)) == words

"""The page of all approaches: each has its line, and its sentences say what the pairs say."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import cv2
import pytest

from facepoints.errors import BadChoice
from facepoints.training.recipe_book import BOOK

Pretend = Callable[[dict[str, float]], None]


def run(approaches: ModuleType, out: Path, monkeypatch: pytest.MonkeyPatch, *words: str) -> Path:
    page = out.parent / "approaches.md"
    monkeypatch.setattr(sys, "argv", ["approaches.py", "drawn", "--out", str(out), "--page", str(page), *words])
    approaches.main()
    return page


def test_every_approach_is_told_of(approaches: ModuleType) -> None:
    assert set(approaches.WHO) == set(BOOK)


def test_a_variant_differs_in_one_thing_from_its_recipe(approaches: ModuleType) -> None:
    for name, (recipe, parent) in approaches.VARIANTS.items():
        assert recipe.name == parent  # so that it has its budget
        changed = set(recipe.differences(BOOK[parent][0]))
        assert len(changed) == 1 or changed == {"angles", "shift"}, name


def test_no_page_before_all_are_trained(
    approaches: ModuleType,
    pretended: Pretend,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pretended({})
    page = run(approaches, tmp_path / "runs", monkeypatch, "--only", "cnn", "--only", "cnn turned")
    assert not page.exists()
    said = capsys.readouterr().out
    assert "not trained: dense" in said
    assert "cnn turned" not in said
    with pytest.raises(BadChoice, match="--only cnm: expected one of"):
        run(approaches, tmp_path / "runs", monkeypatch, "--only", "cnm")


def test_the_page_says_what_was_measured(
    approaches: ModuleType, pretended: Pretend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretended({"masked": 2.0, "base-extended": 2.0, "flagship": 1.0, "cnn-flip": 2.5, "cnn, half as wide": 3.5})
    page = run(approaches, tmp_path / "runs", monkeypatch)
    text = page.read_text()
    lines = text.splitlines()
    assert all(any(line.startswith(f"| `{name}` |") for line in lines) for name in BOOK)
    assert all(any(line.startswith(f"| {name} |") for line in lines) for name in approaches.VARIANTS)
    table = [line.split("`")[1] for line in lines if line.startswith("| `")]
    assert table[0] == "flagship"  # the best first
    fill, turns, size = (line for line in lines if line.startswith("- **"))
    assert "px less" in fill  # than with mean fill: 2 against 3
    assert "no difference beyond luck" in fill  # to complete rows only
    assert "px less" in turns
    assert "than turning" in turns
    assert "px more" in size
    assert "`dense` 12" in text  # the budget
    picture = cv2.imread(str(page.with_suffix(".png")))
    assert picture is not None
    assert min(picture.shape[:2]) > 300

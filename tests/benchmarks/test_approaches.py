"""The page of all approaches: a line for each, and sentences that agree with the measured pairs."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import cv2
import pytest
from rich.console import Console

from facepoints.data.dataset import LabeledFaces
from facepoints.data.split import split_groups
from facepoints.errors import BadChoice
from facepoints.training.builtin_recipes import BUILTIN_RECIPES

Pretend = Callable[[dict[str, float]], None]


def run(approaches: ModuleType, out: Path, monkeypatch: pytest.MonkeyPatch, *words: str) -> Path:
    page = out.parent / "approaches.md"
    monkeypatch.setattr(sys, "argv", ["approaches.py", "synthetic", "--out", str(out), "--page", str(page), *words])
    approaches.main()
    return page


def test_every_approach_is_described(approaches: ModuleType) -> None:
    assert set(approaches.WHO) == set(BUILTIN_RECIPES)


def test_the_networks_of_a_pair_differ_in_one_thing(
    approaches: ModuleType, accuracy: ModuleType, few_faces: LabeledFaces, tmp_path: Path
) -> None:
    rows = split_groups(few_faces, 0.3, 0)
    bench = accuracy.Bench(few_faces, rows, few_faces.take(rows.validation), tmp_path, Console(quiet=True))
    pairs = {(bench.recipe(name, own), bench.recipe(parent)) for name, (own, parent) in approaches.VARIANTS.items()}
    pairs |= {(bench.recipe("cnn-flip"), bench.recipe("cnn")), (bench.recipe("base-extended"), bench.recipe("masked"))}
    for one, other in pairs:
        changed = set(one.differences(other))
        # fewer rows have more epochs, which the page states; rotation and shift count as one setting
        assert changed in ({"missing"}, {"width"}, {"flip"}, {"angles", "shift"}, {"missing", "epochs"}), one.name
    assert (
        bench.recipe("cnn, rotated", approaches.VARIANTS["cnn, rotated"][0]).epochs == bench.recipe("cnn-flip").epochs
    )


def test_no_page_before_all_are_trained(
    approaches: ModuleType,
    simulated: Pretend,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    simulated({})
    page = run(approaches, tmp_path / "runs", monkeypatch, "--only", "cnn", "--only", "cnn, rotated")
    assert not page.exists()
    printed = capsys.readouterr().out
    assert "not trained: dense" in printed
    assert "cnn, rotated" not in printed
    with pytest.raises(BadChoice, match="--only cnm: expected one of"):
        run(approaches, tmp_path / "runs", monkeypatch, "--only", "cnm")


def test_the_page_says_what_was_measured(
    approaches: ModuleType, simulated: Pretend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulated(
        {
            "masked": 1.5,
            "masked, mean imputation": 4.0,
            "base-extended": 0.7,
            "flagship": 0.5,
            "cnn-flip": 2.0,
            "cnn, half as wide": 5.0,
        }
    )
    page = run(approaches, tmp_path / "runs", monkeypatch, "--about", "These faces are synthetic.", "--epochs", "cnn=9")
    text = page.read_text()
    lines = text.splitlines()
    assert all(any(line.startswith(f"| `{name}` |") for line in lines) for name in BUILTIN_RECIPES)
    assert all(any(line.startswith(f"| {name} |") for line in lines) for name in approaches.VARIANTS)
    table = [line.split("`")[1] for line in lines if line.startswith("| `")]
    assert table[0] == "flagship"  # the best first
    fill, turns, size = (line for line in lines if line.startswith("- **"))
    assert re.search(r"replaced by means .* has 4.00 px: the masked loss is \S+ px lower \(", fill)
    assert re.search(r"complete rows only.* has 0.70 px: the masked loss is \S+ px higher \(", fill)
    assert "has 3.00 px. With half of the faces flipped it has 2.00 px, which is" in turns
    assert re.search(
        r"which is \S+ px lower .*; with faces rotated .* 3.00 px, which is no significant difference", turns
    )
    assert re.search(r"Compared with rotation and shift, flipping is \S+ px lower \(", turns)
    assert re.search(r"Half as wide .* it has 5.00 px, which is \S+ px higher \(", size)
    assert re.search(r"a quarter as wide .* 3.00 px, which is no significant difference \(between", size)
    for low, high in re.findall(r" px (?:lower|higher) \((\S+) to (\S+)\)", text):
        assert float(low) <= float(high)
    assert "`cnn` 9" in text
    assert "These faces are synthetic." in text
    assert "(approaches.png)" in text
    assert "`dense` 12" in text  # the budget
    picture = cv2.imread(str(page.with_suffix(".png")))
    assert picture is not None
    assert min(picture.shape[:2]) > 300

"""The table of the recipes: the same rows and a budget for all, and no table before all are trained."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from facepoints.data.dataset import LabeledFaces
from facepoints.data.split import split_groups
from facepoints.errors import BadChoice
from facepoints.training.builtin_recipes import BUILTIN_RECIPES, find
from facepoints.training.fit import fit
from facepoints.training.recipe import Recipe


def bench(accuracy: ModuleType, data: LabeledFaces, out: Path, **more: Any) -> Any:
    rows = split_groups(data, 0.3, 0)
    return accuracy.Bench(data, rows, data.take(rows.validation), out, Console(quiet=True), **more)


def test_all_recipes_get_the_same_rows_and_their_budget(
    accuracy: ModuleType, few_faces: LabeledFaces, tmp_path: Path
) -> None:
    one = bench(
        accuracy, few_faces, tmp_path, label_issues="audit.csv", epochs={"dense": 3, "flagship": 8, "cnn-leaky": 99}
    )
    for name in set(BUILTIN_RECIPES) - {"cnn-leaky"}:
        recipe = one.recipe(name)
        assert (recipe.split, recipe.validation_fraction, recipe.seed) == ("groups", accuracy.FRACTION, accuracy.SEED)
        assert recipe.drop_label_issues == "audit.csv"
        assert recipe.epochs <= BUILTIN_RECIPES[name][0].epochs
    assert (one.recipe("dense").epochs, one.recipe("cnn-leaky").epochs) == (3, 99)
    assert one.recipe("cnn").epochs == accuracy.BUDGET["cnn"]
    assert one.recipe("cnn-masked").epochs == find("cnn-masked").epochs
    assert (one.recipe("flagship").epochs, one.recipe("flagship").squared_epochs) == (8, 2)
    assert Path(one.recipe("flagship").teacher) == tmp_path / "flagship-ensemble"
    assert one.recipe("cnn, wide", find("cnn").replace(width=64)).epochs == accuracy.BUDGET["cnn"]  # a variant's, too
    assert set(accuracy.BUDGET) <= set(BUILTIN_RECIPES)


def test_all_are_scored_on_the_validation_rows_of_the_flagship(accuracy: ModuleType) -> None:
    for name in ("flagship", "flagship-ensemble"):
        recipe = find(name)
        assert (recipe.split, recipe.validation_fraction, recipe.seed) == ("groups", accuracy.FRACTION, accuracy.SEED)


def test_a_line_says_what_its_training_was(
    accuracy: ModuleType, few_faces: LabeledFaces, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny: Recipe
) -> None:
    small = tiny.replace(name="flagship-ensemble", network="heatmap", folds=2, epochs=1, width=4)
    monkeypatch.setitem(accuracy.BUILTIN_RECIPES, "flagship-ensemble", (small, None))
    one = bench(accuracy, few_faces, tmp_path)
    for _ in range(2):  # the second time it is there
        one.train("flagship-ensemble")
    assert one.is_trained("flagship-ensemble")
    run = one.run("flagship-ensemble")
    predictions = one.predict(run)
    line = one.figures("flagship-ensemble", run, predictions)
    error = (predictions - one.evaluation.points)[one.evaluation.observed]
    assert line["all"]["rmse"] == pytest.approx(float(np.sqrt(np.square(error).mean())), rel=1e-5)
    assert (line["epochs"], line["epochs_allowed"], line["epochs_of_recipe"]) == (1, 1, 1)
    assert line["seconds"] > 0
    assert line["parameters"] > 0
    assert {"A", "B"} <= set(line)

    place = {"flagship-ensemble": tmp_path / "flagship-ensemble"}
    elsewhere = bench(accuracy, few_faces, tmp_path / "other", trained=place)
    elsewhere.train("flagship-ensemble")  # is there: nothing is trained
    assert not (tmp_path / "other").exists()
    assert np.array_equal(elsewhere.predict(elsewhere.run("flagship-ensemble")), predictions)
    with pytest.raises(BadChoice, match="not a run of dense as trained here"):
        bench(accuracy, few_faces, tmp_path, trained={"dense": place["flagship-ensemble"]}).run("dense")
    other = bench(accuracy, few_faces, tmp_path, label_issues="audit.csv", trained=place)
    with pytest.raises(BadChoice, match=r"drop_label_issues is not 'audit\.csv' there"):
        other.run("flagship-ensemble")


def test_a_run_trained_on_validation_rows_is_refused(
    accuracy: ModuleType, few_faces: LabeledFaces, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny: Recipe
) -> None:
    monkeypatch.setitem(
        accuracy.BUILTIN_RECIPES, "demo", (tiny.replace(name="demo", epochs=1, expected_error=False), None)
    )
    one = bench(accuracy, few_faces, tmp_path)
    other = split_groups(few_faces, 0.3, 1)
    fit(one.recipe("demo"), few_faces, tmp_path / "demo", rows=other)
    with pytest.raises(BadChoice, match="was trained on some of the validation rows"):
        one.run("demo")


def test_no_table_before_all_are_trained(
    accuracy: ModuleType,
    simulated: Callable[[dict[str, float]], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    readme, out = tmp_path / "README.md", tmp_path / "out"
    readme.write_text(f"before\n{accuracy.BEGIN}\nolder table\n{accuracy.END}\nafter\n")
    simulated({})

    def run(*words: str) -> str:
        monkeypatch.setattr(
            sys, "argv", ["accuracy.py", "synthetic", "--out", str(out), "--readme", str(readme), *words]
        )
        accuracy.main()
        return capsys.readouterr().out

    assert "not trained: dense" in run("--only", "cnn")
    assert "older table" in readme.read_text()
    run()
    text = readme.read_text()
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "older table" not in text
    assert all(f"| `{name}` |" in text for name in BUILTIN_RECIPES)
    assert "chosen by its RMSE on the same validation rows" in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--epochs", "cnn"], "--epochs cnn: expected RECIPE=VALUE"),
        (["--epochs", "cnn="], "--epochs cnn: expected RECIPE=VALUE"),
        (["--epochs", "nothing=3"], "--epochs nothing: expected RECIPE=VALUE"),
        (["--epochs", "cnn=few"], "--epochs cnn=few: expected a number"),
        (["--epochs", "cnn=0"], "--epochs cnn=0: expected a number"),
        (["--only", "cnm"], "--only cnm: expected one of"),
        (["--trained", "cnn=no/where"], "--trained cnn=no/where: no finished run there"),
        (["--readme", "no/where.md"], "no place for the table"),
    ],
)
def test_invalid_arguments_are_one_line(
    accuracy: ModuleType,
    words: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(
        accuracy, "load_training", lambda data: pytest.fail("data were read before the arguments were checked")
    )
    monkeypatch.setattr(sys, "argv", ["accuracy.py", "synthetic", *words])
    with pytest.raises(SystemExit) as ended:
        accuracy.one_line(accuracy.main)
    assert ended.value.code == 2
    printed = capsys.readouterr().err
    assert message in printed
    assert printed.count("\n") == 1


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
    line = {"epochs": epochs, "epochs_allowed": allowed, "epochs_of_recipe": of_recipe}
    assert accuracy.ending(line) == words

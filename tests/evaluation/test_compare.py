"""Models are compared on the same rows and points, in the right order, the same way each time, or refused."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from facepoints.data.dataset import LabeledFaces
from facepoints.errors import BadChoice
from facepoints.evaluation.compare import Candidate, Comparison, common_faces, compare
from facepoints.evaluation.seeds import train_seeds
from facepoints.keypoints import FIFTEEN, FOUR
from facepoints.reports.comparison.files import names_of, write_comparison
from facepoints.reports.comparison.page import most_different
from facepoints.reports.comparison.tables import print_comparison, verdict
from facepoints.training.recipe import Recipe
from fixtures.strict_html import check

Known = Callable[..., Any]


def candidates(*models: Any) -> list[Candidate]:
    return [Candidate(model.name, (model,)) for model in models]


@pytest.fixture(scope="module")
def three(data: LabeledFaces, known: Known) -> Comparison:
    models = [known("coarse", 3.0, 1), known("fine", 1.0, 2), known("as fine", 1.0, 3)]
    return compare(candidates(*models), data)


def test_the_best_comes_first_and_luck_is_told_from_skill(three: Comparison) -> None:
    best, second, last = three.results
    assert {best.name, second.name} == {"fine", "as fine"}
    assert last.name == "coarse"
    assert best.to_best is None
    assert second.to_best is not None
    assert last.to_best is not None
    assert second.to_best.p_value > 0.05 > 0.001 > last.to_best.p_value
    assert last.to_best.low < last.to_best.value == pytest.approx(last.scores.rmse - best.scores.rmse)
    assert last.scores.rmse == pytest.approx(3, rel=0.05)
    assert last.interval[0] < last.scores.rmse < last.interval[1]
    assert verdict(three).startswith(f"{best.name} is best with {best.scores.rmse:.2f} px")
    assert f"the difference to {second.name} is not significant" in verdict(three)


def test_the_same_seed_gives_the_same_files(
    three: Comparison, data: LabeledFaces, known: Known, tmp_path: Path
) -> None:
    models = [known("as fine", 1.0, 3), known("coarse", 3.0, 1), known("fine", 1.0, 2)]
    for name, found in (("a", three), ("b", compare(candidates(*models), data))):
        write_comparison(found, tmp_path / name)
    assert {file.name for file in (tmp_path / "a").iterdir()} == {"compare.html", "compare.json", "curves.png"}
    for file in (tmp_path / "a").iterdir():
        assert (tmp_path / "b" / file.name).read_bytes() == file.read_bytes(), file.name
    check((tmp_path / "a" / "compare.html").read_text("utf-8"))
    about = json.loads((tmp_path / "a" / "compare.json").read_text())
    assert [model["name"] for model in about["models"]] == [result.name for result in three.results]
    assert about["faces"] == len(data) - 1  # one row has no label


@pytest.mark.parametrize("width", [80, 150])
def test_the_table_fits_the_terminal(three: Comparison, width: int) -> None:
    text = io.StringIO()
    print_comparison(three, Console(file=text, width=width))
    assert max(map(len, text.getvalue().splitlines())) <= width
    assert "…" not in text.getvalue()
    assert ("median per face" in text.getvalue()) == (width > 100)


def test_rows_and_points_are_those_that_all_can_be_asked_about(data: LabeledFaces, known: Known) -> None:
    one, other = known("one", 1.0, seen=frozenset(range(1000, 1040))), known("other", 1.0, keypoints=FIFTEEN.only(FOUR))
    some, own, words = common_faces(candidates(one, other), data)
    assert some.keypoints.names == FIFTEEN.only(FOUR).names
    assert some.row.tolist() == list(range(1040, 1120))
    assert [int(rows.chosen.sum()) for rows in own] == [80, 120]
    assert "each alone could be evaluated on 80 to 120 rows" in words
    assert "the 4 keypoints that all models predict" in words
    of_run, _, _ = common_faces(candidates(other, known("third", 1.0)), data, rows_of=one)
    assert of_run.row.tolist() == some.row.tolist()


REFUSED: dict[str, tuple[Callable[[Known], list[Any]], str]] = {
    "one model": (lambda known: [known("one", 1.0)], "give two or more"),
    "a model twice": (lambda known: [known("one", 1.0), known("one", 2.0)], "one given twice"),
    "too few common rows": (
        lambda known: [
            known("one", 1.0, seen=frozenset(range(1000, 1060))),
            known("two", 1.0, seen=frozenset(range(1055, 1115))),
        ],
        "only 5 labeled rows are left.*expected at least 30",
    ),
    "no common point": (
        lambda known: [
            known("one", 1.0, keypoints=FIFTEEN.only(FOUR[:2])),
            known("two", 1.0, keypoints=FIFTEEN.only(FOUR[2:])),
        ],
        "two: no keypoint is predicted by all",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_compared_is_refused(kind: str, data: LabeledFaces, known: Known) -> None:
    models, message = REFUSED[kind]
    with pytest.raises(BadChoice, match=message):
        compare(candidates(*models(known)), data)


def test_several_trainings_are_one_line_with_their_spread(data: LabeledFaces, known: Known) -> None:
    fine = Candidate("fine", tuple(known(f"fine {i}", 1.0, i) for i in range(3)))
    coarse = Candidate("coarse", tuple(known(f"coarse {i}", 1.2, 10 + i) for i in range(3)))
    first, second = compare([coarse, fine], data).results
    assert (first.name, second.name, len(first.by_seed)) == ("fine", "coarse", 3)
    assert first.scores.rmse == pytest.approx(np.sqrt(np.mean(np.square(first.by_seed))))
    assert second.to_best_over_seeds is not None
    assert second.to_best_over_seeds.value == pytest.approx(np.mean(second.by_seed) - np.mean(first.by_seed))
    assert second.to_best_over_seeds.p_value < 0.05
    assert first.to_best_over_seeds is None


def test_the_faces_shown_are_those_farthest_apart(three: Comparison, data: LabeledFaces) -> None:
    best, _, last = three.results
    apart = np.where(three.data.observed[..., None], best.points - last.points, 0)
    mean = np.square(apart).sum(axis=(1, 2)) / three.data.observed.sum(axis=1)
    assert most_different(three, best, last).tolist() == np.argsort(-mean, kind="stable")[:16].tolist()


def test_names_are_short_where_that_is_enough(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").touch()
    assert names_of([tmp_path / "a", tmp_path / "m.onnx"]) == ["a", "m.onnx"]
    assert names_of([Path("x/run"), Path("y/run"), Path("other")]) == ["x/run", "y/run", "other"]


def test_recipes_are_trained_on_the_same_rows_and_never_twice(
    tiny: Recipe, few_faces: LabeledFaces, tmp_path: Path
) -> None:
    quiet = Console(file=io.StringIO())
    recipes = [
        tiny.replace(name="one", epochs=1, squared_epochs=0),
        tiny.replace(name="two", epochs=1, squared_epochs=0, flip=0),
    ]
    folders = train_seeds(recipes, 2, few_faces, tmp_path, quiet)
    runs = [tmp_path / f"{name}-seed{seed}" for name in ("one", "two") for seed in (0, 1)]
    assert [run for own in folders.values() for run in own] == runs
    kept = [json.loads((run / "run.json").read_text())["validation_rows"] for run in runs]
    assert all(rows == kept[0] for rows in kept)
    models = [(run / "model.safetensors").read_bytes() for run in runs]
    assert len(set(models)) == 4
    times = [(run / "model.safetensors").stat().st_mtime_ns for run in runs]
    assert train_seeds(recipes, 2, few_faces, tmp_path, quiet) == folders
    assert [(run / "model.safetensors").stat().st_mtime_ns for run in runs] == times


@pytest.mark.parametrize(("seeds", "names"), [(1, ("a", "b")), (2, ("a", "a")), (2, ("a",))])
def test_no_spread_without_two_trainings_of_two_recipes(
    seeds: int, names: tuple[str, ...], tiny: Recipe, few_faces: LabeledFaces, tmp_path: Path
) -> None:
    with pytest.raises(BadChoice, match="--seeds"):
        train_seeds(
            [tiny.replace(name=name) for name in names], seeds, few_faces, tmp_path, Console(file=io.StringIO())
        )
    assert not list(tmp_path.iterdir())

"""A search resumes, scores all trials on the same rows, and refuses the study of another search."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import optuna
import pytest
from filelock import FileLock
from optuna.pruners import HyperbandPruner, MedianPruner
from rich.console import Console

from facepoints.data.dataset import LabeledFaces
from facepoints.errors import BadChoice, BadFile, BadRun, FacepointsError, MissingExtra
from facepoints.reports.tuning.page import write_study
from facepoints.training.recipe import Recipe, read_toml
from facepoints.tuning import search as search_module
from facepoints.tuning.progress import SearchProgress
from facepoints.tuning.results import StudyResult
from facepoints.tuning.search import Plan, tune
from facepoints.tuning.space import Range, read_space
from facepoints.tuning.storage import DATABASE, default_url, open_storage, quiet_optuna, shown
from facepoints.tuning.study import choose_pruner

START = Recipe(name="small", network="plain", width=2, dense_units=8, epochs=9, batch_size=16, flip=0.5)
SPACE = read_space(START, ["learning_rate=1e-4..1e-1", "dropout=0..0.5", "width=2,4"])
PLAN = Plan(START, SPACE, epochs=4, trials=6)

Go = Callable[..., StudyResult]


class Trainings:
    """Stands in for `fit`: the RMSE of a recipe at once, reported by epoch as in a training."""

    def __init__(self) -> None:
        self.recipes: list[Recipe] = []
        self.rows: list[Any] = []
        self.stop_at: int | None = None
        self.diverges = False

    def __call__(self, recipe: Recipe, data: LabeledFaces, folder: Path, **options: Any) -> Any:
        self.recipes.append(recipe)
        self.rows.append(options["rows"])
        if len(self.recipes) == self.stop_at:
            raise KeyboardInterrupt
        folder.mkdir(parents=True)
        (folder / "model.safetensors").touch()
        (folder / "last.safetensors").touch()
        rmse = float("nan") if self.diverges and len(self.recipes) > 1 else 2 + recipe.dropout
        for epoch in range(recipe.epochs):
            module = SimpleNamespace(validation_metrics={"rmse": rmse + 3 / (1 + epoch)}, train_metrics={"loss": rmse})
            for callback in options["callbacks"]:
                callback.on_validation_end(SimpleNamespace(current_epoch=epoch, max_epochs=recipe.epochs), module)
        return SimpleNamespace(rmse=rmse)


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> Trainings:
    made = Trainings()
    monkeypatch.setattr(search_module, "fit", made)
    return made


@pytest.fixture
def go(few_faces: LabeledFaces, tmp_path: Path) -> Go:
    def go(
        plan: Plan = PLAN, data: LabeledFaces = few_faces, out: Path = tmp_path / "tune", **options: Any
    ) -> StudyResult:
        progress = SearchProgress(Console(file=io.StringIO()), plan.epochs)
        return tune(plan, data, out, progress, **options)

    return go


def test_a_search_trains_and_leaves_a_recipe_that_can_be_trained(
    few_faces: LabeledFaces, tmp_path: Path, go: Go
) -> None:
    plan = Plan(START, SPACE, epochs=2, trials=3)
    found = go(plan, report=write_study)
    assert len(found.finished) == 3
    assert found.best is not None
    assert found.baseline is not None
    assert found.baseline.number == 0
    scores = json.loads((tmp_path / "tune" / "trials" / f"{found.best.number:04}" / "scores.json").read_text())
    assert found.best.rmse == pytest.approx(scores["rmse"], abs=1e-4)
    assert found.best.rmse is not None
    assert found.baseline.rmse is not None
    assert found.best.rmse <= found.baseline.rmse
    assert min(found.best.curve.values()) == pytest.approx(found.best.rmse, abs=1e-3)
    rows = {(f / "run.json").read_text().partition("validation_rows")[2] for f in (tmp_path / "tune/trials").iterdir()}
    assert len(rows) == 1
    best = read_toml(tmp_path / "tune" / "best.toml")
    assert best == START.replace(name="small-tuned", summary=best.summary, **found.best.values)
    kept = json.loads((tmp_path / "tune" / "study.json").read_text())
    assert kept["best"]["rmse"] == found.best.rmse
    assert len(kept["trials"]) == 3


def test_all_trials_are_judged_on_the_same_rows_and_begin_with_the_recipe(trainings: Trainings, go: Go) -> None:
    found = go()
    assert len(found.finished) == len(trainings.recipes) == 6
    assert trainings.recipes[0] == START.replace(epochs=4)
    assert len({id(rows) for rows in trainings.rows}) == 1
    assert {recipe.epochs for recipe in trainings.recipes} == {4}
    assert len({recipe.learning_rate for recipe in trainings.recipes}) == 6
    assert found.best is not None
    assert found.best.values["dropout"] == min(recipe.dropout for recipe in trainings.recipes)


def test_weights_are_kept_of_the_first_and_the_best_trial_only(trainings: Trainings, go: Go, tmp_path: Path) -> None:
    found = go()
    heavy = {path.parent.name for path in tmp_path.rglob("*.safetensors")}
    assert found.best is not None
    assert heavy == {"0000", f"{found.best.number:04}"}
    assert not list(tmp_path.rglob("last.safetensors"))


def test_the_same_command_goes_on(trainings: Trainings, go: Go) -> None:
    go(replace(PLAN, trials=4))
    found = go()
    assert len(found.finished) == len(trainings.recipes) == 6
    assert len({recipe.learning_rate for recipe in trainings.recipes}) == 6, "random draws must not come twice"
    assert go() == found
    assert len(trainings.recipes) == 6


def test_a_trial_that_ctrl_c_stopped_is_repeated(trainings: Trainings, go: Go, tmp_path: Path) -> None:
    trainings.stop_at = 3
    with pytest.raises(KeyboardInterrupt):
        go(report=write_study)
    assert (tmp_path / "tune" / "best.toml").exists()
    found = go()
    assert trainings.recipes[3] == trainings.recipes[2]
    assert len(found.finished) == 6
    assert len(found.in_state("failed")) == 1
    assert not found.in_state("running", "waiting")


def killed(out: Path) -> None:
    """What kill -9 leaves of a trial: its state stays `running`."""
    with quiet_optuna(), open_storage(default_url(out), shared=False) as storage:
        trial = optuna.load_study(storage=storage, study_name=START.name).ask()
        for field, domain in SPACE.items():
            domain.sample(trial, field)
        trial.report(7.0, 1)


def test_a_trial_that_was_killed_is_repeated(trainings: Trainings, go: Go, tmp_path: Path) -> None:
    go(replace(PLAN, trials=3))
    killed(tmp_path / "tune")
    found = go()
    assert len(found.finished) == 6
    assert [trial.number for trial in found.in_state("failed")] == [3]
    again = trainings.recipes[3]
    assert again.dropout == pytest.approx(found.trials[3].values["dropout"], rel=1e-3)
    assert not found.in_state("running", "waiting")


def test_trials_of_another_process_are_left_alone(trainings: Trainings, go: Go, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'study.db'}"
    go(replace(PLAN, trials=2), storage=url)
    with quiet_optuna():
        other = optuna.load_study(storage=url, study_name=START.name).ask()
        other.set_user_attr("worker", "elsewhere:/tune")
    found = go(replace(PLAN, trials=4), out=tmp_path / "second", storage=url)
    assert len(found.finished) == 3, "the fourth is being trained elsewhere"
    assert [trial.number for trial in found.in_state("running")] == [other.number]
    own = [trial.number for trial in found.finished if trial.worker.endswith("second")]
    assert {path.name for path in (tmp_path / "second" / "trials").iterdir()} == {f"{number:04}" for number in own}


def test_what_diverges_is_given_up_and_never_the_best(trainings: Trainings, go: Go) -> None:
    trainings.diverges = True
    found = go(replace(PLAN, trials=3))
    assert [trial.state for trial in found.trials] == ["complete", "pruned", "pruned"]
    assert found.best == found.baseline


def test_bad_trials_are_given_up_early(trainings: Trainings, go: Go) -> None:
    found = go(replace(PLAN, trials=20))
    pruned = found.in_state("pruned")
    assert pruned
    assert all(len(trial.curve) < 4 for trial in pruned)
    assert found.importance["dropout"] == max(found.importance.values()), "only dropout matters to these trainings"
    assert sum(found.importance.values()) == pytest.approx(1)


def test_nothing_starts_after_the_time_is_over(trainings: Trainings, go: Go) -> None:
    found = go(replace(PLAN, trials=None, seconds=0.2))
    assert 1 <= len(found.finished) < 200


@pytest.mark.parametrize(
    ("epochs", "trials", "kind"),
    [
        (6, 20, MedianPruner),
        (6, None, MedianPruner),
        (6, 41, HyperbandPruner),
        (30, 41, MedianPruner),
        (1, 1, MedianPruner),
    ],
)
def test_hyperband_prunes_where_each_bracket_sees_enough_trials(epochs: int, trials: int | None, kind: type) -> None:
    assert type(choose_pruner(epochs, trials)) is kind


OTHERS: dict[str, tuple[Plan, str]] = {
    "recipe": (replace(PLAN, recipe=START.replace(kernel=5)), "another recipe (kernel is 3 there, 5 here)"),
    "epochs": (replace(PLAN, epochs=5), "trials of 4 epochs, not 5"),
    "range": (
        replace(PLAN, space=SPACE | {"dropout": Range(0, 0.4)}),
        "another search space (dropout varies over 0..0.5 there, 0..0.4 here)",
    ),
    "field": (replace(PLAN, space={"dropout": SPACE["dropout"]}), "learning_rate varies over 0.0001..0.1 (log) there"),
}


@pytest.mark.parametrize("other", OTHERS)
def test_another_search_is_refused(trainings: Trainings, go: Go, tmp_path: Path, other: str) -> None:
    go(replace(PLAN, trials=1))
    before = (tmp_path / "tune" / DATABASE).read_bytes()
    plan, words = OTHERS[other]
    with pytest.raises(BadRun) as refused:
        go(plan)
    assert words in str(refused.value)
    assert (tmp_path / "tune" / DATABASE).read_bytes() == before


def test_other_data_are_refused(trainings: Trainings, go: Go, few_faces: LabeledFaces) -> None:
    go(replace(PLAN, trials=1))
    with pytest.raises(BadRun, match="has other data"):
        go(data=few_faces.take(few_faces.row[:50]))


def test_a_study_of_another_program_is_refused(trainings: Trainings, go: Go, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'study.db'}"
    with quiet_optuna():
        optuna.create_study(storage=url, study_name="theirs").ask()
    with pytest.raises(BadRun, match="was not created by `facepoints tune`"):
        go(storage=url, name="theirs")


def test_a_study_whose_creator_was_killed_at_once_is_continued(trainings: Trainings, go: Go, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'study.db'}"
    with quiet_optuna():
        optuna.create_study(storage=url, study_name=START.name)
    assert len(go(replace(PLAN, trials=2), storage=url).finished) == 2
    assert trainings.recipes[0] == START.replace(epochs=4)


def test_two_searches_in_one_folder_are_refused(trainings: Trainings, go: Go, tmp_path: Path) -> None:
    (tmp_path / "tune").mkdir()
    with FileLock(tmp_path / "tune" / ".search.lock"), pytest.raises(BadRun, match="another search is running"):
        go()


UNREACHABLE: dict[str, tuple[type[FacepointsError], str]] = {
    "postgresql+psycopg://me:secret@127.0.0.1:1/studies": (BadRun, "cannot be opened"),
    "sqlite:////nowhere/at/all/study.db": (BadRun, "unable to open database file"),
    "study.db": (BadChoice, "not the URL of a database"),
    "redis://localhost": (BadRun, "sqlite:///FILE"),
    "mysql+aiomysql://localhost/studies": (MissingExtra, "driver is not installed"),
}


@pytest.mark.parametrize("url", UNREACHABLE)
def test_a_storage_out_of_reach_is_one_line(trainings: Trainings, go: Go, url: str, tmp_path: Path) -> None:
    if "psycopg" in url:
        pytest.importorskip("psycopg", reason="psycopg is not installed")
    kind, words = UNREACHABLE[url]
    with pytest.raises(kind) as refused:
        go(storage=url)
    assert words in str(refused.value)
    assert "secret" not in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not trainings.recipes
    assert not list(tmp_path.iterdir())


def test_a_password_is_never_shown() -> None:
    assert "secret" not in shown("postgresql+psycopg://me:secret@host/studies")
    assert "me" in shown("postgresql+psycopg://me:secret@host/studies")


def test_a_damaged_study_is_one_line(trainings: Trainings, go: Go, tmp_path: Path) -> None:
    (tmp_path / "tune").mkdir()
    (tmp_path / "tune" / DATABASE).write_text("no database\nat all\n")
    with pytest.raises(BadRun, match="file is not a database"):
        go()


def test_a_folder_that_cannot_be_written_is_one_line(trainings: Trainings, go: Go, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BadFile, match="file"):
        go(out=tmp_path / "file" / "tune")


def test_a_teacher_is_not_trained_for_every_trial(trainings: Trainings, go: Go) -> None:
    with pytest.raises(BadChoice, match="train it once"):
        go(replace(PLAN, recipe=START.replace(teacher="cnn-masked", network="heatmap")))

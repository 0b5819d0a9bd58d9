"""The page of a search holds every trial and fetches nothing, also without finished trials."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import pytest
from rich.console import Console

from facepoints.reports.tuning.charts import _limit, charts
from facepoints.reports.tuning.page import print_study, study_page, write_study
from facepoints.training.recipe import Recipe, read_toml
from facepoints.tuning.results import StudyResult, TrialResult
from facepoints.tuning.space import read_space
from fixtures.strict_html import check

START = Recipe(name="<small>", network="plain")
SPACE = read_space(START, ["learning_rate=1e-4..1e-2", "width=16,32", "missing=mask,mean"])


def tried(number: int, state: str, rmse: float | None) -> TrialResult:
    values = {"learning_rate": 1e-4 * (1 + number), "width": (16, 32)[number % 2], "missing": "mask"}
    curve = {epoch: (rmse or 1) + 1 / epoch for epoch in range(1, 4)} if rmse is not None else {}
    return TrialResult(number, state, rmse, values, curve, 60.0 * number, "box:/tune")


def found(*trials: TrialResult) -> StudyResult:
    return StudyResult("small", START, SPACE, 3, trials, {})


MANY = (
    *(tried(i, "complete" if i % 3 else "pruned", 2 + (i * 7 % 5)) for i in range(12)),
    tried(12, "failed", None),
    tried(13, "pruned", None),
)
STAGES = {"nothing": (), "running": (tried(0, "running", None),), "one": (tried(0, "complete", 2.0),), "many": MANY}


@pytest.mark.parametrize("stage", STAGES)
def test_the_page_is_whole_at_every_stage(stage: str, tmp_path: Path) -> None:
    write_study(found(*STAGES[stage]), tmp_path)
    page = (tmp_path / "study.html").read_text("utf-8")
    check(page)
    assert page.rstrip().endswith("</html>")
    assert "&lt;small&gt;" in page
    assert "<small>" not in page
    assert not re.search(r"https?://|<script|\bnan\b|\binf\b", page)


def test_every_chart_is_in_the_page() -> None:
    result = found(*MANY)
    made = charts(result)
    assert set(made) == {"history", "curves", "parallel", "learning_rate", "width"}, "missing has a single value"
    assert all(f'aria-label="RMSE by {field}"' in study_page(result) for field in ("learning_rate", "width"))


def test_one_diverged_trial_does_not_compress_the_others() -> None:
    trials = [tried(i, "complete", 2 + i / 10) for i in range(8)]
    assert _limit(found(*trials, tried(8, "complete", 4000.0))) < 2 * _limit(found(*trials))


def test_files_and_table(tmp_path: Path) -> None:
    write_study(found(*MANY), tmp_path)
    kept = json.loads((tmp_path / "study.json").read_text("utf-8"))
    assert kept["best"]["rmse"] == min(trial["rmse"] for trial in kept["trials"] if trial["state"] == "complete")
    assert read_toml(tmp_path / "best.toml").learning_rate == kept["best"]["values"]["learning_rate"]
    console = Console(file=io.StringIO(), width=100)
    print_study(found(*MANY), console)
    assert f"{kept['best']['rmse']:.3f}" in console.file.getvalue()  # type: ignore[attr-defined]
    assert "finished trials, best 2.000 px" in repr(found(*MANY))

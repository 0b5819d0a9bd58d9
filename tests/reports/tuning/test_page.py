"""The page of a search holds every trial and fetches nothing, however little there is to show."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from facepoints.reports.tuning.charts import Scale, errors_scale, scale_of
from facepoints.reports.tuning.page import study_page, write_page
from facepoints.training.recipe import Recipe
from facepoints.tuning.results import Found, Tried
from facepoints.tuning.space import Choice, Range, read_space

START = Recipe(name="<small>", network="plain")
SPACE = read_space(START, ["learning_rate=1e-4..1e-2", "width=16,32", "missing=mask,mean"])


def tried(number: int, state: str, rmse: float | None) -> Tried:
    values = {"learning_rate": 1e-4 * (1 + number), "width": (16, 32)[number % 2], "missing": "mask"}
    curve = {epoch: (rmse or 1) + 1 / epoch for epoch in range(1, 4)} if rmse is not None else {}
    return Tried(number, state, rmse, values, curve, 60.0 * number, "box:/tune")


def found(*trials: Tried) -> Found:
    return Found("small", START, SPACE, 3, trials, {})


MANY = (
    *(tried(i, "complete" if i % 3 else "pruned", 2 + (i * 7 % 5)) for i in range(12)),
    tried(12, "failed", None),
    tried(13, "pruned", None),
)
STAGES = {"nothing": (), "running": (tried(0, "running", None),), "one": (tried(0, "complete", 2.0),), "many": MANY}


@pytest.mark.parametrize("stage", STAGES)
def test_the_page_is_whole_at_every_stage(stage: str, tmp_path: Path) -> None:
    write_page(found(*STAGES[stage]), tmp_path)
    page = (tmp_path / "study.html").read_text("utf-8")
    assert page.endswith("</html>\n")
    assert "&lt;small&gt;" in page
    assert "<small>" not in page
    assert not re.search(r"https?://|<script|nan|inf\b", page)


def test_every_judged_trial_is_a_mark_in_every_chart() -> None:
    page = study_page(found(*MANY))
    evaluation = [trial for trial in MANY if trial.rmse is not None]
    for trial in evaluation:
        # history, curves, a slice for each field, parallel coordinates
        assert page.count(f"<title>trial {trial.number}, ") == 2 + len(SPACE) + 1
    assert page.count('stroke="none"') == 0


@pytest.mark.parametrize("domain", [*SPACE.values(), Range(1, 64, whole=True), Choice((True, False))])
def test_values_and_ticks_lie_on_the_scale(domain: Range | Choice) -> None:
    scale = scale_of(domain)
    ends = domain.values if isinstance(domain, Choice) else (domain.low, domain.high)
    places = [scale.place(value) for value in ends]
    assert all(0 <= place <= 1 for place in places)
    assert len(set(places)) == len(ends)
    assert all(-1e-6 <= place <= 1 + 1e-6 for place, _ in scale.ticks())
    assert len(scale.ticks()) >= 2


def test_a_ratio_is_a_distance_on_a_logarithmic_scale() -> None:
    scale = Scale(1e-4, 1e-2, log=True)
    assert scale.place(1e-3) == pytest.approx(0.5)
    assert Scale(0, 10).place(2.5) == pytest.approx(0.25)


def test_one_diverged_trial_does_not_flatten_the_others() -> None:
    calm = errors_scale(found(*(tried(i, "complete", 2 + i / 10) for i in range(8))))
    wild = errors_scale(found(*(tried(i, "complete", 2 + i / 10) for i in range(8)), tried(8, "complete", 4000.0)))
    assert wild.high < 2 * calm.high
    assert wild.place(4000.0) == 1

"""Both pages in a browser: nothing is fetched, nothing is wider than a phone, tabs open, and no picture lacks words."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from facepoints.data.dataset import LabeledFaces
from facepoints.evaluation.compare import Candidate, compare
from facepoints.evaluation.evaluate import evaluate
from facepoints.evaluation.trained_run import open_run
from facepoints.reports.comparison.page import compare_page
from facepoints.reports.evaluation.page import evaluate_page

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
QUIET += ["--disable-background-networking", "--disable-component-update"]


@pytest.fixture(scope="module")
def pages(
    tiny_run: Path,
    few_faces: LabeledFaces,
    data: LabeledFaces,
    known: Callable[..., Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Path]:
    """The page of a run, that of a model that says its expected error, and that of a comparison."""
    folder = tmp_path_factory.mktemp("pages")
    models = [known(name, off, says=True) for name, off in (("fine", 1.0), ("<b>coarse</b> & co", 3.0))]
    made = {
        "run": evaluate_page(evaluate(open_run(tiny_run), few_faces, rows="all")),
        "sure": evaluate_page(evaluate(models[1], data)),
        "compared": compare_page(compare([Candidate(model.name, (model,)) for model in models], data)),
    }
    for name, page in made.items():
        (folder / f"{name}.html").write_text(page, "utf-8")
    return {name: folder / f"{name}.html" for name in made}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("no chromium")
    with playwright.sync_playwright() as started:
        running = started.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield running
        running.close()


@pytest.mark.parametrize("name", ["run", "sure", "compared"])
def test_a_page_fits_a_phone_and_fetches_nothing(name: str, pages: dict[str, Path], browser: Any) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 800}, color_scheme="dark")
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(pages[name].as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert [url for url in asked if not url.startswith("data:")] == [pages[name].as_uri()]
    assert page.locator("img:not([alt]), svg:not([aria-label])").count() == 0
    for tab in page.locator(".tabs > label").all():
        tab.click()
        assert page.locator(".panels > div:visible figure").count() > 0
    context.close()


def test_the_run_s_page_tells_all_that_is_known(pages: dict[str, Path]) -> None:
    text = pages["run"].read_text("utf-8")
    titles = re.findall(r"<h2>(.*?)</h2>", text)
    assert titles == ["Scores", "Keypoints", "Error breakdown", "Faces", "Training"]
    for words in (
        "95 % confidence interval",
        "trainable parameters",
        "best epoch",
        "difference from the defaults",
        " layers<",
    ):
        assert words in text


def test_calibration_is_shown_where_errors_are_given_and_names_are_words(pages: dict[str, Path]) -> None:
    text = pages["sure"].read_text("utf-8")
    assert "<h2>Calibration of the expected error</h2>" in text
    assert "<b>coarse</b>" not in text + pages["compared"].read_text("utf-8")
    assert "&lt;b&gt;coarse" in text

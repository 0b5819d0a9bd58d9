"""Review of label issues in a browser; skipped without Chromium."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from facepoints.auditing.audit import AuditResult
from facepoints.auditing.issues import list_issues
from facepoints.auditing.posterior import estimate_posterior
from facepoints.data.corrections import apply_corrections, read_corrections
from facepoints.data.dataset import LabeledFaces
from facepoints.data.duplicates import find_near_duplicates
from facepoints.reports.audit import write_audit

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
QUIET += ["--disable-background-networking", "--disable-component-update"]


@pytest.fixture(scope="module")
def page_file(injected: Any, expected: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    data = injected.data
    posterior, near_duplicates = estimate_posterior(data, expected), find_near_duplicates(data.faces)
    issues = list_issues(data, posterior, near_duplicates, 0.95, [])
    folder = tmp_path_factory.mktemp("page")
    write_audit(AuditResult(data, tuple(issues), posterior, tuple(near_duplicates)), folder)
    return folder / "audit.html", issues


@pytest.fixture(scope="module")
def browser() -> Any:
    if CHROMIUM is None:
        pytest.skip("no chromium")
    with playwright.sync_playwright() as started:
        running = started.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield running
        running.close()


@pytest.fixture
def page(browser: Any, page_file: Any) -> Any:
    context = browser.new_context(accept_downloads=True, viewport={"width": 1200, "height": 900})
    opened = context.new_page()
    faults = []
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.goto(page_file[0].as_uri())
    yield opened
    assert not faults
    context.close()


def downloaded(page: Any, path: Any) -> Any:
    with page.expect_download() as download:
        page.click("#download")
    download.value.save_as(path)
    return json.loads(path.read_text())


def test_filters_show_one_kind(page: Any, page_file: Any) -> None:
    for kind in ("swapped", "displaced", "duplicate"):
        page.click(f"#filters button[data-kind={kind}]")
        number = sum(s.kind == kind for s in page_file[1])
        assert page.locator("article:visible").count() == number
    page.click("#filters button[data-kind=all]")
    assert page.locator("article:visible").count() == len(page_file[1])


def test_marks_drags_and_the_file_they_give(page: Any, page_file: Any, injected: Any, tmp_path: Path) -> None:
    moved = page.locator("article[data-kind=displaced]").first
    ring = moved.locator(".point.reported")
    name, row = ring.get_attribute("data-keypoint"), int(moved.get_attribute("data-row"))
    ring.scroll_into_view_if_needed()
    box = ring.locator(".hold").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    scale = 96 / moved.locator("figure svg").first.bounding_box()["width"]
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 20, y + 10, steps=4)
    page.mouse.up()
    page.locator("article[data-kind=swapped]").first.locator("button.wrong").click()
    page.locator("article[data-kind=mismatched]").first.locator("button.fine").click()
    page.reload()  # marks outlive the page
    assert page.text_content("#progress").startswith("3 of ")
    found = {c["kind"]: c for c in downloaded(page, tmp_path / "corrections.json")["corrections"]}
    assert found["displaced"]["row"] == row
    given = injected.data.points[row, injected.data.keypoints.index(name)]
    there = found["displaced"]["points"][name]
    assert there == pytest.approx([given[0] + 20 * scale, given[1] + 10 * scale], abs=0.15)
    assert (found["swapped"]["mark"], found["mismatched"]["mark"]) == ("wrong", "fine")
    assert len(read_corrections(tmp_path / "corrections.json")) == 3
    corrected = apply_corrections(injected.data, tmp_path / "corrections.json")
    assert len(corrected) == len(injected.data) - 1


def test_the_keyboard_is_enough(page: Any, page_file: Any, tmp_path: Path) -> None:
    page.keyboard.press("j")
    page.keyboard.press("w")
    page.keyboard.press("j")
    page.keyboard.press("f")
    page.keyboard.press("j")
    page.keyboard.press("c")
    page.keyboard.press("k")
    page.keyboard.press("u")
    found = downloaded(page, tmp_path / "c.json")["corrections"]
    first, _, third = page_file[1][:3]
    assert [(c["row"], c["mark"]) for c in found] == [(first.row, "wrong"), (third.row, "wrong")]
    point = page.locator("article .point").first
    point.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowDown")
    assert "corrected" in point.get_attribute("aria-label")


def test_exchanging_left_and_right_mends_a_swapped_row(
    page: Any, page_file: Any, synthetic: LabeledFaces, tmp_path: Path
) -> None:
    card = page.locator("article[data-kind=swapped]").first
    row = int(card.get_attribute("data-row"))
    card.locator("button.suggest").click()
    (found,) = downloaded(page, tmp_path / "c.json")["corrections"]
    for name, place in found["points"].items():
        assert place == pytest.approx(synthetic.points[row, synthetic.keypoints.index(name)].tolist(), abs=0.01)


def test_nothing_is_wider_than_a_phone(browser: Any, page_file: Any) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 800})
    page = context.new_page()
    page.goto(page_file[0].as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    context.close()

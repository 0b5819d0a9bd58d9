"""A browser for tests of the page: what it needs, how it is started, what it may not say."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from facepoints.inference.face_network import FACE_DETECTOR
from facepoints.server.page import FOLDER, WEIGHTS

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
QUIET += ["--disable-background-networking", "--disable-component-update"]
AXE = Path(__file__).parents[2] / "page" / "node_modules" / "axe-core" / "axe.min.js"

needs_runtime = pytest.mark.skipif(
    not (FOLDER / "runtime" / "ort.wasm.min.mjs").is_file(), reason="no network in the browser: run scripts/page"
)

needs_finder = pytest.mark.skipif(not (WEIGHTS / FACE_DETECTOR).is_file(), reason="no finder's network in the package")
PATIENCE = 120_000
"""Milliseconds that anything may take: a busy machine needs them, a page that hangs fails all the same."""


@contextmanager
def chromium(*more: str) -> Iterator[Any]:
    """A browser; skips the test where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no chromium")
    with playwright.sync_playwright() as started:
        running = started.chromium.launch(executable_path=CHROMIUM, args=[*QUIET, *more])
        yield running
        running.close()


@contextmanager
def opened(browser: Any, url: str, *, may_say: str = "", without_finder: bool = False, **looks: Any) -> Iterator[Any]:
    """The page in a window; in the end it must have logged no error, but for those with these words.

    without_finder: as if the package had no network that finds faces.
    """
    context = browser.new_context(accept_downloads=True, **{"viewport": {"width": 1280, "height": 900}, **looks})
    context.set_default_timeout(PATIENCE)
    page, faults = context.new_page(), []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda said: faults.append(said.text) if said.type in ("error", "warning") else None)
    if without_finder:
        page.route("**/about.json", lambda route: route.fulfill(json=route.fetch().json() | {"face_detector": None}))
    page.goto(url)
    page.wait_for_selector("#examples button")
    yield page
    context.close()
    assert [fault for fault in faults if not may_say or may_say not in fault] == []


def sent_by(page: Any) -> list[str]:
    """Addresses that the page sends something to, from now on; what only asks is not among them."""
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if request.method != "GET" else None)
    return sent


def wait_for_text(page: Any, selector: str, pattern: str) -> None:
    """Until the text of an element matches; the page's own rules forbid waiting for a function."""
    page.locator(selector).filter(has_text=re.compile(pattern)).wait_for(timeout=PATIENCE)


def wait_for_faces(page: Any, photo: str = "") -> None:
    """Until the photo that is shown, or the one of this name, has its points."""
    wait_for_text(page, "#status", f"Found .* in {re.escape(photo)}")


def shown_points(page: Any) -> NDArray[np.float64]:
    """The points (k, 2) of the first face, px of the photo, as they are drawn."""
    dots = page.locator("#marks .dot[data-face='0']").all()
    return np.array([[float(dot.get_attribute(axis)) for axis in ("cx", "cy")] for dot in dots])


def write_video(path: Path, frames: list[NDArray[np.uint8]]) -> None:
    """BGR frames (h, w, 3) as Chromium's camera plays them, over and over, 30 a second."""
    h, w = frames[0].shape[:2]
    with path.open("wb") as file:
        file.write(f"YUV4MPEG2 W{w} H{h} F30:1 Ip A1:1 C420\n".encode())
        for frame in frames:
            file.write(b"FRAME\n" + np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2YUV_I420)).tobytes())

"""Chromium for tests of the page."""

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

needs_face_detector = pytest.mark.skipif(
    not (WEIGHTS / FACE_DETECTOR).is_file(), reason="no face detector in the package"
)
TIMEOUT = 120_000
"""Milliseconds for any step; long, because the machine may be busy."""


@contextmanager
def chromium(*more: str) -> Iterator[Any]:
    """A browser; skips the test without one."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no chromium")
    with playwright.sync_playwright() as started:
        running = started.chromium.launch(executable_path=CHROMIUM, args=[*QUIET, *more])
        yield running
        running.close()


@contextmanager
def opened(
    browser: Any, url: str, *, allowed: str = "", without_face_detector: bool = False, **options: Any
) -> Iterator[Any]:
    """The page in a window; afterwards it must not have logged an error, except those that contain `allowed`.

    without_face_detector: as if the package had no face detector.
    """
    context = browser.new_context(accept_downloads=True, **{"viewport": {"width": 1280, "height": 900}, **options})
    context.set_default_timeout(TIMEOUT)
    page, errors = context.new_page(), []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda line: errors.append(line.text) if line.type in ("error", "warning") else None)
    if without_face_detector:
        page.route("**/about.json", lambda route: route.fulfill(json=route.fetch().json() | {"face_detector": None}))
    page.goto(url)
    page.wait_for_selector("#examples button")
    yield page
    context.close()
    assert [error for error in errors if not allowed or allowed not in error] == []


def sent_by(page: Any) -> list[str]:
    """URLs of the page's requests other than GET, from now on."""
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if request.method != "GET" else None)
    return sent


def wait_for_text(page: Any, selector: str, pattern: str) -> None:
    """Wait until the text of an element matches; the page's security policy forbids waiting for a function."""
    page.locator(selector).filter(has_text=re.compile(pattern)).wait_for(timeout=TIMEOUT)


def wait_for_faces(page: Any, photo: str = "") -> None:
    """Wait until the current photo, or the one of this name, has its points."""
    wait_for_text(page, "#status", f"Found .* in {re.escape(photo)}")


def shown_points(page: Any) -> NDArray[np.float64]:
    """The displayed points (k, 2) of the first face, px of the photo."""
    dots = page.locator("#marks .dot[data-face='0']").all()
    return np.array([[float(dot.get_attribute(axis)) for axis in ("cx", "cy")] for dot in dots])


def write_video(path: Path, frames: list[NDArray[np.uint8]]) -> None:
    """BGR frames (h, w, 3) as a file that Chromium's fake camera repeats at 30 frames/s."""
    h, w = frames[0].shape[:2]
    with path.open("wb") as file:
        file.write(f"YUV4MPEG2 W{w} H{h} F30:1 Ip A1:1 C420\n".encode())
        for frame in frames:
            file.write(b"FRAME\n" + np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2YUV_I420)).tobytes())

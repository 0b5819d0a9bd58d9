"""The camera's part of the page, with Chromium's make-believe camera that plays a moving face."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facepoints.server.app import Settings
from moving_photo import moving_photo

from .browser import (
    TIMEOUT,
    chromium,
    needs_face_detector,
    needs_runtime,
    opened,
    sent_by,
    shown_points,
    wait_for_faces,
    wait_for_text,
    write_video,
)


@pytest.fixture(scope="module")
def filmed(ben: Any, detector: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Four seconds of a head that sways, to begin again, and where the detector sees its points in each frame."""
    turn = np.linspace(0, 2 * np.pi, 120, endpoint=False)
    path = np.stack([30 * np.sin(turn), 10 * np.sin(turn), 1.4 + 0 * turn, 0.1 * np.sin(turn)], axis=1)
    made = list(moving_photo(ben.pixels, ben.points, path, noise=2.0))
    file = tmp_path_factory.mktemp("camera") / "face.y4m"
    write_video(file, [frame for frame, _ in made])
    seen = [detector.refine(frame[..., 0], detector.regions_of(points[None])).points[0] for frame, points in made]
    return file, np.array(seen)


@pytest.fixture(scope="module")
def url(running: Any) -> Any:
    with running(Settings()) as client:
        yield str(client.base_url)


@pytest.fixture(scope="module")
def browser(filmed: Any) -> Any:
    camera = ("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream")
    with chromium(*camera, f"--use-file-for-fake-video-capture={filmed[0]}") as started:
        yield started


def follow(page: Any) -> None:
    page.wait_for_selector("#marks .dot", timeout=TIMEOUT)
    wait_for_text(page, "#status", "^Tracking your face")


@needs_runtime
def test_points_follow_the_face_and_a_picture_can_be_kept(browser: Any, url: Any, filmed: Any, tmp_path: Path) -> None:
    with opened(browser, url) as page:
        page.click("#camera")
        follow(page)
        page.wait_for_timeout(1500)  # the first points are of a frame before the server's answer
        seen = []
        for _ in range(20):
            page.wait_for_timeout(50)
            seen.append(shown_points(page))
        page.screenshot(path=tmp_path / "camera.png")
        mirrored = np.stack([points for points in seen if len(points)]) * [-1, 1] + [639, 0]
        away = np.linalg.norm(mirrored[:, None] - filmed[1][None], axis=3).mean(axis=2).min(axis=1)
        eyes = np.linalg.norm(filmed[1][0, 0] - filmed[1][0, 1])
        assert np.median(away) < 0.1 * eyes
        rate = re.match(r"\d+", page.text_content("#frame-rate"))
        assert rate is not None
        assert int(rate.group()) > 0
        page.click("#take-photo")
        wait_for_faces(page)
        assert page.text_content("#title") == "camera 1.png"
        assert page.locator("#photo").is_visible()


DETECTION = [
    pytest.param(False, id="face_detector", marks=needs_face_detector),
    pytest.param(True, id="held-in-the-middle"),
]


@needs_runtime
@pytest.mark.parametrize("without_face_detector", DETECTION)
def test_on_the_device_the_camera_sends_nothing(browser: Any, url: Any, without_face_detector: Any) -> None:
    with opened(browser, url, without_face_detector=without_face_detector) as page:
        sent = sent_by(page)
        page.check("#on-device")
        page.click("#camera")
        follow(page)
        page.click("#stop")
        assert page.is_hidden("#video")
        assert sent == []


def test_the_server_can_follow_too(browser: Any, url: Any) -> None:
    about = {"runtime": False, "face_detector": None, "measures": True}
    with browser.new_context() as context:
        page = context.new_page()
        page.route("**/about.json", lambda route: route.fulfill(json=about))
        page.goto(url)
        page.click("#camera")
        follow(page)

"""The page, clicked through in a browser against a server; pictures of its screens stay in pytest's folder."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from facepoints.inference.batch.result_files import FACE_COLUMNS
from facepoints.inference.measures import COLUMNS, measure
from facepoints.inference.regions import Regions
from facepoints.server.app import Settings

from .browser import (
    AXE,
    chromium,
    needs_face_detector,
    needs_runtime,
    opened,
    sent_by,
    shown_points,
    wait_for_faces,
    wait_for_text,
)

DARK_PHONE = {"viewport": {"width": 390, "height": 800}, "color_scheme": "dark", "has_touch": True}
LOOKS = [pytest.param({}, id="light-desktop"), pytest.param(DARK_PHONE, id="dark-phone")]


@pytest.fixture(scope="module")
def url(running: Any) -> Any:
    with running(Settings()) as client:
        yield str(client.base_url)


@pytest.fixture(scope="module")
def browser() -> Any:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def shots(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return tmp_path_factory.mktemp("shots")


@pytest.fixture
def page(browser: Any, url: Any) -> Any:
    with opened(browser, url) as window:
        yield window


@pytest.fixture
def photo(anna: Any, png: Any) -> Any:
    return {"name": "anna.png", "mimeType": "image/png", "buffer": png(anna.pixels)}


@pytest.mark.parametrize("looks", LOOKS)
def test_every_screen_is_within_reach_of_everybody(browser: Any, url: Any, shots: Any, looks: Any) -> None:
    if not AXE.is_file():
        pytest.skip("no axe-core: run scripts/page")
    name = looks.get("color_scheme", "light")
    # the page's own rules let no script in from elsewhere, nor this one
    with opened(browser, url, bypass_csp=True, **looks) as page:

        def check(screen: Any) -> None:
            page.screenshot(path=shots / f"{name}-{screen}.png", full_page=True)
            assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]
            found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
            assert [(v["id"], [n["html"] for n in v["nodes"]]) for v in found["violations"]] == []

        page.add_script_tag(path=AXE)
        check("start")
        page.click("#examples button >> nth=2")
        wait_for_faces(page)
        for switch in ("#names", "#rings", "#measures"):
            page.check(switch)
        for summary in page.locator("summary").all():
            summary.click()
        check("faces")
        if page.is_enabled("#on-device"):
            page.check("#on-device")
            page.click("#add-face")
            check("frame")


def test_hovering_and_switches_tell_more(page: Any) -> None:
    page.click("#examples button >> nth=2")
    wait_for_faces(page)
    assert page.locator("#marks .dot").count() == 30
    assert page.locator("#point-table tbody tr").count() == 15
    page.locator("#marks .hold[data-name=nose_tip]").last.hover()
    assert page.text_content("#tip").startswith("nose tip, expected error ")
    page.locator("#point-table button").nth(3).focus()
    assert page.text_content("#tip").startswith("left eye outer corner, expected error ")
    for switch, marks in (("#names", "#marks .label"), ("#rings", "#marks .ring"), ("#measures", "#measure-table tr")):
        assert page.locator(marks).locator("visible=true").count() == 0
        page.check(switch)
        assert page.locator(marks).locator("visible=true").count() > 0
    first = page.text_content("#point-table")
    page.click("#faces button >> nth=1")
    assert page.text_content("#point-table") != first
    page.locator("#marks .box").first.click(position={"x": 5, "y": 5})
    assert page.text_content("#point-table") == first


def test_points_lie_where_the_detector_says_and_the_files_agree(
    page: Any, photo: Any, anna: Any, detector: Any, tmp_path: Path
) -> None:
    page.set_input_files("#files", photo)
    wait_for_faces(page)
    (face,) = detector.faces(anna.pixels)
    assert shown_points(page) == pytest.approx(face.points, abs=0.02)
    page.check("#names")
    saved = {}
    for kind in ("csv", "json", "png"):
        with page.expect_download() as download:
            page.click(f"#{kind}")
        saved[kind] = tmp_path / download.value.suggested_filename
        download.value.save_as(saved[kind])
    (row,) = csv.DictReader(saved["csv"].read_text().splitlines())
    points = [f"{name}_{part}" for name in detector.keypoints.names for part in ("x", "y", "error")]
    assert list(row) == [*FACE_COLUMNS, *points, *COLUMNS]
    (entry,) = json.loads(saved["json"].read_text())
    assert (entry["file"], row["file"]) == ("anna.png", "anna.png")
    for name, point in zip(detector.keypoints.names, face.points, strict=True):
        assert entry["faces"][0]["points"][name] == pytest.approx(point, abs=0.01)
        assert [float(row[f"{name}_x"]), float(row[f"{name}_y"])] == pytest.approx(point, abs=0.01)
    drawn = cv2.imread(str(saved["png"]))
    assert drawn is not None
    assert drawn.shape[:2] == anna.pixels.shape
    x, y = np.rint(face.points[10]).astype(int)
    assert drawn[y, x].tolist() == [0xAA, 0xEB, 0x3C]


def test_zooming_enlarges_around_the_middle(page: Any, photo: Any) -> None:
    page.set_input_files("#files", photo)
    wait_for_faces(page)
    wide = page.locator("#sheet").bounding_box()["width"]
    page.click("#larger")
    page.focus("#stage")
    page.keyboard.press("+")
    assert page.locator("#sheet").bounding_box()["width"] == pytest.approx(wide * 2.25, rel=0.03)
    page.click("#fit")
    assert page.locator("#sheet").bounding_box()["width"] == pytest.approx(wide, rel=0.03)


def test_several_photos_come_by_choice_by_drop_and_from_the_clipboard(page: Any, photo: Any) -> None:
    page.set_input_files("#files", [photo, {"name": "no.png", "mimeType": "image/png", "buffer": b"no picture"}])
    wait_for_text(page, "#error", "^no.png: ")
    handed = """async ([kind, target]) => {
        const data = new DataTransfer();
        const content = await (await fetch('page/examples/one.jpg')).blob();
        data.items.add(new File([content], kind + '.png', {type: 'image/png'}));
        const how = kind === 'drop' ? {dataTransfer: data} : {clipboardData: data};
        const made = kind === 'drop' ? new DragEvent(kind, {...how, bubbles: true, cancelable: true})
            : new ClipboardEvent(kind, {...how, bubbles: true});
        document.querySelector(target).dispatchEvent(made);
    }"""
    for kind, target in (("drop", "#drop"), ("paste", "body")):
        page.evaluate(handed, [kind, target])
        wait_for_faces(page, f"{kind}.png")
        assert page.text_content("#title") == f"{kind}.png"
    assert page.locator("#thumbnails button").count() == 3
    page.click("#thumbnails button >> nth=0")
    assert page.text_content("#title") == "anna.png"


@pytest.fixture
def group(detector: Any) -> Any:
    """A real photo of several people, and their faces."""
    photos = Path(os.environ.get("FACEPOINTS_DATA", Path(__file__).parents[3] / "shared" / "data")) / "photos"
    if not photos.is_dir():
        pytest.skip("real photos absent: set FACEPOINTS_DATA")
    # sure ones: browsers decode JPEG in their own way, so a score at its limit may fall to either side
    for file in sorted(photos.glob("*.jpg")):
        faces = detector.faces(file)
        if len(faces) > 1 and min(face.score for face in faces) > 0.99:
            return file, faces
    raise AssertionError("no photo of several faces")


@needs_runtime
@needs_face_detector
def test_on_the_device_real_faces_are_found_as_by_the_server(page: Any, group: Any, tmp_path: Path) -> None:
    file, expected = group
    sent = sent_by(page)
    page.check("#on-device")
    assert "detects the faces" in page.text_content("#privacy-note")
    page.set_input_files("#files", file)
    wait_for_faces(page, file.name)
    with page.expect_download() as download:
        page.click("#json")
    download.value.save_as(tmp_path / "points.json")
    (entry,) = json.loads((tmp_path / "points.json").read_text())
    assert len(entry["faces"]) == len(expected)
    measured = measure(
        np.stack([face.points for face in expected]), np.stack([face.expected_error for face in expected])
    ).columns()
    for own, face, columns in zip(entry["faces"], expected, measured, strict=True):
        away = np.linalg.norm(np.array(list(own["points"].values())) - face.points, axis=1)
        assert away.max() < 0.02 * columns["eye_distance"]
        assert list(own["expected_error"].values()) == pytest.approx(face.expected_error, rel=0.1)
        assert own["box"] == pytest.approx(face.box, abs=0.02 * face.box[2])
        assert own["measures"]["roll"] == pytest.approx(columns["roll"], abs=1)
    assert sent == []


@pytest.fixture
def page_by_hand(browser: Any, url: Any) -> Any:
    """The page without a network that finds faces, staying on the device; and what it sent."""
    with opened(browser, url, without_face_detector=True) as page:
        page.sent = sent_by(page)
        page.check("#on-device")
        yield page
        assert page.sent == []


def drag(page: Any, left: Any, top: Any, right: Any, bottom: Any) -> None:
    """Draw a frame; shares of the picture."""
    box = page.locator("#sheet").bounding_box()
    page.mouse.move(box["x"] + left * box["width"], box["y"] + top * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + right * box["width"], box["y"] + bottom * box["height"], steps=3)
    page.mouse.up()


@needs_runtime
def test_a_face_in_a_frame_is_marked_on_the_device(page_by_hand: Any, photo: Any, anna: Any, detector: Any) -> None:
    page = page_by_hand
    page.set_input_files("#files", photo)
    page.focus("#frame")
    for key in ("ArrowLeft", "ArrowUp", "+", "Enter"):
        page.keyboard.press(key)
    wait_for_faces(page)
    regions = detector.faces(anna.pixels)[0]
    (expected,) = detector.refine(anna.pixels, Regions.of_boxes([regions.box])).points
    assert shown_points(page) == pytest.approx(expected, abs=0.02 * regions.box[2])
    page.keyboard.press("Enter")  # on the button that frames another
    page.keyboard.press("Escape")
    assert page.is_hidden("#frame")
    page.click("#add-face")  # the same face, framed by dragging, is seen anew
    drag(page, 0.2, 0.1, 0.75, 0.9)
    page.click("#predict")
    wait_for_faces(page)
    assert page.locator("#marks .dot").count() == 15
    assert shown_points(page) == pytest.approx(expected, abs=0.02 * regions.box[2])


@needs_runtime
def test_several_faces_are_framed_measured_saved_and_removed_on_the_device(
    page_by_hand: Any, anna: Any, ben: Any, png: Any, detector: Any, tmp_path: Path
) -> None:
    page = page_by_hand
    both = np.hstack([anna.pixels, ben.pixels])
    page.set_input_files("#files", {"name": "both.png", "mimeType": "image/png", "buffer": png(both)})
    drag(page, 0.1, 0.1, 0.38, 0.9)
    page.click("#predict")
    wait_for_faces(page)
    page.click("#add-face")
    drag(page, 0.6, 0.1, 0.88, 0.9)
    page.click("#predict")
    wait_for_text(page, "#status", "^Found 2 faces")
    assert page.locator("#marks .box").count() == 2
    assert page.get_attribute("#faces button >> nth=1", "aria-pressed") == "true"
    page.check("#measures")
    assert page.locator("#measure-table tbody tr").count() == 8
    saved = {}
    for kind in ("csv", "json"):
        with page.expect_download() as download:
            page.click(f"#{kind}")
        saved[kind] = tmp_path / kind
        download.value.save_as(saved[kind])
    rows = list(csv.DictReader(saved["csv"].read_text().splitlines()))
    (entry,) = json.loads(saved["json"].read_text())
    found = sorted(detector.faces(both), key=lambda face: face.box[0])
    assert len(rows) == len(entry["faces"]) == len(found) == 2
    for row, listed, face in zip(rows, entry["faces"], found, strict=True):
        points = np.array(list(listed["points"].values()))
        assert points == pytest.approx(face.points, abs=0.02 * face.box[2])
        assert list(row)[-len(COLUMNS) :] == list(COLUMNS)
        measured = measure(points[None], np.array([list(listed["expected_error"].values())])).columns()[0]
        assert {name: float(row[name]) for name in COLUMNS} == pytest.approx(measured, rel=0.03, abs=0.1)
    page.click("#faces button >> nth=0")
    assert page.text_content("#remove") == "Remove face 1"
    page.keyboard.press("Delete")
    wait_for_text(page, "#status", "^Removed face 1; 1 face left")
    assert shown_points(page) == pytest.approx(found[1].points, abs=0.02 * found[1].box[2])
    page.click("#remove")
    assert page.locator("#marks .dot").count() == 0
    assert page.is_visible("#frame")


def test_without_a_network_in_the_browser_the_page_says_that_it_uses_the_server(browser: Any, url: Any) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        about = {"runtime": False, "face_detector": None, "measures": False}
        page.route("**/about.json", lambda route: route.fulfill(json=about))
        page.goto(url)
        page.wait_for_selector("#examples button")
        assert page.is_disabled("#on-device")
        assert "not installed" in page.text_content("#privacy-note")


def test_a_server_with_a_key_is_given_it(browser: Any, running: Any) -> None:
    with (
        running(Settings(key="open-sesame")) as client,
        opened(browser, str(client.base_url), allowed="401") as page,
    ):
        page.click("#examples button >> nth=0")
        for given in ("wrong", "open-sesame"):
            page.fill("#key-text", given)
            page.keyboard.press("Enter")
        wait_for_faces(page)

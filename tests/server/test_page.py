"""The page and its files, and nothing outside of its folder."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from facepoints import Detector
from facepoints.inference.face_network import FACE_DETECTOR
from facepoints.server.page import FOLDER, HEADERS, WEIGHTS, add_page


def answers(app: FastAPI, *paths: str) -> list[httpx.Response]:
    async def ask() -> list[httpx.Response]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://here") as client:
            return [await client.get(path) for path in paths]

    return asyncio.run(ask())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A page, a file beside it, and a secret outside."""
    page = tmp_path / "page"
    page.mkdir()
    (page / "index.html").write_text("<title>points</title>", "utf-8")
    (page / "page.js").write_text("draw()", "utf-8")
    (tmp_path / "secret.txt").write_text("secret", "utf-8")
    (page / "way-out").symlink_to(tmp_path)
    return page


def test_the_page_and_its_files_keep_to_its_rules(folder: Path) -> None:
    app = FastAPI()
    add_page(app, ["nose_tip"], folder)
    for answer, content in zip(answers(app, "/", "/page/page.js"), ("<title>points</title>", "draw()"), strict=True):
        assert (answer.status_code, answer.text) == (200, content)
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS


@pytest.mark.parametrize("path", ["../secret.txt", "%2e%2e/secret.txt", "..%2fsecret.txt", "way-out/secret.txt", ""])
def test_nothing_else_is_a_file_of_the_page(folder: Path, path: str) -> None:
    app = FastAPI()
    add_page(app, ["nose_tip"], folder)
    (answer,) = answers(app, f"/page/{path}")
    assert answer.status_code == 404


def test_the_face_detector_is_served_with_its_metadata(folder: Path, tmp_path: Path) -> None:
    empty, alone = FastAPI(), tmp_path / "none"
    add_page(empty, ["nose_tip"], folder, alone)
    about, absent = answers(empty, "/page/about.json", f"/page/{FACE_DETECTOR}")
    assert (about.json()["face_detector"], absent.status_code) == (None, 404)
    if not (WEIGHTS / FACE_DETECTOR).is_file():
        pytest.skip("no face detector in the package")
    app = FastAPI()
    add_page(app, ["nose_tip"], folder)
    about, file = answers(app, "/page/about.json", f"/page/{FACE_DETECTOR}")
    assert about.json()["face_detector"].keys() >= {"stride", "sides", "unit"}
    assert file.content == (WEIGHTS / FACE_DETECTOR).read_bytes()
    assert {name: file.headers[name] for name in HEADERS} == HEADERS


def test_the_usage_page_lists_the_api_and_runs_no_inline_script(client: httpx.Client) -> None:
    usage = client.get("/page/usage.html")
    assert {name: usage.headers[name] for name in HEADERS} == HEADERS
    assert not re.search(r"<script>|\bon\w+=", usage.text)
    paths = client.get("/openapi.json").json()["paths"]
    assert [path for path in paths if path not in usage.text] == []
    links = re.findall(r'(?:src|href)="([^"]+)"', usage.text)
    assert {
        link: client.get(f"/page/{link}" if link[0] != "/" else link).status_code for link in links
    } == dict.fromkeys(links, 200)


@pytest.mark.parametrize(("name", "faces"), [("one", 1), ("other", 1), ("both", 2)])
def test_the_examples_have_faces(detector: Detector, name: str, faces: int) -> None:
    assert len(detector.faces(FOLDER / "examples" / f"{name}.jpg")) == faces


def test_the_server_has_it(client: httpx.Client) -> None:
    answer = client.get("/")
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.text == (FOLDER / "index.html").read_text("utf-8")

"""What a browser gets: the page and its files, none of anybody else's, and nothing from elsewhere."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from facepoints.inference.face_network import FACE_DETECTOR
from facepoints.server.page import FOLDER, HEADERS, WEIGHTS, add_page, usage


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


def test_the_finder_lies_beside_the_page_with_what_it_says_of_itself(folder: Path, tmp_path: Path) -> None:
    empty, alone = FastAPI(), tmp_path / "none"
    add_page(empty, ["nose_tip"], folder, alone)
    about, absent = answers(empty, "/page/about.json", f"/page/{FACE_DETECTOR}")
    assert (about.json()["face_detector"], absent.status_code) == (None, 404)
    if not (WEIGHTS / FACE_DETECTOR).is_file():
        pytest.skip("no finder's network in the package")
    app = FastAPI()
    add_page(app, ["nose_tip"], folder)
    about, file = answers(app, "/page/about.json", f"/page/{FACE_DETECTOR}")
    assert about.json()["face_detector"].keys() >= {"stride", "sides", "unit"}
    assert file.content == (WEIGHTS / FACE_DETECTOR).read_bytes()
    assert {name: file.headers[name] for name in HEADERS} == HEADERS


def test_without_a_page_it_says_how_to_ask(tmp_path: Path) -> None:
    app = FastAPI()
    add_page(app, ["nose_tip"], tmp_path)
    root, other = answers(app, "/", "/page/index.html")
    assert (root.status_code, other.status_code) == (200, 404)
    assert "curl -F image=@me.jpg &#x27;http://here/v1/faces&#x27;" in root.text
    assert root.headers["content-security-policy"] == HEADERS["Content-Security-Policy"]
    assert "<script>" not in usage(["nose_tip"], "http://<script>/")


def test_the_server_has_it(client: httpx.Client) -> None:
    answer = client.get("/")
    assert answer.headers["content-type"].startswith("text/html")
    page = FOLDER / "index.html"
    assert not page.exists() or answer.text == page.read_text("utf-8")

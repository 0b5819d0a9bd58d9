"""Invalid uploads are refused with a helpful problem."""

from __future__ import annotations

import http.client
import io
import json
import pickle
import struct
import zlib
from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from facepoints.server.problems import KINDS

NPY = {"content-type": "application/x-npy"}
JSON = {"content-type": "application/json"}


def npy(array: NDArray[Any]) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def image(content: bytes, name: str = "me.png") -> dict[str, Any]:
    return {"files": {"image": (name, content, "image/png")}}


def png_that_claims(width: int, height: int) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def gif_that_claims_four_gigapixels() -> bytes:
    file = io.BytesIO()
    Image.new("P", (2, 2)).save(file, "GIF")
    return b"GIF89a\xff\xff\xff\xff" + file.getvalue()[10:]


class Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return pytest.fail, ("a pickle was loaded",)


def form(*parts: tuple[str, str | None, bytes]) -> dict[str, Any]:
    """A hand-written form: (field, file name, content)."""
    lines = []
    for field, name, content in parts:
        file = f'; filename="{name}"' if name is not None else ""
        lines.append(f'--x\r\nContent-Disposition: form-data; name="{field}"{file}\r\n\r\n'.encode() + content)
    return {
        "content": b"\r\n".join([*lines, b"--x--\r\n"]),
        "headers": {"content-type": "multipart/form-data; boundary=x"},
    }


PHOTOS: dict[str, tuple[bytes, int, str]] = {
    "an empty file": (b"", 422, "the file is empty"),
    "metadata": (b"I am a photo, honestly", 422, "not a photo"),
    "a program that looks like a web page": (
        b"<svg onload=alert(1)><!ENTITY x SYSTEM 'file:///etc/passwd'>",
        422,
        "not a photo",
    ),
    "an archive": (b"PK\x03\x04" + bytes(100), 422, "not a photo"),
    "a PNG that ends after its header": (png_that_claims(50, 50)[:40], 422, "damaged"),
    "a PNG without pixels": (png_that_claims(50, 50), 422, "damaged PNG"),
    "a PNG that claims ten gigapixels": (png_that_claims(100_000, 100_000), 413, "more than 1 megapixels"),
    "a PNG that claims a hair": (png_that_claims(100_000, 2), 422, "times as long as wide"),
    "a GIF that claims four gigapixels": (gif_that_claims_four_gigapixels(), 413, "more than 1 megapixels"),
    "a JPEG of nothing but its first bytes": (b"\xff\xd8\xff\xe0", 422, "damaged"),
    "more bytes than are taken": (bytes(310_000), 413, "more than 0.3 MB"),
    "many more bytes than are taken": (bytes(3_000_000), 413, "more than 0.3 MB"),
}


@pytest.mark.parametrize("what", PHOTOS)
def test_what_is_no_photo_is_refused(client: httpx.Client, what: str) -> None:
    content, status, metadata = PHOTOS[what]
    assert_refused(client.post("/v1/faces", **image(content)), status, metadata)


FORMS: dict[str, tuple[dict[str, Any], int, str]] = {
    "no body": ({}, 415, "the content type is none"),
    "JSON": ({"json": {"image": "me.jpg"}}, 415, "application/json, expected multipart/form-data"),
    "the bare photo": (
        {"content": b"\xff\xd8", "headers": {"content-type": "image/jpeg"}},
        415,
        "image/jpeg, expected",
    ),
    "no boundary": ({"content": b"x", "headers": {"content-type": "multipart/form-data"}}, 400, "boundary"),
    "an empty form": ({"content": b"", "headers": form()["headers"]}, 422, "fields received: none"),
    "another field": (form(("photo", "a.png", b"x")), 422, "fields received: 'photo'"),
    "words instead of a file": (form(("image", None, b"x")), 422, "no file"),
    "two files": (form(("image", "a", b"x"), ("image", "b", b"x")), 400, "Too many files"),
    "a hundred fields": (form(*[(f"f{i}", None, b"x") for i in range(100)]), 400, "Too many fields"),
    "a damaged form": ({**form(), "content": b"--x\r\nno header"}, 400, "Invalid"),
}


@pytest.mark.parametrize("what", FORMS)
def test_what_is_no_form_with_a_photo_is_refused(client: httpx.Client, what: str) -> None:
    request, status, metadata = FORMS[what]
    assert_refused(client.post("/v1/faces", **request), status, metadata)


CROPS: dict[str, tuple[bytes, dict[str, str], int, str]] = {
    "no content type": (b"x", {}, 415, "the content type is none"),
    "another content type": (b"x", {"content-type": "text/csv"}, 415, "text/csv"),
    "nothing": (b"", NPY, 400, "the body is empty"),
    "metadata": (b"ninety-six by ninety-six", NPY, 400, "not a .npy file"),
    "a pickle": (pickle.dumps(Bomb()), NPY, 400, "not a .npy file"),
    "an array that is a pickle": (npy(np.array([Bomb()], object)), NPY, 422, "the array is object"),
    "fractions": (npy(np.zeros((1, 96, 96))), NPY, 422, "the array is float64"),
    "another size": (npy(np.zeros((1, 95, 96), np.uint8)), NPY, 422, "shape (1, 95, 96)"),
    "one crop without a batch": (npy(np.zeros((96, 96), np.uint8)), NPY, 422, "shape (96, 96)"),
    "half of an array": (npy(np.zeros((2, 96, 96), np.uint8))[:-100], NPY, 400, "its header says (2, 96, 96)"),
    "a claim of terabytes": (
        npy(np.zeros((1, 96, 96), np.uint8)).replace(b"(1, 96, 96), }" + b" " * 9, b"(1000000000, 96, 96), }"),
        NPY,
        400,
        "its header says (1000000000, 96, 96)",
    ),
    "a header of brackets": (b"\x93NUMPY\x01\x00\xe8\x03" + b"(" * 1000, NPY, 400, "not a .npy file"),
    "no JSON": (b"{crops}", JSON, 400, "not JSON"),
    "JSON that is no text": (b'{"crops": "\xff\xfe"}', JSON, 400, "not JSON"),
    "JSON of brackets": (b"[" * 100_000, JSON, 400, "not JSON"),
    "a number of ten thousand digits": (b'{"crops": [' + b"9" * 10_000 + b"]}", JSON, 400, "not JSON"),
    "a large number": (b'{"crops": [[[99999999999999999999]]]}', JSON, 422, "expected uint8"),
    "JSON without crops": (b"[1, 2]", JSON, 422, 'not {"crops": [...]}'),
    "rows of different lengths": (b'{"crops": [[[1], [1, 2]]]}', JSON, 422, "differ in length"),
    "words in JSON": (b'{"crops": [[["a"]]]}', JSON, 422, "expected uint8"),
    "NaN": (json.dumps({"crops": np.full((1, 96, 96), np.nan).tolist()}).encode(), JSON, 422, "float64"),
    "256": (json.dumps({"crops": np.full((1, 96, 96), 256).tolist()}).encode(), JSON, 422, "from 256 to 256"),
}


@pytest.mark.parametrize("what", CROPS)
def test_what_are_no_crops_is_refused(client: httpx.Client, what: str) -> None:
    content, headers, status, metadata = CROPS[what]
    assert_refused(client.post("/v1/points", content=content, headers=headers), status, metadata)


OTHERS = [
    ("POST", "/v1/faces?draw=gif", 422, "draw: Input should be 'png'"),
    ("POST", "/v1/faces?measures=maybe", 422, "measures: Input should be"),
    ("POST", "/v1/points?source=2", 422, "source: Input should be less"),
    ("POST", "/v1/video", 404, "no such address"),
    ("GET", "/v1/faces", 405, "The Allow header lists"),
    ("BREW", "/health", 405, "The Allow header lists"),
    ("GET", "/page/../../../../../../etc/passwd", 404, "no such address"),
    ("GET", "/page/%2e%2e/%2e%2e/server.py", 404, "no such address"),
    ("GET", "/..%5c..%5cetc/passwd", 404, "no such address"),
    ("GET", "/v1/model.onnx%00.txt", 404, "no such address"),
]


@pytest.mark.parametrize(("method", "path", "status", "metadata"), OTHERS)
def test_unknown_addresses_and_parameters_are_refused(
    client: httpx.Client, method: str, path: str, status: int, metadata: str
) -> None:
    # by hand: clients tidy such addresses up before they send them
    connection = http.client.HTTPConnection(client.base_url.host, client.base_url.port, timeout=20)
    connection.request(method, path)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    headers = dict(answer.getheaders())
    assert_refused(httpx.Response(answer.status, headers=headers, content=body), status, metadata)


def assert_refused(answer: httpx.Response, status: int, metadata: str) -> None:
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (answer.status_code, problem["status"]) == (status, status), problem
    assert metadata in problem["detail"]
    kind = problem["type"].removeprefix("/problems#")
    assert problem["title"] == KINDS[kind].title
    assert problem["request_id"] == answer.headers["x-request-id"]


def test_a_name_with_folders_loses_them(client: httpx.Client, blank: bytes) -> None:
    for name in ("../../etc/passwd", r"C:\windows\passwd", "/passwd"):
        assert client.post("/v1/faces", **image(blank, name)).json() == {"file": "passwd", "faces": []}


def test_a_photo_of_one_pixel_has_no_face(client: httpx.Client, png: Callable[[Any], bytes]) -> None:
    answer = client.post("/v1/faces", **image(png(np.zeros((1, 1), np.uint8))))
    assert (answer.status_code, answer.json()["faces"]) == (200, [])

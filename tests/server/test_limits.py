"""Slow, aborted, too many and too long requests end and release their resources."""

from __future__ import annotations

import gc
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

from facepoints.server.app import Settings
from facepoints.server.limits import Limits

Png = Callable[[NDArray[np.uint8]], bytes]

HASTY = Limits(upload_bytes=300_000, client_timeout=0.4)
"""A server with a short client timeout."""


@pytest.fixture(scope="module")
def hasty(running: Callable[..., Any]) -> Iterator[httpx.Client]:
    with running(Settings(HASTY)) as client:
        yield client


@contextmanager
def raw(client: httpx.Client, receive: int | None = None) -> Iterator[socket.socket]:
    """A bare connection to the server; receive: bytes that this side takes before it reads."""
    with socket.socket() as connection:
        if receive:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
        connection.settimeout(20)
        connection.connect((client.base_url.host, client.base_url.port))
        yield connection


def all_of(connection: socket.socket) -> bytes:
    """What comes until the server closes; nothing more where it cuts the connection."""
    parts = []
    try:
        while part := connection.recv(65_536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


def inside(client: httpx.Client) -> float:
    lines = client.get("/metrics").text.splitlines()
    return float(next(line for line in lines if line.startswith("facepoints_requests_active")).split()[-1])


def becomes(value: Callable[[], float], wanted: float) -> bool:
    until = time.monotonic() + 10
    while value() != wanted and time.monotonic() < until:
        time.sleep(0.02)
    return value() == wanted


# clients


@pytest.mark.parametrize("head", [b"", b"GET /hea", b"GET /health HTTP/1.1\r\nhost: x\r\n\r\nGET /"])
def test_a_head_that_does_not_come_is_not_waited_for(hasty: httpx.Client, head: bytes) -> None:
    with raw(hasty) as connection:
        connection.sendall(head)
        answer = all_of(connection)
    assert answer.count(b"200 OK") == head.count(b"\r\n\r\n")


def test_a_body_that_does_not_come_is_a_408(hasty: httpx.Client) -> None:
    with raw(hasty) as connection:
        head = (
            "POST /v1/points HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-npy\r\ncontent-length: 1000\r\n\r\nabc"
        )
        connection.sendall(head.encode())
        answer = all_of(connection)
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"/problems#slow-upload" in answer
    assert inside(hasty) == 0


def test_a_body_that_grows_too_large_on_the_way_is_refused(hasty: httpx.Client) -> None:
    parts = (bytes(50_000) for _ in range(20))
    answer = hasty.post("/v1/points", content=parts, headers={"content-type": "application/x-npy"})
    assert (answer.status_code, answer.json()["type"]) == (413, "/problems#too-large")


def test_who_asks_before_sending_is_refused_before_sending(hasty: httpx.Client) -> None:
    with raw(hasty) as connection:
        connection.sendall(
            b"POST /v1/points HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-npy\r\n"
            b"expect: 100-continue\r\ncontent-length: 999999999\r\n\r\n"
        )
        assert connection.recv(100).startswith(b"HTTP/1.1 413")


def test_an_unread_response_is_dropped(running: Callable[..., Any], held: Any, png: Png) -> None:
    face_detector = held()
    face_detector.go.set()
    noise = np.random.default_rng(0).integers(0, 256, (1500, 1500), np.uint8)
    with running(Settings(Limits(client_timeout=3)), face_detector) as client:
        body = (
            b'--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n' + png(noise) + b"\r\n--x--\r\n"
        )
        head = "POST /v1/faces?draw=png HTTP/1.1\r\nhost: x\r\ncontent-type: multipart/form-data; boundary=x\r\n"
        with raw(client, receive=4096) as connection:
            connection.sendall(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
            assert connection.recv(12) == b"HTTP/1.1 200", "the answer has begun"
            assert becomes(lambda: inside(client), 0)
            rest = all_of(connection)
            announced = re.search(rb"content-length: (\d+)", rest)
            assert announced
            assert len(rest) < int(announced[1]), "what the system had not taken yet was dropped"


def test_work_of_a_disconnected_client_is_not_started(running: Callable[..., Any], held: Any, blank: bytes) -> None:
    face_detector = held()
    with running(Settings(threads=1), face_detector) as client, ThreadPoolExecutor(1) as pool:
        first = pool.submit(client.post, "/v1/faces", files={"image": blank})
        assert face_detector.begun.acquire(timeout=20)
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(client.base_url.join("/v1/faces"), files={"image": blank}, timeout=0.3, trust_env=False)
        assert becomes(lambda: inside(client), 1)
        face_detector.go.set()
        assert first.result(20).status_code == 200
        assert client.post("/v1/faces", files={"image": blank}).status_code == 200
        assert face_detector.photos == 2


# work


def test_a_full_queue_is_a_503(running: Callable[..., Any], held: Any, blank: bytes) -> None:
    face_detector = held()
    with running(Settings(Limits(queue_size=1), threads=1), face_detector) as client, ThreadPoolExecutor(2) as pool:
        two = [pool.submit(client.post, "/v1/faces", files={"image": blank}) for _ in range(2)]
        assert face_detector.begun.acquire(timeout=20)
        assert becomes(lambda: inside(client), 2)
        third = client.post("/v1/faces", files={"image": blank})
        assert (third.status_code, third.json()["type"]) == (503, "/problems#busy")
        assert int(third.headers["retry-after"]) >= 1
        assert client.get("/health").status_code == 200
        face_detector.go.set()
        assert [request.result(20).status_code for request in two] == [200, 200]
        assert client.post("/v1/faces", files={"image": blank}).status_code == 200


def test_uploads_that_fill_the_memory_are_a_503(running: Callable[..., Any], blank: bytes) -> None:
    with running(Settings(Limits(memory_bytes=10_000))) as client:
        answer = client.post("/v1/faces", files={"image": bytes(20_000)})
        assert (answer.status_code, answer.json()["type"]) == (503, "/problems#busy")
        assert client.post("/v1/faces", files={"image": blank}).status_code == 200


def test_work_that_takes_too_long_is_given_up(running: Callable[..., Any], held: Any, blank: bytes) -> None:
    face_detector = held()
    with running(Settings(Limits(request_timeout=0.2), threads=1), face_detector) as client:
        answer = client.post("/v1/faces", files={"image": blank})
        assert (answer.status_code, answer.json()["type"]) == (503, "/problems#too-long")
        assert int(answer.headers["retry-after"]) >= 1
        face_detector.go.set()
        assert client.post("/v1/faces", files={"image": blank}).status_code == 200


def test_a_mistake_of_ours_is_a_500_that_tells_nothing(
    running: Callable[..., Any], held: Any, blank: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(held):  # type: ignore[misc]  # a fixture gives the class
        def detect(self, photo: object) -> Any:
            raise ZeroDivisionError("a secret of the house")

    with running(face_detector=Broken()) as client:
        answer = client.post("/v1/faces", files={"image": blank})
        assert client.get("/health").status_code == 200
    assert (answer.status_code, answer.json()["type"]) == (500, "/problems#failed")
    assert "secret" not in answer.text
    (record,) = [record for record in caplog.records if record.exc_info]
    assert vars(record)["fields"] == {"request_id": answer.headers["x-request-id"]}


# all together


def test_mixed_requests_leave_the_memory_where_it_was(client: httpx.Client, blank: bytes, png: Png) -> None:
    statm = Path("/proc/self/statm")
    if not statm.exists():
        pytest.skip("this system does not tell a process's memory in /proc")
    noise = png(np.random.default_rng(0).integers(0, 256, (300, 300), np.uint8))

    def some() -> None:
        for _ in range(4):
            for content in (blank, noise[:5000], bytes(310_000), b""):
                client.post("/v1/faces", files={"image": content})
            client.post("/v1/points", content=b"x", headers={"content-type": "application/x-npy"})

    def everybody() -> int:
        threads = [threading.Thread(target=some) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        gc.collect()
        return int(statm.read_text().split()[1]) * 4096

    before = everybody()
    assert everybody() - before < 20e6
    assert inside(client) == 0

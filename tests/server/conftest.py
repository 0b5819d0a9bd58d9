"""What tests of the server stand on: real servers on free ports of this machine, and photos to send them."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib.resources import files

import cv2
import httpx
import numpy as np
import pytest
import uvicorn
from numpy.typing import NDArray

from facepoints import Detector
from facepoints.data.images import Photo
from facepoints.inference.detector import FLAGSHIP
from facepoints.inference.regions import Regions
from facepoints.server.app import Settings, create_app
from facepoints.server.limits import Limits
from facepoints.server.process import uvicorn_config

Running = Callable[..., AbstractContextManager[httpx.Client]]

SMALL = Limits(upload_bytes=300_000, photo_pixels=1_000_000, client_timeout=5)
"""Limits that a test reaches soon."""


class HeldFaceDetector:
    """Finds nothing, and takes until it is let go: what a large photo does, without one."""

    def __init__(self) -> None:
        self.begun, self.go = threading.Semaphore(0), threading.Event()
        self.photos = 0

    def detect(self, photo: Photo) -> Regions:
        self.photos += 1
        self.begun.release()
        assert self.go.wait(20)
        return Regions.of_boxes(np.zeros((0, 4)))


@pytest.fixture(scope="session")
def model() -> bytes:
    return files("facepoints").joinpath("weights", FLAGSHIP).read_bytes()


@pytest.fixture(scope="session")
def running(detector: Detector, model: bytes) -> Running:
    """running(settings, finder): a server in a thread, and a client that knows its address."""

    @contextmanager
    def run(settings: Settings | None = None, face_detector: HeldFaceDetector | None = None) -> Iterator[httpx.Client]:
        chosen = settings or Settings(SMALL)
        own = Detector(detector.network, face_detector or detector.face_detector)
        server = uvicorn.Server(uvicorn_config(create_app(own, model, chosen), chosen.limits))
        with socket.create_server(("127.0.0.1", 0)) as listening:
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
            thread.start()
            try:
                until = time.monotonic() + 20
                while not server.started:
                    assert thread.is_alive()
                    assert time.monotonic() < until
                    time.sleep(0.01)
                url = f"http://127.0.0.1:{listening.getsockname()[1]}"
                with httpx.Client(base_url=url, timeout=30, trust_env=False) as client:
                    yield client
            finally:
                if face_detector:
                    face_detector.go.set()
                server.should_exit = True
                thread.join(30)
        assert not thread.is_alive()

    return run


@pytest.fixture(scope="module")
def client(running: Running) -> Iterator[httpx.Client]:
    """A server for a whole file of tests."""
    with running() as client:
        yield client


@pytest.fixture(scope="session")
def held() -> type[HeldFaceDetector]:
    return HeldFaceDetector


@pytest.fixture(scope="session")
def png() -> Callable[[NDArray[np.uint8]], bytes]:
    return lambda pixels: bytes(cv2.imencode(".png", pixels)[1])


@pytest.fixture(scope="session")
def blank(png: Callable[[NDArray[np.uint8]], bytes]) -> bytes:
    """A small photo of nothing."""
    return png(np.full((60, 80), 128, np.uint8))

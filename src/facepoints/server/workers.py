"""The server's work: a few threads around one detector, and a queue before them that has an end.

Requests are not gathered into batches. Photos differ in size, so that their faces are found photo by photo, and the
keypoint network gains little: docs/server.md has the figures.
"""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from time import perf_counter
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect
from starlette.types import Receive

from facepoints.data.images import Photo
from facepoints.inference.face_detection import FaceDetector
from facepoints.inference.regions import Regions
from facepoints.server.limits import Limits
from facepoints.server.problems import Problem

T = TypeVar("T")

Wanted = Callable[[], bool]
"""Does anybody still wait for this?"""

_FORGETTING = 0.1  # of the mean duration, with each piece of work
_FIRST_GUESS = 0.1  # seconds that a piece of work takes, before any was done


class Place:
    """One request's place in the server, and the bytes of it that are in memory."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self.held = 0

    def hold(self, size: int) -> None:
        """So many more bytes have arrived; raises Problem where all requests together have too many."""
        self.held += size
        self._work.held += size
        if self._work.held > self._work.limits.held:
            raise self._work.busy("the uploads under way fill the memory that is meant for them")


class Work:
    """What runs, what waits, and when that is too much. Used by one event loop."""

    def __init__(self, threads: int, limits: Limits) -> None:
        self.threads, self.limits = threads, limits
        self.inside = 0
        """requests with a place: arriving, waiting, at work or being answered"""
        self.held = 0
        """bytes of uploads in memory"""
        self._mean = _FIRST_GUESS
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="facepoints")

    @contextmanager
    def place(self) -> Iterator[Place]:
        """A place for one request, until it is answered; raises Problem where none is free."""
        if self.inside >= self.threads + self.limits.waiting:
            raise self.busy(f"{self.inside} requests are at work or wait already")
        place = Place(self)
        self.inside += 1
        try:
            yield place
        finally:
            self.inside -= 1
            self.held -= place.held

    async def do(self, receive: Receive, task: Callable[[Wanted], T]) -> T:
        """The task's result from one of the threads; receive: the request's, whose body has been read.

        Raises Problem after the time that a request may take, ClientDisconnect where the client leaves before. A task
        that nobody waits for any more is not begun; one that runs can only ask, now and then, whether it is wanted.
        """
        ended = threading.Event()
        work = asyncio.wrap_future(self._pool.submit(self._timed, lambda: task(lambda: not ended.is_set())))
        left = asyncio.ensure_future(_leaving(receive))
        try:
            both: set[asyncio.Future[Any]] = {work, left}
            await asyncio.wait(both, timeout=self.limits.seconds, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                return work.result()
        finally:
            ended.set()
            left.cancel()
            work.cancel()
        if left.done() and not left.cancelled():
            raise ClientDisconnect
        after = f"no answer after {self.limits.seconds:g} s"
        raise self._later("too-long", f"{after}. Try again later, or send a smaller photo")

    def busy(self, why: str) -> Problem:
        """What is said to whom there is no room for."""
        return self._later("busy", f"{why[:1].upper()}{why[1:]}. Try again after the seconds that Retry-After tells")

    def close(self) -> None:
        """Let what runs end; begin nothing more."""
        self._pool.shutdown(cancel_futures=True)

    def _later(self, kind: str, detail: str) -> Problem:
        seconds = max(1, math.ceil(self._mean * self.inside / self.threads))
        return Problem(kind, detail, {"Retry-After": str(seconds)})

    def _timed(self, task: Callable[[], T]) -> T:
        start = perf_counter()
        try:
            return task()
        finally:
            self._mean += _FORGETTING * (perf_counter() - start - self._mean)


async def _leaving(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class StoppableFaceDetector:
    """A face detector that raises Problem after detection if the request is no longer wanted."""

    def __init__(self, face_detector: FaceDetector, wanted: Wanted) -> None:
        self._face_detector, self._wanted = face_detector, wanted

    def detect(self, photo: Photo) -> Regions:
        candidates = self._face_detector.detect(photo)
        if not self._wanted():
            raise Problem("too-long", "the request was canceled")
        return candidates

"""Worker threads around one detector, with a bounded queue in front.

Requests are not batched: photos differ in size, so faces are detected photo by photo, and the keypoint network gains
little from larger batches. docs/server.md has the measurements.
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

IsCanceled = Callable[[], bool]

_DECAY = 0.1  # weight of the latest duration in the moving average
_FIRST_ESTIMATE = 0.1  # seconds per request, before any was processed


class Slot:
    """One request's place in the queue, and its bytes in memory."""

    def __init__(self, queue: WorkQueue) -> None:
        self._queue = queue
        self.size = 0

    def reserve(self, size: int) -> None:
        """Account for `size` more bytes; raises Problem where all uploads together exceed the memory limit."""
        self.size += size
        self._queue.memory += size
        if self._queue.memory > self._queue.limits.memory_bytes:
            raise self._queue.unavailable("busy", "The memory for uploads is full")


class WorkQueue:
    """Threads that process requests. Used from one event loop."""

    def __init__(self, threads: int, limits: Limits) -> None:
        self.threads, self.limits = threads, limits
        self.active = 0
        """requests with a slot: being received, waiting, being processed or answered"""
        self.memory = 0
        """bytes of uploads in memory"""
        self._mean_duration = _FIRST_ESTIMATE
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="facepoints")

    @contextmanager
    def slot(self) -> Iterator[Slot]:
        """A slot until the response is sent; raises Problem where the queue is full."""
        if self.active >= self.threads + self.limits.queue_size:
            raise self.unavailable("busy", f"{self.active} requests are being processed or waiting already")
        slot = Slot(self)
        self.active += 1
        try:
            yield slot
        finally:
            self.active -= 1
            self.memory -= slot.size

    async def run(self, receive: Receive, task: Callable[[IsCanceled], T]) -> T:
        """The task's result, computed in a worker thread; `receive`: of the request, its body already read.

        Raises Problem after the request timeout and ClientDisconnect where the client disconnects. A canceled task
        is not started; a running one has to poll `IsCanceled`.
        """
        canceled = threading.Event()
        work = asyncio.wrap_future(self._pool.submit(self._timed, lambda: task(canceled.is_set)))
        disconnect = asyncio.ensure_future(_disconnected(receive))
        try:
            both: set[asyncio.Future[Any]] = {work, disconnect}
            await asyncio.wait(both, timeout=self.limits.request_timeout, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                return work.result()
        finally:
            canceled.set()
            disconnect.cancel()
            work.cancel()
        if disconnect.done() and not disconnect.cancelled():
            raise ClientDisconnect
        raise self.unavailable("too-long", f"Not finished after {self.limits.request_timeout:g} s")

    def unavailable(self, kind: str, reason: str) -> Problem:
        """A 503 with an estimate of when the queue is empty."""
        seconds = max(1, math.ceil(self._mean_duration * self.active / self.threads))
        detail = f"{reason}. Retry after the seconds in the Retry-After header, or send a smaller photo"
        return Problem(kind, detail, {"Retry-After": str(seconds)})

    def close(self) -> None:
        """Finish running tasks and drop the queue."""
        self._pool.shutdown(cancel_futures=True)

    def _timed(self, task: Callable[[], T]) -> T:
        start = perf_counter()
        try:
            return task()
        finally:
            self._mean_duration += _DECAY * (perf_counter() - start - self._mean_duration)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class CancelableFaceDetector:
    """A face detector that raises Problem after detection if the request was canceled."""

    def __init__(self, face_detector: FaceDetector, is_canceled: IsCanceled) -> None:
        self._face_detector, self._is_canceled = face_detector, is_canceled

    def detect(self, photo: Photo) -> Regions:
        candidates = self._face_detector.detect(photo)
        if self._is_canceled():
            raise Problem("too-long", "the request was canceled")
        return candidates

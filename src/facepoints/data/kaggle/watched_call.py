"""A call into somebody else's library: in a thread of its own, its prints dropped, given up when it shows no life."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from typing import Any, TextIO, TypeVar, cast

T = TypeVar("T")


class Stalled(Exception):
    """Neither an answer nor a sign of life came in time."""


def watched(call: Callable[[], T], sign: Callable[[], int], patience: float) -> T:
    """The answer of `call`, or its exception (SystemExit too).

    sign is asked ten times a second; raises Stalled once it has not changed for `patience` seconds. The call goes
    on then, as nobody can stop a thread, but does not keep the program from ending.
    """
    outcome: Future[T] = Future()

    def work() -> None:
        try:
            outcome.set_result(call())
        except BaseException as error:  # goes on in the caller's thread, below
            outcome.set_exception(error)

    thread = threading.Thread(target=work, daemon=True)
    with _muted(thread):
        thread.start()
        last, since = sign(), time.monotonic()
        while not wait([outcome], timeout=min(0.1, patience / 4)).done:
            if (now := sign()) != last:
                last, since = now, time.monotonic()
            elif time.monotonic() - since > patience:
                raise Stalled
        sign()  # the last change, for whoever shows it
    return outcome.result()


class _Muted:
    """A stream that drops what one thread writes and passes on the rest: progress must stay on the screen."""

    def __init__(self, stream: TextIO, thread: threading.Thread) -> None:
        self._stream, self._thread = stream, thread

    def write(self, text: str) -> int:
        return len(text) if threading.current_thread() is self._thread else self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def _muted(thread: threading.Thread) -> Iterator[None]:
    out, err = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = cast(TextIO, _Muted(out, thread)), cast(TextIO, _Muted(err, thread))
    try:
        yield
    finally:
        sys.stdout, sys.stderr = out, err

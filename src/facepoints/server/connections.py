"""Timeouts for connections without a complete request head, and for responses that the client does not read.

uvicorn itself only closes connections that are idle between two requests. The app limits the time for a body and for
the whole response; it does not see the two cases handled here.
"""

from __future__ import annotations

from asyncio import Protocol, TimerHandle, Transport

from uvicorn.protocols.http.h11_impl import H11Protocol


def protocol_with_timeout(seconds: float) -> type[Protocol]:
    """uvicorn's HTTP protocol with these timeouts added."""

    class TimeoutProtocol(H11Protocol):
        def connection_made(self, transport: Transport) -> None:  # type: ignore[override]  # as in uvicorn
            self._timers: dict[str, TimerHandle] = {}
            super().connection_made(transport)
            self._start("head")

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self.cycle is not None and not self.cycle.response_complete:
                self._stop("head")

        def on_response_complete(self) -> None:
            super().on_response_complete()
            if self.cycle.response_complete:  # False where a pipelined request has started already
                self._start("head")

        def pause_writing(self) -> None:
            super().pause_writing()
            if "unread" not in self._timers:
                self._start("unread")

        def resume_writing(self) -> None:
            super().resume_writing()
            self._stop("unread")

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop("head")
            self._stop("unread")
            super().connection_lost(exc)

        def _start(self, name: str) -> None:
            self._stop(name)
            self._timers[name] = self.loop.call_later(seconds, self.transport.abort)

        def _stop(self, name: str) -> None:
            if timer := self._timers.pop(name, None):
                timer.cancel()

    return TimeoutProtocol

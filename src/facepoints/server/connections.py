"""Connections that do not wait forever: for a request's head that does not come, or an answer that nobody reads.

uvicorn itself only ends connections that are idle between two requests. How long a body and an answer may take in all
is the app's business; this is about what the app does not see.
"""

from __future__ import annotations

from asyncio import Protocol, TimerHandle, Transport

from uvicorn.protocols.http.h11_impl import H11Protocol


def patient_for(seconds: float) -> type[Protocol]:
    """The HTTP protocol for uvicorn, with so much patience."""

    class Patient(H11Protocol):
        _head: TimerHandle | None = None
        _unread: TimerHandle | None = None

        def connection_made(self, transport: Transport) -> None:  # type: ignore[override]  # as uvicorn has it
            super().connection_made(transport)
            self._await_head()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self.cycle is not None and not self.cycle.response_complete:
                _end(self._head)
                self._head = None

        def on_response_complete(self) -> None:
            super().on_response_complete()
            if self.cycle.response_complete:  # or it was the next request that had come along already
                self._await_head()

        def pause_writing(self) -> None:
            super().pause_writing()
            self._unread = self._unread or self.loop.call_later(seconds, self.transport.abort)

        def resume_writing(self) -> None:
            super().resume_writing()
            _end(self._unread)
            self._unread = None

        def connection_lost(self, exc: Exception | None) -> None:
            _end(self._head)
            _end(self._unread)
            self._head = self._unread = None
            super().connection_lost(exc)

        def _await_head(self) -> None:
            _end(self._head)
            self._head = self.loop.call_later(seconds, self.transport.abort)

    return Patient


def _end(timer: TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()

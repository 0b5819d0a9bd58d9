"""Access log and metrics: one line of JSON per request, and Prometheus metrics. They contain no image and no point.

{"time": "...", "level": "info", "event": "request", "request_id": "9f...", "method": "POST", "path": "/v1/faces",
 "status": 200, "ms": 41.2, "bytes_in": 48211, "bytes_out": 1033, "faces": 1, "client": "127.0.0.1"}
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Callable
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from time import perf_counter
from uuid import uuid4

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.process_collector import ProcessCollector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOG = logging.getLogger("facepoints.server")

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)  # seconds
_MOST_DISCARDED = 100_000_000  # bytes that are read of a refused body


class AccessLog:
    """ASGI middleware around the whole app: request ids, log lines, metrics, and a timeout for slow clients."""

    def __init__(self, app: ASGIApp, registry: CollectorRegistry, active: Callable[[], float], timeout: float) -> None:
        """active: number of requests in progress; timeout: seconds for a client to receive the response."""
        self._app, self._timeout = app, timeout
        by = ("method", "route", "status")
        self._requests = Counter("facepoints_requests", "Requests", by, registry=registry)
        name = "facepoints_request_seconds"
        self._seconds = Histogram(name, "Request duration", ("route",), buckets=_BUCKETS, registry=registry)
        self._faces = Counter("facepoints_faces", "Faces and crops with predicted points", registry=registry)
        self._refusals = Counter("facepoints_refusals", "Refused requests", ("kind",), registry=registry)
        Gauge("facepoints_requests_active", "Requests in progress", registry=registry).set_function(active)
        ProcessCollector(registry=registry)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, receive, send, self._timeout)
        start = perf_counter()
        try:
            await self._app(scope, exchange.receive, exchange.send)
        except Exception:
            if not exchange.timed_out:  # the client has a generic problem; the traceback is only for the log
                LOG.exception("error", extra={"fields": {"request_id": exchange.id}})
        finally:
            exchange.until_sent.close()
            self._record(scope, exchange, perf_counter() - start)

    def _record(self, scope: Scope, exchange: _Exchange, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "other")
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._requests.labels(method, route, str(exchange.status)).inc()
        self._seconds.labels(route).observe(seconds)
        state = scope["state"]
        if "refused" in state:
            self._refusals.labels(state["refused"]).inc()
        self._faces.inc(state.get("faces", 0))
        fields = {
            "request_id": exchange.id,
            "method": scope["method"][:20],
            "path": scope["path"][:200],
            "status": exchange.status,
            "ms": round(1e3 * seconds, 1),
            "bytes_in": exchange.bytes_in,
            "bytes_out": exchange.bytes_out,
            **{name: state[name] for name in ("faces", "refused") if name in state},
            **({"aborted": "the client did not read the response"} if exchange.timed_out else {}),
            "client": (scope.get("client") or ["unknown"])[0],
        }
        LOG.info("request", extra={"fields": fields})


class _Exchange:
    """One request and its response. Handlers find in the request's state:

    request_id   its id
    until_sent   an ExitStack that closes when the response is sent or the client has disconnected
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send, timeout: float) -> None:
        self._receive, self._send, self._timeout = receive, send, timeout
        headers = dict(scope["headers"])
        given = headers.get(b"x-request-id", b"").decode("latin-1")
        self.id = given if _REQUEST_ID.fullmatch(given) else uuid4().hex
        self.until_sent = ExitStack()
        scope.setdefault("state", {}).update(request_id=self.id, until_sent=self.until_sent)
        self._has_body = b"transfer-encoding" in headers or headers.get(b"content-length", b"0") != b"0"
        self._expects_continue = b"expect" in headers
        self.status, self.bytes_in, self.bytes_out = 0, 0, 0
        self.timed_out = False
        """True if the client did not read the response in time"""
        self._received_by = asyncio.get_running_loop().time() + timeout
        self._sent_by = 0.0

    async def receive(self) -> Message:
        message = await self._receive()
        self._expects_continue = False
        self.bytes_in += len(message.get("body", b""))
        self._has_body = message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        """Raises TimeoutError where the client does not read the response."""
        if message["type"] == "http.response.start":
            await self._discard_body()
            self.status = message["status"]
            names = {name.lower() for name, _ in message["headers"]}
            message["headers"] = [
                *message["headers"],
                (b"x-request-id", self.id.encode("ascii")),
                (b"x-content-type-options", b"nosniff"),
                *([] if b"cache-control" in names else [(b"cache-control", b"no-store")]),
            ]
            self._sent_by = asyncio.get_running_loop().time() + self._timeout
        self.bytes_out += len(message.get("body", b""))
        try:
            async with asyncio.timeout_at(self._sent_by):
                await self._send(message)
        except TimeoutError:
            self.timed_out = True
            raise

    async def _discard_body(self) -> None:
        """Read the rest of a refused body: if the connection closed earlier, the client would not see the refusal.

        Clients that sent `Expect: 100-continue`, as curl does for large files, have not sent the body.
        """
        if self._expects_continue:
            return
        most = self.bytes_in + _MOST_DISCARDED
        with suppress(TimeoutError):
            async with asyncio.timeout_at(self._received_by):
                while self._has_body and self.bytes_in < most:
                    await self.receive()


class JsonLines(logging.Formatter):
    """A log record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line)

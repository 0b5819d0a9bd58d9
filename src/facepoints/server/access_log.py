"""What the server remembers: one line of JSON for each request and figures for Prometheus. No picture, no point.

{"time": "...", "level": "info", "event": "request", "request_id": "9f...", "method": "POST", "path": "/v1/faces",
 "status": 200, "ms": 41.2, "bytes_in": 48211, "bytes_out": 1033, "faces": 1, "client": "127.0.0.1"}
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from time import perf_counter
from typing import Any
from uuid import uuid4

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.process_collector import ProcessCollector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOG = logging.getLogger("facepoints.server")

_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_DISCARDED = 100_000_000  # bytes of a refused body that are read for the client's sake
_PATH = 200  # characters of an address that are logged


class Metrics:
    """The figures of one server."""

    def __init__(self, inside: Callable[[], float]) -> None:
        """inside: how many requests are under way."""
        self.registry = CollectorRegistry()
        own = self.registry
        by = ("method", "route", "status")
        self.requests = Counter("facepoints_requests", "Requests that were answered", by, registry=own)
        self.seconds = Histogram(
            "facepoints_request_seconds",
            "From a request's head to its last byte",
            ("route",),
            buckets=_SECONDS,
            registry=own,
        )
        self.faces = Counter("facepoints_faces", "Faces and crops whose points were given", registry=own)
        self.refusals = Counter(
            "facepoints_refusals", "Requests that were refused, by kind of problem", ("kind",), registry=own
        )
        Gauge("facepoints_requests_inside", "Requests that arrive, wait or are at work", registry=own).set_function(
            inside
        )
        ProcessCollector(registry=own)


class AccessLog:
    """Around the whole app: gives each request its id, counts it, writes its line, and is patient for so long."""

    def __init__(self, app: ASGIApp, metrics: Metrics, patience: float) -> None:
        """patience: seconds that a client may take to receive its answer."""
        self._app, self._metrics, self._patience = app, metrics, patience

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, receive, send, self._patience)
        start = perf_counter()
        try:
            await self._app(scope, exchange.receive, exchange.send)
        except Exception:
            if not exchange.cut:  # the client has its problem already; here is what only we may see
                LOG.exception("error", extra={"fields": {"request_id": exchange.id}})
        finally:
            exchange.until_sent.close()
            self._count(scope, exchange, perf_counter() - start)

    def _count(self, scope: Scope, exchange: _Exchange, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "other")
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._metrics.requests.labels(method, route, str(exchange.status)).inc()
        self._metrics.seconds.labels(route).observe(seconds)
        state = scope["state"]
        if "refused" in state:
            self._metrics.refusals.labels(state["refused"]).inc()
        self._metrics.faces.inc(state.get("faces", 0))
        fields = {
            "request_id": exchange.id,
            "method": scope["method"][:20],
            "path": scope["path"][:_PATH],
            "status": exchange.status,
            "ms": round(1e3 * seconds, 1),
            "bytes_in": exchange.bytes_in,
            "bytes_out": exchange.bytes_out,
            **{name: state[name] for name in ("faces", "refused") if name in state},
            **({"cut": "the client did not take its answer"} if exchange.cut else {}),
            "client": (scope.get("client") or ["unknown"])[0],
        }
        LOG.info("request", extra={"fields": fields})


class _Exchange:
    """One request and its answer, as they pass. Handlers find in the request's state:

    request_id   its id
    until_sent   an ExitStack that closes when the answer is with the client, or the client is gone
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send, patience: float) -> None:
        self._receive, self._send, self._patience = receive, send, patience
        headers = dict(scope["headers"])
        given = headers.get(b"x-request-id", b"").decode("latin-1")
        self.id = given if _ID.fullmatch(given) else uuid4().hex
        self.until_sent = ExitStack()
        scope.setdefault("state", {}).update(request_id=self.id, until_sent=self.until_sent)
        self._has_body = b"transfer-encoding" in headers or headers.get(b"content-length", b"0") != b"0"
        self._asks_first = b"expect" in headers
        self.status, self.bytes_in, self.bytes_out = 0, 0, 0
        self.cut = False
        """did the client not take its answer?"""
        self._arrived_by = asyncio.get_running_loop().time() + patience
        self._taken_by = 0.0

    async def receive(self) -> Message:
        message = await self._receive()
        self._asks_first = False
        if message["type"] == "http.request":
            self.bytes_in += len(message.get("body", b""))
            self._has_body = message.get("more_body", False)
        else:
            self._has_body = False
        return message

    async def send(self, message: Message) -> None:
        """Raises TimeoutError for a client that does not take its answer."""
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
            self._taken_by = asyncio.get_running_loop().time() + self._patience
        else:
            self.bytes_out += len(message.get("body", b""))
        try:
            async with asyncio.timeout_at(self._taken_by):
                await self._send(message)
        except TimeoutError:
            self.cut = True
            raise

    async def _discard_body(self) -> None:
        """Read what a refused client still sends: closed in its face, it would never see why.

        Clients that asked first (`Expect: 100-continue`, as curl does for large files) send nothing.
        """
        if self._asks_first:
            return
        most = self.bytes_in + _DISCARDED
        try:
            async with asyncio.timeout_at(self._arrived_by):
                while self._has_body and self.bytes_in < most:
                    await self.receive()
        except TimeoutError:
            return


class JsonLines(logging.Formatter):
    """A log record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line)

"""The server as a process: socket, logging, signals."""

from __future__ import annotations

import logging
import math
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from importlib.resources import files
from ipaddress import ip_address
from pathlib import Path
from types import FrameType

import cv2
import uvicorn
from starlette.types import ASGIApp

from facepoints.errors import BadChoice
from facepoints.inference.detector import FLAGSHIP, load
from facepoints.server.access_log import JsonLines
from facepoints.server.app import Settings, create_app
from facepoints.server.connections import protocol_with_timeout
from facepoints.server.limits import Limits

KEY = "FACEPOINTS_API_KEY"
"""Environment variable with the key that clients must send."""


def serve(
    model: Path | None,
    settings: Settings,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    face_model: Path | None = None,
    ready: Callable[[str], None] = lambda url: None,
) -> None:
    """Serve until SIGTERM or Ctrl-C; requests in progress are finished first.

    port 0: any free port. `ready` is called with the URL. Raises BadChoice where it cannot listen, BadRun where the
    model cannot be read.
    """
    with _listen(host, port) as listening:
        # one thread per photo, several photos at once: more photos per second than all threads on one photo
        detector = load(model, threads=1, face_model=face_model)
        cv2.setNumThreads(1)
        content = model.read_bytes() if model else files("facepoints").joinpath("weights", FLAGSHIP).read_bytes()
        app = create_app(detector, content, settings)
        _log_to_stderr()
        signal.signal(signal.SIGTERM, _exit)
        ready(f"http://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}")
        uvicorn.Server(uvicorn_config(app, settings.limits)).run(sockets=[listening])


def uvicorn_config(app: ASGIApp, limits: Limits) -> uvicorn.Config:
    """HTTP only, with the client timeout and our access log."""
    return uvicorn.Config(
        app,
        http=protocol_with_timeout(limits.client_timeout),
        ws="none",
        loop="asyncio",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=math.ceil(limits.request_timeout + limits.client_timeout),
    )


def key_of(environment: Mapping[str, str]) -> str | None:
    """The key that clients must send, None where none is set; raises BadChoice for one that no header can hold."""
    key = environment.get(KEY)
    if key is not None and (not key or not key.isascii() or not key.isprintable() or " " in key):
        raise BadChoice(f"{KEY} is empty or contains spaces or special characters. Use letters and digits, or unset it")
    return key


def is_open(host: str) -> bool:
    """True if other machines can reach a server at this address."""
    try:
        return not ip_address(host).is_loopback
    except ValueError:
        return host != "localhost"


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family, backlog=1024)
    except (OSError, UnicodeError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise BadChoice(f"cannot listen on {host} port {port} ({reason}). Choose another --host or --port") from error


def _log_to_stderr() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    for name, level in (("facepoints.server", logging.INFO), ("uvicorn.error", logging.WARNING)):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(level)


def _exit(number: int, frame: FrameType | None) -> None:
    """uvicorn raises the signal again after a graceful shutdown: exit with code 0."""
    raise SystemExit(0)

"""The server as a process: where it listens, what it logs, and how it ends."""

from __future__ import annotations

import logging
import math
import os
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
from facepoints.server.connections import patient_for
from facepoints.server.limits import Limits

KEY = "FACEPOINTS_API_KEY"
"""The environment variable with the key that clients must send."""


def serve(
    model: Path | None,
    settings: Settings,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    face_model: Path | None = None,
    ready: Callable[[str], None] = lambda url: None,
) -> None:
    """Answer requests until SIGTERM or Ctrl-C; those under way are finished first.

    port 0: any that is free. `ready` is told the address. Raises BadChoice where it cannot listen, BadRun for a model
    that cannot be read.
    """
    listening = _listen(host, port)
    with listening:
        # each photo has one thread, and several photos are at work at once: more photos a second than the other way
        detector = load(model, threads=1, face_model=face_model)
        cv2.setNumThreads(1)
        content = model.read_bytes() if model else files("facepoints").joinpath("weights", FLAGSHIP).read_bytes()
        app = create_app(detector, content, settings)
        _log_to_stderr()
        signal.signal(signal.SIGTERM, _leave)
        own_port = listening.getsockname()[1]
        ready(f"http://{f'[{host}]' if ':' in host else host}:{own_port}")
        uvicorn.Server(configured(app, settings.limits)).run(sockets=[listening])


def configured(app: ASGIApp, limits: Limits) -> uvicorn.Config:
    """How uvicorn runs the app: HTTP only, with our patience and our log."""
    return uvicorn.Config(
        app,
        http=patient_for(limits.patience),
        ws="none",
        loop="asyncio",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=math.ceil(limits.seconds + limits.patience),
    )


def key_of(environment: Mapping[str, str]) -> str | None:
    """The key that clients must send, None where none is set; raises BadChoice for one that nobody could send."""
    key = environment.get(KEY)
    if key is not None and (not key or not key.isascii() or not key.isprintable() or " " in key):
        raise BadChoice(
            f"{KEY} is empty or has spaces or other unusual characters. Give letters and digits, or unset it"
        )
    return key


def is_open(host: str) -> bool:
    """Can others than this machine reach a server that listens there?"""
    try:
        return not ip_address(host).is_loopback
    except ValueError:
        return host != "localhost"


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


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


def _leave(number: int, frame: FrameType | None) -> None:
    """uvicorn sends its signals on to whom they came before, when all requests are answered: that is no failure."""
    raise SystemExit(0)

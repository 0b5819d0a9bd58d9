"""Resource limits of the server."""

from __future__ import annotations

from dataclasses import dataclass

from facepoints.errors import BadChoice


@dataclass(frozen=True)
class Limits:
    """Requests beyond a limit are refused."""

    upload_bytes: int = 20_000_000
    """bytes of one request body"""
    photo_pixels: int = 60_000_000
    """pixels of one photo"""
    request_timeout: float = 20.0
    """seconds of queueing and processing, after the request has been received"""
    client_timeout: float = 30.0
    """seconds for a client to send the request head, then the body, then to receive the response"""
    queue_size: int = 64
    """waiting requests, besides those being processed"""
    memory_bytes: int = 256_000_000
    """bytes of all uploads in memory"""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            least = 0 if name == "queue_size" else 1e-3
            if not value >= least:  # also refuses NaN
                raise BadChoice(f"a limit of {value} for {name}: expected at least {least:g}")

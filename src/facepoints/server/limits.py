"""What the server takes at most."""

from __future__ import annotations

from dataclasses import dataclass

from facepoints.errors import BadChoice


@dataclass(frozen=True)
class Limits:
    """How much of everything; beyond it the server refuses and says so."""

    upload: int = 20_000_000
    """bytes of one upload"""
    pixels: int = 60_000_000
    """of one photo"""
    seconds: float = 20.0
    """of waiting and work for one request, once it has arrived"""
    patience: float = 30.0
    """seconds that a client may take to send a request's head, then its body, then to take the answer"""
    waiting: int = 64
    """requests, besides those at work"""
    held: int = 256_000_000
    """bytes of all uploads that are in memory at once"""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value >= (0 if name == "waiting" else 1e-3):  # also turns NaN away
                raise BadChoice(f"a limit of {value} for {name}: expected more than nothing")

    @property
    def megabytes(self) -> str:
        """Bytes of an upload, in words."""
        return f"{self.upload / 1e6:g} MB"

    @property
    def megapixels(self) -> str:
        """Pixels of a photo, in words."""
        return f"{self.pixels / 1e6:g} megapixels"

"""facepoints: trains, judges and runs facial keypoint detectors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from facepoints.inference.detector import Detector, load
    from facepoints.inference.faces import Face

__all__ = ["Detector", "Face", "load"]


def __getattr__(name: str) -> Any:
    """The public names, when first asked for: what they load takes half a second that `--help` need not wait."""
    if name not in __all__:
        raise AttributeError(f"module 'facepoints' has no attribute '{name}'")
    from facepoints.inference import detector

    return getattr(detector, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])

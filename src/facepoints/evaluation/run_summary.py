"""How a run came about: what was trained, on what machine, how it went. Facts only; no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class LayerSummary:
    """One layer that a face passes."""

    place: str
    kind: str
    shape: tuple[int, ...]
    parameters: int


@dataclass(frozen=True)
class RunSummary:
    """What a run folder tells beside its model."""

    recipe: str
    summary: str
    parent: str
    """the recipe that `differences` are told against: its parent in the book, or "the defaults" """
    differences: Mapping[str, tuple[Any, str]]
    """field -> (value, what the field means)"""
    changes: Mapping[str, tuple[Any, Any]]
    """field -> (value of the book's recipe, value of this run): what --set changed"""
    started: str
    seconds: float
    """of training, all epochs"""
    training_rows: int | None
    best_epoch: int | None
    history: tuple[Mapping[str, float], ...]
    """one dict per epoch, as in history.json; of an ensemble empty"""
    members: Mapping[str, tuple[Mapping[str, float], ...]]
    """the histories of an ensemble's networks"""
    machine: Mapping[str, str]
    versions: Mapping[str, str]
    network: str
    """what it is called; of an ensemble, as of layers and diagram, that of its first network"""
    layers: tuple[LayerSummary, ...]
    diagram: NDArray[np.uint8]
    """(h, w, 3) BGR"""

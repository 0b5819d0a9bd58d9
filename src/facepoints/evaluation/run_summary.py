"""Summary of a training: recipe, history, machine, network. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class LayerSummary:
    """One layer of a network."""

    place: str
    kind: str
    shape: tuple[int, ...]
    parameters: int


@dataclass(frozen=True)
class RunSummary:
    """The training of a run."""

    recipe: str
    summary: str
    parent: str
    """the recipe that `differences` refer to: the parent of the built-in recipe, or "the defaults" """
    differences: Mapping[str, tuple[Any, str]]
    """field -> (value, meaning of the field)"""
    changes: Mapping[str, tuple[Any, Any]]
    """field -> (value of the built-in recipe, value of this run), for fields changed by --set"""
    started: str
    seconds: float
    """of training, all epochs"""
    training_rows: int | None
    best_epoch: int | None
    history: tuple[Mapping[str, float], ...]
    """one dict per epoch, as in history.json; empty for an ensemble"""
    members: Mapping[str, tuple[Mapping[str, float], ...]]
    """histories of the networks of an ensemble"""
    machine: Mapping[str, str]
    versions: Mapping[str, str]
    network: str
    """its name; for an ensemble that of its first network, like layers and diagram"""
    layers: tuple[LayerSummary, ...]
    diagram: NDArray[np.uint8]
    """(h, w, 3) BGR"""

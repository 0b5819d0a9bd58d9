"""Training and validation rows, split by group and source.

The same image twice, or two film frames of one person, would leak from training into validation. Rows with similar
images therefore form one group, and a group is never split.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facepoints.data.dataset import LabeledFaces
from facepoints.data.similarity import group_alike
from facepoints.errors import BadChoice


@dataclass(frozen=True)
class Split:
    """Positions (not row numbers) of the training and of the validation faces."""

    training: NDArray[np.int64]
    validation: NDArray[np.int64]


def split_groups(data: LabeledFaces, fraction: float, seed: int) -> Split:
    """Random groups for validation, with the same share of each source. Deterministic for the same data and seed.

    `fraction` of each source's rows goes to validation, up to the rounding that whole groups need.
    """
    _check(len(data), fraction)
    group = group_alike(data.faces)
    validation = np.zeros(len(data), bool)
    order = np.random.default_rng(seed).permutation(np.unique(group))
    for source in np.unique(data.source):
        wanted = fraction * np.count_nonzero(data.source == source)
        size = np.bincount(group[data.source == source], minlength=len(data))
        # a group with rows of both sources may already be on the validation side
        got = np.count_nonzero(validation & (data.source == source))
        for g in order:
            if got >= wanted:
                break
            # a group larger than the rest needed is skipped; smaller ones may follow
            if size[g] and not validation[g] and got + size[g] / 2 <= wanted:
                validation |= group == g
                got += size[g]
    return _sides(validation)


def deal_folds(data: LabeledFaces, folds: int, seed: int) -> NDArray[np.int64]:
    """The fold of each row, int (n,): whole groups of similar faces, each fold with its share of each source."""
    group = group_alike(data.faces)
    groups = np.unique(group)
    if len(groups) < folds:
        raise BadChoice(f"{len(data)} faces make {len(groups)} groups of similar ones, too few for {folds} folds")
    fold = np.full(len(data), -1)
    sources = int(data.source.max()) + 1
    filled = np.zeros((folds, sources))
    for g in np.random.default_rng(seed).permutation(groups):
        members = np.flatnonzero(group == g)
        counts = np.bincount(data.source[members], minlength=sources)
        emptiest = int(np.argmin(filled @ counts))
        fold[members] = emptiest
        filled[emptiest] += counts
    return fold


def split_last(data: LabeledFaces, fraction: float) -> Split:
    """The last rows for validation, like `validation_split` of Keras. Near-duplicates leak from side to side."""
    _check(len(data), fraction)
    first = int(len(data) * (1 - fraction))  # Keras rounds the training part down
    return _sides(np.arange(len(data)) >= first)


def split(data: LabeledFaces, how: str, fraction: float, seed: int) -> Split:
    """`how` is "groups" or "last"; see split_groups and split_last."""
    return split_last(data, fraction) if how == "last" else split_groups(data, fraction, seed)


def _sides(validation: NDArray[np.bool_]) -> Split:
    if validation.all() or not validation.any():
        raise BadChoice(
            f"the split leaves {np.count_nonzero(~validation)} training and {np.count_nonzero(validation)} "
            "validation rows; both need some: give more rows or another validation_fraction"
        )
    return Split(training=np.flatnonzero(~validation), validation=np.flatnonzero(validation))


def _check(rows: int, fraction: float) -> None:
    if not 0 < fraction < 1:
        raise BadChoice(f"validation_fraction is {fraction}, expected a number between 0 and 1, such as 0.2")
    if rows < 2:
        raise BadChoice(f"{rows} row cannot be split into training and validation; at least 2 are needed")

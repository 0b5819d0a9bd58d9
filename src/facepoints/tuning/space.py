"""The search space: for each field a range or a choice, from the command line or by default.

learning_rate=1e-4..1e-2        a range; its scale is logarithmic where that suits the field or its length
width=16,32,64                  a choice
dropout                         the default range or choice around the recipe's own value
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

import torch
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import Trial

from facepoints.data.dataset import LabeledFaces
from facepoints.data.imputation import STRATEGIES
from facepoints.errors import BadChoice, unknown
from facepoints.models.networks import NETWORKS, build
from facepoints.training.fit import size_of
from facepoints.training.recipe import Recipe

Value = str | int | float | bool

LOGARITHMIC = frozenset({"learning_rate", "weight_decay"})
"""Fields with a logarithmic scale for every range."""

_DECADES = 2.0
"""Ranges of any field over at least so many powers of ten also have a logarithmic scale."""

_ROWS = "it selects the validation rows, which must be the same for all trials"
FIXED = {
    "name": "it has no effect",
    "summary": "it has no effect",
    "keypoints": _ROWS,
    "split": _ROWS,
    "validation_fraction": _ROWS,
    "seed": "the best of several seeds is best by chance",
    "epochs": "the longest training would win; --epochs sets the epochs of each trial",
    "angles": "it is a list; vary rotation instead",
    "folds": "the largest ensemble would win; tune one network, then train several",
    "ensemble_networks": "it is a list; vary network instead",
    "teacher": "every trial would train it; pass a trained one with --set teacher=RUN",
}
"""Fields that cannot be varied, with the reason."""


@dataclass(frozen=True)
class Range:
    """All numbers from low to high."""

    low: float
    high: float
    log: bool = False
    whole: bool = False

    def __str__(self) -> str:
        return f"{self.low:.12g}..{self.high:.12g}{' (log)' if self.log else ''}"

    @property
    def distribution(self) -> BaseDistribution:
        """The distribution in Optuna."""
        if self.whole:
            return IntDistribution(int(self.low), int(self.high), log=self.log)
        return FloatDistribution(self.low, self.high, log=self.log)

    def nearest(self, value: Any) -> Value:
        """The nearest value of the range."""
        near = min(max(value, self.low), self.high)
        return int(near) if self.whole else float(near)

    def sample(self, trial: Trial, field: str) -> Value:
        """The sampler's value, rounded to four digits."""
        if self.whole:
            return trial.suggest_int(field, int(self.low), int(self.high), log=self.log)
        exact = trial.suggest_float(field, self.low, self.high, log=self.log)
        typed = exact == float(f"{exact:.12g}")  # the first trial has the recipe's values, which are not rounded
        return exact if typed else self.nearest(float(f"{exact:.4g}"))


@dataclass(frozen=True)
class Choice:
    """One of some values."""

    values: tuple[Value, ...]

    def __str__(self) -> str:
        return ",".join(str(value) for value in self.values)

    @property
    def distribution(self) -> BaseDistribution:
        """The distribution in Optuna."""
        return CategoricalDistribution(self.values)

    def nearest(self, value: Any) -> Value:
        """The value itself if it is one of the choices, else the nearest number or the first choice."""
        if value in self.values:
            return next(v for v in self.values if v == value)
        if isinstance(value, str):
            return self.values[0]
        return min(self.values, key=lambda v: abs(float(v) - value))

    def sample(self, trial: Trial, field: str) -> Value:
        """The sampler's value."""
        return cast("Value", trial.suggest_categorical(field, self.values))


Space = dict[str, Range | Choice]
"""field of a recipe -> its range or choice"""


def _times(*factors: float) -> Callable[[Any], Choice]:
    return lambda own: Choice(tuple(sorted({max(1, round(own * factor)) for factor in factors})))


def _among(*values: Value) -> Callable[[Any], Choice]:
    return lambda own: Choice(tuple(values) if own in values else tuple(sorted([*values, own])))


def _up_to(high: float) -> Callable[[Any], Range]:
    return lambda own: Range(0.0, max(high, own))


SUGGESTED: dict[str, Callable[[Any], Range | Choice]] = {
    "width": _times(0.5, 1, 2),
    "kernel": _among(3, 5, 7),
    "dense_units": _times(0.25, 0.5, 1, 2),
    "dropout": _up_to(0.5),
    "learning_rate": lambda own: Range(own / 10, min(own * 10, 1.0), log=True),
    "batch_size": _times(0.5, 1, 2, 4),
    "flip": _up_to(0.5),
    "rotation": _up_to(30.0),
    "shift": _up_to(8.0),
    "scale": _up_to(0.3),
    "contrast": _up_to(0.6),
    "missing": lambda own: Choice(tuple(STRATEGIES)),
}
"""field -> default range or choice, from the recipe's own value, which it contains"""

_SIZES = {"width", "kernel", "dense_units", "dropout"}


def suggested_space(recipe: Recipe, data: LabeledFaces) -> Space:
    """The default space: sizes that affect the network, optimization, augmentation, imputation."""
    chosen = data.only(recipe.keypoints)
    idle = _SIZES - sizes_used(recipe)
    if recipe.angles:
        idle.add("rotation")  # `angles` has precedence
    if chosen.keypoints.lone_sides():
        idle.add("flip")
    space = {field: suit(getattr(recipe, field)) for field, suit in SUGGESTED.items() if field not in idle}
    if not chosen.observed.all(axis=1).any():  # without complete rows `drop` would leave no training rows
        space["missing"] = Choice(tuple(strategy for strategy in STRATEGIES if strategy != "drop"))
    return space


def sizes_used(recipe: Recipe) -> set[str]:
    """The size fields that change the recipe's network."""
    smallest = replace(recipe, width=8, kernel=3, dense_units=16, dropout=0.1)
    larger = {"width": 16, "kernel": 5, "dense_units": 32, "dropout": 0.2}
    with torch.random.fork_rng(devices=[]):  # building initializes weights from the global random state
        plain = repr(build(recipe.network, 2, size_of(smallest)))
        return {
            f for f, v in larger.items() if repr(build(recipe.network, 2, size_of(smallest.replace(**{f: v})))) != plain
        }


def read_space(recipe: Recipe, typed: Iterable[str]) -> Space:
    """The space from arguments `field=low..high`, `field=a,b,c` and `field`.

    Raises BadChoice for unknown fields and unsupported values.
    """
    return dict(_read_one(recipe, text) for text in typed)


def _read_one(recipe: Recipe, text: str) -> tuple[str, Range | Choice]:
    field, equals, values = (part.strip() for part in text.partition("="))
    if field not in recipe.as_table():
        raise unknown("field", field, set(recipe.as_table()) - set(FIXED))
    if field in FIXED:
        raise BadChoice(f"--vary {field}: cannot be varied: {FIXED[field]}")
    if not equals:
        if field not in SUGGESTED:
            raise BadChoice(
                f"--vary {field}: it has no default range, expected {field}=a,b or, for numbers, {field}=low..high"
            )
        return field, SUGGESTED[field](getattr(recipe, field))
    if ".." in values:
        return field, _range(recipe, field, values)
    chosen = tuple(dict.fromkeys(_value(recipe, field, item) for item in values.split(",") if item.strip()))
    if len(chosen) < 2:
        raise BadChoice(f"--vary {text}: a single value, expected {field}=a,b or, for numbers, {field}=low..high")
    for name in chosen if field == "network" else ():
        if name not in NETWORKS:
            raise unknown("network", str(name), NETWORKS)
    return field, Choice(chosen)


def _range(recipe: Recipe, field: str, values: str) -> Range:
    first, _, last = values.partition("..")
    low, high = (_value(recipe, field, end) for end in (first, last))
    numbers = all(isinstance(end, int | float) and not isinstance(end, bool) for end in (low, high))
    if not numbers or not float(low) < float(high):
        raise BadChoice(f"--vary {field}={values}: expected {field}=low..high, two numbers, the lower one first")
    bottom, top = float(low), float(high)
    wide = bottom > 0 and math.log10(top / bottom) >= _DECADES - 1e-9
    return Range(bottom, top, log=bottom > 0 and (wide or field in LOGARITHMIC), whole=isinstance(low, int))


def _value(recipe: Recipe, field: str, text: str) -> Value:
    value: Value = getattr(recipe.with_settings([f"{field}={text.strip()}"]), field)
    return value


def sample(space: Space, trial: Trial) -> dict[str, Value]:
    """The sampler's value for each field."""
    return {field: domain.sample(trial, field) for field, domain in space.items()}


def nearest(space: Space, recipe: Recipe) -> dict[str, Value]:
    """The values nearest to the recipe: the first trial of a search."""
    return {field: domain.nearest(getattr(recipe, field)) for field, domain in space.items()}


def in_words(space: Mapping[str, Range | Choice]) -> dict[str, str]:
    """field -> its range or choice as text, which a study stores to compare search spaces."""
    return {field: str(domain) for field, domain in space.items()}

"""The recipe: one frozen object with every choice of a training, and never where it runs (paths, devices).

Name, type, meaning, default and limits of a field are declared once; help texts, the TOML reader, the search space of
tuning and error messages are derived from them.
"""

from __future__ import annotations

import dataclasses
import json
import math
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from facepoints.data.imputation import STRATEGIES
from facepoints.errors import BadChoice, BadRun, unknown

NETWORK_NAMES = ("dense", "plain", "leaky", "five", "base", "base-extended", "heatmap", "heatmap-wide")
"""The keys of models.networks.NETWORKS, repeated here because importing that module imports torch."""


def choose(
    default: Any,
    meaning: str,
    *,
    low: float = -math.inf,
    high: float = math.inf,
    among: tuple[str, ...] = (),
) -> Any:
    """A field with its default, its meaning in a few words, and the values it may take."""
    return dataclasses.field(default=default, metadata={"meaning": meaning, "low": low, "high": high, "among": among})


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what is trained."""

    name: str = choose("", "the recipe's name")
    summary: str = choose("", "one-line description")

    # data
    keypoints: tuple[str, ...] = choose((), "keypoints to train on; empty: all")
    missing: str = choose("mask", "imputation of missing points; mask: no imputation", among=tuple(STRATEGIES))
    drop_label_issues: str = choose("", "an audit.csv; training omits the labels that it considers wrong; empty: none")
    split: str = choose("groups", "how validation rows are chosen", among=("groups", "last"))
    validation_fraction: float = choose(0.15, "share of the rows used for validation", low=0.01, high=0.9)
    seed: int = choose(0, "seed of split, initial weights, batches and augmentation", low=0, high=2**31 - 1)

    # network
    network: str = choose("plain", "network architecture", among=NETWORK_NAMES)
    width: int = choose(32, "filters of the first stage; later stages are multiples of it", low=1, high=1024)
    kernel: int = choose(3, "filter size, pixels", low=1, high=11)
    dense_units: int = choose(512, "units of the fully connected layer", low=1, high=8192)
    dropout: float = choose(0.0, "dropout rate", low=0, high=0.95)

    folds: int = choose(
        0, "train an ensemble of networks, each without one fold of this many; 0: no ensemble", low=0, high=100
    )
    ensemble_networks: tuple[str, ...] = choose(
        (), "networks trained for each fold; empty: the recipe's network", among=NETWORK_NAMES
    )

    # augmentation, random for each face of each batch
    flip: float = choose(0.0, "share of faces that are mirrored", low=0, high=1)
    rotation: float = choose(0.0, "largest rotation in either direction, degrees", low=0, high=180)
    angles: tuple[float, ...] = choose((), "rotate by one of these angles instead, degrees")
    shift: float = choose(0.0, "largest translation along x and y, pixels", low=0, high=48)
    scale: float = choose(0.0, "largest change of size: 0.2 means a factor of 1/1.2 to 1.2", low=0, high=1)
    shear: float = choose(0.0, "largest shear in either direction, degrees", low=0, high=45)
    crop_jitter: float = choose(0.0, "share of faces cropped as inaccurately as by a face detector", low=0, high=1)
    out_of_frame_margin: float = choose(
        0.0, "distance outside of the image up to which moved points are still trained on, pixels", low=0, high=48
    )
    brightness: float = choose(0.0, "largest change of brightness, as a share of white", low=0, high=1)
    contrast: float = choose(0.0, "largest change of contrast: 0.3 means a factor of 1/1.3 to 1.3", low=0, high=3)
    gamma: float = choose(0.0, "largest change of gamma: 0.5 means an exponent of 1/1.5 to 1.5", low=0, high=3)
    blur: float = choose(0.0, "share of faces blurred by down- and upscaling", low=0, high=1)
    noise: float = choose(0.0, "largest standard deviation of added noise, as a share of white", low=0, high=1)
    label_offset: bool = choose(
        False, "learn the constant offset of each source for each point, outside of the network"
    )

    # training
    teacher: str = choose("", "recipe or run to distill: its points for all faces and sources are targets, too")
    teacher_weight: float = choose(0.3, "weight of the teacher's points relative to labels", low=0, high=10)
    expected_error: bool = choose(False, "train a head for expected errors afterwards (heatmap networks)")
    heatmap_loss: float = choose(0.0, "weight of the cross entropy to a Gaussian target (heatmap networks)", low=0)
    loss: str = choose("squared", "loss of one coordinate", among=("squared", "huber", "absolute"))
    squared_epochs: int = choose(0, "number of last epochs trained with the squared loss, which is the metric", low=0)
    epochs: int = choose(30, "passes over the training rows", low=1, high=100_000)
    batch_size: int = choose(32, "faces in a training step", low=1, high=65_536)
    optimizer: str = choose("adam", "optimization algorithm", among=("adam", "adamw", "muon", "sgd"))
    learning_rate: float = choose(1e-3, "highest learning rate", low=1e-8, high=10)
    weight_decay: float = choose(0.0, "weight decay (adamw, muon, sgd)", low=0, high=10)
    schedule: str = choose("constant", "learning rate schedule", among=("constant", "cosine"))
    warmup_epochs: float = choose(0.0, "epochs in which the learning rate rises from zero", low=0)
    clip: float = choose(0.0, "largest gradient norm; 0: no limit", low=0)
    ema: float = choose(0.0, "decay of the moving average of the weights; 0: none", low=0, high=0.99999)
    patience: int = choose(0, "stop after this many epochs without a better validation RMSE; 0: never", low=0)
    precision: str = choose("32-true", "floating-point precision", among=("32-true", "bf16-mixed", "16-mixed"))

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            object.__setattr__(self, field.name, _checked(field, getattr(self, field.name)))

    def replace(self, **changes: Any) -> Recipe:
        """The recipe with some fields changed; an unknown field or impossible value raises BadChoice."""
        for name in changes:
            _field(name)
        return dataclasses.replace(self, **changes)

    def with_settings(self, assignments: Iterable[str]) -> Recipe:
        """The recipe changed by `field=value` assignments as typed on a command line."""
        changes: dict[str, Any] = {}
        for text in assignments:
            name, equals, value = text.partition("=")
            if not equals:
                raise BadChoice(f"--set {text}: expected field=value, such as --set epochs=5")
            changes[name.strip()] = _parsed(_field(name.strip()), value.strip())
        return self.replace(**changes)

    def differences(self, parent: Recipe) -> dict[str, Any]:
        """The fields, except name and summary, whose values differ from the parent's."""
        names = [f.name for f in dataclasses.fields(self) if f.name not in ("name", "summary")]
        return {n: getattr(self, n) for n in names if getattr(self, n) != getattr(parent, n)}

    def as_table(self) -> dict[str, Any]:
        """The fields as JSON and TOML values; `from_table` is the inverse."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in dataclasses.asdict(self).items()}

    def to_toml(self) -> str:
        """The recipe as TOML, one commented line per field."""
        # JSON's strings, numbers, booleans and flat lists are valid TOML
        return "".join(
            f"{name} = {json.dumps(value, ensure_ascii=False)}  # {meanings()[name][2]}\n"
            for name, value in self.as_table().items()
        )


def read_toml(path: Path) -> Recipe:
    """The recipe in a TOML file, with defaults for absent fields; raises BadRun or BadChoice."""
    return from_table(read_table(path))


def read_table(path: Path) -> dict[str, Any]:
    """The fields in a TOML file; raises BadRun where it cannot be read."""
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise BadRun(f"{path}: cannot be read ({error.strerror}); expected a recipe as a TOML file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadRun(f"{path}: not a TOML file: {error}. See `facepoints recipes NAME` for an example") from error


def from_table(table: Mapping[str, Any], parent: Recipe | None = None) -> Recipe:
    """The parent (default: all defaults) changed by a table of fields as TOML and JSON have them."""
    return (parent or Recipe()).replace(**{k: tuple(v) if isinstance(v, list) else v for k, v in table.items()})


@cache
def meanings() -> dict[str, tuple[str, Any, str]]:
    """For each field its type in words, its default and its meaning: the help text."""
    return {f.name: (_kind_in_words(f), f.default, f.metadata["meaning"]) for f in dataclasses.fields(Recipe)}


def _field(name: str) -> dataclasses.Field[Any]:
    fields = {f.name: f for f in dataclasses.fields(Recipe)}
    if name not in fields:
        raise unknown("field", name, fields)
    return fields[name]


@cache
def _types() -> dict[str, Any]:
    return get_type_hints(Recipe)  # cached: resolving them for each field of each built-in recipe takes a second


def _kind_in_words(field: dataclasses.Field[Any]) -> str:
    kind = _types()[field.name]
    words = {int: "whole number", float: "number", bool: "true | false", str: "text"}
    if get_origin(kind) is tuple:
        items = " | ".join(field.metadata["among"])
        return f"list of {items or words[get_args(kind)[0]] + 's'}"
    return " | ".join(field.metadata["among"]) or words[kind]


def _checked(field: dataclasses.Field[Any], value: Any) -> Any:
    """The value in the field's own type; raises BadChoice for another type or a value out of bounds."""
    kind = _types()[field.name]
    if get_origin(kind) is tuple:
        if not isinstance(value, tuple | list):
            raise _wrong(field, value)
        return tuple(_checked_item(field, item, get_args(kind)[0]) for item in value)
    value = _checked_item(field, value, kind)
    low, high = field.metadata["low"], field.metadata["high"]
    if isinstance(value, int | float) and not (low <= value <= high and math.isfinite(value)):
        limits = f"at least {low:g}" if high == math.inf else f"{low:g} to {high:,.12g}"
        raise BadChoice(f"field '{field.name}' is {value:g}, expected {limits} ({field.metadata['meaning']})")
    return value


def _checked_item(field: dataclasses.Field[Any], value: Any, kind: Any) -> Any:
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise _wrong(field, value)
    if isinstance(field.default, tuple) and isinstance(value, float) and not math.isfinite(value):
        raise _wrong(field, value)
    if field.metadata["among"] and value not in field.metadata["among"]:
        raise unknown(field.name, str(value), field.metadata["among"])
    return value


def _parsed(field: dataclasses.Field[Any], text: str) -> Any:
    """The value typed on a command line; raises BadChoice."""
    kind = _types()[field.name]
    try:
        if get_origin(kind) is tuple:
            items = [item.strip().strip("'\"") for item in text.strip("[]() ").split(",") if item.strip()]
            return tuple(get_args(kind)[0](item) for item in items)
        return {"true": True, "false": False}[text.lower()] if kind is bool else kind(text)
    except (ValueError, KeyError):
        raise _wrong(field, text) from None


def _wrong(field: dataclasses.Field[Any], value: Any) -> BadChoice:
    meaning = field.metadata["meaning"]
    return BadChoice(f"field '{field.name}' is {value!r}, expected a {_kind_in_words(field)} ({meaning})")

"""What may be chosen in a training: one frozen object, one place for each choice.

Name, type, meaning, default and limits of a field stand here once; the help text, the TOML reader, the search space
and the error for a misspelled field are read from it. A recipe never says where (paths, devices).
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


def choose(
    default: Any,
    meaning: str,
    *,
    low: float = -math.inf,
    high: float = math.inf,
    among: tuple[str, ...] = (),
) -> Any:
    """A field: its default, its meaning in a few words, and the values it may take."""
    return dataclasses.field(default=default, metadata={"meaning": meaning, "low": low, "high": high, "among": among})


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what is trained."""

    name: str = choose("", "the recipe's name")
    summary: str = choose("", "what it is, in one line")

    # the data
    keypoints: tuple[str, ...] = choose((), "train on these keypoints only; empty: all")
    missing: str = choose("mask", "what to do with missing points", among=tuple(STRATEGIES))
    drop_label_issues: str = choose(
        "", "an audit.csv: training leaves out the labels that it holds for wrong; empty: none"
    )
    split: str = choose("groups", "how validation rows are drawn", among=("groups", "last"))
    validation_fraction: float = choose(0.15, "share of the rows kept for validation", low=0.01, high=0.9)
    seed: int = choose(0, "seed of split, start weights, batches and augmentation", low=0, high=2**31 - 1)

    # the network
    network: str = choose("plain", "a network of models/networks.py")
    width: int = choose(32, "filters of the first stage; the later ones are multiples of it", low=1, high=1024)
    kernel: int = choose(3, "size of the filters in pixels", low=1, high=11)
    dense_units: int = choose(512, "units of the fully connected layer", low=1, high=8192)
    dropout: float = choose(0.0, "share of units that are silent in a training step", low=0, high=0.95)

    folds: int = choose(
        0, "train as many networks, each without another part of the rows, that answer with their mean", low=0, high=100
    )
    ensemble_networks: tuple[str, ...] = choose((), "the networks that each fold trains; empty: just the recipe's")

    # augmentation: each face of each batch anew
    flip: float = choose(0.0, "share of faces that are mirrored", low=0, high=1)
    rotation: float = choose(0.0, "largest rotation, degrees either way", low=0, high=180)
    angles: tuple[float, ...] = choose((), "rotate by one of these angles instead, degrees")
    shift: float = choose(0.0, "largest translation along x and y, pixels", low=0, high=48)
    scale: float = choose(0.0, "largest change of size, as a share: 0.2 is 1/1.2 to 1.2", low=0, high=1)
    shear: float = choose(0.0, "largest shear, degrees either way", low=0, high=45)
    crop_jitter: float = choose(0.0, "share of faces framed as loosely as a face finder's box may be", low=0, high=1)
    out_of_frame_margin: float = choose(
        0.0, "pixels that a moved point may lie outside of the face's picture and still be learned", low=0, high=48
    )
    brightness: float = choose(0.0, "largest change of brightness, as a share of white", low=0, high=1)
    contrast: float = choose(0.0, "largest change of contrast: 0.3 is 1/1.3 to 1.3", low=0, high=3)
    gamma: float = choose(0.0, "largest change of gamma: 0.5 is 1/1.5 to 1.5", low=0, high=3)
    blur: float = choose(0.0, "share of faces blurred by down- and upscaling", low=0, high=1)
    noise: float = choose(0.0, "largest standard deviation of added noise, as a share of white", low=0, high=1)
    label_offset: bool = choose(
        False, "learn the constant offset of each source for each point, and turn faces' points without it"
    )

    # the training
    teacher: str = choose("", "a recipe trained first, or a run: its points for all faces and sources are learned, too")
    teacher_weight: float = choose(0.3, "weight of the teacher's points; that of a label is 1", low=0, high=10)
    expected_error: bool = choose(False, "after the points, learn how far off each may be (networks with maps)")
    heatmap_loss: float = choose(0.0, "weight of how far a map is from a spot at the point (networks with maps)", low=0)
    loss: str = choose("squared", "loss of one coordinate", among=("squared", "huber", "absolute"))
    squared_epochs: int = choose(0, "last epochs trained with the squared loss, which is the metric", low=0)
    epochs: int = choose(30, "passes over the training rows", low=1, high=100_000)
    batch_size: int = choose(32, "faces in a training step", low=1, high=65_536)
    optimizer: str = choose("adam", "the optimizer", among=("adam", "adamw", "muon", "sgd"))
    learning_rate: float = choose(1e-3, "highest learning rate", low=1e-8, high=10)
    weight_decay: float = choose(0.0, "decay of the weights (adamw, muon, sgd)", low=0, high=10)
    schedule: str = choose("constant", "learning rate over time", among=("constant", "cosine"))
    warmup_epochs: float = choose(0.0, "epochs in which the learning rate rises from zero", low=0)
    clip: float = choose(0.0, "largest gradient norm; 0: no limit", low=0)
    ema: float = choose(0.0, "decay of the moving average of the weights; 0: none", low=0, high=0.99999)
    patience: int = choose(0, "stop after this many epochs without a better validation RMSE; 0: never", low=0)
    precision: str = choose("32-true", "arithmetic of the training", among=("32-true", "bf16-mixed", "16-mixed"))

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            object.__setattr__(self, field.name, _checked(field, getattr(self, field.name)))

    def replace(self, **changes: Any) -> Recipe:
        """The same recipe with some fields changed; an unknown field or impossible value raises BadChoice."""
        for name in changes:
            _field(name)
        return dataclasses.replace(self, **changes)

    def with_settings(self, assignments: Iterable[str]) -> Recipe:
        """The same recipe with `field=value` assignments as typed on a command line."""
        changes: dict[str, Any] = {}
        for text in assignments:
            name, equals, value = text.partition("=")
            if not equals:
                raise BadChoice(f"--set {text}: expected field=value, such as --set epochs=5")
            changes[name.strip()] = _parsed(_field(name.strip()), value.strip())
        return self.replace(**changes)

    def differences(self, parent: Recipe) -> dict[str, Any]:
        """The fields in which this recipe differs from its parent, but for name and summary."""
        names = [f.name for f in dataclasses.fields(self) if f.name not in ("name", "summary")]
        return {n: getattr(self, n) for n in names if getattr(self, n) != getattr(parent, n)}

    def as_table(self) -> dict[str, Any]:
        """The fields as JSON and TOML hold them; from_table gives the recipe back."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in dataclasses.asdict(self).items()}

    def to_toml(self) -> str:
        """The recipe as TOML, one commented line per field."""
        lines = []
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            # JSON's strings, numbers, booleans and flat lists are TOML's too
            text = json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)
            lines.append(f"{field.name} = {text}  # {field.metadata['meaning']}\n")
        return "".join(lines)


def read_toml(path: Path) -> Recipe:
    """The recipe in a TOML file. Fields that are left out have their defaults; raises BadRun or BadChoice."""
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise BadRun(f"{path}: cannot be read ({error.strerror}); expected a recipe as a TOML file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadRun(f"{path}: not a TOML file: {error}. See `facepoints recipes NAME` for one") from error
    return from_table(table)


def from_table(table: Mapping[str, Any]) -> Recipe:
    """The recipe from a table of fields, as TOML and JSON give it (lists for tuples)."""
    return Recipe().replace(**{k: tuple(v) if isinstance(v, list) else v for k, v in table.items()})


def meanings() -> dict[str, tuple[str, Any, str]]:
    """For each field its type in words, its default and its meaning: the help text."""
    return {f.name: (_kind_in_words(f), f.default, f.metadata["meaning"]) for f in dataclasses.fields(Recipe)}


def _field(name: str) -> dataclasses.Field[Any]:
    fields = {f.name: f for f in dataclasses.fields(Recipe)}
    if name not in fields:
        raise unknown("field", name, fields)
    return fields[name]


def _type(field: dataclasses.Field[Any]) -> Any:
    return _types()[field.name]


@cache
def _types() -> dict[str, Any]:
    return get_type_hints(Recipe)  # asked once: for each field of each recipe, the book would take a second


def _kind_in_words(field: dataclasses.Field[Any]) -> str:
    if field.metadata["among"]:
        return " | ".join(field.metadata["among"])
    kind = _type(field)
    words = {int: "whole number", float: "number", bool: "true | false", str: "text"}
    return words.get(kind) or f"list of {words[get_args(kind)[0]]}s"


def _checked(field: dataclasses.Field[Any], value: Any) -> Any:
    """The value in the field's own type; raises BadChoice if it is of another kind or out of bounds."""
    kind = _type(field)
    if get_origin(kind) is tuple:
        if not isinstance(value, tuple | list):
            raise _wrong(field, value)
        return tuple(_finite(field, _of_kind(field, item, get_args(kind)[0])) for item in value)
    value = _of_kind(field, value, kind)
    among, low, high = (field.metadata[key] for key in ("among", "low", "high"))
    if among and value not in among:
        raise unknown(field.name, str(value), among)
    if isinstance(value, int | float) and not (low <= value <= high and math.isfinite(value)):
        limits = f"at least {low:g}" if high == math.inf else f"{low:g} to {high:,.12g}"
        raise BadChoice(f"field '{field.name}' is {value:g}, expected {limits} ({field.metadata['meaning']})")
    return value


def _of_kind(field: dataclasses.Field[Any], value: Any, kind: Any) -> Any:
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise _wrong(field, value)
    return value


def _finite(field: dataclasses.Field[Any], item: Any) -> Any:
    if isinstance(item, float) and not math.isfinite(item):
        raise _wrong(field, item)
    return item


def _parsed(field: dataclasses.Field[Any], text: str) -> Any:
    kind = _type(field)
    try:
        if get_origin(kind) is tuple:
            items = [item.strip().strip("'\"") for item in text.strip("[]() ").split(",") if item.strip()]
            return tuple(get_args(kind)[0](item) for item in items)
        if kind is bool:
            return {"true": True, "false": False}[text.lower()]
        return kind(text)
    except (ValueError, KeyError):
        raise _wrong(field, text) from None


def _wrong(field: dataclasses.Field[Any], value: Any) -> BadChoice:
    meaning = field.metadata["meaning"]
    return BadChoice(f"field '{field.name}' is {value!r}, expected a {_kind_in_words(field)} ({meaning})")

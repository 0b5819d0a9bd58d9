"""The built-in recipes, each as its differences from a parent.

Filters, units and epochs of published approaches are as published.
"""

from __future__ import annotations

from pathlib import Path

from facepoints.errors import unknown
from facepoints.keypoints import FOUR
from facepoints.training.recipe import Recipe, from_table, read_table

_plainest = Recipe(epochs=30, batch_size=32, optimizer="adam", learning_rate=1e-3, patience=5)

dense = _plainest.replace(
    name="dense",
    summary="fully connected net, interpolated labels",
    network="dense",
    missing="interpolate",
    dense_units=500,
    learning_rate=3e-4,
)

cnn = _plainest.replace(
    name="cnn",
    summary="a plain CNN, interpolated labels",
    network="plain",
    missing="interpolate",
    width=16,
    dropout=0.1,
)
cnn_flip = cnn.replace(name="cnn-flip", summary="the plain CNN, half of each batch mirrored", flip=0.5)
cnn_rotated = cnn.replace(
    name="cnn-rotated",
    summary="the plain CNN, rotated by -15, 0 or 15 degrees and shifted; backward-forward fill",
    missing="backward-forward",
    angles=(-15.0, 0.0, 15.0),
    shift=6.0,
)

cnn_leaky = _plainest.replace(
    name="cnn-leaky",
    summary="four wide leaky convolutions, 20.37 million parameters, mean fill",
    network="leaky",
    missing="mean",
    width=64,
    dense_units=1024,
    dropout=0.5,
    split="last",  # Keras' validation_split=0.2 takes the last rows
    validation_fraction=0.2,
    precision="bf16-mixed",
)
cnn_leaky_median = cnn_leaky.replace(name="cnn-leaky-median", summary="the same, median fill", missing="median")
cnn_leaky_complete = cnn_leaky.replace(
    name="cnn-leaky-complete", summary="the same, complete rows only", missing="drop"
)
cnn_leaky_eight = cnn_leaky.replace(
    name="cnn-leaky-eight",
    summary="the same, the eight best-labeled coordinates only",
    keypoints=FOUR,
    missing="drop",
)

cnn_five = _plainest.replace(
    name="cnn-five",
    summary="five convolutions, three max-pools, linear output, forward fill",
    network="five",
    missing="forward",
    width=16,
)

base = _plainest.replace(
    name="base", summary="two strided convolutions, complete rows only", network="base", missing="drop", width=16
)
base_extended = base.replace(
    name="base-extended",
    summary="more filters, max-pooling and dropout; complete rows only",
    network="base-extended",
    width=32,
    dropout=0.3,
)
masked = base_extended.replace(name="masked", summary="base-extended with a masked loss on all rows", missing="mask")

cnn_masked = Recipe(
    name="cnn-masked",
    summary="compact residual CNN, a heatmap per point and source, masked loss, full augmentation",
    network="heatmap",
    width=32,
    missing="mask",
    flip=0.5,
    rotation=25.0,
    shift=5.0,
    scale=0.2,
    shear=6.0,
    brightness=0.1,
    contrast=0.3,
    gamma=0.4,
    blur=0.3,
    noise=0.03,
    label_offset=True,
    loss="huber",  # in all epochs: final epochs with the squared loss, which fits wrong labels, gained nothing
    epochs=100,
    batch_size=64,
    optimizer="adamw",
    learning_rate=2e-3,
    weight_decay=0.02,
    schedule="cosine",
    warmup_epochs=1.0,
    ema=0.998,
    precision="bf16-mixed",
)

_broad = cnn_masked.replace(
    network="heatmap-wide",
    validation_fraction=0.05,  # a few hundred rows suffice for validation; training gets a tenth more
    rotation=30.0,
    scale=0.25,
    shift=6.0,
    shear=8.0,
    crop_jitter=0.15,
    heatmap_loss=0.15,
    optimizer="muon",  # reaches in 7 epochs what AdamW reaches in 20 (benchmarks/flagship.md)
    learning_rate=0.02,
    ema=0.999,
)
flagship_ensemble = _broad.replace(
    name="flagship-ensemble",
    summary="mean of five networks, each trained without one fifth of the rows, with linear bias correction",
    folds=5,
    epochs=40,
    squared_epochs=8,
)
flagship = _broad.replace(
    name="flagship",
    summary="one network distilled from flagship-ensemble, predicts the error of each point",
    teacher="flagship-ensemble",
    crop_jitter=0.25,
    out_of_frame_margin=16.0,  # without it, the 2 % of points out of frame make 17 % of the squared error
    epochs=120,
    squared_epochs=20,
    expected_error=True,
)

demo = cnn_masked.replace(
    name="demo",
    summary="a small cnn-masked that the demo trains in two minutes on synthetic faces",
    width=16,
    epochs=30,
    squared_epochs=8,
    learning_rate=4e-3,
)

BUILTIN_RECIPES: dict[str, tuple[Recipe, Recipe | None]] = {
    recipe.name: (recipe, parent)
    for recipe, parent in (
        (dense, None),
        (cnn, None),
        (cnn_flip, cnn),
        (cnn_rotated, cnn),
        (cnn_leaky, None),
        (cnn_leaky_median, cnn_leaky),
        (cnn_leaky_complete, cnn_leaky),
        (cnn_leaky_eight, cnn_leaky),
        (cnn_five, None),
        (base, None),
        (base_extended, base),
        (masked, base_extended),
        (cnn_masked, None),
        (flagship_ensemble, cnn_masked),
        (flagship, flagship_ensemble),
        (demo, cnn_masked),
    )
}
"""Name -> the recipe and the parent that it is described by differences from; None: the fields' defaults."""


def open_recipe(name: str) -> Recipe:
    """A built-in recipe by name or a recipe in a TOML file, which may name a built-in one as its `parent`.

    Raises BadChoice or BadRun.
    """
    if not name.endswith(".toml"):
        return find(name)
    table = {"name": "", **read_table(Path(name))}
    parent = find(str(table.pop("parent"))) if "parent" in table else None
    if parent:
        table = {"summary": f"{parent.name}, changed by {Path(name).name}", **table}
    return from_table(table | {"name": table["name"] or Path(name).stem}, parent)


def find(name: str) -> Recipe:
    """The built-in recipe of this name; raises BadChoice with the nearest name if there is none."""
    if name not in BUILTIN_RECIPES:
        raise unknown("recipe", name, BUILTIN_RECIPES)
    return BUILTIN_RECIPES[name][0]

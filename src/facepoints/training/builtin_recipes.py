"""The recipes, each as its difference from its parent.

Where a project of the field gave a figure (filters, units, epochs), it stands here as it was given.
"""

from __future__ import annotations

from pathlib import Path

from facepoints.errors import unknown
from facepoints.keypoints import FOUR
from facepoints.training.recipe import Recipe, read_toml

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
    summary="a plain CNN as a first model, interpolated labels",
    network="plain",
    missing="interpolate",
    width=16,
    dropout=0.1,
)
cnn_flip = cnn.replace(
    name="cnn-flip", summary="the plain CNN, half of each batch mirrored", flip=0.5
)  # left and right points swap
cnn_rotated = cnn.replace(
    name="cnn-rotated",
    summary="the plain CNN, turned by -15, 0 or 15 degrees and shifted; backward-forward fill",
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
masked = base_extended.replace(
    name="masked", summary="base-extended with a masked loss on all rows", missing="mask"
)  # guess nothing

cnn_masked = Recipe(
    name="cnn-masked",
    summary="compact residual CNN, a map per point and source, masked loss, full augmentation",
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
    loss="huber",  # to the end: with a squared loss the wrong labels pull, it brought nothing
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
    validation_fraction=0.05,  # who judges on a few hundred rows learns from a tenth more
    rotation=30.0,
    scale=0.25,
    shift=6.0,
    shear=8.0,
    crop_jitter=0.15,  # as a face finder frames faces
    heatmap_loss=0.15,
    optimizer="muon",  # 7 epochs do what 20 of AdamW do (benchmarks/flagship.md)
    learning_rate=0.02,
    ema=0.999,
)
flagship_ensemble = _broad.replace(
    name="flagship-ensemble",
    summary="five networks, each without another fifth of the rows, their mean straightened",
    folds=5,
    epochs=40,
    squared_epochs=8,
)
flagship = _broad.replace(
    name="flagship",
    summary="one network taught by flagship-ensemble, says how far off each point may be",
    teacher="flagship-ensemble",
    crop_jitter=0.25,
    out_of_frame_margin=16.0,  # a face out of frame: without it 2 % of the points make 17 % of the squared error
    epochs=120,
    squared_epochs=20,
    expected_error=True,
)

demo = cnn_masked.replace(
    name="demo",
    summary="cnn-masked made small: what the demo trains in two minutes on drawn faces",
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
"""Name -> the recipe and the parent it is told against; None: against the fields' defaults."""


def open_recipe(name: str) -> Recipe:
    """The recipe that a person names: one of the book, or a TOML file; raises BadChoice or BadRun."""
    if name.endswith(".toml"):
        recipe = read_toml(Path(name))
        return recipe if recipe.name else recipe.replace(name=Path(name).stem)
    return find(name)


def find(name: str) -> Recipe:
    """The recipe of this name; raises BadChoice with the nearest name if the book has none."""
    if name not in BUILTIN_RECIPES:
        raise unknown("recipe", name, BUILTIN_RECIPES)
    return BUILTIN_RECIPES[name][0]

"""Out-of-fold predictions: where networks that were not trained on a row expect its points.

The rows are split into folds; near-duplicates and video frames of one person stay in one fold. For each fold a small
network is trained on the others, with a robust loss, and predicts the points of this fold from several views of each
face (test-time augmentation). The spread over the views shows how hard a face is.
"""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from lightning.pytorch import Callback, LightningModule, Trainer
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from facepoints.data.dataset import LabeledFaces
from facepoints.data.similarity import group_alike
from facepoints.data.split import Split, deal_folds
from facepoints.errors import AlreadyTrained, BadChoice, BadRun
from facepoints.files import write_text
from facepoints.keypoints import FACE_SIZE
from facepoints.models.checkpoint import load_model
from facepoints.models.model import Model
from facepoints.training.fit import fit
from facepoints.training.recipe import Recipe
from facepoints.training.run_folder import MODEL_FILE

FOLDS = 3
STEPS = 1000
"""Training steps per network: fourteen epochs of 7,049 faces, five minutes for three folds on two cores."""
FEWEST = 30
"""Minimum number of faces of an audit."""

_VIEWS = (
    (0.0, 1.0, False),
    (0.0, 1.0, True),
    (9.0, 1.0, False),
    (-9.0, 1.0, True),
    (0.0, 1.1, True),
    (0.0, 0.9, False),
)
"""(rotation in degrees, scale, mirrored) of each view"""


@dataclass(frozen=True)
class OutOfFoldPoints:
    """Predictions for n faces by networks that were not trained on them."""

    points: NDArray[np.float32]
    """(n, k, 2) px: mean over the views"""
    spread: NDArray[np.float32]
    """(n, k) px: root mean square distance of the views' predictions from their mean"""

    def take(self, index: NDArray[np.int64] | NDArray[np.bool_]) -> OutOfFoldPoints:
        """The predictions for the faces at these positions or where a mask is true."""
        return OutOfFoldPoints(self.points[index], self.spread[index])


def predict_out_of_fold(
    data: LabeledFaces, folder: Path, console: Console, *, resume: bool = True, seed: int = 0
) -> OutOfFoldPoints:
    """Train a network per fold in `folder` and predict its validation rows.

    With `resume` finished networks of the same faces, labels and seed are reused and an interrupted one continues;
    others are trained again.
    """
    fold = audit_folds(data, seed)
    recipe = fold_recipe(data, seed)
    points = np.zeros((len(data), len(data.keypoints), 2), np.float32)
    spread = np.zeros(points.shape[:2], np.float32)
    write_text(folder / ".gitignore", "*\n")
    columns = (TextColumn("[bold]{task.description}"), BarColumn(bar_width=None), TimeElapsedColumn())
    bar = Progress(*columns, TextColumn("[dim]left[/]"), TimeRemainingColumn(), console=console, expand=True)
    bar.disable = not console.is_terminal
    with bar:
        task = bar.add_task("networks", total=FOLDS)
        for number in range(FOLDS):
            rows = Split(training=np.flatnonzero(fold != number), validation=np.flatnonzero(fold == number))
            description = f"network {number + 1} of {FOLDS}"
            bar.update(task, description=description, completed=number)
            if not console.is_terminal:
                console.print(f"training {description} for {recipe.epochs} epochs ...", highlight=False)
            report = _BatchProgress(lambda share, n=number: bar.update(task, completed=n + share))
            model = _trained(recipe, data, rows, folder / f"fold-{number + 1}", console, report, resume)
            points[rows.validation], spread[rows.validation] = predict_views(model, data.take(rows.validation))
        bar.update(task, completed=FOLDS)
    return OutOfFoldPoints(points, spread)


def fold_recipe(data: LabeledFaces, seed: int) -> Recipe:
    """The recipe of a fold's network: small, short, with a loss that is robust to wrong labels."""
    training_rows = len(data) * (FOLDS - 1) / FOLDS
    batch = 64 if training_rows >= 640 else 16
    # written out, not derived from a built-in recipe: a change of that recipe must not retrain every audit
    return Recipe(
        name="audit-fold",
        summary="a small network for out-of-fold predictions",
        network="heatmap",
        width=16,
        missing="mask",
        flip=0.0 if data.keypoints.lone_sides() else 0.5,
        rotation=20.0,
        shift=4.0,
        scale=0.15,
        brightness=0.1,
        contrast=0.3,
        gamma=0.4,
        blur=0.2,
        label_offset=True,
        loss="huber",
        epochs=min(150, max(4, round(STEPS * batch / training_rows))),
        batch_size=batch,
        optimizer="adamw",
        learning_rate=4e-3,
        weight_decay=0.02,
        schedule="cosine",
        warmup_epochs=1.0,
        ema=0.99,
        seed=seed,
        precision="bf16-mixed",
    )


def audit_folds(data: LabeledFaces, seed: int) -> NDArray[np.int64]:
    """The fold of each row, int (n,). Raises BadChoice for too few faces."""
    if len(data) < FEWEST or len(np.unique(group_alike(data.faces))) < FOLDS:
        raise BadChoice(f"{len(data)} faces are too few to audit, expected at least {FEWEST} of several people")
    return deal_folds(data, FOLDS, seed)


def predict_views(model: Model, data: LabeledFaces) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean (n, k, 2) and spread (n, k), both px, of the model's predictions for several views of each face."""
    views = [view for view in _VIEWS if not (view[2] and data.keypoints.lone_sides())]
    offset = model.label_offset.detach().numpy()[data.source]
    predictions = np.stack([_predict_view(model, data, view) for view in views])
    mean = predictions.mean(axis=0)
    spread = np.sqrt(np.square(predictions - mean).sum(axis=3).mean(axis=0))
    return (mean + offset).astype(np.float32), spread.astype(np.float32)


def _predict_view(model: Model, data: LabeledFaces, view: tuple[float, float, bool]) -> NDArray[np.float64]:
    """Points (n, k, 2) px of the original face without label offset, predicted from one view."""
    matrix = _view_matrix(*view)
    size = (FACE_SIZE, FACE_SIZE)
    faces = [cv2.warpAffine(np.asarray(face), matrix, size, borderMode=cv2.BORDER_REPLICATE) for face in data.faces]
    points = model.predict(np.stack(faces).astype(np.uint8, copy=False), data.source)
    points = points - model.label_offset.detach().numpy()[data.source]
    if view[2]:
        points = points[:, data.keypoints.mirror]
    back: NDArray[np.float64] = (points - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T
    return back


def _view_matrix(degrees: float, scale: float, mirrored: bool) -> NDArray[np.float64]:
    """(2, 3) matrix in px from the face to its view: mirrored, then rotated and scaled about the center."""
    cos, sin = scale * math.cos(math.radians(degrees)), scale * math.sin(math.radians(degrees))
    linear = np.array([[cos, -sin], [sin, cos]]) @ np.diag([-1.0 if mirrored else 1.0, 1.0])
    center = np.full(2, (FACE_SIZE - 1) / 2)
    return np.column_stack([linear, center - linear @ center])


def _trained(
    recipe: Recipe, data: LabeledFaces, rows: Split, folder: Path, console: Console, report: Callback, resume: bool
) -> Model:
    """The network of a fold: reused if it is finished and of the same data and recipe, else trained."""

    def train(*, force: bool) -> None:
        fit(recipe, data, folder, rows=rows, resume=not force, force=force, callbacks=[report])

    try:
        with suppress(AlreadyTrained):
            train(force=not resume)
        return load_model(folder / MODEL_FILE)[0]
    except BadRun as reason:  # of other faces, of another version, or damaged
        cause = str(reason).split(";")[0].split(". ")[0]
        console.print(f"[yellow]note:[/] {cause}; training again", highlight=False, soft_wrap=True)
        train(force=True)
        return load_model(folder / MODEL_FILE)[0]


class _BatchProgress(Callback):
    """Calls `report` with the finished share, 0 to 1, of a training after each batch."""

    def __init__(self, report: Any) -> None:
        self.report = report

    def on_train_batch_end(
        self, trainer: Trainer, module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        steps = int(trainer.num_training_batches)
        done = trainer.current_epoch * steps + batch_idx + 1
        self.report(done / (steps * (trainer.max_epochs or 1)))

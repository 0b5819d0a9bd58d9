"""Where small networks that have never seen a row expect its points: the second opinion that labels are held against.

The rows are dealt into folds, twins and film frames of one person together. For each fold a small network learns from
the others, with a loss that a wrong label can't steer far, and says where it expects the points of this fold. It is
asked about several views of each face; how much its answers differ tells how hard the face is.
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
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from facepoints.data.dataset import LabeledFaces
from facepoints.data.similarity import group_alike
from facepoints.data.split import Split, deal_folds
from facepoints.errors import AlreadyTrained, BadChoice, BadRun
from facepoints.keypoints import FACE_SIZE
from facepoints.models.checkpoint import load_model
from facepoints.models.model import Model
from facepoints.training.fit import fit
from facepoints.training.recipe import Recipe
from facepoints.training.run_folder import MODEL_FILE

FOLDS = 3
STEPS = 1000
"""Training steps of a fold's network: with 7,049 faces fourteen epochs, five minutes for three folds on two cores."""
FEWEST = 30
"""Rows below which there is nothing to learn from."""

_VIEWS = (
    (0.0, 1.0, False),
    (0.0, 1.0, True),
    (9.0, 1.0, False),
    (-9.0, 1.0, True),
    (0.0, 1.1, True),
    (0.0, 0.9, False),
)
"""(degrees, size, mirrored) of each view of a face"""


@dataclass(frozen=True)
class Expected:
    """What the networks say of n faces that they have not learned from."""

    points: NDArray[np.float32]
    """(n, k, 2) px: the mean over the views"""
    spread: NDArray[np.float32]
    """(n, k) px: root mean square distance of the views' answers from their mean"""

    def take(self, index: NDArray[np.int64] | NDArray[np.bool_]) -> Expected:
        """The same for the faces at these positions (or where a mask is true)."""
        return Expected(self.points[index], self.spread[index])


def expect_points(
    data: LabeledFaces, folder: Path, console: Console, *, resume: bool = True, seed: int = 0
) -> Expected:
    """Train a network per fold in `folder` and ask each about the rows it has not seen.

    With `resume` finished networks are used again and a stopped one goes on, as long as they belong to these faces,
    labels and this seed; others are trained anew.
    """
    fold = audit_folds(data, seed)
    recipe = fold_recipe(data, seed)
    points = np.zeros((len(data), len(data.keypoints), 2), np.float32)
    spread = np.zeros(points.shape[:2], np.float32)
    with FoldProgress(console, recipe.epochs) as progress:
        for number in range(FOLDS):
            rows = Split(training=np.flatnonzero(fold != number), validation=np.flatnonzero(fold == number))
            progress.begin(number)
            model = _trained(recipe, data, rows, folder / f"fold-{number + 1}", progress, resume)
            points[rows.validation], spread[rows.validation] = ask(model, data.take(rows.validation))
    return Expected(points, spread)


def fold_recipe(data: LabeledFaces, seed: int) -> Recipe:
    """The network of a fold: small, short, with a loss that wrong labels can't steer far."""
    learning = len(data) * (FOLDS - 1) / FOLDS
    batch = 64 if learning >= 640 else 16
    # written out, not as a difference from a recipe of the book: a better book must not retrain every audit
    return Recipe(
        name="audit-fold",
        summary="a small network that judges rows it has not seen",
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
        epochs=min(150, max(4, round(STEPS * batch / learning))),
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
    """The fold of each row, int (n,); raises BadChoice for fewer faces than an audit can learn from."""
    if len(data) < FEWEST or len(np.unique(group_alike(data.faces))) < FOLDS:
        raise BadChoice(f"{len(data)} faces are too few to audit; give at least {FEWEST}, not all of one picture")
    return deal_folds(data, FOLDS, seed)


def ask(model: Model, data: LabeledFaces) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean (n, k, 2) and spread (n, k), both px, of the model's answers to several views of each face."""
    views = [v for v in _VIEWS if not (v[2] and data.keypoints.lone_sides())]
    offset = model.label_offset.detach().numpy()[data.source]
    answers = np.stack([_answer(model, data, view) for view in views])
    mean = answers.mean(axis=0)
    spread = np.sqrt(np.square(answers - mean).sum(axis=3).mean(axis=0))
    return (mean + offset).astype(np.float32), spread.astype(np.float32)


def _answer(model: Model, data: LabeledFaces, view: tuple[float, float, bool]) -> NDArray[np.float64]:
    """Points (n, k, 2) px without the source's offset, in the face as it is, from the model's look at one view."""
    matrix = _view_matrix(*view)
    size = (FACE_SIZE, FACE_SIZE)
    views = [cv2.warpAffine(np.asarray(f), matrix, size, borderMode=cv2.BORDER_REPLICATE) for f in data.faces]
    seen = np.stack(views).astype(np.uint8, copy=False)
    points = model.predict(seen, data.source) - model.label_offset.detach().numpy()[data.source]
    if view[2]:
        points = points[:, data.keypoints.mirror]
    back: NDArray[np.float64] = (points - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T
    return back


def _view_matrix(degrees: float, size: float, mirrored: bool) -> NDArray[np.float64]:
    """The 2x3 matrix, in pixels, from the face to its view: mirrored first, then turned and sized about the middle."""
    middle = (FACE_SIZE - 1) / 2
    cos, sin = size * math.cos(math.radians(degrees)), size * math.sin(math.radians(degrees))
    linear = np.array([[cos, -sin], [sin, cos]]) @ np.diag([-1.0 if mirrored else 1.0, 1.0])
    center = np.array([middle, middle])
    return np.column_stack([linear, center - linear @ center])


def _trained(
    recipe: Recipe, data: LabeledFaces, rows: Split, folder: Path, progress: FoldProgress, resume: bool
) -> Model:
    """The fold's network: the one that is there if it is this very training, finished; else trained now."""

    def train(*, force: bool) -> None:
        fit(recipe, data, folder, rows=rows, resume=not force, force=force, callbacks=[progress.callback()])

    try:
        with suppress(AlreadyTrained):
            train(force=not resume)
        return load_model(folder / MODEL_FILE)[0]
    except BadRun as reason:  # of other faces, of another version, or damaged
        progress.note(f"{str(reason).split(';')[0].split('. ')[0]}; trained anew")
        train(force=True)
        return load_model(folder / MODEL_FILE)[0]


class FoldProgress:
    """One bar over the epochs of all folds in a terminal, one line per fold elsewhere."""

    def __init__(self, console: Console, epochs: int) -> None:
        self.console = console
        self.epochs = epochs
        self._progress: Progress | None = None
        self._task = TaskID(0)
        self._fold = 0

    def __enter__(self) -> FoldProgress:
        if self.console.is_terminal:
            self._progress = Progress(
                TextColumn("[bold]{task.description}"),
                BarColumn(bar_width=None),
                TimeElapsedColumn(),
                TextColumn("[dim]left[/]"),
                TimeRemainingColumn(compact=True),
                console=self.console,
                speed_estimate_period=120,
                expand=True,
            )
            self._task = self._progress.add_task("networks", total=float(FOLDS))
            self._progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        if self._progress is not None:
            if not any(error):
                self._progress.update(self._task, completed=float(FOLDS))
            self._progress.stop()

    def begin(self, fold: int) -> None:
        self._fold = fold
        words = f"network {fold + 1} of {FOLDS}"
        if self._progress is None:
            self.console.print(f"{words} learns for {self.epochs} epochs ...", highlight=False)
        else:
            self._progress.update(self._task, description=words, completed=float(fold))

    def note(self, words: str) -> None:
        self.console.print(f"[yellow]note:[/] {words}", highlight=False, soft_wrap=True)

    def advance(self, share: float) -> None:
        """`share`: how much of the present fold is done, 0 to 1."""
        if self._progress is not None:
            self._progress.update(self._task, completed=self._fold + share)

    def callback(self) -> Callback:
        return _Advance(self)


class _Advance(Callback):
    def __init__(self, progress: FoldProgress) -> None:
        self.progress = progress

    def on_train_batch_end(
        self, trainer: Trainer, module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        steps = int(trainer.num_training_batches)
        done = trainer.current_epoch * steps + batch_idx + 1
        self.progress.advance(done / (steps * (trainer.max_epochs or 1)))

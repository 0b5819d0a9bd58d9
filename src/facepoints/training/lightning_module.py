"""The LightningModule: batches, training step, validation step, optimizer."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, cast

import numpy as np
import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from numpy.typing import NDArray
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from facepoints.data.dataset import LabeledFaces
from facepoints.metrics import QUICK_PCK_DISTANCE, quick_scores
from facepoints.models.heatmaps import MultiSourceNetwork
from facepoints.models.model import Model
from facepoints.training.augmentation import Batch, augment, to_images
from facepoints.training.distillation import DistillationTargets
from facepoints.training.losses import heatmap_loss, point_loss
from facepoints.training.muon import Muon, muon_groups
from facepoints.training.recipe import Recipe

LABEL_OFFSET_RATE = 0.05
"""Learning rate of the label offsets, px per step: they amount to 1 or 2 px, weights to a hundredth of that."""

LABEL_OFFSET_DECAY = 0.1
"""Keeps label offsets to what only flips and rotations reveal. Without decay they learn, in the first steps, a part of
the mean shape (5 px were measured), which the network can predict as well."""


class Batches:
    """Positions of n rows in batches of (batch_size,), shuffled for each epoch by its seed.

    Each of several processes (ranks) gets its share of every epoch.
    """

    def __init__(self, n: int, batch_size: int, shuffle_seed: Callable[[], int] | None, rank: int, ranks: int) -> None:
        self.n = n
        self.batch_size = batch_size
        self.shuffle_seed = shuffle_seed
        self.rank = rank
        self.ranks = ranks

    def __len__(self) -> int:
        return math.ceil(math.ceil(self.n / self.ranks) / self.batch_size)

    def __iter__(self) -> Iterator[Tensor]:
        if self.shuffle_seed is None:
            order = torch.arange(self.n)
        else:
            order = torch.randperm(self.n, generator=torch.Generator().manual_seed(self.shuffle_seed()))
        # all processes take the same number of steps: they synchronize after each
        share = math.ceil(self.n / self.ranks)
        own = order[(torch.arange(share) * self.ranks + self.rank) % self.n]
        for start in range(0, share, self.batch_size):
            yield own[start : start + self.batch_size]


class KeypointModule(LightningModule):
    """Trains a model by a recipe; the data are kept as tensors on the training device, without worker processes."""

    def __init__(
        self,
        recipe: Recipe,
        model: Model,
        training: LabeledFaces,
        validation: LabeledFaces,
        targets: DistillationTargets | None = None,
    ) -> None:
        super().__init__()
        self.recipe = recipe
        self.targets = targets
        self.model: Model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        model.label_offset.requires_grad_(recipe.label_offset)
        self.averaged = AveragedModel(model, multi_avg_fn=self._average, use_buffers=True) if recipe.ema else None
        if self.averaged is not None:
            self.averaged.requires_grad_(False)  # several processes would wait for its gradients
        self.training_rows = training
        self.validation_rows = validation
        self.train_metrics: dict[str, float] = {}
        self.validation_metrics: dict[str, float] = {}
        self._predictions: list[Tensor] = []

    @property
    def evaluated_model(self) -> Model:
        """The model that is validated and saved: the moving average where the recipe has one."""
        if self.averaged is None:
            return self.model
        return cast("Model", self.averaged.module)

    def on_fit_start(self) -> None:
        rows, validation = self.training_rows, self.validation_rows
        arrays = (rows.faces, rows.points, rows.observed, rows.source, validation.faces, validation.source)
        tensors = [torch.from_numpy(np.array(array)).to(self.device) for array in arrays]
        self._faces, self._points, self._observed, self._source, self._validation_faces, self._validation_source = (
            tensors
        )
        if self.targets is not None:
            self.targets = self.targets.to(self.device)
        self._generator = torch.Generator(self.device)

    def on_train_start(self) -> None:
        # a checkpoint has the optimizer's moments contiguous; the fused optimizer needs the weights' memory format
        for optimizer in self.trainer.optimizers:
            for weight, state in optimizer.state.items():
                for name, value in state.items():
                    if value.shape == weight.shape:
                        state[name] = torch.empty_like(weight).copy_(value)

    def train_dataloader(self) -> Batches:
        trainer = self.trainer
        return Batches(
            len(self.training_rows), self.recipe.batch_size, self._epoch_seed, trainer.global_rank, trainer.world_size
        )

    def val_dataloader(self) -> Batches:
        return Batches(len(self.validation_rows), 256, None, 0, 1)

    def _epoch_seed(self) -> int:
        return self.recipe.seed * 100_003 + self.current_epoch

    def on_train_epoch_start(self) -> None:
        # all randomness of an epoch depends on its number, so that a resumed training repeats it exactly
        seed = self._epoch_seed() * 1_009 + self.trainer.global_rank
        self._generator.manual_seed(seed)
        torch.manual_seed(seed)
        self._sums = torch.zeros(5, device=self.device, dtype=torch.float64)

    def training_step(self, rows: Tensor, index: int) -> Tensor:
        source = self._source[rows]
        offset = self.model.label_offset[source]
        batch = Batch(to_images(self._faces[rows]), self._points[rows] - offset, self._observed[rows], source)
        keypoints, k = self.training_rows.keypoints, len(self.training_rows.keypoints)
        if self.targets is not None:
            batch = self.targets.append_to(batch, rows, self.model.label_offset)
            keypoints = self.targets.keypoints(keypoints)
        # never in bf16: its resolution is half a pixel at the right border, for points and matrices alike
        with torch.autocast(self.device.type, enabled=False):
            batch = augment(batch, self.recipe, keypoints, self._generator)
        last = self.current_epoch >= self.recipe.epochs - self.recipe.squared_epochs
        kind = "squared" if last else self.recipe.loss
        points, observed = batch.points[:, :k], batch.observed[:, :k]
        network, further = self.model.network, torch.zeros((), device=self.device)
        if isinstance(network, MultiSourceNetwork):
            features = network.extract(batch.images)
            predicted = network.select_source(features.points, source)
            if self.targets is not None:
                distilled = point_loss(features.points, batch.points[:, k:], batch.observed[:, k:], kind)
                further = further + self.recipe.teacher_weight * distilled
            if self.recipe.heatmap_loss and not last:
                maps = network.select_source(features.maps, source)
                further = further + self.recipe.heatmap_loss * heatmap_loss(maps, points, observed)
        else:
            predicted = self.model.without_offset(batch.images, source)
        loss = point_loss(predicted, points, observed, kind)
        # the history has one kind of loss throughout, that of validation
        shown = point_loss(predicted.detach(), points, observed, self.recipe.loss) if last else loss.detach()
        self._count(predicted.detach(), points.detach(), observed, shown)
        return loss + further

    def _count(self, predicted: Tensor, points: Tensor, observed: Tensor, loss: Tensor) -> None:
        error = (predicted - points)[observed]
        hits = (error.norm(dim=1) <= QUICK_PCK_DISTANCE).sum()
        number = torch.tensor(len(error), device=error.device)
        self._sums += torch.stack([error.square().sum(), error.abs().sum(), hits, number, loss * number]).double()

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        if self.averaged is not None:
            self.averaged.update_parameters(self.model)

    def _average(self, averaged: Any, current: Any, steps: Any) -> None:
        """Exponential moving average with a smaller decay at the start, so that the initial weights are forgotten."""
        decay = min(self.recipe.ema, (1 + float(steps)) / (10 + float(steps)))
        for kept, new in zip(averaged, current, strict=True):
            if kept.is_floating_point():
                kept.lerp_(new, 1 - decay)
            else:
                kept.copy_(new)

    def validation_step(self, rows: Tensor, index: int) -> None:
        images, source = to_images(self._validation_faces[rows]), self._validation_source[rows]
        with torch.autocast(self.device.type, enabled=False):  # validate in full precision, as in use
            self._predictions.append(self.evaluated_model(images, source))

    def on_validation_epoch_end(self) -> None:
        squares, absolutes, hits, number, loss = self._sums.tolist()
        values = max(2 * number, 1)
        self.train_metrics = {
            "loss": loss / max(number, 1),
            "rmse": math.sqrt(squares / values),
            "mae": absolutes / values,
            "pck": hits / max(number, 1),
        }
        predicted: NDArray[np.float32] = torch.cat(self._predictions).float().cpu().numpy()
        self._predictions.clear()
        rows = self.validation_rows
        arrays = (predicted, rows.points, rows.observed)
        tensors = [torch.from_numpy(np.array(array)) for array in arrays]
        loss = float(point_loss(tensors[0], tensors[1], tensors[2], self.recipe.loss))
        self.validation_metrics = {"loss": loss, **quick_scores(*arrays)}
        self.log_dict({f"training_{name}": value for name, value in self.train_metrics.items()})
        self.log_dict({f"validation_{name}": value for name, value in self.validation_metrics.items()})

    def configure_optimizers(self) -> OptimizerLRScheduler:
        recipe = self.recipe
        if recipe.optimizer == "muon":
            groups = muon_groups(self.model.network, recipe.learning_rate, recipe.weight_decay)
        else:
            weights = [p for p in self.model.network.parameters() if p.ndim > 1]
            rest = [p for p in self.model.network.parameters() if p.ndim <= 1]  # biases and norms: no decay
            groups = [{"params": weights, "weight_decay": recipe.weight_decay}, {"params": rest, "weight_decay": 0.0}]
        if recipe.label_offset:
            offset = {"params": [self.model.label_offset], "weight_decay": LABEL_OFFSET_DECAY, "lr": LABEL_OFFSET_RATE}
            groups.append(offset)
        optimizer = _OPTIMIZERS[recipe.optimizer](groups, recipe.learning_rate)
        steps = len(self.train_dataloader())
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step / steps, recipe))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


_OPTIMIZERS: dict[str, Callable[[Any, float], torch.optim.Optimizer]] = {
    "adam": lambda groups, rate: torch.optim.Adam([{**g, "weight_decay": 0.0} for g in groups], lr=rate),
    "adamw": lambda groups, rate: torch.optim.AdamW(groups, lr=rate, fused=True),
    "muon": lambda groups, rate: Muon(groups, lr=rate),
    "sgd": lambda groups, rate: torch.optim.SGD(groups, lr=rate, momentum=0.9, nesterov=True),
}


def _rate(epoch: float, recipe: Recipe) -> float:
    """Learning rate at a (fractional) epoch as a share of the highest: linear rise, then constant or half a cosine."""
    if epoch < recipe.warmup_epochs:
        return epoch / recipe.warmup_epochs
    if recipe.schedule == "constant":
        return 1.0
    progress = (epoch - recipe.warmup_epochs) / max(recipe.epochs - recipe.warmup_epochs, 1e-9)
    return 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))

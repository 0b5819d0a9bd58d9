"""What Lightning drives: batches, a training step, a validation step, an optimizer."""

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
"""Learning rate of the label offsets, in pixels a step: they are worth a pixel or two, weights a hundredth."""

LABEL_OFFSET_DECAY = 0.1
"""Only what mirrors and turns betray may stay in them. Without decay they take up, in the first steps, where points
usually lie (5 px were seen), which the network could answer as well."""


class Batches:
    """The positions of n rows in batches, (batch_size,) each; shuffled anew each epoch, the same for a seed.

    With several processes each gets its share of every epoch.
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
        # every process takes equally many steps, or they would wait for each other for ever
        share = math.ceil(self.n / self.ranks)
        own = order[(torch.arange(share) * self.ranks + self.rank) % self.n]
        for start in range(0, share, self.batch_size):
            yield own[start : start + self.batch_size]


class KeypointModule(LightningModule):
    """What Lightning drives: a training step, a validation step, an optimizer."""

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
            self.averaged.requires_grad_(False)  # with several processes, each parameter is waited for to learn
        self.training_rows = training
        self.validation_rows = validation
        self.train_metrics: dict[str, float] = {}
        self.validation_metrics: dict[str, float] = {}
        self._answers: list[Tensor] = []

    @property
    def evaluated_model(self) -> Model:
        """The model that is validated and kept: the moving average where the recipe wants one."""
        if self.averaged is None:
            return self.model
        return cast("Model", self.averaged.module)

    # the data lie on the training device as tensors: no worker processes, no copies

    def on_fit_start(self) -> None:
        rows, device = self.training_rows, self.device
        self._faces = torch.from_numpy(np.array(rows.faces)).to(device)
        self._points = torch.from_numpy(np.array(rows.points)).to(device)
        self._observed = torch.from_numpy(np.array(rows.observed)).to(device)
        self._source = torch.from_numpy(np.array(rows.source)).to(device)
        if self.targets is not None:
            self.targets = self.targets.to(device)
        self._validation_images = torch.from_numpy(np.array(self.validation_rows.faces)).to(device)
        self._validation_source = torch.from_numpy(np.array(self.validation_rows.source)).to(device)
        self._generator = torch.Generator(device)

    def on_train_start(self) -> None:
        # kept moments come back row by row; the fused optimizer reads them in the order of the weights' memory
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
        # all randomness of an epoch follows from its number, so that a resumed training repeats it exactly
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
            batch = self.targets.beside(batch, rows, self.model.label_offset)
            keypoints = self.targets.for_member_set(keypoints)
        # never in bf16: its steps are half a pixel at the right border, for points and matrices alike
        with torch.autocast(self.device.type, enabled=False):
            batch = augment(batch, self.recipe, keypoints, self._generator)
        last = self.current_epoch >= self.recipe.epochs - self.recipe.squared_epochs
        kind = "squared" if last else self.recipe.loss
        points, observed = batch.points[:, :k], batch.observed[:, :k]
        network, beside = self.model.network, torch.zeros((), device=self.device)
        if isinstance(network, MultiSourceNetwork):
            seen = network.extract(batch.images)
            predicted = network.select_source(seen.points, source)
            if self.targets is not None:
                taught = point_loss(seen.points, batch.points[:, k:], batch.observed[:, k:], kind)
                beside = beside + self.recipe.teacher_weight * taught
            if self.recipe.heatmap_loss and not last:
                beside = beside + self.recipe.heatmap_loss * heatmap_loss(
                    network.select_source(seen.maps, source), points, observed
                )
        else:
            predicted = self.model.without_offset(batch.images, source)
        loss = point_loss(predicted, points, observed, kind)
        # one kind of loss in the whole history: the one that validation has
        shown = point_loss(predicted.detach(), points, observed, self.recipe.loss) if last else loss.detach()
        self._count(predicted.detach(), points.detach(), observed, shown)
        return loss + beside

    def _count(self, predicted: Tensor, points: Tensor, observed: Tensor, loss: Tensor) -> None:
        error = (predicted - points)[observed]
        hits = (error.norm(dim=1) <= QUICK_PCK_DISTANCE).sum()
        number = torch.tensor(len(error), device=error.device)
        self._sums += torch.stack([error.square().sum(), error.abs().sum(), hits, number, loss * number]).double()

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        if self.averaged is not None:
            self.averaged.update_parameters(self.model)

    def _average(self, averaged: Any, current: Any, steps: Any) -> None:
        """Exponential moving average whose memory grows at the start, or the random first weights would linger."""
        decay = min(self.recipe.ema, (1 + float(steps)) / (10 + float(steps)))
        for kept, new in zip(averaged, current, strict=True):
            if kept.is_floating_point():
                kept.lerp_(new, 1 - decay)
            else:
                kept.copy_(new)

    def validation_step(self, rows: Tensor, index: int) -> None:
        images, source = to_images(self._validation_images[rows]), self._validation_source[rows]
        with torch.autocast(self.device.type, enabled=False):  # judged as it will be used: in full precision
            self._answers.append(self.evaluated_model(images, source))

    def on_validation_epoch_end(self) -> None:
        squares, absolutes, hits, number, loss = self._sums.tolist()
        values = max(2 * number, 1)
        self.train_metrics = {
            "loss": loss / max(number, 1),
            "rmse": math.sqrt(squares / values),
            "mae": absolutes / values,
            "pck": hits / max(number, 1),
        }
        predicted: NDArray[np.float32] = torch.cat(self._answers).float().cpu().numpy()
        self._answers.clear()
        rows = self.validation_rows
        found = torch.from_numpy(predicted), torch.from_numpy(np.array(rows.points))
        observed = torch.from_numpy(np.array(rows.observed))
        kind = self.recipe.loss
        self.validation_metrics = {
            "loss": float(point_loss(*found, observed, kind)),
            **quick_scores(predicted, rows.points, rows.observed),
        }
        for name, value in self.train_metrics.items():
            self.log(f"training_{name}", value)
        for name, value in self.validation_metrics.items():
            self.log(f"validation_{name}", value)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        recipe = self.recipe
        if recipe.optimizer == "muon":
            groups = muon_groups(self.model.network, recipe.learning_rate, recipe.weight_decay)
        else:
            weights = [p for p in self.model.network.parameters() if p.ndim > 1]
            rest = [p for p in self.model.network.parameters() if p.ndim <= 1]  # biases and norms: no decay
            groups = [
                {"params": weights, "weight_decay": recipe.weight_decay},
                {"params": rest, "weight_decay": 0.0},
            ]
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
    """Share of the highest learning rate at a (fractional) epoch: a linear rise, then constant or half a cosine."""
    if epoch < recipe.warmup_epochs:
        return epoch / recipe.warmup_epochs
    if recipe.schedule == "constant":
        return 1.0
    progress = (epoch - recipe.warmup_epochs) / max(recipe.epochs - recipe.warmup_epochs, 1e-9)
    return 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))

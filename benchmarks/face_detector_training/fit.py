"""Training of a FaceMap: a fixed number of steps, each on newly generated pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from face_detector_training.network import FaceMap
from face_detector_training.patches import TARGETS, Patches

Report = Callable[[int, float, float], None]
"""Called with (steps done, face loss, square loss), both means since the last call."""


@dataclass(frozen=True)
class Schedule:
    """Steps and learning rate."""

    steps: int = 8500
    batch: int = 64
    rate: float = 2e-3
    """the highest; it rises over the first 5 % of the steps and then falls to zero"""
    decay: float = 1e-4
    seed: int = 0
    every: int = 200
    """steps between two reports"""


def fit_face_map(
    patches: Patches, plan: Schedule, report: Report | None = None, model: FaceMap | None = None
) -> FaceMap:
    """A trained network, deterministic for the same patches, plan and torch; `model`: continue with this one."""
    torch.manual_seed(plan.seed)
    rng = np.random.default_rng(plan.seed)
    network: FaceMap = (model or FaceMap()).train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(network.parameters(), plan.rate, weight_decay=plan.decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, plan.rate, total_steps=plan.steps, pct_start=0.05)
    losses: list[tuple[float, float]] = []
    for step in range(1, plan.steps + 1):
        pictures, targets = patches.batch(plan.batch, rng)
        face, square = face_map_loss(_maps(network, pictures), torch.from_numpy(targets))
        optimizer.zero_grad()
        (face + square).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        schedule.step()
        losses.append((face.item(), square.item()))
        if report and (step % plan.every == 0 or step == plan.steps):
            report(step, *np.mean(losses, axis=0).tolist())
            losses.clear()
    return network.eval()


def _maps(model: FaceMap, pictures: np.ndarray) -> Tensor:
    images = torch.from_numpy(pictures).to(memory_format=torch.channels_last).float() / 255
    with torch.autocast("cpu", torch.bfloat16):
        maps: Tensor = model(images)
    return maps


def face_map_loss(maps: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Face loss (of the log-odds, per face) and square loss (of position, size, roll).

    maps (n, 6, h, w), targets (n, 8, h, w). The face loss is that of Zhou et al. (2019, formula 1): a focal loss with
    less weight for cells near a face's center.
    """
    target = dict(zip(TARGETS, targets.unbind(1), strict=True))
    logit, heat, counts = maps[:, 0].float(), target["heat"], target["counts"]
    p = torch.sigmoid(logit)
    face = (heat == 1).float()
    hit = (1 - p).square() * F.logsigmoid(logit) * face
    miss = (1 - heat) ** 4 * p.square() * F.logsigmoid(-logit) * (1 - face)
    face_loss = -((hit + miss) * counts).sum() / face.sum().clamp_min(1)
    near = target["near"]
    away = F.smooth_l1_loss(maps[:, 1:].float(), targets[:, 2:7], reduction="none", beta=0.1)
    weight = torch.tensor([0.5, 0.5, 2.0, 1.0, 1.0]).view(1, 5, 1, 1)
    return face_loss, (away * weight * near[:, None]).sum() / near.sum().clamp_min(1)

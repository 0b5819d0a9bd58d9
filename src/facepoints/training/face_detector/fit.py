"""Teaching a FaceMap where faces are: a fixed number of steps, each on pictures that are made for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from facepoints.models.face_detector import FaceMap
from facepoints.training.face_detector.patches import TARGETS, Patches

Say = Callable[[int, float, float], None]
"""Called with (steps done, loss of the likeness, loss of place, size and roll), both means since the last call."""


@dataclass(frozen=True)
class Schedule:
    """How long and how fast it learns."""

    steps: int = 8500
    batch: int = 64
    rate: float = 2e-3
    """the highest; it rises over the first twentieth of the steps and falls to nothing"""
    decay: float = 1e-4
    seed: int = 0
    every: int = 200
    """steps between two reports"""


def fit_face_map(patches: Patches, course: Schedule, say: Say | None = None, model: FaceMap | None = None) -> FaceMap:
    """A trained network; `model`: go on with this one. The same for the same patches, course and torch."""
    torch.manual_seed(course.seed)
    rng = np.random.default_rng(course.seed)
    learner: FaceMap = (model or FaceMap()).train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(learner.parameters(), course.rate, weight_decay=course.decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, course.rate, total_steps=course.steps, pct_start=0.05)
    losses: list[tuple[float, float]] = []
    for step in range(1, course.steps + 1):
        pictures, targets = patches.batch(course.batch, rng)
        like, lie = face_map_loss(_maps(learner, pictures), torch.from_numpy(targets))
        optimizer.zero_grad()
        (like + lie).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(learner.parameters(), 5.0)
        optimizer.step()
        schedule.step()
        losses.append((like.item(), lie.item()))
        if say and (step % course.every == 0 or step == course.steps):
            say(step, *np.mean(losses, axis=0).tolist())
            losses.clear()
    return learner.eval()


def _maps(model: FaceMap, pictures: np.ndarray) -> Tensor:
    images = torch.from_numpy(pictures).to(memory_format=torch.channels_last).float() / 255
    with torch.autocast("cpu", torch.bfloat16):
        maps: Tensor = model(images)
    return maps


def face_map_loss(maps: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Loss of the likeness, for each face; and of place, size and roll. maps (n, 6, h, w), targets (n, 8, h, w).

    The likeness as Zhou et al. (2019, formula 1) have it: cells beside a face's middle are forgiven the more, the
    nearer they are, and easy ones hardly count.
    """
    target = dict(zip(TARGETS, targets.unbind(1), strict=True))
    logit, heat, counts = maps[:, 0].float(), target["heat"], target["counts"]
    p = torch.sigmoid(logit)
    face = (heat == 1).float()
    hit = (1 - p).square() * F.logsigmoid(logit) * face
    miss = (1 - heat) ** 4 * p.square() * F.logsigmoid(-logit) * (1 - face)
    like = -((hit + miss) * counts).sum() / face.sum().clamp_min(1)
    near = target["near"]
    away = F.smooth_l1_loss(maps[:, 1:].float(), targets[:, 2:7], reduction="none", beta=0.1)
    weight = torch.tensor([0.5, 0.5, 2.0, 1.0, 1.0]).view(1, 5, 1, 1)
    lie = (away * weight * near[:, None]).sum() / near.sum().clamp_min(1)
    return like, lie

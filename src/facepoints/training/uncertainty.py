"""Teaching a trained model how far off its points may be: on faces, on turned faces, on no faces at all."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from facepoints.data.dataset import LabeledFaces
from facepoints.keypoints import FACE_SIZE, SOURCES
from facepoints.models.heatmaps import Features, MultiSourceNetwork
from facepoints.models.model import Model
from facepoints.models.uncertainty import IDENTITY, MIN_SLOPE, calibrated
from facepoints.training.augmentation import Batch, augment, to_images
from facepoints.training.lightning_module import Batches
from facepoints.training.recipe import Recipe

LOST = 20.0
"""Root mean square error, px, that stands for "there is nothing to find": that of points strewn over a face."""
_EPOCHS, _STEPS = 10, 400
"""Passes over the training rows, and the least number of steps, where the rows are few."""
_BATCH = 64
_OUTLIER = 5.0
"""Errors beyond so many times what is expected are wrong labels rather, and do not count in the calibration."""


def learn_expected_error(
    model: Model,
    training: LabeledFaces,
    calibration: LabeledFaces,
    recipe: Recipe,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Train the model's head for expected errors, then calibrate it on rows that nothing was trained on.

    The loss is the negative logarithm of a normal distribution's likelihood (Nix and Weigend, 1994), each point's
    two coordinates sharing one standard deviation; the network that gives the points stays as it is. A fifth of each
    batch are faces turned by any angle, a fifth are no faces.
    """
    head = model.expected_error
    if head is None:
        return
    generator = torch.Generator().manual_seed(recipe.seed)
    torch.manual_seed(recipe.seed)
    head.reset()  # killed after it was kept, before the run was scored: it starts anew, to the same end
    turned = recipe.replace(rotation=180.0, angles=())
    faces, points, observed, source = _tensors(training)
    model.eval()
    head.train()
    optimizer = torch.optim.Adam(head.parameters(), lr=2e-3)
    epochs = max(_EPOCHS, round(_STEPS * _BATCH / len(training)))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    for epoch in range(epochs):
        for rows in Batches(len(training), _BATCH, partial(int, recipe.seed + epoch), 0, 1):
            if len(rows) < 2:
                continue  # nothing to normalize by
            batch = Batch(
                to_images(faces[rows]),
                points[rows] - model.label_offset[source[rows]].detach(),
                observed[rows],
                source[rows],
            )
            cut = [len(rows) * 3 // 5, len(rows) // 5]
            parts = [Batch(*(a[s] for a in batch)) for s in _slices(cut, len(rows))]
            upright = augment(parts[0], recipe, training.keypoints, generator)
            anyhow = augment(parts[1], turned, training.keypoints, generator)
            nothing = non_faces(parts[2].images, generator)
            seen, own = _look(model, torch.cat([upright.images, anyhow.images, nothing]), source[rows])
            labels = torch.cat([upright.points, anyhow.points, parts[2].points])
            square = (own - labels).square().mean(2)
            square[len(rows) - len(nothing) :] = LOST**2
            known = torch.cat([upright.observed, anyhow.observed, torch.ones_like(parts[2].observed)])
            log_error = _network(model).select_source(head.log_error(seen).unsqueeze(2), source[rows]).squeeze(2)
            loss = _unlikelihood(square, log_error)[known].mean()
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        schedule.step()
        progress(epoch + 1, epochs)
    model.eval()
    calibrate(model, calibration)


def calibrate(model: Model, rows: LabeledFaces) -> None:
    """Stretch the expected errors, for each source, to what is measured on labeled rows: three numbers a source."""
    head = model.expected_error
    if head is None:
        return
    head.calibration.copy_(torch.tensor([IDENTITY]).repeat(len(SOURCES), 1))
    predicted, expected = model.predict_with_error(rows.faces, rows.source)
    square = np.square(predicted - rows.points).mean(axis=2)
    for number in range(len(SOURCES)):
        chosen = rows.observed & (rows.source == number)[:, None]
        if np.count_nonzero(chosen) < 50:
            continue  # too few to learn three numbers from: what training said stays
        log_error = torch.from_numpy(np.log(cast("np.ndarray", expected)[chosen])).double()
        head.calibration[number] = _stretch(torch.from_numpy(square[chosen]).double(), log_error).float()


def _stretch(square: Tensor, log_error: Tensor) -> Tensor:
    """The calibration (3,) under which squared errors (m,) are likeliest; outliers are left out, round by round."""
    found = torch.tensor(IDENTITY, dtype=torch.float64, requires_grad=True)
    kept = torch.ones_like(square, dtype=torch.bool)
    for _ in range(3):
        optimizer = torch.optim.LBFGS([found], max_iter=50, line_search_fn="strong_wolfe")

        def closure(optimizer: torch.optim.LBFGS = optimizer, kept: Tensor = kept) -> Tensor:
            optimizer.zero_grad()
            loss = _unlikelihood(square[kept], calibrated(log_error[kept], found)).mean()
            loss.backward()  # type: ignore[no-untyped-call]
            return loss

        optimizer.step(closure)  # type: ignore[no-untyped-call]
        with torch.no_grad():
            kept = square < _OUTLIER**2 * torch.exp(2 * calibrated(log_error, found))
    found = found.detach()
    found[1:].clamp_(min=MIN_SLOPE)
    return found


def _unlikelihood(square: Tensor, log_error: Tensor) -> Tensor:
    """Negative log likelihood of mean squared coordinate errors, but for constants."""
    return square * torch.exp(-2 * log_error) / 2 + log_error


@torch.no_grad()
def _look(model: Model, images: Tensor, source: Tensor) -> tuple[Features, Tensor]:
    seen = _network(model).extract(images)
    return seen, _network(model).select_source(_network(model).corrected(seen.points), source)


def _network(model: Model) -> MultiSourceNetwork:
    return cast("MultiSourceNetwork", model.network)


def _slices(sizes: list[int], total: int) -> list[slice]:
    ends = [*np.cumsum(sizes).tolist(), total]
    return [slice(start, end) for start, end in zip([0, *ends], ends, strict=False)]


def _tensors(rows: LabeledFaces) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    arrays = (rows.faces, rows.points, rows.observed, rows.source)
    faces, points, observed, source = (torch.from_numpy(np.array(a)) for a in arrays)
    return faces, points, observed, source


_TILE = 16


def non_faces(images: Tensor, generator: torch.Generator) -> Tensor:
    """As many pictures as faces (n, 1, 96, 96) are given, 0 to 1: each of a kind drawn at random.

    Tiles of a face in another order, a corner enlarged until hair or wall fills the picture, smooth noise, waves.
    """
    n, device = len(images), images.device
    ensemble_networks = (_shuffled, _enlarged_corner, _clouds, _waves)
    which = torch.randint(len(ensemble_networks), (n,), generator=generator, device=device)
    made = torch.empty_like(images)
    for number, kind in enumerate(ensemble_networks):
        chosen = which == number
        if chosen.any():
            made[chosen] = kind(images[chosen], generator)
    return made.clamp(0, 1)


def _shuffled(images: Tensor, generator: torch.Generator) -> Tensor:
    tiles = F.unfold(images, _TILE, stride=_TILE)  # (n, 256, 36)
    order = torch.rand(len(images), 1, tiles.shape[2], generator=generator, device=images.device).argsort(dim=2)
    return F.fold(tiles.gather(2, order.expand_as(tiles)), FACE_SIZE, _TILE, stride=_TILE)


def _enlarged_corner(images: Tensor, generator: torch.Generator) -> Tensor:
    """A square of an eighth to a third of the width, at one of the four corners, turned by a multiple of 90 degrees."""
    turned = torch.rot90(images, int(torch.randint(4, (1,), generator=generator, device=images.device)), (2, 3))
    side = int(torch.randint(FACE_SIZE // 8, FACE_SIZE // 3, (1,), generator=generator, device=images.device))
    return F.interpolate(turned[:, :, :side, :side], size=(FACE_SIZE, FACE_SIZE), mode="bicubic", align_corners=False)


def _clouds(images: Tensor, generator: torch.Generator) -> Tensor:
    """Noise of three coarsenesses, from even grey to salt and pepper."""
    n, device = len(images), images.device
    made = torch.full((n, 1, FACE_SIZE, FACE_SIZE), 0.5, device=device)
    for cells in (4, 16, FACE_SIZE):
        noise = torch.randn(n, 1, cells, cells, generator=generator, device=device)
        strength = 0.3 * torch.rand(n, 1, 1, 1, generator=generator, device=device) ** 2
        made = made + strength * F.interpolate(noise, size=(FACE_SIZE, FACE_SIZE), mode="bicubic", align_corners=False)
    return made


def _waves(images: Tensor, generator: torch.Generator) -> Tensor:
    """Two sinusoids of any direction and of 3 to 96 pixels: stripes, cloth, grids."""
    n, device = len(images), images.device
    line = torch.arange(FACE_SIZE, device=device).float()
    made = torch.full((n, 1, FACE_SIZE, FACE_SIZE), 0.5, device=device)
    for _ in range(2):
        angle, phase, size, strength = torch.rand(4, n, 1, 1, 1, generator=generator, device=device)
        pixels = 3 * 32**size
        along = torch.cos(2 * math.pi * angle) * line.view(1, 1, 1, -1)
        along = along + torch.sin(2 * math.pi * angle) * line.view(1, 1, -1, 1)
        made = made + 0.3 * strength * torch.sin(2 * math.pi * (along / pixels + phase))
    return made

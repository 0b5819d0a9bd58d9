"""Training of the head for expected errors: on faces, on arbitrarily rotated faces, and on images without a face."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from facepoints.data.dataset import LabeledFaces
from facepoints.keypoints import FACE_SIZE, SOURCES
from facepoints.models.model import Model
from facepoints.models.uncertainty import IDENTITY, MIN_SLOPE, calibrated
from facepoints.training.augmentation import Batch, augment, to_images
from facepoints.training.lightning_module import Batches
from facepoints.training.recipe import Recipe

NO_FACE_ERROR = 20.0
"""Target error, px, for images without a face: that of points placed at random on a face."""

_EPOCHS, _MIN_STEPS, _BATCH = 10, 400, 64
_OUTLIER = 5.0
"""Errors larger than this multiple of the expected error are taken for wrong labels and left out of calibration."""


def learn_expected_error(
    model: Model,
    training: LabeledFaces,
    calibration: LabeledFaces,
    recipe: Recipe,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Train the model's head for expected errors, then calibrate it on rows that no training used.

    The loss is the negative log-likelihood of a normal distribution (Nix and Weigend, 1994) whose standard deviation
    the two coordinates of a point share; the network that predicts the points does not change. One fifth of each batch
    is rotated by any angle, one fifth is replaced by images without a face.
    """
    head = model.expected_error
    if head is None:
        return
    network = model.heatmap_network("expected_error")
    generator = torch.Generator().manual_seed(recipe.seed)
    torch.manual_seed(recipe.seed)
    head.reset()  # a training that was killed between this step and the scores repeats it identically
    any_angle = recipe.replace(rotation=180.0, angles=())
    arrays = (training.faces, training.points, training.observed, training.source)
    faces, points, observed, source = (torch.from_numpy(np.array(a)) for a in arrays)
    model.eval()
    head.train()
    optimizer = torch.optim.Adam(head.parameters(), lr=2e-3)
    epochs = max(_EPOCHS, round(_MIN_STEPS * _BATCH / len(training)))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    for epoch in range(epochs):
        for rows in Batches(len(training), _BATCH, partial(int, recipe.seed + epoch), 0, 1):
            if len(rows) < 2:
                continue  # too few for the batch norm
            labels = points[rows] - model.label_offset[source[rows]].detach()
            whole = Batch(to_images(faces[rows]), labels, observed[rows], source[rows])
            ends = (len(rows) * 3 // 5, len(rows) * 3 // 5 + len(rows) // 5)
            parts = [Batch(*tensors) for tensors in zip(*(t.tensor_split(ends) for t in whole), strict=True)]
            upright = augment(parts[0], recipe, training.keypoints, generator)
            rotated = augment(parts[1], any_angle, training.keypoints, generator)
            no_face = non_faces(parts[2].images, generator)
            with torch.no_grad():
                features = network.extract(torch.cat([upright.images, rotated.images, no_face]))
                predicted = network.select_source(network.corrected(features.points), source[rows])
            targets = torch.cat([upright.points, rotated.points, parts[2].points])
            square = (predicted - targets).square().mean(2)
            square[len(rows) - len(no_face) :] = NO_FACE_ERROR**2
            known = torch.cat([upright.observed, rotated.observed, torch.ones_like(parts[2].observed)])
            log_error = network.select_source(head.log_error(features).unsqueeze(2), source[rows]).squeeze(2)
            loss = _negative_log_likelihood(square, log_error)[known].mean()
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        schedule.step()
        progress(epoch + 1, epochs)
    model.eval()
    calibrate(model, calibration)


def calibrate(model: Model, rows: LabeledFaces) -> None:
    """Fit the calibration of expected errors, three numbers for each source, on labeled rows."""
    head = model.expected_error
    if head is None:
        return
    head.calibration.copy_(torch.tensor([IDENTITY]).repeat(len(SOURCES), 1))
    predicted, expected = model.predict_with_error(rows.faces, rows.source)
    assert expected is not None  # the model has the head
    square = np.square(predicted - rows.points).mean(axis=2)
    for number in range(len(SOURCES)):
        chosen = rows.observed & (rows.source == number)[:, None]
        if np.count_nonzero(chosen) < 50:
            continue  # too few for three numbers: the source stays uncalibrated
        log_error = torch.from_numpy(np.log(expected[chosen])).double()
        head.calibration[number] = _fit_calibration(torch.from_numpy(square[chosen]).double(), log_error).float()


def _fit_calibration(square: Tensor, log_error: Tensor) -> Tensor:
    """The maximum likelihood calibration (3,) for squared errors (m,); outliers are dropped in each of three rounds."""
    found = torch.tensor(IDENTITY, dtype=torch.float64, requires_grad=True)
    kept = torch.ones_like(square, dtype=torch.bool)
    for _ in range(3):
        optimizer = torch.optim.LBFGS([found], max_iter=50, line_search_fn="strong_wolfe")

        def closure(optimizer: torch.optim.LBFGS = optimizer, kept: Tensor = kept) -> Tensor:
            optimizer.zero_grad()
            loss = _negative_log_likelihood(square[kept], calibrated(log_error[kept], found)).mean()
            loss.backward()  # type: ignore[no-untyped-call]
            return loss

        optimizer.step(closure)  # type: ignore[no-untyped-call]
        with torch.no_grad():
            kept = square < _OUTLIER**2 * torch.exp(2 * calibrated(log_error, found))
    found = found.detach()
    found[1:].clamp_(min=MIN_SLOPE)
    return found


def _negative_log_likelihood(square: Tensor, log_error: Tensor) -> Tensor:
    """Of mean squared coordinate errors under a normal distribution, without constants."""
    return square * torch.exp(-2 * log_error) / 2 + log_error


_TILE = 16


def non_faces(images: Tensor, generator: torch.Generator) -> Tensor:
    """Images without a face, (n, 1, 96, 96), 0 to 1, one for each of these faces, of a random kind.

    Kinds: shuffled tiles of the face, an enlarged corner (hair, wall), smooth noise, sinusoids.
    """
    kinds = (_shuffled, _enlarged_corner, _clouds, _waves)
    which = torch.randint(len(kinds), (len(images),), generator=generator, device=images.device)
    made = torch.empty_like(images)
    for number, kind in enumerate(kinds):
        chosen = which == number
        if chosen.any():
            made[chosen] = kind(images[chosen], generator)
    return made.clamp(0, 1)


def _shuffled(images: Tensor, generator: torch.Generator) -> Tensor:
    tiles = F.unfold(images, _TILE, stride=_TILE)  # (n, 256, 36)
    order = torch.rand(len(images), 1, tiles.shape[2], generator=generator, device=images.device).argsort(dim=2)
    return F.fold(tiles.gather(2, order.expand_as(tiles)), FACE_SIZE, _TILE, stride=_TILE)


def _enlarged_corner(images: Tensor, generator: torch.Generator) -> Tensor:
    """A corner square, an eighth to a third as wide as the image, rotated by a multiple of 90 degrees."""
    turned = torch.rot90(images, int(torch.randint(4, (1,), generator=generator, device=images.device)), (2, 3))
    side = int(torch.randint(FACE_SIZE // 8, FACE_SIZE // 3, (1,), generator=generator, device=images.device))
    return F.interpolate(turned[:, :, :side, :side], size=(FACE_SIZE, FACE_SIZE), mode="bicubic", align_corners=False)


def _clouds(images: Tensor, generator: torch.Generator) -> Tensor:
    """Noise at three scales, each of random strength."""
    n, device = len(images), images.device
    made = torch.full((n, 1, FACE_SIZE, FACE_SIZE), 0.5, device=device)
    for cells in (4, 16, FACE_SIZE):
        noise = torch.randn(n, 1, cells, cells, generator=generator, device=device)
        strength = 0.3 * torch.rand(n, 1, 1, 1, generator=generator, device=device) ** 2
        made = made + strength * F.interpolate(noise, size=(FACE_SIZE, FACE_SIZE), mode="bicubic", align_corners=False)
    return made


def _waves(images: Tensor, generator: torch.Generator) -> Tensor:
    """Two sinusoids of random direction and of 3 to 96 px: stripes, cloth, grids."""
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

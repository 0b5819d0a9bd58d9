"""Augmentation of whole batches, in torch, on any device.

A geometric change is one 2x3 matrix per face that maps pixels of the old image to pixels of the new one. Points are
multiplied by it and the image is sampled through its inverse, so that the two stay consistent.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from facepoints.data.dataset import LabeledFaces
from facepoints.drawing import contact_sheet
from facepoints.keypoints import FACE_SIZE, KeypointSet
from facepoints.training.recipe import Recipe

_MIDDLE = (FACE_SIZE - 1) / 2  # 47.5: pixel centers are whole numbers

CROP_JITTER = (35.0, 0.35, 19.0)
"""Rotation (degrees), scale (share) and shift (px) of a crop as inaccurate as a face detector's."""


class Batch(NamedTuple):
    """Labeled faces as the network gets them."""

    images: Tensor
    """float (n, 1, 96, 96), 0 (black) to 1 (white)"""
    points: Tensor
    """float (n, k, 2), pixels"""
    observed: Tensor
    """bool (n, k)"""
    source: Tensor
    """int (n,)"""


def to_images(faces: Tensor) -> Tensor:
    """Grey values uint8 (n, 96, 96) as float images (n, 1, 96, 96), 0 to 1."""
    return faces.unsqueeze(1).float().div_(255)


def augment(batch: Batch, recipe: Recipe, keypoints: KeypointSet, generator: torch.Generator) -> Batch:
    """The batch with the recipe's random changes, independent for each face."""
    geometry = (
        recipe.flip,
        recipe.rotation,
        recipe.angles,
        recipe.shift,
        recipe.scale,
        recipe.shear,
        recipe.crop_jitter,
    )
    if any(geometry):
        matrix, mirrored = draw_matrices(len(batch.images), recipe, generator)
        batch = move(batch, matrix, mirrored, keypoints, recipe.out_of_frame_margin)
    images = batch.images
    if recipe.blur:
        images = _blurred(images, recipe.blur, generator)
    if recipe.brightness or recipe.contrast or recipe.gamma:
        images = _relit(images, recipe, generator)
    if recipe.noise:
        images = images + _noise(len(images), recipe.noise, generator)
    return batch._replace(images=images.clamp(0, 1) if images is not batch.images else images)


def before_and_after(
    faces: Tensor, points: Tensor, observed: Tensor, recipe: Recipe, keypoints: KeypointSet, seed: int = 0
) -> tuple[Batch, Batch]:
    """Original and augmented batch. faces uint8 (n, 96, 96); points (n, k, 2), px; observed (n, k)."""
    source = torch.zeros(len(faces), dtype=torch.long, device=faces.device)
    before = Batch(to_images(faces), points, observed, source)
    return before, augment(before, recipe, keypoints, torch.Generator(faces.device).manual_seed(seed))


def draw_before_and_after(data: LabeledFaces, recipe: Recipe, versions: int = 3, seed: int = 0) -> NDArray[np.uint8]:
    """Contact sheet, BGR (h, w, 3): a row of original faces, and below it rows of augmented versions."""
    faces, points, observed = (torch.from_numpy(np.array(a)) for a in (data.faces, data.points, data.observed))
    rows = [before_and_after(faces, points, observed, recipe, data.keypoints, seed + i) for i in range(versions)]
    shown = [rows[0][0], *(after for _, after in rows)]
    grey = torch.cat([batch.images for batch in shown]).squeeze(1).mul(255).round().byte().numpy()
    where = torch.cat([batch.points for batch in shown]).float().numpy()
    seen = torch.cat([batch.observed for batch in shown]).numpy()
    captions = [c for name in ("original", *["augmented"] * versions) for c in [name] * len(data)]
    title = f"Augmentation of the recipe {recipe.name}"
    return contact_sheet(grey, where, observed=seen, captions=captions, columns=len(data), title=title)


def draw_matrices(n: int, recipe: Recipe, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Random geometry for n faces: matrices (n, 2, 3), px, and which of them mirror, bool (n,).

    Rotation, scale, shear and mirror are about the middle of the image; the shift is last. A positive angle rotates
    the displayed face clockwise (y points down).
    """
    device = generator.device
    crop_jitter = torch.rand(n, generator=generator, device=device) < recipe.crop_jitter
    rotation, scale, shift = (
        torch.where(crop_jitter, max(tight, wide), tight)
        for tight, wide in zip((recipe.rotation, recipe.scale, recipe.shift), CROP_JITTER, strict=True)
    )
    if recipe.angles:
        which = torch.randint(len(recipe.angles), (n,), generator=generator, device=device)
        degrees = torch.tensor(recipe.angles, device=device)[which]
    else:
        degrees = rotation * _uniform(n, -1, 1, generator)
    angle = torch.deg2rad(degrees)
    size = torch.exp(torch.log1p(scale) * _uniform(n, -1, 1, generator))
    slant = torch.tan(torch.deg2rad(_uniform(n, -recipe.shear, recipe.shear, generator)))
    mirrored = torch.rand(n, generator=generator, device=device) < recipe.flip
    sign = torch.where(mirrored, -1.0, 1.0)
    cos, sin = size * torch.cos(angle), size * torch.sin(angle)
    # (rotation and scale) after (shear along x) after (mirror)
    linear = torch.stack([cos * sign, cos * slant - sin, sin * sign, sin * slant + cos], dim=1).view(n, 2, 2)
    middle = torch.full((2, 1), _MIDDLE, device=device)
    moved = torch.stack([shift * _uniform(n, -1, 1, generator) for _ in "xy"], dim=1).unsqueeze(2)
    return torch.cat([linear, middle - linear @ middle + moved], dim=2), mirrored


def move(batch: Batch, matrix: Tensor, mirrored: Tensor, keypoints: KeypointSet, margin: float = 0.0) -> Batch:
    """Transform images and points by the same matrices (n, 2, 3).

    Points more than `margin` px outside of the image become unobserved. Where `mirrored`, left and right points are
    swapped: the left eye of a mirrored face is the right one.
    """
    linear, offset = matrix[:, :, :2], matrix[:, :, 2]
    points = batch.points @ linear.transpose(1, 2) + offset.unsqueeze(1)
    swap = torch.from_numpy(keypoints.mirror).to(points.device)
    points = torch.where(mirrored.view(-1, 1, 1), points[:, swap], points)
    observed = torch.where(mirrored.unsqueeze(1), batch.observed[:, swap], batch.observed)
    inside = ((points > -0.5 - margin) & (points < FACE_SIZE - 0.5 + margin)).all(dim=2)
    return Batch(_warped(batch.images, linear, offset), points, observed & inside, batch.source)


def _warped(images: Tensor, linear: Tensor, offset: Tensor) -> Tensor:
    """Sample the images through the inverse matrices; the border pixels are repeated outside of the image."""
    inverse = torch.linalg.inv(linear)
    start = -(inverse @ offset.unsqueeze(2))
    # for grid_sample, -1 is the first pixel's center and 1 the last one's (align_corners=True)
    from_middle = torch.arange(FACE_SIZE, device=images.device) - _MIDDLE
    across, down = from_middle.view(1, 1, -1, 1), from_middle.view(1, -1, 1, 1)
    along = (inverse / _MIDDLE).view(-1, 1, 1, 2, 2)
    first = ((start + (inverse.sum(2, keepdim=True) - 1) * _MIDDLE) / _MIDDLE).view(-1, 1, 1, 2)
    # a column plus a row takes a third of the time of affine_grid, which multiplies matrices
    grid = along[..., 0] * across + (along[..., 1] * down + first)
    return F.grid_sample(images, grid, padding_mode="border", align_corners=True)


def _blurred(images: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """A share of the images down- and upscaled, to 16 to 64 px, one width per batch."""
    chosen = torch.rand(len(images), generator=generator, device=images.device) < share
    width = int(torch.randint(16, 65, (1,), generator=generator, device=images.device))
    if not chosen.any():
        return images
    small = F.interpolate(images[chosen], size=(width, width), mode="bilinear", antialias=True)
    images = images.clone()
    images[chosen] = F.interpolate(small, size=images.shape[2:], mode="bilinear", align_corners=False)
    return images


def _noise(n: int, largest: float, generator: torch.Generator) -> Tensor:
    """Gaussian noise (n, 1, 96, 96) with a random strength and sign for each face.

    The batch shares eight noise fields: one for each face took as long as the geometric transformation.
    """
    fields = torch.randn(min(n, 8), 1, FACE_SIZE, FACE_SIZE, generator=generator, device=generator.device)
    which = torch.randint(len(fields), (n,), generator=generator, device=generator.device)
    return fields[which] * _uniform(n, -largest, largest, generator).view(-1, 1, 1, 1)


def _relit(images: Tensor, recipe: Recipe, generator: torch.Generator) -> Tensor:
    n = len(images)

    def factor(strength: float) -> Tensor:
        limit = math.log1p(strength)
        return torch.exp(_uniform(n, -limit, limit, generator)).view(-1, 1, 1, 1)

    if recipe.gamma:
        images = images.clamp_min(1e-4) ** factor(recipe.gamma)
    if recipe.contrast or recipe.brightness:
        mean = images.mean(dim=(1, 2, 3), keepdim=True)
        light = _uniform(n, -recipe.brightness, recipe.brightness, generator).view(-1, 1, 1, 1)
        images = (images - mean) * factor(recipe.contrast) + mean + light
    return images


def _uniform(n: int, low: float, high: float, generator: torch.Generator) -> Tensor:
    return torch.rand(n, generator=generator, device=generator.device) * (high - low) + low

"""Pictures that are no faces, made of faces and of nothing: on these a model must learn to be unsure."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from facepoints.keypoints import FACE_SIZE

_TILE = 16


def non_faces(images: Tensor, generator: torch.Generator) -> Tensor:
    """As many pictures as faces (n, 1, 96, 96) are given, 0 to 1: each of a kind drawn at random.

    Tiles of a face in another order, a corner enlarged until hair or wall fills the picture, smooth noise, waves.
    """
    n, device = len(images), images.device
    kinds = (_shuffled, _enlarged_corner, _clouds, _waves)
    which = torch.randint(len(kinds), (n,), generator=generator, device=device)
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

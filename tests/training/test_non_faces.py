"""Pictures that are no faces: as many as asked for, of all kinds, in range, and like no face."""

from __future__ import annotations

import torch
from torch import Tensor

from facepoints.data.synthetic.faces import draw_faces
from facepoints.training.augmentation import to_images
from facepoints.training.uncertainty import non_faces


def some(seed: int) -> tuple[Tensor, Tensor]:
    images = to_images(torch.from_numpy(draw_faces(32, seed=0)[0]))
    return images, non_faces(images, torch.Generator().manual_seed(seed))


def test_as_many_as_faces_in_their_range() -> None:
    images, made = some(0)
    assert made.shape == images.shape
    assert made.min() >= 0
    assert made.max() <= 1
    assert made.std(dim=(1, 2, 3)).max() > 0.05


def test_the_same_for_a_seed() -> None:
    assert torch.equal(some(1)[1], some(1)[1])
    assert not torch.equal(some(1)[1], some(2)[1])


def test_none_is_the_face_it_was_made_of() -> None:
    images, made = some(3)
    likeness = torch.stack(
        [torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1] for a, b in zip(images, made, strict=True)]
    )
    assert likeness.nan_to_num().abs().max() < 0.8

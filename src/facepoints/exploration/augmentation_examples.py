"""Each kind of augmentation on the same faces. Needs torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from facepoints.data.dataset import LabeledFaces
from facepoints.training.augmentation import before_and_after
from facepoints.training.recipe import Recipe

KINDS: dict[str, Recipe] = {
    "flipped": Recipe(flip=1.0),
    "rotated by -15°": Recipe(angles=(-15.0,)),
    "rotated by 0°": Recipe(angles=(0.0,)),
    "rotated by 15°": Recipe(angles=(15.0,)),
    "shifted, up to 8 px": Recipe(shift=8.0),
    "scaled, up to 1.2 either way": Recipe(scale=0.2),
    "sheared, up to 15° either way": Recipe(shear=15.0),
    "brighter or darker, up to 0.25": Recipe(brightness=0.25),
    "contrast, up to 2 either way": Recipe(contrast=1.0),
    "gamma, up to 2 either way": Recipe(gamma=1.0),
    "blurred": Recipe(blur=1.0),
    "noise, up to 0.08": Recipe(noise=0.08),
    "all combined": Recipe(flip=0.5, rotation=15.0, shift=5.0, scale=0.15, brightness=0.15, contrast=0.4, noise=0.03),
}
"""Name -> recipe with only this augmentation."""


@dataclass(frozen=True)
class Augmented:
    """m faces after one kind of augmentation."""

    kind: str
    fields: dict[str, object]
    """fields of the recipe that set it"""
    faces: NDArray[np.uint8]
    """(m, 96, 96)"""
    points: NDArray[np.float32]
    """(m, k, 2) px, NaN where not labeled or outside the image"""


def augment(data: LabeledFaces, seed: int = 0) -> list[Augmented]:
    """Every kind on all these faces; kinds that flip are left out if a left or right point lacks its partner."""
    faces, points, observed = (torch.from_numpy(np.array(a)) for a in (data.faces, data.points, data.observed))
    examples = []
    for kind, recipe in KINDS.items():
        if recipe.flip and data.keypoints.lone_sides():
            continue
        after = before_and_after(faces, points, observed, recipe, data.keypoints, seed)[1]
        grey = after.images.squeeze(1).mul(255).round().byte().numpy()
        places = np.where(after.observed.numpy()[:, :, None], after.points.float().numpy(), np.nan)
        examples.append(Augmented(kind, recipe.differences(Recipe()), grey, places.astype(np.float32)))
    return examples

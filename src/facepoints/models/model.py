"""A network together with what turns its answers into labels: keypoint set, label offsets, typical faces."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from facepoints.keypoints import FACE_SIZE, SOURCES, KeypointSet
from facepoints.models.networks import PointMaps, Size, build

BATCH = 256
"""Faces that are predicted at a time: large enough to be fast, small enough for any memory."""


class Model(nn.Module):
    """Faces in, points out, in the way that a source labels.

    The network answers in a frame without the sources' habits; `label_offset` (sources, 2), pixels, is what each
    source adds to every point (zero unless the recipe learns it). Geometry (flips, rotations) is done in the
    network's frame, labels are compared after the offset is put back.
    """

    label_offset: Tensor
    typical: Tensor

    def __init__(self, network: str, keypoints: KeypointSet, size: Size, recipe: Mapping[str, Any]) -> None:
        super().__init__()
        self.network_name = network
        self.keypoints = keypoints
        self.size = size
        self.recipe = dict(recipe)
        self.all_keypoints = keypoints
        self.network = build(network, len(keypoints), size)
        self.label_offset = nn.Parameter(torch.zeros(len(SOURCES), 2))
        self.register_buffer("typical", torch.full((len(SOURCES), len(keypoints), 2), (FACE_SIZE - 1) / 2))

    def learn_typical(
        self,
        points: NDArray[np.float32],
        observed: NDArray[np.bool_],
        source: NDArray[np.int64],
        all_keypoints: KeypointSet,
    ) -> None:
        """Remember from training rows (points (n, k, 2), observed (n, k), source (n,)) where each point usually lies.

        `all_keypoints` are the k points of the data, which may be more than the network was trained for: for those
        it can't predict, the typical place of the source (or of the other one, or the middle) is the best answer.
        """
        typical = np.full((len(SOURCES), len(all_keypoints), 2), (FACE_SIZE - 1) / 2, np.float32)
        for k in range(len(all_keypoints)):
            anyone = observed[:, k]
            for s in range(len(SOURCES)):
                own = anyone & (source == s)
                rows = own if own.any() else anyone
                if rows.any():
                    typical[s, k] = points[rows, k].mean(axis=0, dtype=np.float64)
        self.all_keypoints = all_keypoints
        self.typical = torch.from_numpy(typical)
        if isinstance(self.network, PointMaps):
            columns = [all_keypoints.index(name) for name in self.keypoints.names]
            heard = [(observed & (source == s)[:, None]).any(axis=0)[columns] for s in range(len(SOURCES))]
            self.network.hear(torch.from_numpy(np.stack(heard)))

    def without_offset(self, images: Tensor, source: Tensor) -> Tensor:
        """Points (n, k, 2), pixels, in the network's own frame; images (n, 1, 96, 96), 0 to 1; source (n,)."""
        points: Tensor = self.network(images, source)
        return points

    def forward(self, images: Tensor, source: Tensor) -> Tensor:
        """Points (n, k, 2), pixels, as the source would label them; images (n, 1, 96, 96), 0 to 1; source (n,)."""
        return self.without_offset(images, source) + self.label_offset[source].unsqueeze(1)

    def mirrored_too(self, images: Tensor, source: Tensor) -> Tensor:
        """Like forward, averaged with what the network says of the mirrored faces."""
        swap = torch.from_numpy(self.keypoints.mirror).to(images.device)
        again = self.without_offset(images.flip(3), source)[:, swap]
        again = torch.stack([FACE_SIZE - 1 - again[..., 0], again[..., 1]], dim=-1)
        points = (self.without_offset(images, source) + again) / 2
        return points + self.label_offset[source].unsqueeze(1)

    @torch.inference_mode()
    def predict(
        self, faces: NDArray[np.uint8], source: NDArray[np.int64], *, flip: bool = False
    ) -> NDArray[np.float32]:
        """Points float32 (n, k, 2), pixels, of faces uint8 (n, 96, 96) as their sources (n,) would label them."""
        self.eval()
        device = self.typical.device
        found = [np.empty((0, len(self.keypoints), 2), np.float32)]
        for part in _parts(len(faces)):
            images = torch.from_numpy(np.array(faces[part])).to(device).unsqueeze(1).float() / 255
            asked = torch.from_numpy(np.array(source[part])).to(device)
            answer = self.mirrored_too(images, asked) if flip else self(images, asked)
            found.append(answer.float().cpu().numpy())
        return np.concatenate(found)

    def predict_all(
        self, faces: NDArray[np.uint8], source: NDArray[np.int64], *, flip: bool = False
    ) -> NDArray[np.float32]:
        """Like predict, for every point of the data it was trained on: typical places for those it never learned."""
        everything: NDArray[np.float32] = self.typical.cpu().numpy()[source]
        columns = [self.all_keypoints.index(name) for name in self.keypoints.names]
        everything[:, columns] = self.predict(faces, source, flip=flip)
        return everything


def _parts(n: int) -> Iterator[slice]:
    for start in range(0, n, BATCH):
        yield slice(start, min(start + BATCH, n))

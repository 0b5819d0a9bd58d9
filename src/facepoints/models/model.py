"""A network together with what turns its answers into labels: keypoint set, label offsets, typical faces."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from facepoints.errors import BadChoice
from facepoints.keypoints import FACE_SIZE, SOURCES, KeypointSet
from facepoints.models.heatmaps import MultiSourceNetwork
from facepoints.models.networks import HEATMAP_NETWORKS, Size, build
from facepoints.models.uncertainty import ExpectedError

BATCH = 256
"""Faces that are predicted at a time: large enough to be fast, small enough for any memory."""


class Model(nn.Module):
    """Faces in, points out, in the way that a source labels.

    The network answers in a frame without the sources' habits; `label_offset` (sources, k, 2), pixels, is what
    each source adds to each point (zero unless the recipe learns it): who labels may do so a little to the right,
    left and right brows alike, and a mirrored face would carry that to the wrong side. Geometry (flips, rotations)
    is done in the network's frame, labels are compared after the offset is put back. With `expected_error` in its
    recipe it also says how far off each point may be; that head learns after the points
    (training/expected_error.py).
    """

    label_offset: Tensor
    mean_shape: Tensor

    def __init__(self, network: str, keypoints: KeypointSet, size: Size, recipe: Mapping[str, Any]) -> None:
        super().__init__()
        self.network_name = network
        self.keypoints = keypoints
        self.size = size
        self.recipe = dict(recipe)
        self.all_keypoints = keypoints
        self.network = build(network, len(keypoints), size)
        self.expected_error: ExpectedError | None = None
        if self.recipe.get("expected_error"):
            if not isinstance(self.network, MultiSourceNetwork):
                raise BadChoice(
                    f"expected_error needs a network with maps ({', '.join(HEATMAP_NETWORKS)}), not '{network}'"
                )
            self.expected_error = ExpectedError(self.network)
        self.label_offset = nn.Parameter(torch.zeros(len(SOURCES), len(keypoints), 2))
        self.register_buffer("mean_shape", torch.full((len(SOURCES), len(keypoints), 2), (FACE_SIZE - 1) / 2))

    def fit_mean_shape(
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
        mean_shape = np.full((len(SOURCES), len(all_keypoints), 2), (FACE_SIZE - 1) / 2, np.float32)
        for k in range(len(all_keypoints)):
            anyone = observed[:, k]
            for s in range(len(SOURCES)):
                own = anyone & (source == s)
                rows = own if own.any() else anyone
                if rows.any():
                    mean_shape[s, k] = points[rows, k].mean(axis=0, dtype=np.float64)
        self.all_keypoints = all_keypoints
        self.mean_shape = torch.from_numpy(mean_shape)
        if isinstance(self.network, MultiSourceNetwork):
            columns = [all_keypoints.index(name) for name in self.keypoints.names]
            heard = [(observed & (source == s)[:, None]).any(axis=0)[columns] for s in range(len(SOURCES))]
            self.network.set_labeled(torch.from_numpy(np.stack(heard)))

    def without_offset(self, images: Tensor, source: Tensor) -> Tensor:
        """Points (n, k, 2), pixels, in the network's own frame; images (n, 1, 96, 96), 0 to 1; source (n,)."""
        points: Tensor = self.network(images, source)
        return points

    def forward(self, images: Tensor, source: Tensor) -> Tensor:
        """Points (n, k, 2), pixels, as the source would label them; images (n, 1, 96, 96), 0 to 1; source (n,)."""
        return self.without_offset(images, source) + self.label_offset[source]

    def infer(self, images: Tensor, source: Tensor) -> tuple[Tensor, Tensor | None]:
        """Points as forward gives them and, where the model has learned them, their expected errors (n, k), pixels."""
        if self.expected_error is None:
            return self(images, source), None
        network = cast("MultiSourceNetwork", self.network)
        seen = network.extract(images)
        points = network.select_source(network.corrected(seen.points), source) + self.label_offset[source]
        return points, network.select_source(self.expected_error(seen).unsqueeze(2), source).squeeze(2)

    def infer_with_flip(self, images: Tensor, source: Tensor) -> tuple[Tensor, Tensor | None]:
        """Like answer, averaged with what the network says of the mirrored faces."""
        swap = torch.from_numpy(self.keypoints.mirror).to(images.device)
        offset = self.label_offset[source]
        network = self.network
        if not isinstance(network, MultiSourceNetwork):
            again = self.without_offset(images.flip(3), source)[:, swap]
            return (self.without_offset(images, source) + _mirrored(again)) / 2 + offset, None
        both = network.extract(images), network.extract(images.flip(3))
        swap_all = torch.cat([swap, swap + len(swap)])
        points = (both[0].points + _mirrored(both[1].points[:, swap_all])) / 2
        points = network.select_source(network.corrected(points), source) + offset
        if self.expected_error is None:
            return points, None
        errors = [network.select_source(self.expected_error(seen).unsqueeze(2), source).squeeze(2) for seen in both]
        return points, (errors[0] + errors[1][:, swap]) / 2

    def predict(
        self, faces: NDArray[np.uint8], source: NDArray[np.int64], *, flip: bool = False
    ) -> NDArray[np.float32]:
        """Points float32 (n, k, 2), pixels, of faces uint8 (n, 96, 96) as their sources (n,) would label them."""
        return self.predict_with_error(faces, source, flip=flip)[0]

    @torch.inference_mode()
    def predict_with_error(
        self, faces: NDArray[np.uint8], source: NDArray[np.int64], *, flip: bool = False
    ) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """Points like predict, and their expected errors float32 (n, k), pixels, where the model has learned them."""
        self.eval()
        device = self.mean_shape.device
        k = len(self.keypoints)
        points, errors = [np.empty((0, k, 2), np.float32)], [np.empty((0, k), np.float32)]
        for part in _parts(len(faces)):
            images = torch.from_numpy(np.array(faces[part])).to(device).unsqueeze(1).float() / 255
            asked = torch.from_numpy(np.array(source[part])).to(device)
            answer, error = self.infer_with_flip(images, asked) if flip else self.infer(images, asked)
            points.append(answer.float().cpu().numpy())
            if error is not None:
                errors.append(error.float().cpu().numpy())
        return np.concatenate(points), None if self.expected_error is None else np.concatenate(errors)

    def predict_all(
        self, faces: NDArray[np.uint8], source: NDArray[np.int64], *, flip: bool = False
    ) -> NDArray[np.float32]:
        """Like predict, for every point of the data it was trained on: typical places for those it never learned."""
        everything: NDArray[np.float32] = self.mean_shape.cpu().numpy()[source]
        columns = [self.all_keypoints.index(name) for name in self.keypoints.names]
        everything[:, columns] = self.predict(faces, source, flip=flip)
        return everything


def _parts(n: int) -> Iterator[slice]:
    for start in range(0, n, BATCH):
        yield slice(start, min(start + BATCH, n))


def _mirrored(points: Tensor) -> Tensor:
    """Points (..., 2) of a mirrored face, where they lie on the face as it is."""
    return torch.stack([FACE_SIZE - 1 - points[..., 0], points[..., 1]], dim=-1)

"""A network with everything that turns its outputs into labels: keypoint set, label offsets, mean shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from facepoints.errors import BadChoice
from facepoints.keypoints import FACE_SIZE, SOURCES, KeypointSet
from facepoints.models.heatmaps import Features, MultiSourceNetwork
from facepoints.models.networks import HEATMAP_NETWORKS, Size, build
from facepoints.models.uncertainty import ExpectedError

BATCH = 256
"""Faces predicted at a time: large enough to be fast, small enough for any memory."""


class Model(nn.Module):
    """Predicts points of faces as a given source would label them.

    `label_offset` (sources, k, 2), px, is the constant displacement of each source's labels, such as a habit of
    labeling 1 px to the right; zero unless the recipe learns it. The network predicts without it, because flips and
    rotations of the augmentation would turn a habit that does not turn with the face. With `expected_error` in its
    recipe the model also predicts the error of each point; that head is trained afterwards (training/uncertainty.py).
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
            self.expected_error = ExpectedError(self.heatmap_network("expected_error"))
        self.label_offset = nn.Parameter(torch.zeros(len(SOURCES), len(keypoints), 2))
        self.register_buffer("mean_shape", torch.full((len(SOURCES), len(keypoints), 2), (FACE_SIZE - 1) / 2))

    def heatmap_network(self, needed_for: str) -> MultiSourceNetwork:
        """The network, where it has heatmaps; raises BadChoice otherwise. needed_for: recipe field for the message."""
        if not isinstance(self.network, MultiSourceNetwork):
            names = ", ".join(HEATMAP_NETWORKS)
            raise BadChoice(f"{needed_for} needs a network with heatmaps ({names}), not '{self.network_name}'")
        return self.network

    def fit_mean_shape(
        self,
        points: NDArray[np.float32],
        observed: NDArray[np.bool_],
        source: NDArray[np.int64],
        all_keypoints: KeypointSet,
    ) -> None:
        """Set the mean shape of each source from training rows: points (n, k, 2), observed (n, k), source (n,).

        `all_keypoints` are the k points of the data, possibly more than the network predicts: for the others the mean
        of the source, of both sources or the middle of the face is the prediction.
        """
        mean_shape = np.full((len(SOURCES), len(all_keypoints), 2), (FACE_SIZE - 1) / 2, np.float32)
        for k in range(len(all_keypoints)):
            for s in range(len(SOURCES)):
                own = observed[:, k] & (source == s)
                rows = own if own.any() else observed[:, k]
                if rows.any():
                    mean_shape[s, k] = points[rows, k].mean(axis=0, dtype=np.float64)
        self.all_keypoints = all_keypoints
        self.mean_shape = torch.from_numpy(mean_shape)
        if isinstance(self.network, MultiSourceNetwork):
            columns = self._columns()
            labeled = [(observed & (source == s)[:, None]).any(axis=0)[columns] for s in range(len(SOURCES))]
            self.network.set_labeled(torch.from_numpy(np.stack(labeled)))

    def without_offset(self, images: Tensor, source: Tensor) -> Tensor:
        """Points (n, k, 2), px, before the label offset; images (n, 1, 96, 96), 0 to 1; source (n,)."""
        points: Tensor = self.network(images, source)
        return points

    def forward(self, images: Tensor, source: Tensor) -> Tensor:
        """Points (n, k, 2), px, as the source would label them; images (n, 1, 96, 96), 0 to 1; source (n,)."""
        return self.without_offset(images, source) + self.label_offset[source]

    def infer(self, images: Tensor, source: Tensor, *, flip: bool = False) -> tuple[Tensor, Tensor | None]:
        """Points (n, k, 2) and expected errors (n, k), px; None where the model has no such head.

        flip: average with the prediction on the mirrored images.
        """
        network, offset = self.network, self.label_offset[source]
        if not isinstance(network, MultiSourceNetwork):
            points = self.without_offset(images, source)
            if flip:
                again = self.without_offset(images.flip(3), source)[:, self._swap(images)]
                points = (points + _mirrored(again)) / 2
            return points + offset, None
        points, views = self.views(images, flip=flip)
        points = network.select_source(network.corrected(points), source) + offset
        if self.expected_error is None:
            return points, None
        errors = [network.select_source(self.expected_error(view).unsqueeze(2), source).squeeze(2) for view in views]
        return points, (errors[0] + errors[1][:, self._swap(images)]) / 2 if flip else errors[0]

    def views(self, images: Tensor, *, flip: bool) -> tuple[Tensor, list[Features]]:
        """A heatmap network's points of all sources (n, sources * k, 2), averaged over views, and their features."""
        network = self.heatmap_network("views")
        views = [network.extract(images)]
        points = views[0].points
        if flip:
            views.append(network.extract(images.flip(3)))
            swap = self._swap(images)
            points = (points + _mirrored(views[1].points[:, torch.cat([swap, swap + len(swap)])])) / 2
        return points, views

    def predict(
        self, faces: NDArray[np.uint8], source: NDArray[np.int64], *, flip: bool = False
    ) -> NDArray[np.float32]:
        """Points float32 (n, k, 2), px, of faces uint8 (n, 96, 96) as their sources (n,) would label them."""
        return self.predict_with_error(faces, source, flip=flip)[0]

    @torch.inference_mode()
    def predict_with_error(
        self, faces: NDArray[np.uint8], source: NDArray[np.int64], *, flip: bool = False
    ) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """Points like `predict`, and their expected errors float32 (n, k), px, where the model has that head."""
        self.eval()
        device = self.mean_shape.device
        k = len(self.keypoints)
        points, errors = [np.empty((0, k, 2), np.float32)], [np.empty((0, k), np.float32)]
        for start in range(0, len(faces), BATCH):
            part = slice(start, start + BATCH)
            images = torch.from_numpy(np.array(faces[part])).to(device).unsqueeze(1).float() / 255
            found, error = self.infer(images, torch.from_numpy(np.array(source[part])).to(device), flip=flip)
            points.append(found.float().cpu().numpy())
            if error is not None:
                errors.append(error.float().cpu().numpy())
        return np.concatenate(points), None if self.expected_error is None else np.concatenate(errors)

    def predict_all(
        self, faces: NDArray[np.uint8], source: NDArray[np.int64], *, flip: bool = False
    ) -> NDArray[np.float32]:
        """Like `predict`, for all keypoints of the training data; the mean shape for those without an output."""
        everything: NDArray[np.float32] = self.mean_shape.cpu().numpy()[source]
        everything[:, self._columns()] = self.predict(faces, source, flip=flip)
        return everything

    def _columns(self) -> list[int]:
        return [self.all_keypoints.index(name) for name in self.keypoints.names]

    def _swap(self, images: Tensor) -> Tensor:
        return torch.from_numpy(self.keypoints.mirror).to(images.device)


def _mirrored(points: Tensor) -> Tensor:
    """Points (..., 2) of a mirrored face in the coordinates of the original face."""
    return torch.stack([FACE_SIZE - 1 - points[..., 0], points[..., 1]], dim=-1)

"""What a trained model says of the training faces, for a second model to learn beside the labels.

A source that labels four points leaves eleven to guess. A model that learned both sources knows what the other one
would have said: its points for every face and source teach the next model on faces that nobody labeled so
(self-training, Xie et al., 2020, "Self-training with Noisy Student": the teacher sees the faces as they are, the
student sees them turned, blurred and relit).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from facepoints.data.dataset import LabeledFaces
from facepoints.errors import BadChoice
from facepoints.keypoints import SOURCES, KeypointSet
from facepoints.models.heatmaps import MultiSourceNetwork
from facepoints.models.model import Model
from facepoints.models.networks import HEATMAP_NETWORKS
from facepoints.training.augmentation import Batch


@dataclass(frozen=True)
class DistillationTargets:
    """A teacher's points for n faces, in the order of AllAnswers: source A's k points, then B's."""

    points: Tensor
    """float (n, sources * k, 2), pixels, with the label offset of the source that would label so"""
    known: Tensor
    """bool (sources * k,): did the teacher ever learn how this source labels this point?"""

    def to(self, device: torch.device) -> DistillationTargets:
        """The same on another device."""
        return replace(self, points=self.points.to(device), known=self.known.to(device))

    def beside(self, batch: Batch, rows: Tensor, label_offset: Tensor) -> Batch:
        """The batch with the teacher's points after its own: (n, k + sources * k, 2), in the network's frame."""
        points = torch.cat([batch.points, self.points[rows] - label_offset.detach().flatten(0, 1)], dim=1)
        observed = torch.cat([batch.observed, self.known.expand(len(rows), -1)], dim=1)
        return batch._replace(points=points, observed=observed)

    @staticmethod
    def for_member_set(keypoints: KeypointSet) -> KeypointSet:
        """The names of those points: a mirror exchanges sides within the labels and within each source."""
        return KeypointSet((*keypoints.names, *(f"{n}_{source}" for source in SOURCES for n in keypoints.names)))


def prepare_targets(teacher: Model, rows: LabeledFaces) -> DistillationTargets:
    """What the teacher says of these faces, averaged with what it says of their mirror images where it can."""
    if not isinstance(teacher.network, MultiSourceNetwork):
        raise BadChoice(
            f"teacher: needs a network with maps ({', '.join(HEATMAP_NETWORKS)}), not '{teacher.network_name}'"
        )
    if teacher.keypoints != rows.keypoints:
        raise BadChoice("teacher: was trained on other keypoints than this recipe; train it on the same")
    flip = not rows.keypoints.lone_sides()
    each = [teacher.predict(rows.faces, np.full(len(rows), s, np.int64), flip=flip) for s in range(len(SOURCES))]
    own = torch.arange(len(SOURCES) * len(rows.keypoints)).view(len(SOURCES), -1)
    known = teacher.network.source_channels.cpu() == own
    return DistillationTargets(torch.from_numpy(np.concatenate(each, axis=1)), known.flatten())

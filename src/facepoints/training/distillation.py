"""Knowledge distillation: a teacher's points as further targets.

A source that labels four points leaves eleven unlabeled. A teacher trained on both sources predicts what each of them
would have labeled; a student learns these points on all faces in addition to the labels (self-training: Xie et al.,
2020, "Self-training with Noisy Student"). The teacher gets the original faces, the student augmented ones.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from facepoints.data.dataset import LabeledFaces
from facepoints.errors import BadChoice
from facepoints.keypoints import SOURCES, KeypointSet
from facepoints.models.model import Model
from facepoints.training.augmentation import Batch


@dataclass(frozen=True)
class DistillationTargets:
    """A teacher's points for n faces, in the order of Features: source A's k points, then those of B."""

    points: Tensor
    """float (n, sources * k, 2), px, including the label offset of the source"""
    known: Tensor
    """bool (sources * k,): was the teacher trained on labels of this point by this source?"""

    def to(self, device: torch.device) -> DistillationTargets:
        return replace(self, points=self.points.to(device), known=self.known.to(device))

    def append_to(self, batch: Batch, rows: Tensor, label_offset: Tensor) -> Batch:
        """The batch with the teacher's points after the labels: (n, k + sources * k, 2), without label offset."""
        points = torch.cat([batch.points, self.points[rows] - label_offset.detach().flatten(0, 1)], dim=1)
        observed = torch.cat([batch.observed, self.known.expand(len(rows), -1)], dim=1)
        return batch._replace(points=points, observed=observed)

    @staticmethod
    def keypoints(labels: KeypointSet) -> KeypointSet:
        """Names of a batch's points after `append_to`; a flip swaps sides within the labels and within each source."""
        return KeypointSet((*labels.names, *(f"{n}_{source}" for source in SOURCES for n in labels.names)))


def prepare_targets(teacher: Model, rows: LabeledFaces) -> DistillationTargets:
    """The teacher's points for these faces, with flip averaging where all points have a partner."""
    network = teacher.heatmap_network("teacher")
    if teacher.keypoints != rows.keypoints:
        raise BadChoice("teacher: was trained on other keypoints than this recipe; train it on the same")
    flip = not rows.keypoints.lone_sides()
    each = [teacher.predict(rows.faces, np.full(len(rows), s, np.int64), flip=flip) for s in range(len(SOURCES))]
    own = torch.arange(len(SOURCES) * len(rows.keypoints)).view(len(SOURCES), -1)
    known = network.source_channels.cpu() == own
    return DistillationTargets(torch.from_numpy(np.concatenate(each, axis=1)), known.flatten())

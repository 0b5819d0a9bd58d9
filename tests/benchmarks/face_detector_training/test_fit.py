"""Teaching a finder: the loss is least where maps say what targets ask, and a minute network learns."""

from __future__ import annotations

import numpy as np
import torch

from face_detector_training.fit import Schedule, face_map_loss, fit_face_map
from face_detector_training.network import FaceMap
from face_detector_training.patches import Patches, targets_of
from face_detector_training.scenes import Scene, halved
from facepoints.data.synthetic.faces import draw_faces

FACES = np.array([[30.0, 40.0, 25.0, 0.3], [90.0, 80.0, 40.0, 2.0]])


def perfect(targets: torch.Tensor) -> torch.Tensor:
    """Maps that say what the targets ask."""
    logit = torch.where(targets[:, :1] == 1, 12.0, -12.0)
    return torch.cat([logit, targets[:, 2:7]], dim=1)


def test_the_truth_costs_nearly_nothing_and_anything_else_more() -> None:
    targets = torch.from_numpy(targets_of(FACES, np.zeros((0, 4))))[None]
    like, lie = face_map_loss(perfect(targets), targets)
    assert like < 1e-3
    assert lie < 1e-6
    nothing = perfect(targets)
    nothing[:, 0] = -12
    assert face_map_loss(nothing, targets)[0] > 5
    beside = perfect(targets)
    beside[:, 1:] += 0.5
    assert face_map_loss(beside, targets)[1] > 0.5


def test_where_nobody_knows_any_answer_is_free() -> None:
    targets = torch.from_numpy(targets_of(FACES[:1], FACES[1:]))[None]
    quiet = perfect(targets)
    loud = quiet.clone()
    loud[:, 0][targets[:, 1] == 0] = 9.0
    assert (targets[:, 1] == 0).any()
    torch.testing.assert_close(face_map_loss(loud, targets), face_map_loss(quiet, targets))


def test_it_learns_and_the_same_course_gives_the_same_network() -> None:
    faces = draw_faces(6, seed=3)[0]
    ground = np.random.default_rng(0).integers(60, 160, (40, 40), np.uint8).repeat(8, axis=0).repeat(8, axis=1)
    patches = Patches(
        [Scene("s", halved(ground), np.array([[160.0, 160, 96, 0]]))], faces, np.tile([47.5, 47.5, 96, 0], (6, 1))
    )
    course = Schedule(steps=80, batch=8, rate=1e-2, every=20)
    said: list[float] = []
    small = [fit_face_map(patches, course, lambda step, like, lie: said.append(like), seeded()) for _ in range(2)]
    assert said[3] < 0.7 * said[0]
    for one, other in zip(small[0].parameters(), small[1].parameters(), strict=True):
        torch.testing.assert_close(one, other)


def seeded() -> FaceMap:
    torch.manual_seed(0)
    return FaceMap((4, 8, 8), 1)

"""Pictures for a finder: what is asked for is where the picture has it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from face_detector_training.degradations import degrade
from face_detector_training.network import SIDES, STRIDE, UNIT
from face_detector_training.patches import CELLS, PATCH, Mixture, Patches, _cut, _paste, targets_of
from face_detector_training.scenes import Scene, halved
from facepoints.data.synthetic.faces import draw_faces

SQUARE = np.array([47.5, 47.5, 96.0, 0.0])


def told(targets: np.ndarray) -> np.ndarray:
    """The faces (n, 4) that targets ask for."""
    heat, _, right, down, size, cosine, sine, _ = targets
    row, column = np.nonzero(heat == 1)
    x, y = (cells * STRIDE + (STRIDE - 1) / 2 for cells in (column, row))
    at = (row, column)
    return np.column_stack(
        [
            x + right[at] * STRIDE,
            y + down[at] * STRIDE,
            UNIT * np.exp(size[at]),
            np.arctan2(sine[at], cosine[at]),
        ]
    )


def test_targets_tell_the_faces_they_were_made_of() -> None:
    faces = np.array([[20.3, 30.7, 17.0, 0.5], [90.0, 64.0, 40.0, -3.0]])
    np.testing.assert_allclose(told(targets_of(faces, np.zeros((0, 4)))), faces, atol=1e-4)


def test_faces_of_other_sizes_are_not_asked_for_and_borderline_ones_do_not_count() -> None:
    small, odd, large = [20.0, 20, 6, 0], [60.0, 60, SIDES[1] * 1.2, 0], [100.0, 100, 300, 0]
    targets = targets_of(np.array([small, odd, large]), np.zeros((0, 4)))
    assert (targets[0] == 0).all()
    silent = np.argwhere(targets[1] == 0)
    assert len(silent)
    assert (np.linalg.norm(silent * STRIDE + 3.5 - 60, axis=1) < SIDES[1]).all()


def test_nothing_is_asked_where_nobody_knows_but_for_known_faces() -> None:
    targets = targets_of(np.array([[64.0, 64, 30, 0]]), np.array([[64.0, 70, 40, 0]]))
    assert targets[1, 8, 8] == 0 or targets[0, 8, 8] == 1
    assert (targets[1][targets[0] == 1] == 1).all()
    assert (targets[1] == 0).sum() > 4


@pytest.mark.parametrize("turn", [0.0, 1.2, 3.0])
def test_a_cut_out_face_lies_where_it_is_said_to_lie(turn: float) -> None:
    """Dots at the face's four corners are looked for where the square in the picture has its corners."""
    dots = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * 60.0
    photo = np.zeros((500, 600), np.uint8)
    for dot, tone in zip(dots + [300, 240], (255, 180, 110, 60), strict=True):
        cv2.circle(photo, np.round(dot).astype(int).tolist(), 14, tone, -1)
    scene = Scene("s", halved(photo), np.array([[300.0, 240, 120, 0]]))
    rng = np.random.default_rng(3)
    for _ in range(6):
        picture, faces, _ = _cut(scene, np.array([300.0, 240]), np.array([64.0, 64]), 0.4, turn, rng)
        ((x, y, side, roll),) = faces
        right = np.array([np.cos(roll), np.sin(roll)])
        down = np.array([-np.sin(roll), np.cos(roll)])
        corners = [
            np.array([x, y]) + side / 2 * (a * right + b * down) for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1))
        ]
        seen = [int(picture[round(p[1]), round(p[0])]) for p in corners]
        mirrored = [seen[1], seen[0], seen[3], seen[2]]
        assert min(np.abs(np.subtract(s, (255, 180, 110, 60))).max() for s in (seen, mirrored)) < 40


def test_a_pasted_face_is_seen_where_it_was_pasted() -> None:
    face = draw_faces(1, seed=2)[0][0]
    ground = np.full((PATCH, PATCH), 90, np.uint8)
    target = np.array([50.0, 70.0, 44.0, 0.4])
    picture = _paste(ground, halved(face, 12), SQUARE, target, np.random.default_rng(0))
    changed = np.argwhere(np.abs(picture.astype(int) - 90) > 12)[:, ::-1]
    assert np.linalg.norm(changed.mean(axis=0) - target[:2]) < 4
    assert np.linalg.norm(changed - target[:2], axis=1).max() < 44 * 0.75


def test_batches_hold_what_the_mixture_says() -> None:
    faces = draw_faces(4, seed=1)[0]
    photo = np.full((300, 400), 120, np.uint8)
    photo[100:196, 150:246] = faces[0]
    scene = Scene("s", halved(photo), np.array([[197.5, 147.5, 96, 0]]))
    patches = Patches([scene], faces, np.tile(SQUARE, (4, 1)), Mixture(scene_face=0.5, pasted=0.4, hard=0.0))
    pictures, targets = patches.batch(40, np.random.default_rng(0))
    assert pictures.shape == (40, 1, PATCH, PATCH)
    assert targets.shape == (40, 8, CELLS, CELLS)
    assert np.isfinite(targets).all()
    counts = [len(told(target)) for target in targets]
    assert sum(count > 0 for count in counts) > 15
    for target in targets:
        sides = told(target)[:, 2]
        assert ((sides > SIDES[0] * 0.99) & (sides < SIDES[1] * 1.01)).all()
    again, _ = patches.batch(40, np.random.default_rng(0))
    np.testing.assert_array_equal(again, pictures)


def test_faults_leave_a_picture_a_picture() -> None:
    picture = cv2.resize(draw_faces(1, seed=2)[0][0], (PATCH, PATCH))
    rng = np.random.default_rng(0)
    made = [degrade(picture, rng) for _ in range(60)]
    assert all(one.shape == picture.shape and one.dtype == np.uint8 for one in made)
    assert sum(not np.array_equal(one, picture) for one in made) > 40

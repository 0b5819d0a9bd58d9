"""Marks are at their points, the input image is unchanged, and sheets have the expected size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from facepoints.drawing import LABELED, PREDICTED, contact_sheet, draw_points, write_png
from facepoints.errors import BadChoice, BadFile

FACES = np.full((5, 96, 96), 128, np.uint8)
POINTS = np.random.default_rng(0).uniform(10, 85, (5, 3, 2))
WHITE = (255, 255, 255)


def center_of(picture: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Center of brightness (x, y) of the blue channel."""
    weight = picture[:, :, 0].astype(np.float64)
    down, across = np.indices(weight.shape)
    return np.asarray(np.array([(weight * across).sum(), (weight * down).sum()]) / weight.sum(), np.float64)


@pytest.mark.parametrize("hollow", [False, True])
@pytest.mark.parametrize("radius", [1.0, 2.5, 8.0])
@pytest.mark.parametrize(("x", "y"), [(30.0, 40.0), (30.25, 40.5), (51.9, 22.1)])
def test_a_mark_is_centered_on_its_point(x: float, y: float, radius: float, hollow: bool) -> None:
    black = np.zeros((80, 90), np.uint8)
    image_with_marks = draw_points(black, np.array([[x, y]]), color=WHITE, radius=radius, hollow=hollow)
    assert center_of(image_with_marks) == pytest.approx([x, y], abs=0.1)


@pytest.mark.parametrize("scale", [1, 2, 3, 5])
def test_a_sheet_puts_points_at_their_enlarged_place(scale: int) -> None:
    point = np.array([[[31.3, 60.7]]])
    plain, marked = (contact_sheet(FACES[:1], None, p, columns=1, scale=scale) for p in (None, point))
    margin = (plain.shape[1] - 96 * scale) // 2
    tile = marked[-96 * scale - margin : -margin, margin:-margin].astype(np.int64)
    # the red of the dot above the grey of the face, not its dark rim
    extra = np.clip(tile - 128, 0, None)[:, :, ::-1].astype(np.uint8)
    assert center_of(extra) == pytest.approx(scale * (point[0, 0] + 0.5) - 0.5, abs=0.3)


def test_the_face_itself_is_enlarged_about_the_same_place() -> None:
    face = np.zeros((1, 96, 96), np.uint8)
    face[0, 50, 30] = 255
    sheet = contact_sheet(face, columns=1, scale=4)
    margin = (sheet.shape[1] - 96 * 4) // 2
    tile = sheet[-96 * 4 - margin : -margin, margin:-margin]
    assert center_of(tile) == pytest.approx([4 * 30.5 - 0.5, 4 * 50.5 - 0.5], abs=0.1)


def test_the_callers_picture_stays_as_it_was() -> None:
    for shape in ((40, 50), (40, 50, 3)):
        image = np.full(shape, 90, np.uint8)
        image_with_marks = draw_points(image, np.array([[20.0, 20.0]]))
        assert image_with_marks.shape == (40, 50, 3)
        assert (image == 90).all()
        assert (image_with_marks != 90).any()


def test_points_out_of_sight_or_not_finite_draw_nothing() -> None:
    image = np.full((40, 50), 90, np.uint8)
    nowhere = np.array([[1e9, 3], [-1e300, 2], [np.nan, 5], [3, np.inf], [70, 20], [20, -9]])
    assert (draw_points(image, nowhere) == 90).all()
    assert (draw_points(image, np.zeros((0, 2))) == 90).all()


@pytest.mark.parametrize("point", [(0, 0), (-0.5, 20), (49.5, 39.5), (50.5, 12), (-1.2, -1.2)])
def test_marks_on_the_edge_are_cut_not_wrapped(point: tuple[float, float]) -> None:
    image = np.full((40, 50), 90, np.uint8)
    changed = (draw_points(image, np.array([point]), radius=3) != 90).any(axis=2)
    down, across = np.nonzero(changed)
    assert len(down)
    assert np.hypot(across - point[0], down - point[1]).max() <= 6


def test_a_ring_is_open_and_a_dot_is_full() -> None:
    image = np.full((60, 60), 90, np.uint8)
    points = np.array([[15.0, 30.0], [45.0, 30.0]])
    image_with_marks = draw_points(image, points, color=WHITE, radius=8, hollow=np.array([True, False]))
    assert image_with_marks[30, 15].tolist() == [90, 90, 90]
    assert image_with_marks[30, 45].tolist() == [255, 255, 255]


def test_marks_grow_with_the_picture() -> None:
    def marked(side: int) -> int:
        image = np.zeros((side, side), np.uint8)
        return int((draw_points(image, np.full((1, 2), side / 2), color=WHITE) == 255).all(axis=2).sum())

    assert marked(1000) > 10 * marked(200)


def near(picture: NDArray[np.uint8], color: tuple[int, int, int]) -> int:
    return int((np.abs(picture.astype(int) - color).max(axis=2) <= 2).sum())


def test_only_observed_labels_are_drawn() -> None:
    observed = np.zeros((5, 3), np.bool_)
    blank = contact_sheet(FACES, POINTS, POINTS + 5, observed)
    assert near(blank, LABELED) == 0
    observed[2, 1] = True
    assert near(contact_sheet(FACES, POINTS, POINTS + 5, observed), LABELED) > 0
    spoiled = POINTS.copy()
    spoiled[~observed] = np.nan
    one, other = (contact_sheet(FACES, p, POINTS + 5, observed) for p in (POINTS, spoiled))
    assert np.array_equal(one, other)


@pytest.mark.parametrize("far", [1e12, -1e300, np.inf, np.nan])
def test_a_prediction_gone_wild_still_makes_a_sheet(far: float) -> None:
    wild = POINTS.copy()
    wild[0, 0] = far
    sheet = contact_sheet(FACES, POINTS, wild)
    assert near(sheet, LABELED) > 0


def test_given_and_predicted_are_both_visible_when_they_agree() -> None:
    sheet = contact_sheet(FACES, POINTS, POINTS)
    assert near(sheet, LABELED) > 0
    assert near(sheet, PREDICTED) > 0


@pytest.mark.parametrize(("columns", "expected"), [(1, (5, 1)), (2, (3, 2)), (5, (1, 5)), (8, (1, 5))])
def test_a_sheet_has_room_for_all_faces(columns: int, expected: tuple[int, int]) -> None:
    sheet = contact_sheet(FACES, columns=columns, scale=2)
    rows, across = expected
    gap = (sheet.shape[1] - across * 192) // (across + 1)
    assert sheet.shape == (gap + rows * (192 + gap), gap + across * (192 + gap), 3)
    assert (sheet == 128).all(axis=2).sum() == 5 * 192 * 192


def test_captions_title_and_legend_add_ink_outside_the_faces() -> None:
    captions = [f"row {i} · 1.5 px" for i in range(5)]
    plain = contact_sheet(FACES, columns=5)
    written = contact_sheet(FACES, None, POINTS, captions=captions, title="a title", columns=5)
    assert written.shape[0] > plain.shape[0]
    assert written.shape[1] == plain.shape[1]
    below = written[-15:]
    assert (below < 128).any()


@pytest.mark.parametrize("text", ["", "·", "a very long caption that is wider than the face it belongs to " * 3])
def test_odd_captions_stay_below_their_face(text: str) -> None:
    one, other = (contact_sheet(FACES, captions=[c, "", "", "", ""], columns=5) for c in ("", text))
    changed = (one != other).any(axis=2).nonzero()
    if len(changed[1]):
        assert changed[1].max() < one.shape[1] // 5


def test_written_pictures_read_back(tmp_path: Path) -> None:
    sheet = contact_sheet(FACES, POINTS, POINTS + 1)
    write_png(tmp_path / "sheet.png", sheet)
    assert [file.name for file in tmp_path.iterdir()] == ["sheet.png"]
    assert np.array_equal(np.asarray(cv2.imread(str(tmp_path / "sheet.png")), np.uint8), sheet)


def test_a_failed_write_leaves_the_old_picture(tmp_path: Path) -> None:
    (tmp_path / "sheet.png").mkdir()
    with pytest.raises(BadFile, match=r"sheet\.png: cannot be written"):
        write_png(tmp_path / "sheet.png", FACES[0])
    assert [file.name for file in tmp_path.iterdir()] == ["sheet.png"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"faces": FACES[:0]}, "at least one"),
        ({"faces": FACES.astype(np.float32)}, "the faces are float32"),
        ({"faces": FACES[0]}, r"shape \(96, 96\)"),
        ({"labels": POINTS[:4]}, r"labels has shape \(4, 3, 2\), expected \(5, keypoints, 2\)"),
        ({"labels": POINTS, "predicted": POINTS[:, :2]}, "predicted has shape"),
        ({"labels": POINTS, "observed": np.ones((5, 2), np.bool_)}, "observed is bool"),
        ({"labels": POINTS, "observed": np.ones((5, 3))}, "observed is float64"),
        ({"captions": ["one"]}, "1 captions for 5 faces"),
        ({"columns": 0}, "at least 1 column"),
        ({"scale": 0}, "scale 0"),
    ],
)
def test_sheets_refuse_what_does_not_fit(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(BadChoice, match=message):
        contact_sheet(**{"faces": FACES} | arguments)


@pytest.mark.parametrize(
    ("image", "points", "message"),
    [
        (np.zeros((9, 9), np.float32), np.zeros((1, 2)), "the image is float32"),
        (np.zeros((9, 9, 4), np.uint8), np.zeros((1, 2)), r"\(9, 9, 4\), expected uint8"),
        (np.zeros((9, 9), np.uint8), np.zeros(2), r"shape \(2,\), expected \(points, 2\)"),
    ],
)
def test_drawing_refuses_what_does_not_fit(image: Any, points: Any, message: str) -> None:
    with pytest.raises(BadChoice, match=message):
        draw_points(image, points)

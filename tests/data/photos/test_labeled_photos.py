"""Labeled photos: the right square, points on the same features, the way back, and errors that say what is wrong."""

from __future__ import annotations

import os
import re
import struct
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from facepoints.data.dataset import LabeledFaces
from facepoints.data.images import Photo, read_image
from facepoints.data.kaggle.competition import read_training
from facepoints.data.kaggle.writer import write_training
from facepoints.data.loading import load_training
from facepoints.data.photos import labeled_photos
from facepoints.data.photos.labeled_photos import read_labeled_photos
from facepoints.data.photos.photo_crop import EYES, ROOM, Crop, crop_of_box, crop_of_points
from facepoints.errors import BadFile
from facepoints.keypoints import FIFTEEN, SIXTY_EIGHT, KeypointSet

PAIR = KeypointSet(("left_eye_center", "right_eye_center"))
EYES_IN_PHOTO = "200.5,90,140,95.25"


def smooth_photo(height: int = 240, width: int = 320, seed: int = 0) -> NDArray[np.uint8]:
    noise = np.random.default_rng(seed).uniform(0, 255, (height, width))
    return np.rint(cv2.GaussianBlur(noise, (0, 0), 4) * 4 - 380).clip(0, 255).astype(np.uint8)


def table(
    path: Path, *rows: str, header: str = "image,left_eye_center_x,left_eye_center_y,right_eye_center_x,"
) -> Path:
    """A CSV at `path`; a header that ends in a comma is filled up with the last column of PAIR."""
    path.write_text("\n".join([header + "right_eye_center_y" * header.endswith(","), *rows]) + "\n", "utf-8")
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    cv2.imwrite(str(tmp_path / "a.png"), smooth_photo())
    cv2.imwrite(str(tmp_path / "b.png"), smooth_photo(seed=1))
    return tmp_path


# ---------------------------------------------------------------- the square


@pytest.mark.parametrize("side", [9.3, 60.0, 95.5, 96.0, 97.3, 288.0, 700.4])
def test_points_stay_on_their_features(side: float) -> None:
    """A soft spot in the photo is on the face where its point is."""
    spot = np.array([301.37, 298.81])
    down, across = np.indices((600, 640))
    width = max(side / 30, 0.8)
    photo = 230 * np.exp(-((across - spot[0]) ** 2 + (down - spot[1]) ** 2) / (2 * width**2))
    corner = spot - side * np.array([0.43, 0.59])
    crop = crop_of_box(corner[0], corner[1], side / 1.1, side / 1.1)
    face = crop.face(np.rint(photo).astype(np.uint8)).astype(np.float64)
    y, x = np.indices(face.shape)
    center = np.array([(face * x).sum(), (face * y).sum()]) / face.sum()
    np.testing.assert_allclose(center, crop.points(spot), atol=0.03)


@pytest.mark.parametrize("factor", [1, 2, 5])
def test_whole_pixels_are_averaged_as_opencv_does(factor: int) -> None:
    photo = smooth_photo(96 * factor + 20, 96 * factor + 30)
    crop = Crop(1 / factor, -(7 + (factor - 1) / 2) / factor, -(4 + (factor - 1) / 2) / factor)
    cut = photo[4 : 4 + 96 * factor, 7 : 7 + 96 * factor]
    expected = cv2.resize(cut, (96, 96), interpolation=cv2.INTER_AREA).astype(int)
    np.testing.assert_allclose(crop.face(photo).astype(int), expected, atol=1 if factor > 1 else 0)


def test_a_face_framed_like_the_competitions_stays_as_it_is() -> None:
    face = smooth_photo(96, 96)
    points = np.vstack([EYES, [[48, 90]]])
    keypoints = KeypointSet((*PAIR.names, "chin"))
    crop = crop_of_points(points, np.ones(3, bool), keypoints)
    np.testing.assert_allclose(crop.points(points), points, atol=1e-9)
    np.testing.assert_array_equal(crop.face(face), face)


def test_eyes_come_to_their_place() -> None:
    eyes = np.array([[500.0, 310.0], [350.0, 290.0]])
    crop = crop_of_points(eyes, np.ones(2, bool), PAIR)
    on_face = crop.points(eyes)
    np.testing.assert_allclose(on_face.mean(axis=0), [48, 37.5])
    assert np.linalg.norm(on_face[0] - on_face[1]) == pytest.approx(np.hypot(36, 1))
    assert on_face[0, 1] > on_face[1, 1], "no turning"


def test_the_square_grows_until_every_point_has_room() -> None:
    points = np.array([[300.0, 100.0], [270.0, 100.0], [290.0, 250.0]])
    crop = crop_of_points(points, np.ones(3, bool), KeypointSet((*PAIR.names, "chin")))
    on_face = crop.points(points)
    assert on_face[2, 1] == pytest.approx(95 - ROOM)
    np.testing.assert_allclose(on_face[:2].mean(axis=0), [48, 37.5])


def test_an_eye_without_center_is_the_mean_of_its_points() -> None:
    corners = KeypointSet(("left_eye_inner_corner", "left_eye_outer_corner", "right_eye_center", "left_eyebrow_end"))
    points = np.array([[190.0, 98], [210, 102], [140, 100], [200, 80]])
    pair = crop_of_points(np.array([[200.0, 100], [140, 100]]), np.ones(2, bool), PAIR)
    assert crop_of_points(points, np.ones(4, bool), corners) == pair
    half = crop_of_points(points, np.array([True, False, True, True]), corners)
    assert half != pair, "half an eye is no eye: the square follows from all points"


def test_without_eyes_the_square_holds_all_points() -> None:
    points = np.array([[100.0, 40], [180, 60], [120, 70]])
    crop = crop_of_points(points, np.ones(3, bool), KeypointSet(("tail", "left_ear", "right_ear")))
    on_face = crop.points(points)
    assert (on_face.max(axis=0) - on_face.min(axis=0))[0] == pytest.approx(60)
    np.testing.assert_allclose((on_face.max(axis=0) + on_face.min(axis=0)) / 2, 47.5)


def test_a_box_covers_its_rows_and_columns() -> None:
    crop = crop_of_box(x=20, y=30, w=110, h=50)  # its square has side 121 and middle (74.5, 54.5)
    edges = np.array([[74.5 - 60.5, 54.5], [74.5 + 60.5, 54.5 + 60.5]])
    np.testing.assert_allclose(crop.points(edges), [[-0.5, 47.5], [95.5, 95.5]])


def test_beyond_the_photo_its_last_pixels_repeat() -> None:
    photo = smooth_photo(100, 100)
    padded = cv2.copyMakeBorder(photo, 80, 80, 80, 80, cv2.BORDER_REPLICATE)
    inside, outside = crop_of_box(80 - 40, 80 + 50, 97, 90), crop_of_box(-40, 50, 97, 90)
    np.testing.assert_array_equal(outside.face(photo), inside.face(np.asarray(padded, np.uint8)))


# ---------------------------------------------------------------- the table


def test_points_there_and_back(folder: Path) -> None:
    header = "file,box_x,box_y,box_w,box_h," + ",".join(FIFTEEN.columns)
    given = np.random.default_rng(0).uniform(105, 195, (3, 15, 2)).round(2)
    rows = [f"{name}.png,100,100,100,100," + ",".join(map(str, p.flat)) for name, p in zip("aba", given, strict=True)]
    path = table(folder / "points.csv", *rows, header=header)
    photos = read_labeled_photos(path, cache=None)
    assert [photo.name for photo in photos.photo] == ["a.png", "b.png", "a.png"]
    assert photos.faces.keypoints == FIFTEEN
    assert photos.faces.observed.all()
    assert photos.faces.points.dtype == np.float32
    np.testing.assert_allclose(photos.on_photo(photos.faces.points), given, atol=1e-4)
    matrix, ones = photos.to_face, np.ones((3, 15, 1))
    moved = np.einsum("nij,nkj->nki", matrix, np.concatenate([given, ones], axis=2))
    np.testing.assert_allclose(photos.faces.points, moved, atol=1e-4)
    np.testing.assert_array_equal(photos.faces.faces[2], crop_of_box(100, 100, 100, 100).face(smooth_photo()))
    np.testing.assert_array_equal(load_training(str(folder)).faces, photos.faces.faces)


@pytest.mark.parametrize("column", ["image", "file", "photo"])
@pytest.mark.parametrize("ending", ["csv", "zip"])
def test_a_folder_a_table_or_a_zip(folder: Path, column: str, ending: str) -> None:
    path = table(folder / "points.csv", f"a.png,{EYES_IN_PHOTO}", header=f"{column},{','.join(PAIR.columns)}")
    if ending == "zip":
        with zipfile.ZipFile(folder / "points.zip", "w") as archive:
            archive.write(path, "points.csv")
        path.unlink()
    data = load_training(str(folder))
    assert data.points[0].mean(axis=0) == pytest.approx([48, 37.5])
    np.testing.assert_array_equal(load_training(str(folder / f"points.{ending}")).faces, data.faces)


def test_the_competitions_file_counts_first(folder: Path) -> None:
    table(folder / "points.csv", f"a.png,{EYES_IN_PHOTO}")
    ones = np.ones((2, 2), bool)
    eyes = np.tile(EYES.astype(np.float32), (2, 1, 1))
    faces = np.zeros((2, 96, 96), np.uint8)
    write_training(LabeledFaces(faces, eyes, ones, np.zeros(2, int), PAIR, np.arange(2)), folder / "training.csv")
    assert len(load_training(str(folder))) == 2
    os.rename(folder / "training.csv", folder / "mine.csv")
    assert len(load_training(str(folder))) == 1
    assert len(load_training(str(folder / "mine.csv"))) == 2


def test_absent_points_and_empty_boxes(folder: Path) -> None:
    header = "image,tail_x,tail_y,left_ear_x,left_ear_y,box_x,box_y,box_w,box_h"
    path = table(
        folder / "points.csv", "a.png,90,90,130,130,,,,", "a.png,,,130,130,50,60,120,120", "b.png,,,,,0,0,99,99",
        header=header,
    )  # fmt: skip
    data = load_training(str(path))
    assert data.observed.tolist() == [[True, True], [False, True], [False, False]]
    assert (data.points[~data.observed] == 0).all()
    assert data.keypoints.names == ("tail", "left_ear")


def test_a_photo_is_taken_as_a_person_sees_it(tmp_path: Path) -> None:
    upright = np.asarray(cv2.GaussianBlur(smooth_photo(200, 300), (0, 0), 2), np.uint8)
    lying = cv2.rotate(upright, cv2.ROTATE_90_COUNTERCLOCKWISE)  # orientation 6: turn clockwise to see it
    jpeg = cv2.imencode(".jpg", lying, [cv2.IMWRITE_JPEG_QUALITY, 100])[1].tobytes()
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01" + struct.pack(">HHIHHI", 0x0112, 3, 1, 6, 0, 0)
    jpeg = jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:]
    (tmp_path / "phone.jpg").write_bytes(jpeg)
    path = table(tmp_path / "points.csv", "phone.jpg,180,90,120,95")
    face = load_training(str(path)).faces[0]
    expected = crop_of_points(np.array([[180.0, 90], [120, 95]]), np.ones(2, bool), PAIR).face(upright)
    np.testing.assert_allclose(face.astype(int), expected.astype(int), atol=4)


def test_color_16_bits_and_odd_names(tmp_path: Path) -> None:
    photo = smooth_photo()
    names = ["Zoë mit Hut.png", "sub folder/deep.png", "tiff.tif"]
    (tmp_path / "sub folder").mkdir()
    kinds = [cv2.cvtColor(photo, cv2.COLOR_GRAY2BGR), photo.astype(np.uint16) * 257, photo]
    for name, kind in zip(names, kinds, strict=True):
        (tmp_path / name).write_bytes(cv2.imencode(Path(name).suffix, kind)[1].tobytes())
    path = table(tmp_path / "points.csv", *(f'"{name}",{EYES_IN_PHOTO}' for name in names))
    faces = load_training(str(path)).faces.astype(int)
    assert abs(faces - faces[2]).max() <= 1


@pytest.mark.parametrize(
    ("given", "numbers"),
    [("ABA", [0, 1, 0]), ("BBB", [1, 1, 1]), ("110", [1, 1, 0]), ("yxy", [1, 0, 1]), ("222", [0, 0, 0])],
)
def test_sources(folder: Path, given: str, numbers: list[int]) -> None:
    rows = [f"{source},a.png,{EYES_IN_PHOTO}" for source in given]
    path = table(folder / "points.csv", *rows, header=f"source,image,{','.join(PAIR.columns)}")
    assert load_training(str(path)).source.tolist() == numbers


def test_few_points_do_not_make_a_source(folder: Path) -> None:
    header = "image,box_x,box_y,box_w,box_h," + ",".join(FIFTEEN.columns)
    full, few = ",".join(["110,120"] * 15), "110,120" + "," * 28
    path = table(folder / "points.csv", *(f"a.png,50,50,120,120,{p}" for p in (full, few)), header=header)
    assert load_training(str(path)).source.tolist() == [0, 0]


def test_progress_counts_photos(folder: Path) -> None:
    path = table(folder / "points.csv", *(f"{name}.png,{EYES_IN_PHOTO}" for name in "abab"))
    calls: list[tuple[int, int]] = []
    load_training(str(path), progress=lambda done, total: calls.append((done, total)))
    assert calls == [(1, 2), (2, 2)]


def test_the_second_reading_opens_no_photo(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, cache = table(folder / "points.csv", f"a.png,{EYES_IN_PHOTO}"), tmp_path_factory.mktemp("own")
    opened: list[Path] = []

    def read(photo: Path) -> Photo:
        opened.append(photo)
        return read_image(photo)

    monkeypatch.setattr(labeled_photos, "read_image", read)
    first, second = (read_labeled_photos(path, cache=cache) for _ in range(2))
    assert len(opened) == 1
    np.testing.assert_array_equal(first.faces.faces, second.faces.faces)
    np.testing.assert_array_equal(first.faces.points, second.faces.points)
    np.testing.assert_array_equal(first.to_face, second.to_face)
    cv2.imwrite(str(folder / "a.png"), smooth_photo(seed=7))
    third = read_labeled_photos(path, cache=cache)
    assert len(opened) == 2
    assert (third.faces.faces != first.faces.faces).any()


# ---------------------------------------------------------------- what is wrong is named


HEADER = "image,left_eye_center_x,left_eye_center_y,right_eye_center_x,right_eye_center_y,box_x,box_y,box_w,box_h"
GOOD = f"a.png,{EYES_IN_PHOTO},,,,"

WRONG: dict[str, tuple[str, str, str]] = {
    # what: (header, second row, what the message says)
    "absent photo": (HEADER, f"c.png,{EYES_IN_PHOTO},,,,", "line 3: there is no photo "),
    "a folder": (HEADER, f"sub,{EYES_IN_PHOTO},,,,", "line 3: there is no photo "),
    "a name too long": (HEADER, f"{'n' * 4000},{EYES_IN_PHOTO},,,,", "line 3: there is no photo "),
    "no picture": (HEADER, f"text.png,{EYES_IN_PHOTO},,,,", "text.png: not a photo, or damaged"),
    "an empty file": (HEADER, f"empty.png,{EYES_IN_PHOTO},,,,", "empty.png: the file is empty"),
    "half a picture": (HEADER, f"half.png,{EYES_IN_PHOTO},,,,", "half.png: a damaged PNG file"),
    "no file name": (HEADER, f",{EYES_IN_PHOTO},,,,", "line 3: image is empty"),
    "pixels": (HEADER, f"{'17 ' * 9000},{EYES_IN_PHOTO},,,,", "line 3: image holds pixels, expected a file name"),
    "point right of the photo": (
        HEADER,
        "b.png,330.5,90,140,95,,,,",
        "line 3: left_eye_center is at (330.5, 90), outside the photo b.png (320 x 240 px)",
    ),
    "point above the photo": (HEADER, "b.png,200,90,140,-9,,,,", "right_eye_center is at (140, -9), outside"),
    "point outside its box": (HEADER, "b.png,200,90,140,95,130,60,40,40", "left_eye_center lies outside the square"),
    "half a point": (HEADER, "b.png,200,,140,95,,,,", "left_eye_center_y is empty, expected both or neither"),
    "a word": (HEADER, "b.png,200,x,140,95,,,,", "left_eye_center_y is 'x', expected a number in pixels"),
    "infinite": (HEADER, "b.png,inf,90,140,95,,,,", "left_eye_center_x is 'inf', expected a number"),
    "huge": (HEADER, "b.png,1e300,90,140,95,,,,", "left_eye_center is at (1e+300, 90), outside the photo"),
    "no points": (HEADER, "b.png,,,,,,,,", "line 3: 0 points and no box do not determine the size of the face"),
    "one point": (HEADER, "b.png,200,90,,,,,,", "line 3: 1 point and no box do not determine"),
    "eyes in one place": (HEADER, "b.png,200,90,200,90,,,,", "2 points and no box do not determine"),
    "no width": (HEADER, "b.png,200,90,140,95,10,10,0,50", "the box is 0 x 50 px, expected a width and a height"),
    "negative height": (HEADER, "b.png,200,90,140,95,10,10,50,-5", "the box is 50 x -5 px"),
    "box beside the photo": (HEADER, "b.png,,,,,-200,10,50,50", "the box (-200, 10, 50, 50) does not lie in the photo"),
    "enormous box": (HEADER, "b.png,,,,,-5e6,-5e6,1e7,1e7", "does not lie in the photo b.png"),
    "half a box": (HEADER, "b.png,200,90,140,95,10,10,50,", "only some of box_x, box_y, box_w, box_h are given"),
    "a word in the box": (HEADER, "b.png,200,90,140,95,10,ten,50,50", "box_y is 'ten', expected a number"),
    "field too few": (HEADER, f"b.png,{EYES_IN_PHOTO}", "line 3: the row has 5 fields, expected 9"),
    "not UTF-8": (HEADER, f"b\udcff.png,{EYES_IN_PHOTO},,,,", "line 3: image is not UTF-8"),
}

WRONG_HEADERS: dict[str, tuple[str, str]] = {
    "two photo columns": ("image,file,nose_x,nose_y", "line 1: columns image and file, expected one"),
    "box column absent": ("image,nose_x,nose_y,box_x,box_y,box_w", "line 1: no column 'box_h'; did you mean 'box_"),
    "unknown column": ("image,nose_x,nose_y,sourc", "column 'sourc' is neither image nor box_x nor"),
    "no partner": ("image,nose_x", "column 'nose_x' has no partner 'nose_y'"),
    "no points": ("image,source", "there are no coordinate columns"),
    "no rows": ("image,nose_x,nose_y", "line 2: no faces, only column names"),
}


def _one_line(error: pytest.ExceptionInfo[BadFile]) -> str:
    message = str(error.value)
    assert message.startswith("points.csv line ")
    assert "\n" not in message
    assert len(re.split(r"[.?] (?=[A-Z])", message)) >= 2, "it says what to do"
    return message


@pytest.fixture
def damaged(folder: Path) -> Path:
    (folder / "sub").mkdir()
    (folder / "text.png").write_text("hello")
    (folder / "empty.png").touch()
    (folder / "half.png").write_bytes((folder / "a.png").read_bytes()[:9000])
    return folder


@pytest.mark.parametrize("kind", WRONG)
def test_wrong_row(damaged: Path, kind: str) -> None:
    header, row, says = WRONG[kind]
    path = damaged / "points.csv"
    path.write_bytes("\n".join([header, GOOD, row, GOOD]).encode("utf-8", "surrogateescape"))
    with pytest.raises(BadFile) as error:
        load_training(str(path))
    assert says in _one_line(error)
    messages: list[str] = []
    for _ in range(2):  # the second time from the cache
        data = load_training(str(path), skip_broken=True, say=messages.append)
        assert data.row.tolist() == [0, 2]
        np.testing.assert_array_equal(data.faces[0], data.faces[1])
    assert messages[0] == messages[1]
    assert messages[0].startswith("points.csv line 3 skipped: ")


@pytest.mark.parametrize("kind", WRONG_HEADERS)
def test_wrong_header(folder: Path, kind: str) -> None:
    header, says = WRONG_HEADERS[kind]
    path = table(folder / "points.csv", header=header)
    for skip_broken in (False, True):
        with pytest.raises(BadFile) as error:
            load_training(str(path), skip_broken=skip_broken)
        assert says in _one_line(error)


def test_a_third_source_is_one_too_many(folder: Path) -> None:
    rows = [f"a.png,{source},{EYES_IN_PHOTO}" for source in ("ann", "bob", "ann", "cy", "cy")]
    path = table(folder / "points.csv", *rows, header=f"image,source,{','.join(PAIR.columns)}")
    with pytest.raises(BadFile) as error:
        load_training(str(path))
    assert "line 5: source 'cy' is the third, after 'ann' and 'bob'" in _one_line(error)


@pytest.mark.parametrize("row", ["c.png,1,1,9,9", "a.png,1,,9,9"])
def test_nothing_but_broken_rows(folder: Path, row: str) -> None:
    path = table(folder / "points.csv", row, row)
    with pytest.raises(BadFile) as error:
        load_training(str(path), skip_broken=True)
    assert "line 2: " in _one_line(error)


def test_a_folder_without_labels_says_what_it_lacks(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=r"neither training\.csv nor training\.zip is in it, nor points\.csv"):
        load_training(str(tmp_path))
    with pytest.raises(BadFile, match="there is no such file or folder"):
        load_training(str(tmp_path / "absent.csv"))
    (tmp_path / "photo.jpg").touch()
    with pytest.raises(BadFile, match="not a table"):
        load_training(str(tmp_path / "photo.jpg"))


# ---------------------------------------------------------------- 68 points


def test_the_mirror_pairs_of_68_points_are_those_in_use() -> None:
    pairs = [(i, 18 - i) for i in range(1, 9)] + [(i, 45 - i) for i in range(18, 23)]
    pairs += [(32, 36), (33, 35), (37, 46), (38, 45), (39, 44), (40, 43), (41, 48), (42, 47)]
    pairs += [(49, 55), (50, 54), (51, 53), (59, 57), (60, 56), (61, 65), (62, 64), (68, 66)]
    expected = np.arange(1, 69)
    for one, other in pairs:
        expected[[one - 1, other - 1]] = other, one
    np.testing.assert_array_equal(SIXTY_EIGHT.mirror + 1, expected)
    assert not SIXTY_EIGHT.lone_sides()


@pytest.mark.parametrize("shuffled", [False, True])
def test_68_points_with_pixels(tmp_path: Path, shuffled: bool) -> None:
    rng = np.random.default_rng(2)
    data = LabeledFaces(
        faces=rng.integers(0, 256, (3, 96, 96), np.uint8),
        points=rng.uniform(0, 95, (3, 68, 2)).astype(np.float32),
        observed=np.ones((3, 68), bool),
        source=np.zeros(3, np.int64),
        keypoints=SIXTY_EIGHT,
        row=np.arange(3),
    )
    order = rng.permutation(68) if shuffled else np.arange(68)
    names = tuple(SIXTY_EIGHT.names[i] for i in order)
    written = LabeledFaces(data.faces, data.points[:, order], data.observed, data.source, KeypointSet(names), data.row)
    write_training(written, tmp_path / "training.csv")
    read = load_training(str(tmp_path))
    assert read.keypoints == SIXTY_EIGHT
    np.testing.assert_array_equal(read.points, data.points)
    np.testing.assert_array_equal(read.faces, data.faces)


def test_68_points_with_photos_are_framed_by_their_eyes(folder: Path) -> None:
    points = np.random.default_rng(3).uniform((90, 60), (220, 210), (68, 2))
    right, left = slice(36, 42), slice(42, 48)
    points[right] += [140, 95] - points[right].mean(axis=0)
    points[left] += [200, 90] - points[left].mean(axis=0)
    path = table(
        folder / "points.csv",
        "a.png," + ",".join(map(str, points.flat)),
        header="image," + ",".join(SIXTY_EIGHT.columns),
    )
    data = load_training(str(path))
    assert data.keypoints == SIXTY_EIGHT
    eyes = data.points[0, right].mean(axis=0), data.points[0, left].mean(axis=0)
    np.testing.assert_allclose((eyes[0] + eyes[1]) / 2, [48, 37.5], atol=1e-4)
    assert data.points.min() > ROOM - 0.01
    assert data.points.max() < 95 - ROOM + 0.01


# ---------------------------------------------------------------- real photos


@pytest.fixture(scope="session")
def scenes() -> Path:
    """The folder with whole photos and their points.csv: in FACEPOINTS_DATA, or in shared/data beside."""
    data = Path(os.environ.get("FACEPOINTS_DATA", Path(__file__).parents[3] / "shared" / "data"))
    if not (data / "scenes" / "points.csv").is_file():
        pytest.skip("real data absent: set FACEPOINTS_DATA")
    return data / "scenes"


def test_real_photos_are_framed_like_the_competitions_faces(scenes: Path, competition_files: Path) -> None:
    photos = load_training(str(scenes))
    assert photos.keypoints == FIFTEEN
    assert photos.observed.all()
    assert (len(photos), photos.source.max()) == (1112, 0)
    faces = read_training(competition_files)
    faces = faces.take(np.asarray(faces.observed.all(axis=1)))
    ours, theirs = (np.median(data.points, axis=0) for data in (photos, faces))
    assert np.linalg.norm(ours - theirs, axis=1).max() < 4
    assert abs(photos.faces.mean() - faces.faces.mean()) < 20

"""The competition's files: round trips, accepted variants, and faults that are named."""

from __future__ import annotations

import dataclasses
import os
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from facepoints.data.dataset import LabeledFaces, SubmissionFaces
from facepoints.data.kaggle import competition
from facepoints.data.kaggle.competition import (
    read_sample_submission,
    read_submission_faces,
    read_test_faces,
    read_training,
)
from facepoints.data.kaggle.writer import write_submission, write_submission_faces, write_training
from facepoints.data.tables import cache as parsed_cache
from facepoints.data.tables.pixel_text import parse_pixels, pixel_fault, pixel_text
from facepoints.errors import BadFile
from facepoints.keypoints import FIFTEEN, FOUR, KeypointSet

NOSE, MOUTH = FIFTEEN.index("nose_tip"), FIFTEEN.index("mouth_center_bottom_lip")


def labeled(rows: int = 12, keypoints: KeypointSet = FIFTEEN, seed: int = 0) -> LabeledFaces:
    """Noise as faces; every third row has the four points of source B only."""
    rng = np.random.default_rng(seed)
    observed = np.ones((rows, len(keypoints)), bool)
    if len(keypoints) > len(FOUR):
        observed[2::3] = [name in FOUR for name in keypoints.names]
        observed[0, -2] = False
    points = np.where(observed[..., None], rng.uniform(-0.5, 95.5, (rows, len(keypoints), 2)), 0)
    few = observed.sum(axis=1) <= 4
    return LabeledFaces(
        faces=rng.integers(0, 256, (rows, 96, 96), np.uint8),
        points=points.astype(np.float32),
        observed=observed,
        source=(few & ~few.all()).astype(np.int64),
        keypoints=keypoints,
        row=np.arange(rows),
    )


def asked(images: int = 4) -> SubmissionFaces:
    """The first half is asked for all 30 values, the rest for eight, in a mixed order."""
    rng = np.random.default_rng(1)
    four = [FIFTEEN.columns.index(f"{name}_{axis}") for name in FOUR for axis in "xy"]
    columns = [list(range(30)) if i < images // 2 else four for i in range(images)]
    pairs = rng.permutation(np.array([(i, c) for i, wanted in enumerate(columns) for c in wanted]))
    return SubmissionFaces(
        faces=rng.integers(0, 256, (images, 96, 96), np.uint8),
        image_id=np.arange(images)[::-1] * 7 + 3,
        source=(np.arange(images) >= images // 2).astype(np.int64),
        row_id=np.arange(len(pairs)) + 1,
        requested_image=pairs[:, 0],
        requested_column=pairs[:, 1],
        keypoints=FIFTEEN,
    )


def assert_same(one: object, other: object) -> None:
    for field in dataclasses.fields(one):  # type: ignore[arg-type]
        np.testing.assert_array_equal(getattr(one, field.name), getattr(other, field.name), field.name)


@pytest.fixture
def training_csv(tmp_path: Path) -> Path:
    write_training(labeled(), tmp_path / "training.csv")
    return tmp_path / "training.csv"


# ---------------------------------------------------------------- what is written is read


@pytest.mark.parametrize("ending", ["csv", "zip"])
@pytest.mark.parametrize("keypoints", [FIFTEEN, FIFTEEN.only(FOUR), KeypointSet(("tail", "left_ear", "right_ear"))])
def test_training_round_trip(tmp_path: Path, ending: str, keypoints: KeypointSet) -> None:
    data = labeled(keypoints=keypoints)
    write_training(data, tmp_path / f"training.{ending}")
    assert_same(read_training(tmp_path, cache=None), data)
    assert_same(read_training(tmp_path / f"training.{ending}", cache=None), data)
    assert [file.name for file in tmp_path.iterdir()] == [f"training.{ending}"]


@pytest.mark.parametrize("zipped", [True, False])
def test_asked_round_trip(tmp_path: Path, zipped: bool) -> None:
    write_submission_faces(asked(), tmp_path, zipped=zipped)
    assert_same(read_submission_faces(tmp_path, cache=None), asked())
    faces, image_id = read_test_faces(tmp_path, cache=None)
    np.testing.assert_array_equal(faces, asked().faces)
    np.testing.assert_array_equal(image_id, asked().image_id)


def test_look_up_table_in_a_zip_with_columns_in_another_order(tmp_path: Path) -> None:
    write_submission_faces(asked(), tmp_path)
    table = tmp_path / "IdLookupTable.csv"
    rows = [line.split(",")[:3] for line in table.read_text().splitlines()]
    with zipfile.ZipFile(tmp_path / "IdLookupTable.zip", "w") as archive:
        archive.writestr("IdLookupTable.csv", "\n".join(",".join(row[::-1]) for row in rows))
    table.unlink()
    assert_same(read_submission_faces(tmp_path, cache=None), asked())


def _shuffled_columns(text: bytes) -> bytes:
    rows = [line.split(b",") for line in text.splitlines()]
    order = np.random.default_rng(3).permutation(len(rows[0]))
    assert rows[0][order[-1]] != b"Image"
    return b"\n".join(b",".join(row[i] for i in order) for row in rows)


VARIANTS: dict[str, Callable[[bytes], bytes]] = {
    "Windows line ends": lambda text: text.replace(b"\n", b"\r\n"),
    "byte order mark": lambda text: b"\xef\xbb\xbf" + text,
    "no line end at the end": lambda text: text.rstrip(b"\n"),
    "empty lines at the end": lambda text: text + b"\r\n\n\n",
    "quoted pixels": lambda text: re.sub(rb",([0-9 ]{9000,})", rb',"\1"', text),
    "everything quoted": lambda text: re.sub(rb"([^,\n]+)", rb'"\1"', text),
    "columns in another order": _shuffled_columns,
    "leading zeros": lambda text: re.sub(rb" (\d) ", rb" 00\1 ", text),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_accepted_variants_give_the_same_rows(training_csv: Path, variant: str) -> None:
    text = training_csv.read_bytes()
    training_csv.write_bytes(VARIANTS[variant](text))
    assert training_csv.read_bytes() != text
    assert_same(read_training(training_csv, cache=None), labeled())


def test_more_rows_than_one_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_training(labeled(), tmp_path / "training.zip")
    monkeypatch.setattr("facepoints.data.tables.csv_file.BLOCK", 1000)
    monkeypatch.setattr("facepoints.data.tables.face_table.ROWS_AT_ONCE", 5)
    assert_same(read_training(tmp_path, cache=None), labeled())


def test_the_csv_counts_where_both_are_there(training_csv: Path) -> None:
    with zipfile.ZipFile(training_csv.with_suffix(".zip"), "w") as archive:
        archive.writestr("training.csv", "old")
    assert len(read_training(training_csv.parent, cache=None)) == 12
    with pytest.raises(BadFile, match="would be read instead"):
        write_training(labeled(), training_csv.with_suffix(".zip"))


# ---------------------------------------------------------------- keypoints and sources


def test_a_file_with_fewer_of_the_fifteen_has_their_order(tmp_path: Path) -> None:
    few = KeypointSet(("nose_tip", "left_eye_center", "right_eye_center"))
    write_training(labeled(keypoints=few), tmp_path / "training.csv")
    data = read_training(tmp_path, cache=None)
    assert data.keypoints.names == ("left_eye_center", "right_eye_center", "nose_tip")
    assert not data.source.any()


def test_one_annotator_is_source_zero(tmp_path: Path) -> None:
    only_b = labeled().take(np.arange(2, 12, 3))
    write_training(only_b, tmp_path / "training.csv")
    assert read_training(tmp_path, cache=None).source.tolist() == [0] * 4


# ---------------------------------------------------------------- what is wrong is named


def _line(number: int, change: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    def edit(text: bytes) -> bytes:
        lines = text.split(b"\n")
        lines[number - 1] = change(lines[number - 1])
        return b"\n".join(lines)

    return edit


def _pixel(value: bytes, number: int = 5) -> Callable[[bytes], bytes]:
    return _line(number, lambda line: re.sub(rb" \d+ (\d+)$", b" " + value + rb" \1", line))


def _header(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    return _line(1, lambda line: line.replace(old, new))


def _first_field(value: bytes, number: int = 3) -> Callable[[bytes], bytes]:
    return _line(number, lambda line: value + line[line.index(b",") :])


WRONG: dict[str, tuple[Callable[[bytes], bytes], str, str]] = {
    # what: (edit, the line named, what the message says)
    "a pixel too few": (
        _line(4, lambda line: line.rsplit(b" ", 6)[0]),
        "line 4:",
        "the image has 9,210 pixels, expected 9,216 (96 x 96). Re-export the row or pass --skip-broken.",
    ),
    "a pixel too many": (_line(4, lambda line: line + b" 7"), "line 4:", "9,217 pixels, expected 9,216"),
    "a pixel moved to the next row": (
        lambda t: _line(7, lambda line: line + b" 7")(_line(6, lambda line: line.rsplit(b" ", 1)[0])(t)),
        "line 6:",
        "9,215 pixels",
    ),
    "no pixels": (_line(2, lambda line: line[: line.rindex(b",") + 1]), "line 2:", "the image has 0 pixels"),
    "256": (_pixel(b"256"), "line 5:", "pixel 9,215 is '256', expected a whole number from 0 to 255"),
    "999": (_pixel(b"999"), "line 5:", "'999'"),
    "1000": (_pixel(b"1000"), "line 5:", "'1000'"),
    "300000": (_pixel(b"300000"), "line 5:", "'300000'"),
    "decimals": (_pixel(b"12.5"), "line 5:", "pixel 9,215 is '12.5'"),
    "letters": (_pixel(b"1a"), "line 5:", "'1a'"),
    "negative": (_pixel(b"-1"), "line 5:", "'-1'"),
    "plus": (_pixel(b"+1"), "line 5:", "'+1'"),
    "exponent": (_pixel(b"1e1"), "line 5:", "'1e1'"),
    "tab": (_pixel(b"1\t1"), "line 5:", "'1\t1'"),
    "not UTF-8": (_pixel(b"\xff"), "line 5:", "'\\xff'"),
    "NUL": (_pixel(b"\0"), "line 5:", "pixel 9,215"),
    "two spaces": (_pixel(b""), "line 5:", "two spaces in a row"),
    "space at the end": (_line(5, lambda line: line + b" "), "line 5:", "at the start or end"),
    "half a quote": (_line(5, lambda line: line + b'"'), "line 5:", "pixel 9,216"),
    "an earlier and a later fault": (
        lambda text: _first_field(b"x", 6)(_pixel(b"256", 5)(text)),
        "line 5:",
        "'256'",
    ),
    "field too few": (_line(3, lambda line: line.split(b",", 1)[1]), "line 3:", "30 fields, expected 31"),
    "field too many": (_line(3, lambda line: b"1," + line), "line 3:", "32 fields, expected 31"),
    "empty line": (_line(3, lambda line: b""), "line 3:", "the line is empty"),
    "cut off": (lambda text: text[:-20_000], "line 13:", "pixels, expected 9,216"),
    "x without y": (
        _first_field(b"", 2),
        "line 2:",
        "left_eye_center_y is given but left_eye_center_x is empty",
    ),
    "word as coordinate": (
        _first_field(b"left"),
        "line 3:",
        "left_eye_center_x is 'left', expected a number",
    ),
    "nan": (_first_field(b"nan"), "line 3:", "expected a number in pixels, or nothing"),
    "infinite": (_first_field(b"1e999"), "line 3:", "'1e999', expected a number"),
    "underscore": (_first_field(b"1_0"), "line 3:", "'1_0', expected a number"),
    "right of the image": (_first_field(b"96.6"), "line 3:", "left_eye_center_x is 96.6, outside the image"),
    "left of the image": (_first_field(b"-1.6"), "line 3:", "outside the image (-0.5 to 95.5)"),
    "empty file": (lambda text: b"", "line 1:", "the file is empty"),
    "header only": (lambda text: text.split(b"\n")[0], "line 2:", "no faces, only column names"),
    "no Image": (_header(b"Image", b"image"), "line 1:", "no column 'Image'; did you mean 'image'?"),
    "no header": (lambda text: text.split(b"\n", 1)[1], "line 1:", "no column 'Image'"),
    "semicolons": (_header(b",", b";"), "line 1:", "no column 'Image'"),
    "column twice": (
        _header(b"left_eye_center_y", b"left_eye_center_x"),
        "line 1:",
        "column 'left_eye_center_x' occurs twice",
    ),
    "column without partner": (
        _header(b"nose_tip_y", b"nose_tp_y"),
        "line 1:",
        "column 'nose_tip_x' has no partner 'nose_tip_y'",
    ),
    "misspelled column": (
        _header(b"nose_tip_y", b"nose_tip_z"),
        "line 1:",
        "did you mean 'nose_tip_",
    ),
    "misspelled keypoint": (_header(b"nose_tip", b"nose_tipp"), "line 1:", "did you mean 'nose_tip'?"),
    "no coordinates": (
        lambda text: b"\n".join(line[line.rindex(b",") + 1 :] for line in text.strip().split(b"\n")),
        "line 1:",
        "no coordinate columns",
    ),
    "header not UTF-8": (_header(b"nose", b"n\xf6se"), "line 1:", "not UTF-8"),
    "no line ends": (
        lambda text: b"tail_x,tail_y,Image\n" + b"7 " * 6_000_000,
        "line 2:",
        "no line end within 1 MB",
    ),
}


@pytest.mark.parametrize("kind", WRONG)
@pytest.mark.parametrize("ending", ["csv", "zip"])
def test_wrong_training_file(training_csv: Path, kind: str, ending: str) -> None:
    edit, line, says = WRONG[kind]
    wrong = edit(training_csv.read_bytes())
    training_csv.write_bytes(wrong)
    if ending == "zip":
        training_csv.unlink()
        with zipfile.ZipFile(training_csv.with_suffix(".zip"), "w") as archive:
            archive.writestr("training.csv", wrong)
    with pytest.raises(BadFile) as caught:
        read_training(training_csv.parent, cache=None)
    message = str(caught.value)
    assert message.startswith("training.csv line" if ending == "csv" else "training.zip/training.csv line")
    assert line in message
    assert says in message
    assert "\n" not in message
    assert message.endswith((".", "?"))
    assert len(re.split(r"[.?] (?=[A-Z])", message)) >= 2, "it says what to do"


@pytest.mark.parametrize("value", [b"-1.5", b"96.5", b"95.99", b"-0.5"])
def test_labels_on_the_very_edge_are_taken(training_csv: Path, value: bytes) -> None:
    training_csv.write_bytes(_first_field(value)(training_csv.read_bytes()))
    assert read_training(training_csv, cache=None).points[1, 0, 0] == np.float32(float(value))


def test_skip_broken_keeps_the_rest_and_their_row_numbers(training_csv: Path, tmp_path: Path) -> None:
    broken = _first_field(b"x", 9)(_pixel(b"256", 5)(training_csv.read_bytes()))
    training_csv.write_bytes(broken)
    kept = np.array([i for i in range(12) if i not in (3, 7)])
    for _ in range(2):  # the second time from the cache
        messages: list[str] = []
        data = read_training(training_csv, skip_broken=True, on_skip=messages.append, cache=tmp_path / "cache")
        assert_same(data, labeled().take(kept))
        assert [message.split(":")[0] for message in messages] == [
            "training.csv line 5 skipped",
            "training.csv line 9 skipped",
        ]
    with pytest.raises(BadFile, match="line 5: pixel"):  # leaving rows out is not what the other reading asks for
        read_training(training_csv, cache=tmp_path / "cache")


def test_skip_broken_does_not_deliver_nothing(training_csv: Path) -> None:
    training_csv.write_bytes(training_csv.read_bytes().replace(b" ", b"  "))
    with pytest.raises(BadFile, match=r"line 2: two spaces .* All other rows are broken too"):
        read_training(training_csv, skip_broken=True, cache=None)


def test_fast_and_slow_check_agree() -> None:
    rng = np.random.default_rng(5)
    sound = [pixel_text(face) for face in labeled(4).faces]
    for _ in range(300):
        rows = [bytearray(row) for row in sound]
        row = rows[rng.integers(4)]
        for _ in range(rng.integers(1, 3)):
            at = rng.choice([0, 1, len(row) - 2, len(row) - 1, int(rng.integers(len(row)))])
            row[at : at + rng.integers(0, 3)] = rng.choice(np.array([b" ", b"2", b"9", b"0", b".", b"\x7f", b"1 1"]))
        texts = [bytes(row) for row in rows]
        parsed = parse_pixels(texts)
        assert (parsed is None) == any(pixel_fault(text) for text in texts)
        if parsed is not None:
            expected = [list(map(int, text.split())) for text in texts]
            np.testing.assert_array_equal(parsed.reshape(4, -1), expected)


# ---------------------------------------------------------------- damaged zips, absent files


def _zip_of(text: bytes, name: str = "training.csv") -> Callable[[Path], None]:
    def make(path: Path) -> None:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(name, text)

    return make


def _flipped(path: Path) -> None:
    """One bit of one pixel, the checksum left as it was: a zip without compression."""
    write_training(labeled(), path.with_name("source.csv"))
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(path.with_name("source.csv"), "training.csv")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def _garbled(path: Path) -> None:
    write_training(labeled(), path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 50] = b"\xff" * 50
    path.write_bytes(data)


def _cut(path: Path) -> None:
    write_training(labeled(), path)
    path.write_bytes(path.read_bytes()[:-5000])


def _two(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", "")
        archive.writestr("b.csv", "")


BROKEN_ZIPS: dict[str, tuple[Callable[[Path], object], str]] = {
    "a flipped bit": (_flipped, "damaged or cut off"),
    "garbled": (_garbled, "damaged or cut off"),
    "cut off": (_cut, "damaged or cut off"),
    "no zip": (lambda path: path.write_bytes(b"<html>sign in</html>"), "damaged or cut off"),
    "empty": (lambda path: path.touch(), "damaged or cut off"),
    "no table in it": (_zip_of(b"hello", "readme.txt"), "expected one .csv file inside, found none"),
    "two tables in it": (_two, "expected one .csv file inside, found a.csv, b.csv"),
    "an empty table": (_zip_of(b""), "the file is empty"),
}


@pytest.mark.parametrize("kind", BROKEN_ZIPS)
@pytest.mark.parametrize("skip_broken", [False, True])
def test_broken_zip(tmp_path: Path, kind: str, skip_broken: bool) -> None:
    make, says = BROKEN_ZIPS[kind]
    make(tmp_path / "training.zip")
    with pytest.raises(BadFile) as caught:
        read_training(tmp_path, skip_broken=skip_broken, cache=tmp_path / "cache")
    assert "training.zip" in str(caught.value)
    assert says in str(caught.value)
    assert "again" in str(caught.value)


def test_absent_and_odd_files(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=r"neither training\.csv nor training\.zip"):
        read_training(tmp_path)
    with pytest.raises(BadFile, match="no such file or folder"):
        read_training(tmp_path / "absent")
    (tmp_path / "faces.parquet").touch()
    with pytest.raises(BadFile, match=r"Give a \.csv or \.zip"):
        read_training(tmp_path / "faces.parquet")


# ---------------------------------------------------------------- test images and the look-up table


@pytest.mark.parametrize(
    ("file", "old", "new", "says"),
    [
        (
            "IdLookupTable.csv",
            "nose_tip_x",
            "nose_tp_x",
            "no FeatureName 'nose_tp_x'; did you mean 'nose_tip_x'?",
        ),
        ("IdLookupTable.csv", "\n1,24,", "\n1,25,", "line 2: ImageId 25 is not in the test file"),
        ("IdLookupTable.csv", "\n3,", "\n2,", "line 4: RowId 2 occurs twice"),
        ("IdLookupTable.csv", "\n3,", "\nthree,", "line 4: RowId is 'three', expected a whole number"),
        (
            "IdLookupTable.csv",
            "FeatureName",
            "Feature",
            "line 1: no column 'FeatureName'; did you mean 'Feature'?",
        ),
        ("test.csv", "\n17,", "\n24,", "line 3: ImageId 24 occurs twice"),
        ("test.csv", "\n17,", "\n1.5,", "line 3: ImageId is '1.5', expected a whole number"),
        ("test.csv", "ImageId", "Id", "line 1: no column 'ImageId'"),
    ],
)
def test_wrong_test_files(tmp_path: Path, file: str, old: str, new: str, says: str) -> None:
    whole = asked()
    first_image_first = np.argsort(whole.requested_image, kind="stable")
    whole = dataclasses.replace(
        whole,
        requested_image=whole.requested_image[first_image_first],
        requested_column=whole.requested_column[first_image_first],
    )
    write_submission_faces(whole, tmp_path, zipped=False)
    text = (tmp_path / file).read_text()
    assert old in text
    (tmp_path / file).write_text(text.replace(old, new, 1))
    with pytest.raises(BadFile, match=re.escape(says)) as caught:
        read_submission_faces(tmp_path, cache=None)
    assert str(caught.value).startswith(file)


def test_the_same_value_asked_twice(tmp_path: Path) -> None:
    write_submission_faces(asked(), tmp_path)
    table = tmp_path / "IdLookupTable.csv"
    row, rest = table.read_text().splitlines()[1].split(",", 1)
    table.write_text(table.read_text() + f"{int(row) + 9000},{rest}\n")
    with pytest.raises(BadFile, match=r"of ImageId \d+ occurs twice"):
        read_submission_faces(tmp_path, cache=None)


# ---------------------------------------------------------------- submissions


def test_submission_round_trip(tmp_path: Path) -> None:
    rows, values = np.arange(5)[::-1] + 1, np.random.default_rng(0).uniform(0, 95, 5).astype(np.float32)
    write_submission(tmp_path / "submission.csv", rows, values)
    assert (tmp_path / "submission.csv").read_text().startswith("RowId,Location\n5,")
    read_rows, read_values = read_sample_submission(tmp_path / "submission.csv")
    np.testing.assert_array_equal(read_rows, rows)
    np.testing.assert_array_equal(read_values.astype(np.float32), values)


@pytest.mark.parametrize(
    ("rows", "values"),
    [([1, 2], [1.0, np.nan]), ([1, 2], [np.inf, 1.0]), ([1, 1], [1.0, 1.0]), ([1, 2], [1.0])],
)
def test_a_refused_submission_leaves_the_old_one(tmp_path: Path, rows: list[int], values: list[float]) -> None:
    path = tmp_path / "submission.csv"
    path.write_text("old")
    with pytest.raises(BadFile, match=r"submission\.csv"):
        write_submission(path, np.array(rows), np.array(values))
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_submission_is_never_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    path = tmp_path / "submission.csv"
    path.write_text("old")

    def full(_: int) -> None:
        raise error

    monkeypatch.setattr(os, "fsync", full)
    expected = BadFile if isinstance(error, OSError) else KeyboardInterrupt
    with pytest.raises(expected):
        write_submission(path, np.array([1]), np.array([1.0]))
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


# ---------------------------------------------------------------- the cache


def _no_parsing(*_: object, **__: object) -> None:
    raise AssertionError("the file was parsed again")


def _aged(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the file had been there for long: its times are trusted."""
    monkeypatch.setattr(parsed_cache, "SETTLED", -1.0)


def test_the_second_reading_parses_nothing(training_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read_training(training_csv, cache=tmp_path / "cache")
    monkeypatch.setattr(competition, "read_face_table", _no_parsing)
    again = read_training(training_csv, cache=tmp_path / "cache")
    assert_same(again, labeled())
    assert type(again.faces) is np.ndarray
    copied = tmp_path / "elsewhere.csv"
    copied.write_bytes(training_csv.read_bytes())
    assert_same(read_training(copied, cache=tmp_path / "cache"), labeled())  # known by its content
    with pytest.raises(AssertionError, match="parsed again"):
        read_test_faces(copied, cache=tmp_path / "cache")


def test_a_file_known_by_its_times_is_not_even_hashed(
    training_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _aged(training_csv, monkeypatch)
    read_training(training_csv, cache=tmp_path / "cache")
    monkeypatch.setattr(parsed_cache, "_content_hash", _no_parsing)
    assert_same(read_training(training_csv, cache=tmp_path / "cache"), labeled())


@pytest.mark.parametrize("trusted", [True, False])
def test_changed_content_is_seen(
    training_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trusted: bool
) -> None:
    if trusted:
        _aged(training_csv, monkeypatch)
    read_training(training_csv, cache=tmp_path / "cache")
    times = training_csv.stat()
    write_training(labeled(seed=8), training_csv)
    os.utime(training_csv, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert_same(read_training(training_csv, cache=tmp_path / "cache"), labeled(seed=8))


def _entry(cache: Path) -> Path:
    (entry,) = cache.iterdir()
    return entry


def _cut_file(name: str) -> Callable[[Path], None]:
    return lambda entry: os.truncate(entry / name, (entry / name).stat().st_size // 2)


def _other_array(entry: Path) -> None:
    np.save(entry / "row.npy", np.arange(12)[::-1])


DAMAGES: dict[str, Callable[[Path], object]] = {
    "faces cut off": _cut_file("faces.npy"),
    "values cut off": _cut_file("values.npy"),
    "words cut off": _cut_file("table.json"),
    "faces absent": lambda entry: (entry / "faces.npy").unlink(),
    "words absent": lambda entry: (entry / "table.json").unlink(),
    "other words": lambda entry: (entry / "table.json").write_text("[]"),
    "other rows": _other_array,
    "black faces": lambda entry: np.save(entry / "faces.npy", np.zeros((12, 96, 96), np.uint8)),
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("trusted", [True, False])
def test_a_damaged_cache_is_built_anew(
    training_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str, trusted: bool
) -> None:
    if trusted:
        _aged(training_csv, monkeypatch)
    cache = tmp_path / "cache"
    read_training(training_csv, cache=cache)
    DAMAGES[damage](_entry(cache))
    assert_same(read_training(training_csv, cache=cache), labeled())
    monkeypatch.setattr(competition, "read_face_table", _no_parsing)
    assert_same(read_training(training_csv, cache=cache), labeled())


def test_an_unwritable_cache_is_no_cache(training_csv: Path, tmp_path: Path) -> None:
    (tmp_path / "a file").touch()
    assert_same(read_training(training_csv, cache=tmp_path / "a file"), labeled())


def test_another_version_is_not_read(training_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read_training(training_csv, cache=tmp_path / "cache")
    monkeypatch.setattr(parsed_cache, "VERSION", parsed_cache.VERSION + 1)
    monkeypatch.setattr(competition, "read_face_table", _no_parsing)
    with pytest.raises(AssertionError, match="parsed again"):
        read_training(training_csv, cache=tmp_path / "cache")


def test_the_cache_forgets_what_was_used_least(
    training_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parsed_cache, "KEPT", 2)
    cache = tmp_path / "cache"
    (cache / "another program").mkdir(parents=True)
    for seed in range(4):
        write_training(labeled(2, seed=seed), training_csv)
        read_training(training_csv, cache=cache)
    assert len(list(cache.glob("faces-*"))) == 2
    assert (cache / "another program").exists()
    monkeypatch.setattr(competition, "read_face_table", _no_parsing)
    read_training(training_csv, cache=cache)


def test_the_users_cache_folder_follows_the_environment(
    training_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "mine"))
    read_training(training_csv)
    assert list((tmp_path / "mine" / "facepoints").iterdir())


# ---------------------------------------------------------------- the real files


def test_real_files(competition_files: Path) -> None:
    data = read_training(competition_files)
    assert data.faces.shape == (7049, 96, 96)
    assert data.keypoints == FIFTEEN
    assert data.observed.all(axis=1).sum() == 2140
    assert (data.source[:2284] == 0).all()
    assert (data.source[2284:] == 1).all()
    wanted = read_submission_faces(competition_files)
    assert wanted.faces.shape == (1783, 96, 96)
    assert (wanted.source == 0).sum() == 591
    assert len(wanted.row_id) == 27_124
    sample, _ = read_sample_submission(competition_files)
    np.testing.assert_array_equal(sample, wanted.row_id)

"""Readers of the files of the Kaggle competition "Facial Keypoints Detection".

    training.csv        left_eye_center_x, left_eye_center_y, ..., Image    a face and its labels
    test.csv            ImageId, Image                                      faces without labels
    IdLookupTable.csv   RowId, ImageId, FeatureName, Location               the requested coordinates
    submission.csv      RowId, Location                                     the predictions

Each may be in a zip instead; if both exist the .csv is read, because users edit that one. Columns may have any order.
Every fault is a BadFile in one line: file, line (the header is line 1), fault, expectation, remedy.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facepoints.data.dataset import LabeledFaces, SubmissionFaces
from facepoints.data.tables.cache import Cache, cached_table
from facepoints.data.tables.csv_file import CsvFile, Fault, near, open_csv
from facepoints.data.tables.face_table import IMAGE, FaceTable, RowReader, read_face_table
from facepoints.data.tables.label_columns import coordinate_reader, keypoints_in, points_in
from facepoints.errors import BadFile
from facepoints.keypoints import FIFTEEN, FOUR, KeypointSet


def read_training(
    folder: Path,
    *,
    cache: Cache = "user",
    skip_broken: bool = False,
    on_skip: Callable[[str], None] | None = None,
) -> LabeledFaces:
    """The labeled faces of training.csv or .zip in `folder` (or of that file itself).

    With skip_broken, rows that cannot be read are left out (`row` keeps the numbers of the file), and on_skip gets one
    line for each.
    """
    path = _find(folder, "training")

    def parse() -> FaceTable:
        return read_face_table(path, coordinate_reader, skip_broken)

    table = cached_table(path, "training_skip" if skip_broken else "training", cache, parse)
    for line, fault in table.broken:
        if on_skip is not None:
            on_skip(f"{path.name} line {line:,} skipped: {fault}.")
    keypoints = keypoints_in(table.columns)
    points, observed = points_in(table, keypoints)
    source = _sources(observed.sum(axis=1), len(FOUR), keypoints)
    return LabeledFaces(table.faces, points, observed, source, keypoints, table.row)


def read_test_faces(path: Path, *, cache: Cache = "user") -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Faces (m, 96, 96) and their ImageId (m,) of test.csv or .zip in a folder, or of that file itself."""
    found = _find(path, "test")

    def parse() -> FaceTable:
        return read_face_table(found, _image_id_reader, skip_broken=False)

    table = cached_table(found, "test", cache, parse)
    image_id = table.values[:, 0].astype(np.int64)
    order = np.argsort(image_id, kind="stable")
    twice = np.flatnonzero(np.diff(image_id[order]) == 0)
    if len(twice):
        again = int(order[twice[0] + 1])
        what = f"ImageId {image_id[again]} occurs twice"
        raise BadFile(f"{found.name} line {table.row[again] + 2:,}: {what}. Give each image its own.")
    return table.faces, image_id


def read_submission_faces(folder: Path, *, cache: Cache = "user") -> SubmissionFaces:
    """The test images and the look-up table in `folder`."""
    faces, image_id = read_test_faces(folder, cache=cache)
    position = {number: index for index, number in enumerate(image_id.tolist())}
    column = {name: index for index, name in enumerate(FIFTEEN.columns)}
    requested: dict[tuple[int, int], int] = {}  # (image, column) -> RowId, in the table's order
    row_ids: set[int] = set()
    with open_csv(_find(folder if folder.is_dir() else folder.parent, "IdLookupTable")) as csv:
        csv.need(["RowId", "ImageId", "FeatureName"])
        at = [csv.header.index(name) for name in ("RowId", "ImageId", "FeatureName")]
        for line, text in csv.lines:
            row_id, image, feature = _lookup_row(csv, line, text, at)
            if image not in position:
                raise csv.bad(line, f"ImageId {image} is not in the test file", "Use the two files of one download.")
            if feature not in column:
                raise csv.bad(line, f"no FeatureName '{feature}'{near(feature, column)}", "Correct the name.")
            pair = (position[image], column[feature])
            if row_id in row_ids or pair in requested:
                twice = f"RowId {row_id}" if row_id in row_ids else f"{feature} of ImageId {image}"
                raise csv.bad(line, f"{twice} occurs twice", "Remove one of the two rows.")
            row_ids.add(row_id)
            requested[pair] = row_id
        if not requested:
            raise csv.bad(2, "nothing is requested, there are only column names", "Download the table again.")
    requested_image, requested_column = np.array(list(requested), np.int64).T
    return SubmissionFaces(
        faces=faces,
        image_id=image_id,
        source=_sources(np.bincount(requested_image, minlength=len(faces)), 2 * len(FOUR), FIFTEEN),
        row_id=np.array(list(requested.values()), np.int64),
        requested_image=requested_image,
        requested_column=requested_column,
        keypoints=FIFTEEN,
    )


def read_sample_submission(path: Path) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """RowId (r,) and Location (r,) of SampleSubmission.csv in a folder, or of any submission file."""
    values: dict[int, float] = {}
    with open_csv(_find(path, "SampleSubmission")) as csv:
        csv.need(["RowId", "Location"])
        at = [csv.header.index("RowId"), csv.header.index("Location")]
        for line, text in csv.lines:
            try:
                row, location = (csv.fields(text)[i] for i in at)
                row_id, value = _whole_number("RowId", row), float(location)
            except Fault as fault:
                raise csv.bad(line, str(fault), "Write the file again.") from fault
            except ValueError as error:
                raise csv.bad(line, "Location is not a number", "Write the file again.") from error
            if row_id in values or not np.isfinite(value):
                what = f"RowId {row_id} occurs twice" if row_id in values else "Location is not finite"
                raise csv.bad(line, what, "Write the file again.")
            values[row_id] = value
    return np.array(list(values), np.int64), np.array(list(values.values()), np.float64)


def _sources(count: NDArray[np.int64], at_most: int, keypoints: KeypointSet) -> NDArray[np.int64]:
    """The source of each row by its number of labels: 1 (B) for at most `at_most`, else 0 (A); int (n,).

    Only for the competition's points, more of them than B labels, and if some row has more labels than `at_most`;
    otherwise there is one source, 0.
    """
    known = set(keypoints.names) <= set(FIFTEEN.names) and len(keypoints) > len(FOUR) and (count > at_most).any()
    return (count <= at_most).astype(np.int64) if known else np.zeros(len(count), np.int64)


def _image_id_reader(csv: CsvFile) -> RowReader:
    csv.need(["ImageId"])
    if len(csv.header) != 2:
        others = ", ".join(column for column in csv.header if column not in ("ImageId", IMAGE))
        raise csv.bad(1, f"expected only ImageId and {IMAGE}, found also {others}", "Is this the test file?")
    return lambda fields: [_whole_number("ImageId", fields[0])]


def _lookup_row(csv: CsvFile, line: int, text: bytes, at: list[int]) -> tuple[int, int, str]:
    try:
        fields = csv.fields(text)
        row_id, image_id = _whole_number("RowId", fields[at[0]]), _whole_number("ImageId", fields[at[1]])
    except Fault as fault:
        raise csv.bad(line, str(fault), "Download the table again.") from fault
    return row_id, image_id, fields[at[2]].decode("ascii", "backslashreplace")


def _whole_number(column: str, field: bytes) -> int:
    if field.isdigit() and len(field) <= 15:  # exact as float64, too
        return int(field)
    shown = field[:20].decode("ascii", "backslashreplace")
    raise Fault(f"{column} is '{shown}', expected a whole number")


def _find(place: Path, stem: str) -> Path:
    """`place` itself if it is a file, else <stem>.csv or <stem>.zip in it."""
    if place.is_file():
        if place.suffix.lower() in (".csv", ".zip"):
            return place
        raise BadFile(f"{place}: not a table. Give a .csv or .zip file, or a folder with {stem}.csv or {stem}.zip.")
    if not place.exists():
        raise BadFile(f"{place}: there is no such file or folder. Check the path.")
    for found in (place / f"{stem}.csv", place / f"{stem}.zip"):
        if found.is_file():
            return found
    raise BadFile(f"{place}: neither {stem}.csv nor {stem}.zip is in it. Put the competition's files there.")

"""Files in, files out: points.csv, points.json and annotated pictures of photos, or of crops that are faces already."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from facepoints.data.images import Photo, Pixels, read_image
from facepoints.data.kaggle.competition import read_test_faces
from facepoints.drawing import contact_sheet, write_png
from facepoints.errors import BadFile, MissingExtra
from facepoints.files import atomic_write
from facepoints.inference.annotate import annotate
from facepoints.inference.batch.inputs import Input, gather
from facepoints.inference.batch.result_files import ResultFiles
from facepoints.inference.detector import Detector
from facepoints.inference.faces import Face
from facepoints.inference.regions import Regions
from facepoints.keypoints import FACE_SIZE

Say = Callable[[str], None]
"""Is told, in one line, of each file that cannot be read."""

Progress = Callable[[int, int], None]
"""Called with (files done, files in all)."""

SHEET_FACES = 48
"""Faces of a competition's file on the picture of it."""

_JPEG_QUALITY = 92


@dataclass
class Tally:
    """What came of it."""

    photos: int = 0
    """files that were read"""
    faces: int = 0
    empty: int = 0
    """files without a face"""
    failed: int = 0
    """files that could not be read"""
    pictures: int = 0

    def count(self, faces: int) -> None:
        self.photos += 1
        self.faces += faces
        self.empty += not faces


def predict_photos(
    given: Sequence[str],
    out: Path,
    detector: Detector,
    *,
    names: bool = False,
    measured: bool = False,
    say: Say,
    progress: Progress,
) -> Tally:
    """Find the faces in photos and folders and write what they are into `out`."""
    with ResultFiles(out, detector.keypoints, measured) as results:
        return photos_into(results, given, out, detector, names=names, say=say, progress=progress)


def photos_into(
    results: ResultFiles,
    given: Sequence[str],
    out: Path,
    detector: Detector,
    *,
    names: bool = False,
    say: Say,
    progress: Progress,
) -> Tally:
    """The same into results that are open already."""
    inputs, tally = gather(given, out), Tally()
    for done, (each, photo) in enumerate(_opened(inputs, tally, say), start=1):
        if photo is not None:
            faces = detector.faces(photo)
            results.add(each.path.as_posix(), faces)
            tally.count(len(faces))
            if faces:
                _draw(out / each.picture, photo, faces, detector, names)
                tally.pictures += 1
        progress(done, len(inputs))
    return tally


def predict_crops(
    given: Sequence[str],
    out: Path,
    detector: Detector,
    *,
    names: bool = False,
    measured: bool = False,
    say: Say,
    progress: Progress,
) -> Tally:
    """The same for files that are a face each, and for a competition's test.csv or .zip, or the folder with it."""
    tables = [Path(name) for name in given if _is_table(Path(name))]
    photos = [name for name in given if not _is_table(Path(name))]
    inputs, tally = gather(photos, out) if photos else [], Tally()
    total = len(inputs) + len(tables)
    with ResultFiles(out, detector.keypoints, measured) as results:
        for done, (each, photo) in enumerate(_opened(inputs, tally, say), start=1):
            if photo is not None:
                face = _whole(photo, detector)
                results.add(each.path.as_posix(), [face])
                tally.count(1)
                _draw(out / each.picture, photo, [face], detector, names)
                tally.pictures += 1
            progress(done, total)
        for done, table in enumerate(tables, start=len(inputs) + 1):
            _predict_table(table, out, detector, results, tally)
            progress(done, total)
    return tally


def write_picture(path: Path, pixels: Pixels) -> None:
    """Write a BGR picture as its ending says: PNG, or else JPEG."""
    if path.suffix.lower() == ".png":
        write_png(path, pixels)
        return
    encoded, content = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    if not encoded:
        raise BadFile(f"{path}: JPEG holds no picture of {pixels.shape[1]:,} x {pixels.shape[0]:,} px. Make it smaller")
    with atomic_write(path) as beside:
        beside.write_bytes(content.tobytes())


def _draw(path: Path, photo: Photo, faces: Sequence[Face], detector: Detector, names: bool) -> None:
    write_picture(path, annotate(photo.bgr, faces, names=detector.keypoints if names else None))


def _opened(inputs: Sequence[Input], tally: Tally, say: Say) -> Iterator[tuple[Input, Photo | None]]:
    """Each input with its photo, one at a time in memory; None where it cannot be read, which is said and counted."""
    for each in inputs:
        try:
            yield each, read_image(each.path)
        except (BadFile, MissingExtra) as error:
            tally.failed += 1
            say(str(error))
            yield each, None


def _whole(photo: Photo, detector: Detector) -> Face:
    """The face that a whole photo is: somebody said so, which leaves no doubt to the score."""
    height, width = photo.gray.shape
    found = detector.refine(photo.gray, Regions.of_boxes([[0, 0, width, height]]), views=1)
    box = (0.0, 0.0, float(width), float(height))
    return Face(box, 1.0, found.points[0], found.expected_error[0], detector.keypoints)


def _is_table(path: Path) -> bool:
    if path.is_dir():
        return any((path / name).is_file() for name in ("test.csv", "test.zip"))
    return path.suffix.lower() in (".csv", ".zip")


def _predict_table(table: Path, out: Path, detector: Detector, results: ResultFiles, tally: Tally) -> None:
    """A competition's faces: each a line, its ImageId in the column `frame`; the first ones as one picture."""
    faces, image_id = read_test_faces(table)
    points, error = detector.points(faces)
    box = (0.0, 0.0, float(FACE_SIZE), float(FACE_SIZE))
    for i, number in enumerate(image_id.tolist()):
        face = Face(box, 1.0, points[i], error[i], detector.keypoints)
        results.add(table.as_posix(), [face], frame=number)
    tally.photos, tally.faces = tally.photos + 1, tally.faces + len(faces)
    some = np.linspace(0, len(faces) - 1, min(SHEET_FACES, len(faces))).round().astype(int)
    captions = [f"image {number}" for number in image_id[some].tolist()]
    write_png(out / f"{table.stem}.png", contact_sheet(faces[some], None, points[some], captions=captions))
    tally.pictures += 1

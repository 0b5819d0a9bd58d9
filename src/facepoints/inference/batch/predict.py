"""Predict keypoints in photos, face crops, videos and cameras; write points.csv, points.json and annotated copies."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from facepoints.data.images import Photo, Pixels, read_image
from facepoints.data.kaggle.competition import read_test_faces
from facepoints.drawing import contact_sheet, write_png
from facepoints.errors import BadFile, MissingExtra
from facepoints.files import atomic_write
from facepoints.inference.annotate import annotate
from facepoints.inference.batch.inputs import gather, sort_inputs
from facepoints.inference.batch.result_files import ResultFiles
from facepoints.inference.batch.videos import Progress, VideoSummary, copy_names, predict_video
from facepoints.inference.detector import Detector
from facepoints.inference.faces import Face
from facepoints.inference.regions import Regions
from facepoints.inference.video.tracking import Tracker
from facepoints.keypoints import FACE_SIZE

SHEET_FACES = 48
"""Faces of a table of crops that are shown on its annotated picture."""

_JPEG_QUALITY = 92


@dataclass
class Summary:
    """What was processed."""

    photos: int = 0
    """photos and tables read"""
    faces: int = 0
    """faces in them"""
    without_faces: int = 0
    """photos without a face"""
    failed: int = 0
    """files, of any kind, that could not be read"""
    videos: list[VideoSummary] = field(default_factory=list)

    @property
    def stopped(self) -> bool:
        """Whether a video file was interrupted. Interrupting is the normal way to end a camera."""
        return any(video.stopped and not video.camera for video in self.videos)

    @property
    def found(self) -> bool:
        """Whether any face was found."""
        return bool(self.faces or any(video.faces for video in self.videos))

    def lines(self) -> Iterator[str]:
        """The summary for the user: one line on all photos, one on each video."""
        if self.photos:
            files = f"{self.photos:,} file{'s'[: self.photos != 1]}"
            none = f", {self.without_faces:,} without a face" if self.without_faces else ""
            yield f"{self.faces:,} face{'s'[: self.faces != 1]} in {files}{none}"
        yield from map(str, self.videos)


def predict_files(
    inputs: Sequence[str],
    out: Path,
    detector: Detector,
    *,
    crops: bool = False,
    names: bool = False,
    measured: bool = False,
    smooth: float = 1.0,
    on_error: Callable[[str], None],
    on_note: Callable[[str], None] = lambda message: None,
    progress: Progress = lambda name, done, total, unit: None,
) -> Summary:
    """Predict all inputs, photos first, and write the results into the folder `out`.

    crops: every photo is a single face, and inputs may be tables of crops instead of videos. names: number the points
    on the pictures. measured: add the columns of `facepoints.inference.measures`. smooth: strength of the temporal
    smoothing in videos. on_error: called with one line for each unreadable file; on_note: with other messages.

    Ctrl-C during a video ends it after the current frame and skips the remaining videos; completed results are kept.
    """
    photos, videos, tables = sort_inputs(inputs, crops)
    files = gather(photos, out) if photos else []
    legend = detector.keypoints if names else None
    summary, total = Summary(), len(files) + len(tables)
    with ResultFiles(out, detector.keypoints, measured) as results:
        for done, file in enumerate(files, start=1):
            try:
                photo = read_image(file.path)
            except (BadFile, MissingExtra) as error:
                summary.failed += 1
                on_error(str(error))
            else:
                faces = (_whole_photo(photo, detector),) if crops else detector.faces(photo)
                results.add(file.path.as_posix(), faces)
                summary.photos += 1
                summary.faces += len(faces)
                summary.without_faces += not faces
                if faces:
                    _write_picture(out / file.picture, annotate(photo.bgr, faces, names=legend))
            progress("photos", done, total, "photos")
        for done, table in enumerate(tables, start=len(files) + 1):
            summary.faces += _predict_table(table, out, detector, results)
            summary.photos += 1
            progress("photos", done, total, "photos")
        for source, name in zip(videos, copy_names(videos, out), strict=True):
            tracker = Tracker(detector, smooth)
            try:
                video = predict_video(results, source, out / name, tracker, legend, on_note, progress)
            except BadFile as error:
                summary.failed += 1
                on_error(str(error))
                continue
            summary.videos.append(video)
            if video.stopped and video.frames:
                break
    return summary


def _whole_photo(photo: Photo, detector: Detector) -> Face:
    """The face that fills the photo. Its score is 1: the user stated that it is a face."""
    height, width = photo.gray.shape
    found = detector.refine(photo.gray, Regions.of_boxes([[0, 0, width, height]]), views=1)
    box = (0.0, 0.0, float(width), float(height))
    return Face(box, 1.0, found.points[0], found.expected_error[0], detector.keypoints)


def _predict_table(table: Path, out: Path, detector: Detector, results: ResultFiles) -> int:
    """Predict a competition's test file and return its number of faces.

    Each face is a row with its ImageId in the column `frame`. Up to SHEET_FACES of them are drawn on one picture.
    """
    faces, image_ids = read_test_faces(table)
    points, error = detector.points(faces)
    box = (0.0, 0.0, float(FACE_SIZE), float(FACE_SIZE))
    for i, image_id in enumerate(image_ids.tolist()):
        face = Face(box, 1.0, points[i], error[i], detector.keypoints)
        results.add(table.as_posix(), [face], frame=image_id)
    shown = np.linspace(0, len(faces) - 1, min(SHEET_FACES, len(faces))).round().astype(int)
    captions = [f"image {image_id}" for image_id in image_ids[shown].tolist()]
    write_png(out / f"{table.stem}.png", contact_sheet(faces[shown], None, points[shown], captions=captions))
    return len(faces)


def _write_picture(path: Path, pixels: Pixels) -> None:
    """Write a BGR picture as PNG or JPEG, chosen by the suffix."""
    if path.suffix.lower() == ".png":
        write_png(path, pixels)
        return
    encoded, content = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    if not encoded:
        size = f"{pixels.shape[1]:,} x {pixels.shape[0]:,} px"
        raise BadFile(f"{path}: a picture of {size} is too large for JPEG. Reduce the photo's size")
    with atomic_write(path) as temporary:
        temporary.write_bytes(content.tobytes())

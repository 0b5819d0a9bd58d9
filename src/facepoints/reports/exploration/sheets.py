"""The images of an exploration as PNG files."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from facepoints.drawing import Image, contact_sheet
from facepoints.exploration.explore import Exploration
from facepoints.metrics import source_name
from facepoints.reports.exploration.faces import arrow_image, extremes, eye_images, random_rows
from facepoints.reports.exploration.pictures import density, mean_face, missing_matrix


def sheets(result: Exploration) -> dict[str, Image]:
    """File name -> image."""
    data = result.data
    images = {"missing.png": missing_matrix(data), "random.png": _sheet(result, random_rows(result), "Random faces")}
    for number, rows in result.source_rows().items():
        name, background = source_name(number), mean_face(data.faces[rows])
        images[f"mean_face_{name}.png"] = np.asarray(cv2.resize(background, (384, 384)), np.uint8)
        images[f"density_{name}.png"] = density(background, data.points[rows], data.observed[rows])
    for name, (rows, _, _) in extremes(result).items():
        if len(rows):
            images[f"{name.replace(' ', '_')}.png"] = _sheet(result, rows, f"Faces: {name}")
    if (arrows := arrow_image(result)) is not None:
        images["source_difference.png"] = arrows
    if eyes := eye_images(result):
        images["mean_eyes.png"] = np.hstack(list(eyes.values()))
    if result.augmented is not None:
        faces, kinds = result.augmented
        grey = np.concatenate([faces.faces, *(kind.faces for kind in kinds)])
        original = np.where(faces.observed[:, :, None], faces.points, np.nan)
        points = np.concatenate([original, *(kind.points for kind in kinds)])
        names = [name.replace("°", " deg") for name in ("original", *(kind.kind for kind in kinds)) for _ in faces.row]
        known, columns = np.isfinite(points).all(axis=2), 2 * len(faces)
        images["augmentation.png"] = contact_sheet(grey, points, observed=known, captions=names, columns=columns)
    return images


def _sheet(result: Exploration, rows: NDArray[np.int64], title: str) -> Image:
    some = result.data.take(rows)
    captions = [f"row {n} · {source_name(int(s))}" for n, s in zip(some.row, some.source, strict=True)]
    return contact_sheet(some.faces, some.points, observed=some.observed, captions=captions, title=title, columns=6)

"""The page's pictures as files of their own, for slides and papers."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from facepoints.drawing import Image, contact_sheet
from facepoints.exploration.findings import Exploration
from facepoints.metrics import source_name
from facepoints.reports.exploration.faces import extremes, random_rows
from facepoints.reports.exploration.pictures import density, mean_face, missing_matrix
from facepoints.reports.exploration.sources import arrow_picture, mean_eyes


def sheets(found: Exploration) -> dict[str, Image]:
    """File name -> picture."""
    data = found.data
    lot = random_rows(found)
    pictures = {"missing.png": missing_matrix(data), "random.png": _sheet(found, lot, "Faces by lot")}
    for number, rows in found.source_rows().items():
        name, background = source_name(number), mean_face(data.faces[rows])
        pictures[f"mean_face_{name}.png"] = np.asarray(cv2.resize(background, (384, 384)), np.uint8)
        pictures[f"density_{name}.png"] = density(background, data.points[rows], data.observed[rows])
    for name, (rows, _, _) in extremes(found).items():
        if len(rows):
            pictures[f"{name.replace(' ', '_')}.png"] = _sheet(found, rows, f"Faces: {name}")
    if (arrows := arrow_picture(found)) is not None:
        pictures["source_difference.png"] = arrows
    if eyes := mean_eyes(found):
        pictures["mean_eyes.png"] = np.hstack(list(eyes.values()))
    if found.changed is not None:
        faces, kinds = found.changed
        grey = np.concatenate([faces.faces, *(kind.faces for kind in kinds)])
        points = np.concatenate(
            [np.where(faces.observed[:, :, None], faces.points, np.nan), *(k.points for k in kinds)]
        )
        names = [word for kind in ("as it is", *(k.kind for k in kinds)) for word in [_ascii(kind)] * len(faces)]
        known = np.isfinite(points).all(axis=2)
        pictures["augmentation.png"] = contact_sheet(
            grey, points, observed=known, captions=names, columns=2 * len(faces)
        )
    return pictures


def _sheet(found: Exploration, rows: NDArray[np.int64], title: str) -> Image:
    some = found.data.take(rows)
    captions = [f"row {n} · {source_name(int(s))}" for n, s in zip(some.row, some.source, strict=True)]
    return contact_sheet(some.faces, some.points, observed=some.observed, captions=captions, title=title, columns=6)


def _ascii(words: str) -> str:
    return words.replace("°", " deg")

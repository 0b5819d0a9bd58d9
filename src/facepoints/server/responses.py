"""What the server gives: JSON with finite numbers, pictures in pieces."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Sequence
from typing import Any

import cv2
import numpy as np
from fastapi import Response
from fastapi.responses import StreamingResponse
from numpy.typing import NDArray

from facepoints.data.images import Photo
from facepoints.errors import BadFile
from facepoints.inference.annotate import annotate
from facepoints.inference.batch.result_files import as_json
from facepoints.inference.faces import Face
from facepoints.inference.measures import measure

_CHUNK = 65_536  # bytes that are sent at once: for a client that stops reading no more than this lies ready


def entries(found: Sequence[Face], measured: bool) -> list[dict[str, Any]]:
    """Faces as in points.json; measured: with their measures, null where one cannot be told."""
    entries = [as_json(face) for face in found]
    if measured and found:
        points, errors = np.stack([face.points for face in found]), np.stack([face.expected_error for face in found])
        columns = measure(points, errors, found[0].keypoints).columns()
        for entry, own in zip(entries, columns, strict=True):
            entry["measures"] = {n: float(f"{v:.4g}") if math.isfinite(v) else None for n, v in own.items()}
    return entries


def rounded(values: NDArray[np.floating[Any]]) -> Any:
    """Nested lists, to 1/1000 px."""
    return np.round(values.astype(np.float64), 3).tolist()


def picture(photo: Photo, found: Sequence[Face]) -> Response:
    """The photo with its faces drawn on it, as PNG; the header X-Faces counts them."""
    encoded, content = cv2.imencode(".png", annotate(photo.bgr, found))
    if not encoded:
        raise BadFile("the photo cannot be drawn on as PNG. Make it smaller")
    return in_chunks(content.tobytes(), "image/png", {"X-Faces": str(len(found))})


def in_chunks(content: bytes, media_type: str, headers: dict[str, str]) -> Response:
    """A large answer."""

    async def chunks() -> AsyncIterator[memoryview]:
        for start in range(0, len(content), _CHUNK):
            yield memoryview(content)[start : start + _CHUNK]

    return StreamingResponse(chunks(), headers={"Content-Length": str(len(content)), **headers}, media_type=media_type)

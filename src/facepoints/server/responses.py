"""Response bodies: JSON with finite numbers, and large binary content in chunks."""

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

_CHUNK = 65_536  # bytes: at most this much is buffered for a client that stops reading


def face_entries(faces: Sequence[Face], measured: bool) -> list[dict[str, Any]]:
    """Faces as in points.json; `measured` adds their measures, null where one is undefined."""
    entries = [as_json(face) for face in faces]
    if measured and faces:
        points, errors = np.stack([face.points for face in faces]), np.stack([face.expected_error for face in faces])
        columns = measure(points, errors, faces[0].keypoints).columns()
        for entry, own in zip(entries, columns, strict=True):
            entry["measures"] = {n: float(f"{v:.4g}") if math.isfinite(v) else None for n, v in own.items()}
    return entries


def rounded(values: NDArray[np.floating[Any]]) -> Any:
    """Nested lists, rounded to 1/1000 px."""
    return np.round(values.astype(np.float64), 3).tolist()


def annotated_photo(photo: Photo, faces: Sequence[Face]) -> Response:
    """The photo as PNG with its faces drawn on it; the X-Faces header has their number."""
    encoded, content = cv2.imencode(".png", annotate(photo.bgr, faces))
    if not encoded:
        raise BadFile("the annotated photo cannot be encoded as PNG. Send a smaller photo")
    return in_chunks(content.tobytes(), "image/png", {"X-Faces": str(len(faces))})


def in_chunks(content: bytes, media_type: str, headers: dict[str, str]) -> Response:
    """A large response body."""

    async def chunks() -> AsyncIterator[memoryview]:
        for start in range(0, len(content), _CHUNK):
            yield memoryview(content)[start : start + _CHUNK]

    return StreamingResponse(chunks(), headers={"Content-Length": str(len(content)), **headers}, media_type=media_type)

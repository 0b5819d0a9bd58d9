"""The web page in static/, and the files it loads from elsewhere in the package."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import FileResponse, JSONResponse
from starlette.staticfiles import StaticFiles

from facepoints.inference.face_network import FACE_DETECTOR, METADATA
from facepoints.inference.keypoint_network import metadata_of, session_of
from facepoints.keypoints import FIFTEEN

FOLDER = Path(__file__).parent / "static"
"""index.html is served at /, all files of the folder below /page/."""

WEIGHTS = Path(__file__).parents[1] / "weights"
"""Folder of the face detector's ONNX file."""

HEADERS = {
    # only own resources; wasm and its threads may run
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self' blob:; "
        "style-src 'self' 'unsafe-inline'; img-src 'self' blob: data:; media-src 'self' blob:; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


class _Files(StaticFiles):
    """Static files with the page's security headers."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers.update(HEADERS)
        return response


def add_page(app: FastAPI, keypoints: Sequence[str], folder: Path = FOLDER, weights: Path = WEIGHTS) -> None:
    """Serve the page for a model with these keypoint names; `weights`: the face detector's folder."""
    weight_files = _Files(directory=weights, check_dir=False)
    features = {
        # checked here: a failed request would leave an error in the browser's console
        "runtime": (folder / "runtime" / "ort.wasm.min.mjs").is_file(),
        "measures": set(FIFTEEN.names) <= set(keypoints),
    }

    @app.get("/", include_in_schema=False)
    async def index() -> Response:
        return FileResponse(folder / "index.html", headers=HEADERS)

    @app.get("/page/about.json", include_in_schema=False)
    def about() -> Response:
        return JSONResponse(
            features | {"face_detector": _face_detector_metadata(weights / FACE_DETECTOR)}, 200, HEADERS
        )

    @app.get(f"/page/{FACE_DETECTOR}", include_in_schema=False)
    async def face_detector_file(request: Request) -> Response:
        return await weight_files.get_response(FACE_DETECTOR, request.scope)

    app.mount("/page", _Files(directory=folder))


@cache
def _face_detector_metadata(file: Path) -> dict[str, Any] | None:
    """The face detector's metadata, which ONNX Runtime in a browser does not expose; None without the file."""
    if not file.is_file():
        return None
    return metadata_of(session_of(file.read_bytes(), file.name, 1), METADATA, file.name, "a face detector")

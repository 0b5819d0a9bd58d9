"""What a browser sees: the page of the package, or, where that is absent, a page that says how to ask."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse
from starlette.staticfiles import StaticFiles

from facepoints.inference.face_network import FACE_DETECTOR, METADATA
from facepoints.inference.keypoint_network import session_of
from facepoints.keypoints import FIFTEEN
from facepoints.reports.html import Section, bold, code, joined, listed, page, text
from facepoints.reports.style import STYLE
from facepoints.server.examples import EXAMPLES, example

FOLDER = Path(__file__).parent / "static"
"""index.html is served at /, everything in the folder below /page/."""

WEIGHTS = Path(__file__).parents[1] / "weights"
"""Where the finder's network is that the page may run."""

HEADERS = {
    # nothing comes from elsewhere and nothing goes there; wasm and its threads may run
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
    """The folder's files, which belong to the page and keep to its rules."""

    def file_response(self, *args: object, **kwargs: object) -> Response:
        response: Response = super().file_response(*args, **kwargs)  # type: ignore[arg-type]
        response.headers.update(HEADERS)
        return response


def add_page(app: FastAPI, points: Sequence[str], folder: Path = FOLDER, weights: Path = WEIGHTS) -> None:
    """Give the app its page; points: the names of the model's keypoints; weights: where the finder's network is."""
    index = folder / "index.html"
    if index.is_file():
        _add_supplies(app, points, folder, weights)
        app.mount("/page", _Files(directory=folder))

    @app.get("/", include_in_schema=False)
    async def root(request: Request) -> Response:
        if index.is_file():
            return FileResponse(index, headers=HEADERS)
        return HTMLResponse(usage(points, str(request.base_url)), headers=HEADERS)


def _add_supplies(app: FastAPI, points: Sequence[str], folder: Path, weights: Path) -> None:
    """What the page needs besides its files; asked for before the folder's own."""
    face_detector = _Files(directory=weights, check_dir=False)
    about = {
        # a page that had to try would leave an error in the browser's console
        "runtime": (folder / "runtime" / "ort.wasm.min.mjs").is_file(),
        "measures": set(FIFTEEN.names) <= set(points),
        "examples": list(EXAMPLES),
    }

    @app.get("/page/about.json", include_in_schema=False)
    def about_page() -> Response:
        return JSONResponse(about | {"face_detector": _face_detector_facts(weights / FACE_DETECTOR)}, headers=HEADERS)

    @app.get(f"/page/{FACE_DETECTOR}", include_in_schema=False)
    async def finder_file(request: Request) -> Response:
        return await face_detector.get_response(FACE_DETECTOR, request.scope)

    @app.get("/page/house.css", include_in_schema=False)
    async def house_style() -> Response:
        return Response(STYLE, media_type="text/css", headers=HEADERS)

    @app.get("/page/examples/{name}.png", include_in_schema=False)
    def example_photo(name: str) -> Response:
        if name not in EXAMPLES:
            raise HTTPException(404)
        return Response(example(name), media_type="image/png", headers=HEADERS)


@cache
def _face_detector_facts(file: Path) -> Any:
    """What the finder's file says of itself, as a browser's ONNX Runtime does not tell it; None where there is none."""
    if not file.is_file():
        return None
    return json.loads(session_of(file.read_bytes(), file.name, 1).get_modelmeta().custom_metadata_map[METADATA])


def usage(points: Sequence[str], url: str) -> str:
    """A page for whoever comes with a browser and finds no page of ours; url: the server's, with a slash behind it."""
    faces = f"curl -F image=@me.jpg '{url}v1/faces"
    asking = joined(
        [
            text(bold("A photo:"), " ", code(f"{faces}'")),
            text(bold("The photo with its points drawn:"), " ", code(f"{faces}?draw=png' -o drawn.png")),
            text(bold("With measures:"), " ", code(f"{faces}?measures'")),
            text(
                bold("Crops, uint8 (n, 96, 96) as .npy:"),
                " ",
                code(f"curl --data-binary @crops.npy -H 'Content-Type: application/x-npy' '{url}v1/points'"),
            ),
        ]
    )
    more = listed(
        [
            joined([code("/openapi.json"), ": everything that can be asked, for programs"]),
            joined([code("/health"), " and ", code("/metrics"), ": for whoever runs the server"]),
            joined([code("/problems"), ": every way in which a request is refused"]),
        ]
    )
    sections = [
        Section("Ask for points", asking),
        Section("More", more),
        Section("The points", listed(code(name) for name in points)),
    ]
    lead = "Faces and their keypoints over HTTP. Photos are read, answered and forgotten: none is stored or logged."
    return page("facepoints", lead, sections)

"""The detector over HTTP: FastAPI on uvicorn, base install only. docs/server.md tells what it offers and takes.

POST /v1/faces        a photo -> its faces, as an entry of points.json, or drawn
POST /v1/points       crops -> points
GET  /v1/model        what the model is; /v1/model.onnx: the file, for programs that run it themselves
GET  /health /metrics /openapi.json /problems /
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import Depends, FastAPI, Query, Request, Response
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse, PlainTextResponse
from fastapi.security import HTTPBearer
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from facepoints.inference.detector import Detector
from facepoints.inference.measures import check_measurable
from facepoints.server import schemas as metadata
from facepoints.server.access_log import AccessLog, Metrics
from facepoints.server.limits import Limits
from facepoints.server.page import add_page
from facepoints.server.problems import Problem, described, install, listed
from facepoints.server.requests import crops_of, decode, read_crops, read_image
from facepoints.server.responses import entries, in_chunks, picture, rounded
from facepoints.server.workers import StoppableFaceDetector, Wanted, Work

_ALWAYS = ("no-key", "failed")
_OF_WORK = (
    *_ALWAYS,
    "malformed",
    "slow-upload",
    "too-large",
    "wrong-type",
    "unreadable",
    "bad-parameter",
    "busy",
    "too-long",
)

Source = Annotated[int, Query(ge=0, le=1, description="whose way of labeling: 0 for A, 1 for B")]
Switch = Annotated[Literal["", "0", "1", "false", "true"] | None, Query(description="`?measures` alone means true")]


@dataclass(frozen=True)
class Settings:
    """What a person chooses for a server."""

    limits: Limits = field(default_factory=Limits)
    threads: int = 2
    """that work at once"""
    key: str | None = None
    """what clients must send as `Authorization: Bearer KEY`; None: nothing"""
    cors: Sequence[str] = ()
    """origins whose pages may ask, such as https://example.org; none unless said"""


def create_app(detector: Detector, model: bytes, settings: Settings | None = None) -> AccessLog:
    """The ASGI app around a detector; model: the content of its ONNX file."""
    chosen = settings or Settings()
    work = Work(chosen.threads, chosen.limits)
    metrics = Metrics(lambda: work.inside)

    @asynccontextmanager
    async def alive(_: FastAPI) -> AsyncIterator[None]:
        yield
        work.close()

    app = FastAPI(
        title="facepoints",
        version=version("facepoints"),
        description="Faces and their keypoints in photos. Nothing that is sent is stored or logged.",
        docs_url=None,  # they would load scripts from elsewhere
        redoc_url=None,
        lifespan=alive,
    )
    install(app)
    locked = [Depends(_Key(chosen.key))] if chosen.key else []
    _add_detection(app, detector, work, locked)
    _add_model(app, detector, model, locked)
    _add_upkeep(app, detector, metrics, chosen.limits, locked)
    add_page(app, detector.keypoints.names)
    if chosen.cors:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(chosen.cors),
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", "X-Request-ID"],
            expose_headers=["X-Request-ID", "Retry-After"],
        )
    return AccessLog(app, metrics, chosen.limits.patience)


def _add_detection(app: FastAPI, detector: Detector, work: Work, locked: Sequence[Any]) -> None:
    limits = work.limits

    @app.post(
        "/v1/faces",
        response_model=metadata.FacesFound,
        responses={200: {"content": metadata.PICTURE}, **described("too-many-pixels", *_OF_WORK)},
        openapi_extra=metadata.IMAGE_BODY,
        dependencies=locked,
    )
    async def faces(request: Request, measures: Switch = None, draw: Literal["png"] | None = None) -> Response:
        """The faces of a photo and their points; `draw=png`: the photo with them drawn on it."""
        measured = measures in ("", "1", "true")
        if measured:
            check_measurable(detector.keypoints)
        place = request.state.until_sent.enter_context(work.place())
        content, name = await read_image(request, limits, place)

        def task(wanted: Wanted) -> tuple[int, Response]:
            photo = decode(content, name, limits)
            found = Detector(detector.network, StoppableFaceDetector(detector.face_detector, wanted)).faces(photo)
            if draw:
                return len(found), picture(photo, found)
            return len(found), JSONResponse({"file": name, "faces": entries(found, measured)})

        request.state.faces, response = await work.do(request.receive, task)
        return response

    @app.post(
        "/v1/points",
        response_model=metadata.PointsFound,
        responses=described(*_OF_WORK),
        openapi_extra=metadata.CROPS_BODY,
        dependencies=locked,
    )
    async def points(request: Request, source: Source = 0) -> Response:
        """The points of crops that are a face each."""
        place = request.state.until_sent.enter_context(work.place())
        content, is_json = await read_crops(request, limits, place)

        def task(wanted: Wanted) -> tuple[int, Response]:
            crops = crops_of(content, is_json)
            found, error = detector.points(crops, source)
            answer = {
                "keypoints": detector.keypoints.names,
                "points": rounded(found),
                "expected_error": rounded(error),
            }
            return len(crops), JSONResponse(answer)

        request.state.faces, response = await work.do(request.receive, task)
        return response


def _add_model(app: FastAPI, detector: Detector, model: bytes, locked: Sequence[Any]) -> None:
    facts = detector.network.facts
    etag = f'"{hashlib.sha256(model).hexdigest()[:32]}"'

    @app.get("/v1/model", response_model=metadata.ModelFacts, responses=described(*_ALWAYS), dependencies=locked)
    async def model_facts() -> Response:
        """What a program must know that runs the model itself."""
        answer = {
            "keypoints": facts.keypoints.names,
            "mirror": facts.keypoints.mirror.tolist(),
            "mean_shape": rounded(facts.mean_shape),
            "mean_error": rounded(facts.mean_error),
            "facts": dict(facts.metadata),
        }
        return JSONResponse(answer)

    @app.get(
        "/v1/model.onnx",
        response_class=Response,
        responses={200: {"content": metadata.MODEL_FILE}, **described(*_ALWAYS)},
        dependencies=locked,
    )
    async def model_file(request: Request) -> Response:
        """The model's file."""
        headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers=headers)
        return in_chunks(model, "application/octet-stream", headers)


def _add_upkeep(app: FastAPI, detector: Detector, metrics: Metrics, limits: Limits, locked: Sequence[Any]) -> None:
    state = {
        "status": "ok",
        "version": app.version,
        "model": Path(detector.network.name).name,
        "keypoints": detector.keypoints.names,
        "limits": asdict(limits),
    }

    @app.get("/health", response_model=metadata.Health)
    async def health() -> Response:
        """The server answers."""
        return JSONResponse(state)

    @app.get(
        "/metrics",
        response_class=PlainTextResponse,
        responses=described(*_ALWAYS),
        dependencies=locked,
    )
    async def figures() -> Response:
        """Figures for Prometheus."""
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    @app.get("/problems", response_model=list[metadata.ProblemKind])
    async def problems() -> Response:
        """Every way in which the server refuses."""
        return JSONResponse(listed())


class _Key(HTTPBearer):
    """Lets through who has the key."""

    def __init__(self, key: str) -> None:
        super().__init__(auto_error=False, description="the server's FACEPOINTS_API_KEY")
        self._key = key.encode()

    async def __call__(self, request: Request) -> None:  # type: ignore[override]  # the key is of no use to a route
        given = await super().__call__(request)
        # compared in a time that does not tell how much of it is right
        if given is None or not hmac.compare_digest(given.credentials.encode("latin-1"), self._key):
            detail = "send the header `Authorization: Bearer KEY` with the key that the server was started with"
            raise Problem("no-key", detail, {"WWW-Authenticate": "Bearer"})

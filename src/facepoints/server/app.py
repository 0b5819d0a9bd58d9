"""The HTTP API: FastAPI on uvicorn, with the base install only. docs/server.md describes it.

POST /v1/faces        a photo -> its faces, as an entry of points.json, or drawn on the photo
POST /v1/points       crops -> points
GET  /v1/model        model metadata; /v1/model.onnx: the file, for programs that run the model themselves
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
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, FastAPI, Query, Request, Response
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse, PlainTextResponse
from fastapi.security import HTTPBearer
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from facepoints.inference.detector import Detector
from facepoints.inference.keypoint_network import cores
from facepoints.inference.measures import check_measurable
from facepoints.server import schemas
from facepoints.server.access_log import AccessLog
from facepoints.server.limits import Limits
from facepoints.server.page import add_page
from facepoints.server.problems import KINDS, PATH, Problem, add_error_handlers, described
from facepoints.server.requests import decode_photo, parse_crops, read_crops, read_form
from facepoints.server.responses import annotated_photo, face_entries, in_chunks, rounded
from facepoints.server.workers import CancelableFaceDetector, IsCanceled, WorkQueue

_UPLOAD_PROBLEMS = described(
    *("malformed", "slow-upload", "too-large", "too-many-pixels", "wrong-type", "unreadable", "bad-parameter"),
    *("busy", "too-long"),
)

Source = Annotated[int, Query(ge=0, le=1, description="annotation source to imitate: 0 for A, 1 for B")]
Switch = Annotated[Literal["", "0", "1", "false", "true"] | None, Query(description="`?measures` alone means true")]


@dataclass(frozen=True)
class Settings:
    """Settings of a server."""

    limits: Limits = field(default_factory=Limits)
    threads: int | None = None
    """photos processed at once; None: one per core"""
    key: str | None = None
    """clients must send `Authorization: Bearer KEY`; None: no key"""
    cors: Sequence[str] = ()
    """origins whose pages may use the API, such as https://example.org"""


def create_app(detector: Detector, model: bytes, settings: Settings | None = None) -> AccessLog:
    """The ASGI app around a detector; model: the content of its ONNX file."""
    settings = settings or Settings()
    queue = WorkQueue(settings.threads or cores(), settings.limits)
    registry = CollectorRegistry()

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        queue.close()

    app = FastAPI(
        title="facepoints",
        version=version("facepoints"),
        description="Faces and their keypoints in photos. Photos and results are neither stored nor logged.",
        docs_url=None,  # its page would load scripts from another site
        redoc_url=None,
        lifespan=lifespan,
    )
    add_error_handlers(app)
    protected = APIRouter(
        dependencies=[Depends(_ApiKey(settings.key))] if settings.key else [], responses=described("no-key", "failed")
    )
    _add_detection(protected, detector, queue)
    _add_model(protected, detector, model)
    _add_monitoring(app, protected, detector, registry, settings.limits)
    app.include_router(protected)
    add_page(app, detector.keypoints.names)
    if settings.cors:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.cors),
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", "X-Request-ID"],
            expose_headers=["X-Request-ID", "Retry-After"],
        )
    return AccessLog(app, registry, lambda: queue.active, settings.limits.client_timeout)


def _add_detection(router: APIRouter, detector: Detector, queue: WorkQueue) -> None:
    @router.post(
        "/v1/faces",
        response_model=schemas.PhotoEntry,
        responses={200: {"content": schemas.PNG}, **_UPLOAD_PROBLEMS},
        openapi_extra=schemas.IMAGE_BODY,
    )
    async def faces(request: Request, measures: Switch = None, draw: Literal["png"] | None = None) -> Response:
        """The faces of a photo and their points; `draw=png`: the photo with them drawn on it."""
        measured = measures in ("", "1", "true")
        if measured:
            check_measurable(detector.keypoints)
        slot = request.state.until_sent.enter_context(queue.slot())
        content, name = await read_form(request, queue.limits, slot)

        def task(is_canceled: IsCanceled) -> tuple[int, Response]:
            photo = decode_photo(content, name, queue.limits)
            cancelable = CancelableFaceDetector(detector.face_detector, is_canceled)
            found = Detector(detector.network, cancelable).faces(photo)
            if draw:
                return len(found), annotated_photo(photo, found)
            return len(found), JSONResponse({"file": name, "faces": face_entries(found, measured)})

        request.state.faces, response = await queue.run(request.receive, task)
        return response

    @router.post(
        "/v1/points",
        response_model=schemas.CropPoints,
        responses=_UPLOAD_PROBLEMS,
        openapi_extra=schemas.CROPS_BODY,
    )
    async def points(request: Request, source: Source = 0) -> Response:
        """The points of crops that contain one face each."""
        slot = request.state.until_sent.enter_context(queue.slot())
        content, is_json = await read_crops(request, queue.limits, slot)

        def task(_: IsCanceled) -> tuple[int, Response]:
            crops = parse_crops(content, is_json)
            found, error = detector.points(crops, source)
            body = {"points": rounded(found), "expected_error": rounded(error)}
            return len(crops), JSONResponse({"keypoints": detector.keypoints.names, **body})

        request.state.faces, response = await queue.run(request.receive, task)
        return response


def _add_model(router: APIRouter, detector: Detector, model: bytes) -> None:
    facts = detector.network.facts
    info = schemas.ModelInfo(
        keypoints=list(facts.keypoints.names),
        mirror=facts.keypoints.mirror.tolist(),
        mean_shape=rounded(facts.mean_shape),
        mean_error=rounded(facts.mean_error),
        metadata=dict(facts.metadata),
    )
    headers = {"ETag": f'"{hashlib.sha256(model).hexdigest()[:32]}"', "Cache-Control": "private, no-cache"}

    @router.get("/v1/model")
    async def model_info() -> schemas.ModelInfo:
        """What a program needs to run the model itself."""
        return info

    @router.get("/v1/model.onnx", response_class=Response, responses={200: {"content": schemas.MODEL_FILE}})
    async def model_file(request: Request) -> Response:
        """The model's ONNX file."""
        if request.headers.get("if-none-match") == headers["ETag"]:
            return Response(status_code=304, headers=headers)
        return in_chunks(model, "application/octet-stream", headers)


def _add_monitoring(
    app: FastAPI, protected: APIRouter, detector: Detector, registry: CollectorRegistry, limits: Limits
) -> None:
    state = schemas.Health(
        status="ok",
        version=app.version,
        model=Path(detector.network.name).name,
        keypoints=list(detector.keypoints.names),
        limits=asdict(limits),
    )

    @app.get("/health")
    async def health() -> schemas.Health:
        """Version, model and limits."""
        return state

    @protected.get("/metrics", response_class=PlainTextResponse)
    async def prometheus_metrics() -> Response:
        """Metrics for Prometheus."""
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    @app.get(PATH)
    async def problems() -> list[schemas.ProblemKind]:
        """Every kind of refusal."""
        return [
            schemas.ProblemKind(type=f"{PATH}#{name}", status=kind.status, title=kind.title)
            for name, kind in KINDS.items()
        ]


class _ApiKey(HTTPBearer):
    """Refuses requests without the key."""

    def __init__(self, key: str) -> None:
        super().__init__(auto_error=False, description="the server's FACEPOINTS_API_KEY")
        self._key = key.encode()

    async def __call__(self, request: Request) -> None:  # type: ignore[override]  # no route uses the key
        given = await super().__call__(request)
        # constant time: the duration must not depend on how many characters are right
        if given is None or not hmac.compare_digest(given.credentials.encode("latin-1"), self._key):
            detail = "send the header `Authorization: Bearer KEY` with the server's key"
            raise Problem("no-key", detail, {"WWW-Authenticate": "Bearer"})

"""What the server says when it refuses: RFC 9457 bodies that name what is wrong, what was expected and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from facepoints.errors import FacepointsError, MissingExtra

MEDIA_TYPE = "application/problem+json"
PLACE = "/problems"
"""Where the server lists all kinds; a problem's `type` points there."""


@dataclass(frozen=True)
class Kind:
    """A kind of problem: its status and its title; the detail is each problem's own."""

    status: int
    title: str


KINDS = {
    "malformed": Kind(400, "The request's body is damaged"),
    "no-key": Kind(401, "This server asks for a key"),
    "not-found": Kind(404, "There is nothing here"),
    "wrong-method": Kind(405, "This address does not take that method"),
    "slow-upload": Kind(408, "The request took too long to arrive"),
    "too-large": Kind(413, "The upload has too many bytes"),
    "too-many-pixels": Kind(413, "The photo has too many pixels"),
    "wrong-type": Kind(415, "This content type is not read here"),
    "unreadable": Kind(422, "The content is not what it should be"),
    "bad-parameter": Kind(422, "A parameter has a value that nobody offers"),
    "failed": Kind(500, "The server has a mistake"),
    "busy": Kind(503, "More work than this server can do at once"),
    "too-long": Kind(503, "The work took too long"),
    "other": Kind(400, "The request cannot be answered"),
}
"""Every way in which the server refuses, by the name that stands in `type` and in the metrics."""

_OF_STATUS = {404: "not-found", 405: "wrong-method", 413: "too-large", 415: "wrong-type"}
_CLIENT_LEFT = 499  # nobody reads the answer; the number, nginx's, is for the log


class Problem(Exception):
    """A refusal: its kind, what to do about it, and headers that belong to it."""

    def __init__(self, kind: str, detail: str, headers: dict[str, str] | None = None, **more: Any) -> None:
        super().__init__(detail)
        self.kind, self.detail, self.headers, self.more = kind, detail, headers, more


def answer(problem: Problem, request: Request, status: int | None = None) -> JSONResponse:
    """The problem as a response; status: where it is another than the kind's."""
    kind = KINDS[problem.kind]
    request.state.refused = problem.kind
    body = {
        "type": f"{PLACE}#{problem.kind}",
        "title": kind.title,
        "status": status or kind.status,
        "detail": problem.detail,
        "request_id": getattr(request.state, "request_id", None),
        **problem.more,
    }
    return JSONResponse(body, status or kind.status, problem.headers, MEDIA_TYPE)


def schema() -> dict[str, Any]:
    """What a problem looks like, as JSON Schema."""
    text = {"type": "string"}
    properties = {
        "type": {**text, "enum": [f"{PLACE}#{kind}" for kind in KINDS]},
        "title": text,
        "status": {"type": "integer"},
        "detail": {**text, "description": "what is wrong, what was expected, what to do"},
        "request_id": {**text, "description": "as in the header X-Request-ID and in the server's log"},
        "errors": {"type": "array", "items": text, "description": "each parameter that is wrong"},
    }
    return {"type": "object", "properties": properties, "required": ["type", "title", "status", "detail", "request_id"]}


def described(*kinds: str) -> dict[int | str, dict[str, Any]]:
    """These kinds as OpenAPI's `responses`."""
    answers: dict[int | str, dict[str, Any]] = {}
    for status in sorted({KINDS[kind].status for kind in kinds}):
        titles = [KINDS[kind].title for kind in kinds if KINDS[kind].status == status]
        answers[status] = {"description": "; ".join(titles), "content": {MEDIA_TYPE: {"schema": schema()}}}
    return answers


def install(app: FastAPI) -> None:
    """Make every error of the app a problem."""

    @app.exception_handler(Problem)
    async def refused(request: Request, error: Problem) -> Response:
        return answer(error, request)

    @app.exception_handler(FacepointsError)
    async def mistaken(request: Request, error: FacepointsError) -> Response:
        kind = "wrong-type" if isinstance(error, MissingExtra) else "unreadable"
        return answer(Problem(kind, str(error)), request)

    @app.exception_handler(RequestValidationError)
    async def unfit(request: Request, error: RequestValidationError) -> Response:
        errors = [f"{'.'.join(map(str, e['loc'][1:]))}: {e['msg']}" for e in error.errors()]
        return answer(Problem("bad-parameter", "; ".join(errors), errors=errors), request)

    @app.exception_handler(HTTPException)
    async def of_the_framework(request: Request, error: HTTPException) -> Response:
        kind = _OF_STATUS.get(error.status_code, "other")
        where = f"{request.method} {request.url.path}"
        detail = {
            "not-found": f"{where}: no such address. /openapi.json describes all of them",
            "wrong-method": f"{where}: not taken here. The header Allow says what is",
        }.get(kind, f"{error.detail}. /openapi.json describes what is expected")
        headers = dict(error.headers) if error.headers else None
        return answer(Problem(kind, detail, headers), request, error.status_code)

    @app.exception_handler(ClientDisconnect)
    async def left(request: Request, error: ClientDisconnect) -> Response:
        return Response(status_code=_CLIENT_LEFT)

    @app.exception_handler(Exception)
    async def failed(request: Request, error: Exception) -> Response:
        number = getattr(request.state, "request_id", "")
        return answer(Problem("failed", f"Please report it, with line {number} of the server's log"), request)


def listed() -> list[dict[str, Any]]:
    """All kinds, for people who look up a problem's `type`."""
    return [
        {
            "type": f"{PLACE}#{name}",
            "status": kind.status,
            "phrase": HTTPStatus(kind.status).phrase,
            "title": kind.title,
        }
        for name, kind in KINDS.items()
    ]

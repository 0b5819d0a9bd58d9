"""Error responses: RFC 9457 bodies that say what is wrong, what was expected and what to do."""

from __future__ import annotations

from typing import Any, NamedTuple

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from facepoints.errors import FacepointsError, MissingExtra

MEDIA_TYPE = "application/problem+json"
PATH = "/problems"
"""The address that lists all kinds; a problem's `type` points there."""


class Kind(NamedTuple):
    """Status and title of a kind of problem."""

    status: int
    title: str


KINDS = {
    "malformed": Kind(400, "The request body is malformed"),
    "no-key": Kind(401, "A valid API key is required"),
    "not-found": Kind(404, "Not found"),
    "wrong-method": Kind(405, "Method not allowed"),
    "slow-upload": Kind(408, "The upload took too long"),
    "too-large": Kind(413, "The upload has too many bytes"),
    "too-many-pixels": Kind(413, "The photo has too many pixels"),
    "wrong-type": Kind(415, "Unsupported content type"),
    "unreadable": Kind(422, "The content cannot be read"),
    "bad-parameter": Kind(422, "Unsupported parameter value"),
    "failed": Kind(500, "Internal server error"),
    "busy": Kind(503, "The server is busy"),
    "too-long": Kind(503, "Processing took too long"),
    "other": Kind(400, "The request was rejected"),
}
"""Every kind of refusal, by its name in `type` and in the metrics."""

_KIND_OF_STATUS = {404: "not-found", 405: "wrong-method", 413: "too-large", 415: "wrong-type"}
_CLIENT_LEFT = 499  # nginx's number, for the access log: no client receives it


class ProblemDetails(BaseModel):
    """The JSON body of an error response."""

    type: str = Field(json_schema_extra={"enum": [f"{PATH}#{kind}" for kind in KINDS]})
    title: str
    status: int
    detail: str = Field(description="what is wrong, what was expected, what to do")
    request_id: str = Field(description="as in the header X-Request-ID and in the server's log")
    errors: list[str] = Field([], description="each wrong parameter")


class Problem(Exception):
    """Refuses a request: kind, detail, and response headers that belong to it."""

    def __init__(self, kind: str, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.kind, self.detail, self.headers = kind, detail, headers


def described(*kinds: str) -> dict[int | str, dict[str, Any]]:
    """These kinds as OpenAPI's `responses`."""
    content = {MEDIA_TYPE: {"schema": ProblemDetails.model_json_schema()}}
    titles: dict[int | str, list[str]] = {}
    for kind in kinds:
        titles.setdefault(KINDS[kind].status, []).append(KINDS[kind].title)
    return {status: {"description": "; ".join(own), "content": content} for status, own in titles.items()}


def add_error_handlers(app: FastAPI) -> None:
    """Turn every error of the app into a problem response."""

    @app.exception_handler(Problem)
    async def refused(request: Request, error: Problem) -> Response:
        return _response(request, error)

    @app.exception_handler(FacepointsError)
    async def unreadable(request: Request, error: FacepointsError) -> Response:
        return _response(
            request, Problem("wrong-type" if isinstance(error, MissingExtra) else "unreadable", str(error))
        )

    @app.exception_handler(RequestValidationError)
    async def bad_parameter(request: Request, error: RequestValidationError) -> Response:
        errors = [f"{'.'.join(map(str, e['loc'][1:]))}: {e['msg']}" for e in error.errors()]
        return _response(request, Problem("bad-parameter", "; ".join(errors)), errors=errors)

    @app.exception_handler(HTTPException)
    async def of_the_framework(request: Request, error: HTTPException) -> Response:
        kind = _KIND_OF_STATUS.get(error.status_code, "other")
        where = f"{request.method} {request.url.path}"
        detail = {
            "not-found": f"{where}: no such address. /openapi.json describes all addresses",
            "wrong-method": f"{where}: method not allowed. The Allow header lists the allowed methods",
        }.get(kind, f"{error.detail}. /openapi.json describes what is expected")
        problem = Problem(kind, detail, dict(error.headers) if error.headers else None)
        return _response(request, problem, status=error.status_code)

    @app.exception_handler(ClientDisconnect)
    async def left(request: Request, error: ClientDisconnect) -> Response:
        return Response(status_code=_CLIENT_LEFT)

    @app.exception_handler(Exception)
    async def failed(request: Request, error: Exception) -> Response:
        detail = f"Please report it, with the lines of the server's log that have request_id {_request_id(request)}"
        return _response(request, Problem("failed", detail))


def _response(request: Request, problem: Problem, **changes: Any) -> Response:
    request.state.refused = problem.kind
    status, title = KINDS[problem.kind]
    details: dict[str, Any] = {"type": f"{PATH}#{problem.kind}", "title": title, "status": status}
    details |= {"detail": problem.detail, "request_id": _request_id(request), **changes}
    return JSONResponse(details, details["status"], problem.headers, MEDIA_TYPE)


def _request_id(request: Request) -> str:
    return getattr(request.state, "request_id", "")

"""Responses match the OpenAPI description, which schemathesis turns into requests."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from facepoints.server.app import Settings
from facepoints.server.problems import KINDS, PATH

OPERATIONS = [
    ("POST", "/v1/faces"),
    ("POST", "/v1/points"),
    *(("GET", path) for path in ("/v1/model", "/v1/model.onnx", "/health", "/metrics", "/problems")),
]

# GET requests have no invalid input
CASES = [(*operation, GenerationMode.POSITIVE) for operation in OPERATIONS]
CASES += [(*operation, GenerationMode.NEGATIVE) for operation in OPERATIONS if operation[0] == "POST"]


@pytest.fixture(scope="module")
def described(running: Callable[..., Any]) -> Iterator[Any]:
    with running(Settings(key="key")) as client:
        yield schemathesis.openapi.from_url(str(client.base_url.join("/openapi.json")))


def test_every_address_is_described(described: Any) -> None:
    paths = described.raw_schema["paths"]
    assert {(method.upper(), path) for path, methods in paths.items() for method in methods} == set(OPERATIONS)
    refusals = {"400", "401", "408", "413", "415", "422", "500", "503"}
    assert set(paths["/v1/faces"]["post"]["responses"]) == {"200", *refusals}


@pytest.mark.parametrize(("method", "path", "mode"), CASES)
def test_every_answer_is_as_described(described: Any, method: str, path: str, mode: GenerationMode) -> None:
    operation = described[path][method]

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=8 if method == "POST" else 1,
        phases=[Phase.generate],  # a finding is told as it is: making it smaller takes minutes
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    def holds(case: schemathesis.Case[Any]) -> None:
        # bytes fit the description whatever they are, but hardly any are a photo
        case.call_and_validate(headers={"Authorization": "Bearer key"}, excluded_checks=[positive_data_acceptance])

    holds()


def test_the_documentation_lists_all_addresses_problems_and_metrics(running: Callable[..., Any]) -> None:
    metadata = (Path(__file__).parents[2] / "docs" / "server.md").read_text("utf-8")
    assert [path for _, path in OPERATIONS if f" {path}" not in metadata] == []
    assert [kind for kind, what in KINDS.items() if f"| `{PATH}#{kind}` | {str(what.status)[0]}" not in metadata] == []
    with running() as client:
        metrics = re.findall(r"^# TYPE (facepoints_\w+)", client.get("/metrics").text, re.MULTILINE)
    assert [name for name in metrics if not name.endswith("_created") and name not in metadata] == []

"""The server returns the library's results, requires its key, and logs no content."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable
from typing import Any

import cv2
import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

from facepoints import Detector
from facepoints.errors import BadChoice
from facepoints.inference.batch.result_files import as_json
from facepoints.inference.measures import COLUMNS
from facepoints.server.app import Settings
from facepoints.server.limits import Limits
from facepoints.server.problems import KINDS

NPY = {"content-type": "application/x-npy"}


@pytest.fixture(scope="module")
def photo(anna: Any, png: Callable[[NDArray[np.uint8]], bytes]) -> bytes:
    return png(anna.pixels)


@pytest.fixture(scope="module")
def crops() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (3, 96, 96), np.uint8)


def npy(array: NDArray[Any]) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def image(content: bytes, name: str = "me.png") -> dict[str, Any]:
    return {"files": {"image": (name, content, "image/png")}}


# responses


def test_a_photo_is_answered_as_the_library_does(
    client: httpx.Client, photo: bytes, anna: Any, detector: Detector
) -> None:
    answer = client.post("/v1/faces", **image(photo))
    assert answer.status_code == 200
    expected = [as_json(face) for face in detector.faces(anna.pixels)]
    assert len(expected) == 1
    assert answer.json() == {"file": "me.png", "faces": json.loads(json.dumps(expected))}


@pytest.mark.parametrize(("query", "there"), [("?measures", True), ("?measures=true", True), ("?measures=0", False)])
def test_measures_come_when_asked_for(client: httpx.Client, photo: bytes, query: str, there: bool) -> None:
    (face,) = client.post("/v1/faces" + query, **image(photo)).json()["faces"]
    assert tuple(face.get("measures", ())) == (COLUMNS if there else ())


def test_the_photo_comes_back_with_its_faces_drawn(client: httpx.Client, photo: bytes, anna: Any) -> None:
    answer = client.post("/v1/faces?draw=png", **image(photo))
    assert (answer.headers["content-type"], answer.headers["x-faces"]) == ("image/png", "1")
    drawn = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR)
    assert drawn is not None
    factor = drawn.shape[0] // anna.pixels.shape[0]
    x, y = np.rint(factor * (anna.points[0] + 0.5) - 0.5).astype(int)
    around = drawn[y - 15 : y + 16, x - 15 : x + 16].astype(int)
    assert np.ptp(around, axis=2).max() > 60, "a gray photo has colored dots now"


@pytest.mark.parametrize("source", [0, 1])
def test_crops_are_answered_as_the_library_does(
    client: httpx.Client, crops: NDArray[np.uint8], detector: Detector, source: int
) -> None:
    points, error = detector.points(crops, source)
    where = f"/v1/points?source={source}"
    answer = client.post(where, content=npy(crops), headers=NPY).json()
    np.testing.assert_allclose(answer["points"], points, atol=1e-3)
    np.testing.assert_allclose(answer["expected_error"], error, atol=1e-3)
    assert answer["keypoints"] == list(detector.keypoints.names)
    assert client.post(where, content=npy(np.asfortranarray(crops)), headers=NPY).json() == answer
    assert client.post(where, json={"crops": crops.tolist()}).json() == answer


def test_no_crops_are_no_points(client: httpx.Client) -> None:
    as_npy: dict[str, Any] = {"content": npy(np.zeros((0, 96, 96), np.uint8)), "headers": NPY}
    as_list: dict[str, Any] = {"json": {"crops": []}}
    for body in (as_npy, as_list):
        answer = client.post("/v1/points", **body)
        assert (answer.status_code, answer.json()["points"]) == (200, [])


def test_programs_get_the_model(client: httpx.Client, model: bytes, detector: Detector) -> None:
    file = client.get("/v1/model.onnx")
    assert file.content == model
    assert client.get("/v1/model.onnx", headers={"if-none-match": file.headers["etag"]}).status_code == 304
    facts = client.get("/v1/model").json()
    assert facts["mirror"] == detector.keypoints.mirror.tolist()
    np.testing.assert_allclose(facts["mean_shape"], detector.network.facts.mean_shape, atol=1e-3)


def test_health_metrics_and_problems_are_there(client: httpx.Client, photo: bytes) -> None:
    assert client.get("/health").json()["limits"]["photo_pixels"] == 1_000_000
    before = sample(client, "facepoints_faces_total")
    client.post("/v1/faces", **image(photo))
    assert sample(client, "facepoints_faces_total") == before + 1
    assert sample(client, 'facepoints_requests_total{method="POST",route="/v1/faces",status="200"}') > 0
    assert {problem["type"] for problem in client.get("/problems").json()} == {f"/problems#{kind}" for kind in KINDS}


def sample(client: httpx.Client, name: str) -> float:
    found = [line for line in client.get("/metrics").text.splitlines() if line.startswith(name)]
    return float(found[0].split()[-1]) if found else 0.0


# log


def test_the_log_has_the_request_and_nothing_of_the_photo(
    client: httpx.Client, photo: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "facepoints.server"):
        answer = client.post("/v1/faces", headers={"x-request-id": "mine-1"}, **image(photo, "secret.png"))
    assert answer.headers["x-request-id"] == "mine-1"
    (fields,) = [
        vars(record)["fields"] for record in caplog.records if vars(record)["fields"]["request_id"] == "mine-1"
    ]
    assert set(fields) == {
        *("request_id", "method", "path", "status", "ms", "bytes_in", "bytes_out", "faces", "client")
    }
    assert "secret" not in caplog.text
    assert (fields["status"], fields["faces"], fields["bytes_in"] > len(photo)) == (200, 1, True)


def test_an_id_that_could_forge_a_line_of_the_log_is_replaced(client: httpx.Client) -> None:
    for bad in ('"}{"', "a b", "x" * 65):
        assert client.get("/health", headers={"x-request-id": bad}).headers["x-request-id"] != bad


# access


def test_a_key_is_required_where_one_is_set(running: Callable[..., Any], blank: bytes) -> None:
    with running(Settings(key="open-sesame")) as client:
        for given in ({}, {"authorization": "Bearer no"}, {"authorization": "Basic open-sesame"}):
            for method, path in (("POST", "/v1/faces"), ("GET", "/v1/model.onnx"), ("GET", "/metrics")):
                answer = client.request(method, path, headers=given)
                assert (answer.status_code, answer.json()["type"]) == (401, "/problems#no-key")
                assert answer.headers["www-authenticate"] == "Bearer"
        right = {"authorization": "Bearer open-sesame"}
        assert client.post("/v1/faces", headers=right, **image(blank)).status_code == 200
        assert client.get("/health").status_code == 200
        assert client.get("/openapi.json").json()["components"]["securitySchemes"]


def test_other_origins_need_cors(running: Callable[..., Any], client: httpx.Client) -> None:
    asks = {"origin": "https://example.org", "access-control-request-method": "POST"}
    assert "access-control-allow-origin" not in client.get("/health", headers=asks).headers
    with running(Settings(cors=["https://example.org"])) as open_one:
        assert open_one.options("/v1/faces", headers=asks).headers["access-control-allow-origin"] == asks["origin"]
        other = open_one.get("/health", headers={"origin": "https://example.com"})
        assert "access-control-allow-origin" not in other.headers


@pytest.mark.parametrize(
    "limits", [{"upload_bytes": 0}, {"request_timeout": -1}, {"client_timeout": float("nan")}, {"queue_size": -1}]
)
def test_limits_are_positive(limits: dict[str, float]) -> None:
    with pytest.raises(BadChoice, match="expected at least"):
        Limits(**limits)  # type: ignore[arg-type]

"""Request and response bodies, for the OpenAPI description."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, Field

XY = Annotated[list[float], Field(min_length=2, max_length=2)]
Gray = Annotated[int, Field(ge=0, le=255)]


class FaceEntry(BaseModel):
    """A face, in pixels of the photo as displayed; pixel centers are whole numbers."""

    box: list[float] = Field(min_length=4, max_length=4, description="x, y, w, h of the network's square input region")
    score: float = Field(ge=0, le=1, description="probability that this is a face")
    points: dict[str, XY] = Field(description="x, y of each keypoint")
    expected_error: dict[str, float] = Field(description="expected error of each coordinate, px")
    measures: dict[str, float | None] | None = Field(
        default=None, description="with ?measures: head pose, mouth and brows, each with its standard error"
    )


class PhotoEntry(BaseModel):
    """An entry of points.json, as `facepoints predict` writes it."""

    file: str = Field(description="the upload's file name, without folders")
    faces: list[FaceEntry] = Field(description="largest first")


class CropPoints(BaseModel):
    """Points of n crops, px of the crop."""

    keypoints: list[str]
    points: list[list[XY]] = Field(description="(n, k, 2)")
    expected_error: list[list[float]] = Field(description="(n, k)")


class Health(BaseModel):
    """Version, model and limits of a running server."""

    status: str
    version: str
    model: str
    keypoints: list[str]
    limits: dict[str, float] = Field(description="bytes, pixels, seconds and requests: see docs/server.md")


class ModelInfo(BaseModel):
    """What a program needs to run the model itself, with the file of /v1/model.onnx."""

    keypoints: list[str]
    mirror: list[int] = Field(description="for each keypoint the index of its partner in a mirrored face")
    mean_shape: list[list[XY]] = Field(description="(source, k, 2): mean position of each point, px of a 96 x 96 crop")
    mean_error: list[list[float]] = Field(description="(source, k): px of the crop")
    metadata: dict[str, Any] = Field(description="the model file's metadata")


class ProblemKind(BaseModel):
    """A kind of refusal."""

    type: str
    status: int
    title: str


class ImageForm(BaseModel):
    """Form with a photo: JPEG, PNG, WebP, AVIF, TIFF, GIF, BMP, JPEG 2000 or PNM."""

    image: bytes = Field(json_schema_extra={"type": "string", "format": "binary"})


class Crops(BaseModel):
    """n crops, each 96 rows of 96 gray levels."""

    crops: list[list[list[Gray]]]


_NPY = {"type": "string", "format": "binary", "description": "a NumPy .npy file: uint8 (n, 96, 96)"}


def _body(**schemas: Any) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {kind: {"schema": own} for kind, own in schemas.items()}}}


IMAGE_BODY = _body(**{"multipart/form-data": ImageForm.model_json_schema()})
CROPS_BODY = _body(
    **{"application/octet-stream": _NPY, "application/x-npy": _NPY, "application/json": Crops.model_json_schema()}
)
PNG = {"image/png": {"schema": {"type": "string", "format": "binary"}}}
MODEL_FILE = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}

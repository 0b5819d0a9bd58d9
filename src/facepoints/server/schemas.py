"""What the server's answers look like, for its OpenAPI description. Answers themselves are written as they are."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, Field

XY = Annotated[list[float], Field(min_length=2, max_length=2)]


class FaceFound(BaseModel):
    """A face, in pixels of the photo as a person sees it; pixel centers are whole numbers."""

    box: list[float] = Field(min_length=4, max_length=4, description="x, y, w, h of the square that the network saw")
    score: float = Field(ge=0, le=1, description="how likely this is a face")
    points: dict[str, XY] = Field(description="x, y of each keypoint")
    expected_error: dict[str, float] = Field(description="what each coordinate is expected to be off, px")
    measures: dict[str, float | None] | None = Field(
        default=None, description="with ?measures: how the head is held, mouth, brows; each with its standard error"
    )


class FacesFound(BaseModel):
    """An entry of points.json, as `facepoints predict` writes it."""

    file: str = Field(description="the upload's name, without folders")
    faces: list[FaceFound] = Field(description="the largest first")


class PointsFound(BaseModel):
    """The points of n crops, px of the crop."""

    keypoints: list[str]
    points: list[list[XY]] = Field(description="(n, k, 2)")
    expected_error: list[list[float]] = Field(description="(n, k)")


class Health(BaseModel):
    """The server answers; this is what it is."""

    status: str
    version: str
    model: str
    keypoints: list[str]
    limits: dict[str, float] = Field(description="bytes, pixels, seconds and requests: see docs/server.md")


class ModelFacts(BaseModel):
    """What a program needs that runs the model itself, with the file of /v1/model.onnx."""

    keypoints: list[str]
    mirror: list[int] = Field(description="for each keypoint its partner in a mirrored face")
    mean_shape: list[list[XY]] = Field(
        description="(source, k, 2): where each point usually lies, px of a crop of 96 x 96"
    )
    mean_error: list[list[float]] = Field(description="(source, k): px of the crop")
    facts: dict[str, Any] = Field(description="what the file says of itself")


class ProblemKind(BaseModel):
    """A way in which the server refuses."""

    type: str
    status: int
    phrase: str
    title: str


IMAGE_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["image"],
                    "properties": {
                        "image": {
                            "type": "string",
                            "format": "binary",
                            "description": "a photo: JPEG, PNG, WebP, AVIF, TIFF, GIF, BMP, JPEG 2000 or PNM",
                        }
                    },
                }
            }
        },
    }
}

CROPS_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            **{
                kind: {
                    "schema": {
                        "type": "string",
                        "format": "binary",
                        "description": "a NumPy .npy file: uint8 (n, 96, 96)",
                    }
                }
                for kind in ("application/octet-stream", "application/x-npy")
            },
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["crops"],
                    "properties": {
                        "crops": {
                            "type": "array",
                            "description": "n crops, each 96 rows of 96 grey levels from 0 to 255",
                            "items": {
                                "type": "array",
                                "items": {
                                    "type": "array",
                                    "items": {"type": "integer", "minimum": 0, "maximum": 255},
                                },
                            },
                        }
                    },
                }
            },
        },
    }
}

PICTURE: dict[str, Any] = {"image/png": {"schema": {"type": "string", "format": "binary"}}}
MODEL_FILE: dict[str, Any] = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}

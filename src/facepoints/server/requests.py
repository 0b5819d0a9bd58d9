"""Read and validate request bodies, in memory only and never beyond the limits."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import PurePosixPath
from tokenize import TokenError
from typing import Any

import numpy as np
from fastapi import Request
from numpy.typing import NDArray
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from facepoints.data.images import Photo, decode_image
from facepoints.keypoints import FACE_SIZE
from facepoints.server.limits import Limits
from facepoints.server.problems import Problem
from facepoints.server.workers import Slot

FORM = "multipart/form-data"
NPY = ("application/octet-stream", "application/x-npy")
JSON = "application/json"

_FORM_OVERHEAD = 16_384  # bytes of a form besides its file
_LONGEST_NAME = 200  # characters of a file name in the response
_MOST_ELONGATED = 8  # rotating a photo by 35 degrees to detect faces takes memory for its longer side squared
_CROPS = "uint8 of shape (n, 96, 96)"


async def read_form(request: Request, limits: Limits, slot: Slot) -> tuple[bytes, str]:
    """Content and name, without folders, of the file in the form's field `image`."""
    if _media_type(request) != FORM:
        raise _wrong_type(request, f"{FORM} with the photo in the field 'image'")
    parser = MultiPartParser(request.headers, _chunks(request, limits, slot, _FORM_OVERHEAD), max_files=1, max_fields=8)
    parser.spool_max_size = limits.upload_bytes + _FORM_OVERHEAD  # never written to disk
    async with _deadline(limits):
        try:
            form = await parser.parse()
        except MultiPartException as error:
            raise Problem("malformed", f"{error.message} Expected one file in the field 'image'") from error
    try:
        image = form.get("image")
        if not isinstance(image, UploadFile):
            fields = ", ".join(repr(name[:40]) for name in form) or "none"
            raise Problem("unreadable", f"no file in the form's field 'image'; fields received: {fields}")
        content = await image.read()
    finally:
        await form.close()
    if len(content) > limits.upload_bytes:
        raise _too_large(limits)
    return content, PurePosixPath((image.filename or "").replace("\\", "/")).name[:_LONGEST_NAME] or "photo"


async def read_crops(request: Request, limits: Limits, slot: Slot) -> tuple[bytes, bool]:
    """The body, and whether it is JSON. `parse_crops` parses it, in a worker thread."""
    kind = _media_type(request)
    if kind not in (*NPY, JSON):
        raise _wrong_type(request, f"{' or '.join(NPY)} with a .npy file of {_CROPS}, or {JSON}")
    async with _deadline(limits):
        content = b"".join([chunk async for chunk in _chunks(request, limits, slot, overhead=0)])
    if not content:
        raise Problem("malformed", f"the body is empty, expected crops: {_CROPS}")
    return content, kind == JSON


def decode_photo(content: bytes, name: str, limits: Limits) -> Photo:
    """The photo; raises Problem or BadFile. The limits apply to the size in the header, before decoding."""

    def check(width: int, height: int) -> None:
        size = f"{name}: the photo is {width:,} x {height:,} px"
        if width * height > limits.photo_pixels:
            most = f"{limits.photo_pixels / 1e6:g} megapixels"
            raise Problem("too-many-pixels", f"{size}, more than {most}. Send a smaller photo")
        if max(width, height) > _MOST_ELONGATED * min(width, height):
            raise Problem("unreadable", f"{size}, more than {_MOST_ELONGATED} times as long as wide. Crop it")

    return decode_image(content, name, check)


def parse_crops(content: bytes, is_json: bool) -> NDArray[np.uint8]:
    """Crops uint8 (n, 96, 96) of a body; raises Problem. Pickled objects are never loaded."""
    return _crops_of_json(content) if is_json else _crops_of_npy(content)


async def _chunks(request: Request, limits: Limits, slot: Slot, overhead: int) -> AsyncGenerator[bytes, None]:
    """The body as it arrives; raises Problem as soon as it exceeds the upload limit by more than `overhead` bytes."""
    most = limits.upload_bytes + overhead
    length = request.headers.get("content-length", "")
    if length.isdecimal() and (len(length) > 18 or int(length) > most):
        raise _too_large(limits)
    total = 0
    async for chunk in request.stream():
        total += len(chunk)
        if total > most:
            raise _too_large(limits)
        slot.reserve(len(chunk))
        yield chunk


@asynccontextmanager
async def _deadline(limits: Limits) -> AsyncIterator[None]:
    """Raises Problem where the body does not arrive within the client timeout."""
    try:
        async with asyncio.timeout(limits.client_timeout):
            yield
    except TimeoutError:
        slow = f"the request body did not arrive within {limits.client_timeout:g} s"
        raise Problem("slow-upload", f"{slow}. Send a smaller photo", {"Connection": "close"}) from None


def _crops_of_npy(content: bytes) -> NDArray[np.uint8]:
    file = io.BytesIO(content)
    try:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read(file)
    except (ValueError, TypeError, SyntaxError, TokenError, EOFError, MemoryError, RecursionError) as error:
        raise Problem("malformed", f"not a .npy file, or damaged ({_line(error)}), expected {_CROPS}") from error
    if dtype != np.uint8 or shape[1:] != (FACE_SIZE, FACE_SIZE):
        raise _wrong_crops(f"the array is {str(dtype)[:40]} of shape {str(shape)[:40]}")
    pixels = np.frombuffer(content, np.uint8, offset=file.tell())
    if pixels.size != shape[0] * FACE_SIZE**2:  # the header may claim terabytes
        raise Problem("malformed", f"the .npy file holds {pixels.size:,} bytes of pixels, its header says {shape}")
    return np.ascontiguousarray(pixels.reshape(shape, order="F" if fortran else "C"))


def _crops_of_json(content: bytes) -> NDArray[np.uint8]:
    try:
        body: Any = json.loads(content)
    except (ValueError, RecursionError) as error:  # ValueError: also for invalid UTF-8
        raise Problem("malformed", f"the body is not JSON ({_line(error)})") from error
    if not isinstance(body, dict) or not isinstance(body.get("crops"), list):
        raise _wrong_crops('the body is not {"crops": [...]}')
    try:
        crops = np.array(body["crops"] or np.zeros((0, FACE_SIZE, FACE_SIZE), np.int64))
    except (ValueError, OverflowError, RecursionError):
        raise _wrong_crops("the crops' rows differ in length") from None
    if crops.dtype != np.int64 or crops.shape[1:] != (FACE_SIZE, FACE_SIZE):
        raise _wrong_crops(f"the crops are {str(crops.dtype)[:40]} of shape {str(crops.shape)[:40]}")
    if crops.size and not 0 <= crops.min() <= crops.max() <= 255:
        raise _wrong_crops(f"the crops' values run from {crops.min()} to {crops.max()}")
    return crops.astype(np.uint8)


def _wrong_crops(what: str) -> Problem:
    return Problem("unreadable", f"{what}, expected {_CROPS}: whole numbers from 0 to 255, row by row")


def _too_large(limits: Limits) -> Problem:
    most = f"{limits.upload_bytes / 1e6:g} MB"
    return Problem("too-large", f"the upload has more than {most}. Send a smaller photo, or fewer crops")


def _wrong_type(request: Request, expected: str) -> Problem:
    sent = request.headers.get("content-type", "none")[:80]
    return Problem("wrong-type", f"the content type is {sent}, expected {expected}")


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__

"""What clients send, read with suspicion: a photo or crops, in memory only, never more than the limits allow."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncGenerator, Awaitable
from pathlib import PurePosixPath
from tokenize import TokenError
from typing import Any, NoReturn, TypeVar

import numpy as np
from fastapi import Request
from numpy.typing import NDArray
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from facepoints.data.images import Photo, decode_image
from facepoints.keypoints import FACE_SIZE
from facepoints.server.limits import Limits
from facepoints.server.problems import Problem
from facepoints.server.workers import Place

T = TypeVar("T")

FORM = "multipart/form-data"
NPY = ("application/octet-stream", "application/x-npy")
JSON = "application/json"

_WRAPPING = 16_384  # bytes of a form that are not its file
_NAME = 200  # characters of a file's name that are given back
_SLIMMEST = 8  # a photo that is turned by 35 degrees to look for faces needs room as its longer side squared
_WORDS = "uint8 of shape (n, 96, 96)"


async def read_image(request: Request, limits: Limits, place: Place) -> tuple[bytes, str]:
    """The file in the form's field `image`, and its name without folders."""
    if _media_type(request) != FORM:
        raise _wrong_type(request, f"{FORM} with the photo in the field 'image'")

    async def parsed() -> tuple[bytes, str]:
        parser = MultiPartParser(request.headers, _arriving(request, limits, place), max_files=1, max_fields=8)
        parser.spool_max_size = limits.upload + _WRAPPING  # a photo never touches the disk
        try:
            form = await parser.parse()
        except MultiPartException as error:
            raise Problem("malformed", f"{error.message} Expected one file in the field 'image'") from error
        try:
            image = form.get("image")
            if not isinstance(image, UploadFile):
                sent = ", ".join(repr(name[:40]) for name in form) or "none"
                raise Problem("unreadable", f"no file in the form's field 'image'; fields that came: {sent}")
            return await image.read(), _without_folders(image.filename)
        finally:
            await form.close()

    content, name = await _in_time(parsed(), limits)
    if len(content) > limits.upload:
        raise _too_large(limits)
    return content, name


async def read_crops(request: Request, limits: Limits, place: Place) -> tuple[bytes, bool]:
    """The body, and whether it is JSON: it is parsed in a thread, by `crops_of`."""
    kind = _media_type(request)
    if kind not in (*NPY, JSON):
        raise _wrong_type(request, f"{' or '.join(NPY)} with a .npy file of {_WORDS}, or {JSON}")

    async def joined() -> bytes:
        return b"".join([chunk async for chunk in _arriving(request, limits, place)])

    content = await _in_time(joined(), limits)
    if len(content) > limits.upload:
        raise _too_large(limits)
    if not content:
        raise Problem("malformed", f"the body is empty, expected crops: {_WORDS}")
    return content, kind == JSON


def decode(content: bytes, name: str, limits: Limits) -> Photo:
    """The photo; raises Problem or BadFile. The limits apply to the size in the header, before decoding."""

    def check(width: int, height: int) -> None:
        size = f"{name}: the photo is {width:,} x {height:,} px"
        if width * height > limits.pixels:
            raise Problem("too-many-pixels", f"{size}, more than {limits.megapixels}. Make it smaller")
        if max(width, height) > _SLIMMEST * min(width, height):
            raise Problem("unreadable", f"{size}, more than {_SLIMMEST} times as long as wide. Cut it")

    return decode_image(content, name, check)


def crops_of(content: bytes, is_json: bool) -> NDArray[np.uint8]:
    """Crops uint8 (n, 96, 96) of a body; raises Problem. Nothing that it could run is ever unpickled."""
    return _of_json(content) if is_json else _of_npy(content)


async def _arriving(request: Request, limits: Limits, place: Place) -> AsyncGenerator[bytes, None]:
    """The body as it comes, until it is too much."""
    most = limits.upload + _WRAPPING
    length = request.headers.get("content-length", "")
    if length.isdecimal() and (len(length) > 18 or int(length) > most):
        raise _too_large(limits)
    total = 0
    async for chunk in request.stream():
        total += len(chunk)
        if total > most:
            raise _too_large(limits)
        place.hold(len(chunk))
        yield chunk


async def _in_time(reading: Awaitable[T], limits: Limits) -> T:
    try:
        async with asyncio.timeout(limits.patience):
            return await reading
    except TimeoutError:
        slow = f"the request had not arrived after {limits.patience:g} s"
        raise Problem("slow-upload", f"{slow}. Send a smaller photo", {"Connection": "close"}) from None


def _of_npy(content: bytes) -> NDArray[np.uint8]:
    file = io.BytesIO(content)
    try:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(file)
    except (ValueError, TypeError, SyntaxError, TokenError, EOFError, MemoryError, RecursionError) as error:
        raise Problem("malformed", f"no .npy file, or damaged ({_line(error)}), expected one of {_WORDS}") from error
    if dtype != np.uint8 or shape[1:] != (FACE_SIZE, FACE_SIZE):
        _unfit(f"the array is {str(dtype)[:40]} of shape {str(shape)[:40]}")
    there = len(content) - file.tell()
    if there != shape[0] * FACE_SIZE**2:  # looked at first: the header may claim terabytes
        raise Problem("malformed", f"the .npy file holds {there:,} bytes of pixels, its header says {shape}")
    file.seek(0)
    crops: NDArray[np.uint8] = np.load(file, allow_pickle=False)
    return np.ascontiguousarray(crops)


def _of_json(content: bytes) -> NDArray[np.uint8]:
    try:
        body: Any = json.loads(content)
    except (ValueError, RecursionError) as error:  # ValueError: also what is no UTF-8
        raise Problem("malformed", f"the body is no JSON ({_line(error)})") from error
    if not isinstance(body, dict) or not isinstance(body.get("crops"), list):
        _unfit('the body is not {"crops": [...]}')
    try:
        crops = np.array(body["crops"] or np.zeros((0, FACE_SIZE, FACE_SIZE), np.int64))
    except (ValueError, OverflowError, RecursionError):
        _unfit("the crops' rows differ in length")
    if crops.dtype != np.int64 or crops.shape[1:] != (FACE_SIZE, FACE_SIZE):
        _unfit(f"the crops are {str(crops.dtype)[:40]} of shape {str(crops.shape)[:40]}")
    if crops.size and not 0 <= crops.min() <= crops.max() <= 255:
        _unfit(f"the crops' values run from {crops.min()} to {crops.max()}")
    return crops.astype(np.uint8)


def _unfit(what: str) -> NoReturn:
    raise Problem("unreadable", f"{what}, expected {_WORDS}: whole numbers from 0 to 255, row by row")


def _too_large(limits: Limits) -> Problem:
    return Problem("too-large", f"more than {limits.megabytes} were sent. Make the photo smaller, or send fewer crops")


def _wrong_type(request: Request, wanted: str) -> Problem:
    got = request.headers.get("content-type", "none")[:80]
    return Problem("wrong-type", f"the content type is {got}, expected {wanted}")


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _without_folders(name: str | None) -> str:
    return PurePosixPath((name or "").replace("\\", "/")).name[:_NAME] or "photo"


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__

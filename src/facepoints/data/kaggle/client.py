"""A thin layer over Kaggle's official client: its calls without its prints, its errors as one line."""

from __future__ import annotations

import importlib
import importlib.util
import io
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from facepoints.errors import BadFile, FacepointsError, KaggleError, MissingExtra

COMPETITION = "facial-keypoints-detection"

_SETTINGS = "https://www.kaggle.com/settings"
_NO_KEY = (
    f"no valid Kaggle key. Sign in at {_SETTINGS}, under API choose Generate New Token, and put it into the file "
    "~/.kaggle/access_token (then: chmod 600 ~/.kaggle/access_token) or into the environment variable "
    "KAGGLE_API_TOKEN. A legacy key works too: kaggle.json in ~/.kaggle, or KAGGLE_USERNAME and KAGGLE_KEY"
)

T = TypeVar("T")


@dataclass(frozen=True)
class Submission:
    """One entry of the user's list of submissions; scores are None until scored."""

    ref: int
    message: str
    status: str
    """pending, complete or error"""
    public_score: float | None
    private_score: float | None
    fault: str
    """why it could not be scored, or empty"""


class KaggleClient:
    """The official client for one competition, signed in."""

    def __init__(self, competition: str) -> None:
        """Sign in; raises MissingExtra without the client and KaggleError without a valid key."""
        self.competition, self.page = competition, f"https://www.kaggle.com/competitions/{competition}"
        if importlib.util.find_spec("kaggle") is None:
            raise MissingExtra("Kaggle's official client is not installed. Run: pip install 'facepoints[kaggle]'")
        self._api = self._call("signing in", _sign_in)

    def files(self) -> dict[str, int]:
        """Name -> size in bytes (0 if unknown) of the competition's files."""

        def call() -> dict[str, int]:
            listed = self._api.competition_list_files(self.competition, page_size=100).files
            return {str(file.name): int(file.total_bytes or 0) for file in listed}

        return self._call("listing the files", call)

    def download(self, name: str, folder: Path) -> None:
        """Download a file into `folder`, under the name that the server gives it; resumes a partial download."""

        def call() -> None:
            try:
                self._api.competition_download_file(self.competition, name, path=str(folder), quiet=True)
            except ValueError as error:  # the size differs from the announced one
                raise BadFile(f"{name}: the download is incomplete. Download it again.") from error

        self._call(f"downloading {name}", call, mute=False)  # the client prints nothing here, the caller a progress bar

    def submissions(self) -> list[Submission]:
        """The user's latest submissions, newest first."""

        def call() -> list[Submission]:
            listed = self._api.competition_submissions(self.competition) or []
            return [_submission(one) for one in listed if one is not None]

        return self._call("listing your submissions", call)

    def submit(self, path: Path, message: str) -> None:
        """Upload a submission file. It counts against the daily limit, so a failed call is not repeated."""

        def call() -> None:
            response = self._api.competition_submit(str(path), message, self.competition, quiet=True)
            if response.message.startswith("Could not submit"):
                raise ConnectionError("the upload failed")

        remedy = f". Check first whether it arrived: {self.page}/submissions"
        self._call(f"submitting {path.name}", call, remedy)

    def _call(self, what: str, call: Callable[[], T], remedy: str = "", mute: bool = True) -> T:
        """The result of `call`; other errors than ours become one line, which ends in `remedy`."""
        try:
            if not mute:
                return call()
            with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
                return call()
        except FacepointsError:
            raise
        # The client exits (SystemExit) without a valid key.
        except (Exception, SystemExit) as error:
            fault = self._fault(error)
        # Not `from error`: the client's messages contain signed URLs, which work without a key.
        raise KaggleError(f"{what}: {fault}{remedy}")

    def _fault(self, error: BaseException) -> str:
        """The reason and what to do, in one line."""
        status, kind = getattr(getattr(error, "response", None), "status_code", None), type(error).__name__
        message = ""
        with suppress(AttributeError, ValueError, TypeError, KeyError):
            message = ": " + _one_line(str(error.response.json()["message"])).rstrip(".")  # type: ignore[attr-defined]
        if isinstance(error, SystemExit):
            return _NO_KEY
        if status == 401:
            return f"Kaggle rejects the key (HTTP 401): it is wrong, expired or revoked. Create one at {_SETTINGS}"
        if status == 403:
            rules = f"Accept the competition's rules once, as the owner of the key: {self.page}/rules"
            return f"Kaggle refuses (HTTP 403){message}. {rules}, and run this again"
        if status == 404:
            return f"not found (HTTP 404){message}. Check that {self.page} exists"
        if status == 429 or (status is not None and status >= 500):
            return f"Kaggle is overloaded (HTTP {status}){message}. Run this again in some minutes"
        if status is not None:
            return f"Kaggle refuses (HTTP {status}){message}. See {self.page}"
        if isinstance(error, OSError) and error.strerror:
            return f"{error.filename or 'the disk'}: {error.strerror}. Choose another place or make room"
        if isinstance(error, OSError) and not isinstance(error, ValueError):  # invalid JSON is both in requests
            return f"Kaggle cannot be reached ({kind}). Check the network, HTTPS_PROXY and the firewall"
        elsewhere = f"A proxy or a login page of the network may have replied. Open {self.page} in a browser"
        return f"invalid response ({kind}). {elsewhere}, or run: pip install -U kaggle"


def _sign_in() -> Any:
    try:
        api = importlib.import_module("kaggle").api
    except (ImportError, AttributeError) as error:
        what = f"Kaggle's client cannot be imported ({error})"
        raise MissingExtra(f"{what}. Run: pip install -U 'facepoints[kaggle]'") from error
    api.authenticate()  # the import does so too, but ignores failures
    return api


def _submission(one: Any) -> Submission:
    return Submission(
        ref=one.ref,
        message=one.description or "",
        status=one.status.name.lower(),
        public_score=_score(one.public_score),
        private_score=_score(one.private_score),
        fault=_one_line(one.error_description or ""),
    )


def _score(text: str | None) -> float | None:
    with suppress(ValueError):
        return float(text) if text else None
    return None


def _one_line(text: str) -> str:
    """A server's message on one line, at most 300 characters."""
    line = " ".join(text.split())
    return line if len(line) <= 300 else line[:297] + "..."

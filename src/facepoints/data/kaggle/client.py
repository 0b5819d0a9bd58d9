"""Kaggle's official client behind five calls that end in time, try again, and fail in one line.

The client by itself waits forever, prints, and on import looks for a key and may end the process. So each call
runs in a thread of its own whose prints are dropped, watched for signs of life.
"""

from __future__ import annotations

import errno
import importlib
import importlib.util
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console
from rich.markup import escape

from facepoints.data.kaggle.key import find_key, without_keys
from facepoints.data.kaggle.watched_call import Stalled, watched
from facepoints.errors import BadFile, FacepointsError, KaggleError, MissingExtra

COMPETITION = "facial-keypoints-detection"

PATIENCE = 120.0
"""Seconds without any sign of life until a call is given up; the client's own pauses last up to 33.

It writes whole MB, so a line that brings less than 9 kB a second counts as dead.
"""

TRIES = 4
"""Times that a call is made where the fault may pass: no network, HTTP 429, HTTP 5xx."""

FIRST_WAIT = 2.0
"""Seconds before the second try; each further pause is twice as long."""

_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)

T = TypeVar("T")


@dataclass(frozen=True)
class Offered:
    """A file that a competition offers; size in bytes, 0 if Kaggle does not say."""

    name: str
    size: int


@dataclass(frozen=True)
class Submission:
    """One entry of the user's list of submissions, newest first; scores are None until there."""

    ref: int
    message: str
    status: str
    """pending, complete or error"""
    public_score: float | None
    private_score: float | None
    fault: str
    """why it could not be scored, or nothing"""


class KaggleClient:
    """The official client for one competition, signed in; whatever is tried again is noted on the console."""

    def __init__(self, competition: str, console: Console) -> None:
        """Find the client and the key and sign in; raises MissingExtra or KaggleError."""
        self.competition, self.page = competition, f"https://www.kaggle.com/competitions/{competition}"
        self._console = console
        if importlib.util.find_spec("kaggle") is None:
            raise MissingExtra("Kaggle's official client is not installed. Run: pip install 'facepoints[kaggle]'")
        self._key = find_key()
        if self._key.note:
            self.note(self._key.note)
        with console.status("signing in at Kaggle ..."):
            self._api = self._ask("signing in", _sign_in)

    def note(self, line: str) -> None:
        """Print something that is no result and no failure."""
        self._console.print(f"[yellow]note:[/] {escape(line)}", highlight=False, soft_wrap=True)

    def files(self) -> list[Offered]:
        """What the competition offers, in the order of its page."""

        def ask() -> list[Offered]:
            listed = self._api.competition_list_files(self.competition, page_size=100).files
            return [Offered(str(file.name), int(file.total_bytes or 0)) for file in listed]

        return self._ask("listing the files", ask)

    def fetch(self, name: str, folder: Path, arrived: Callable[[], int]) -> None:
        """Download a file into `folder`, under the name that the server gives it; go on with what is there.

        `arrived` tells how many bytes are there: as long as they grow the call may take its time.
        """

        def ask() -> None:
            try:
                self._api.competition_download_file(self.competition, name, path=str(folder), quiet=True)
            except ValueError as error:  # how the client says that the length is not what was announced
                raise BadFile(f"{name}: what came is not what was announced. Download it again.") from error

        self._ask(f"downloading {name}", ask, arrived)

    def submissions(self) -> list[Submission]:
        """The user's latest submissions, newest first."""
        return self._ask("listing your submissions", self._list_submissions)

    def hand_in(self, path: Path, message: str, before: set[int]) -> None:
        """Hand in a submission file; `before` holds the refs of the submissions that were there already."""
        tried = False

        def ask() -> None:
            nonlocal tried
            # Only the answer may have been lost. A submission counts against the day's limit: none goes in twice.
            if tried and any(one.ref not in before and one.message == message for one in self._list_submissions()):
                return
            tried = True
            answer = self._api.competition_submit(str(path), message, self.competition, quiet=True)
            if answer.message.startswith("Could not submit"):
                raise ConnectionError("the upload broke off")

        self._ask(f"handing in {path.name}", ask, doubt=f". See first whether it arrived: {self.page}/submissions")

    def _list_submissions(self) -> list[Submission]:
        listed = self._api.competition_submissions(self.competition) or []
        return [_submission(one) for one in listed if one is not None]

    def _ask(self, what: str, call: Callable[[], T], sign: Callable[[], int] = lambda: 0, doubt: str = "") -> T:
        """The answer of `call`, tried again where the fault may pass; other faults become one line.

        doubt ends that line where nobody knows whether the call had its effect.
        """
        attempt = 0
        while True:
            attempt += 1
            try:
                return watched(call, sign, PATIENCE)
            except FacepointsError:
                raise
            # The client ends the process (SystemExit) where it finds no key to its liking.
            except (Exception, SystemExit) as error:
                fault, passes = self._fault(error)
                doubtful = passes or isinstance(error, Stalled)
            if not passes or attempt == TRIES:
                tries = f" ({attempt} tries)" if attempt > 1 else ""
                # Not `from error`: the client's texts hold signed addresses, whoever has one needs no key.
                raise KaggleError(f"{what}{tries}: {fault}{doubt if doubtful else ''}") from None
            pause = FIRST_WAIT * 2 ** (attempt - 1)
            self.note(f"{what}: {fault.split('. ')[0]}; trying again in {pause:g} s (try {attempt + 1} of {TRIES})")
            time.sleep(pause)

    def _fault(self, error: BaseException) -> tuple[str, bool]:
        """What went wrong and what to do, in one line; and whether it may pass by itself."""
        status, said, kind = _status(error), _said(error), type(error).__name__
        if isinstance(error, Stalled):
            return f"no answer for {PATIENCE:g} s. Check the connection and run this again; what came is kept", False
        if status == 401 or isinstance(error, SystemExit):
            return f"Kaggle does not accept the key in {self._key.place}: {self._key.remedy}", False
        if status == 403:
            rules = "The competition's rules must be accepted once: sign in as the owner of the key, open "
            return f"Kaggle refuses (HTTP 403){said}. {rules}{self.page}/rules, accept, and run this again", False
        if status == 404:
            return f"Kaggle finds no such thing (HTTP 404){said}. Check that {self.page} is there", False
        if status == 429:
            return f"Kaggle asks to slow down (HTTP 429){said}. Wait some minutes and run this again", True
        if status is not None and status >= 500:
            return f"Kaggle has trouble of its own (HTTP {status}). Run this again later; what came is kept", True
        if status is not None:
            return f"Kaggle refuses (HTTP {status}){said}. See {self.page}", False
        if isinstance(error, OSError) and (error.filename is not None or error.errno in _DISK):
            return f"{error.filename or 'the disk'}: {error.strerror}. Choose another place or make room", False
        if isinstance(error, OSError) and not isinstance(error, ValueError):  # requests' bad JSON is both
            return f"Kaggle cannot be reached ({kind}). Check the network, HTTPS_PROXY and the firewall", True
        elsewhere = f"a proxy or a log-in page of the network may have answered. Open {self.page} in a browser"
        return f"the answer is not what Kaggle sends ({kind}): {elsewhere}, or run: pip install -U kaggle", False


def _sign_in() -> Any:
    try:
        api = importlib.import_module("kaggle").api
    except (ImportError, AttributeError) as error:
        what = f"Kaggle's client cannot be imported ({error})"
        raise MissingExtra(f"{what}. Run: pip install -U 'facepoints[kaggle]'") from error
    api.authenticate()  # again after the import did: it told nobody whether it worked
    return api


def _submission(one: Any) -> Submission:
    return Submission(
        ref=one.ref,
        message=one.description or "",
        status=one.status.name.lower(),
        public_score=_score(one.public_score),
        private_score=_score(one.private_score),
        fault=without_keys(one.error_description or ""),
    )


def _score(text: str | None) -> float | None:
    with suppress(ValueError):
        return float(text) if text else None
    return None


def _status(error: BaseException) -> int | None:
    status = getattr(getattr(error, "response", None), "status_code", None)  # so requests' errors tell
    return status if isinstance(status, int) else None


def _said(error: BaseException) -> str:
    """The server's own words on a refusal, as ": ...", or nothing."""
    with suppress(AttributeError, ValueError, TypeError, KeyError, OSError):
        return ": " + without_keys(str(error.response.json()["message"])).rstrip(".")  # type: ignore[attr-defined]
    return ""

"""The exceptions of facepoints.

    FacepointsError                 one line: what is wrong, where, what was expected, what to do
    ├── BadFile                     a data file that is absent, damaged or in another format
    ├── BadChoice                   a name, option or value that does not exist
    ├── BadRun                      a run folder or model file that is absent, damaged or does not fit
    │   └── AlreadyTrained          the run exists and is complete: no training is needed
    ├── KaggleError                 no Kaggle key, or Kaggle refuses, is unreachable or sends an invalid response
    └── MissingExtra                an optional dependency is not installed

The command line prints the message in one line and exits 2; the server answers the same message with a 4xx.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from importlib.util import find_spec


class FacepointsError(Exception):
    """Base class: an error that the user can correct; the message says how."""


class BadFile(FacepointsError):
    """A data file is absent, damaged or in another format."""


class BadChoice(FacepointsError):
    """A name, option or value that does not exist."""


class BadRun(FacepointsError):
    """A run folder or model file is absent, incomplete, damaged, or does not fit the data."""


class AlreadyTrained(BadRun):
    """The run folder already holds this training, complete. Use it, or force a new one."""


class KaggleError(FacepointsError):
    """No Kaggle key, or Kaggle refuses, is unreachable or sends an invalid response."""


class MissingExtra(FacepointsError):
    """An optional dependency is not installed; the message gives the pip command."""


def unknown(kind: str, name: str, known: Iterable[str]) -> BadChoice:
    """The error for a name that is not in `known`: "no recipe 'cn'; did you mean 'cnn'?"."""
    choices = sorted(known)
    close = difflib.get_close_matches(name, choices, n=1, cutoff=0.5)
    remedy = f"did you mean '{close[0]}'?" if close else f"there are: {', '.join(choices)}"
    return BadChoice(f"no {kind} '{name}'; {remedy}")


def missing_extra(error: ModuleNotFoundError) -> MissingExtra | None:
    """The error for a module of an optional dependency; None for any other missing module."""
    from importlib.metadata import PackageNotFoundError, requires  # slow to import, and needed only here

    try:
        known = requires("facepoints") or []
    except PackageNotFoundError:
        return None
    # some libraries give the module name only in their message
    named = [error.name.partition(".")[0]] if error.name else re.findall(r"\w+", str(error))
    for requirement in known:
        found = re.match(r"([\w-]+).*extra == ['\"](\w+)['\"]", requirement)
        if found and found[1].replace("-", "_") in named and find_spec(found[1].replace("-", "_")) is None:
            return MissingExtra(
                f"this needs {found[1]}, which is not installed. Run: pip install 'facepoints[{found[2]}]'"
            )
    return None

"""Every error that facepoints raises on purpose.

    FacepointsError                 one line: what is wrong, where, what was expected, what to do
    ├── BadFile                     a data file that cannot be read as what it should be
    ├── BadChoice                   a name, option or value that nobody offers
    ├── BadRun                      a run folder or model file that is absent, damaged or does not fit
    │   └── AlreadyTrained          a run that is there and complete: no training is needed
    ├── KaggleError                 Kaggle has no key from us, refuses, cannot be reached, or answers nonsense
    └── MissingExtra                a part of facepoints that needs an optional install

The command line prints the message in one line and exits 2; the server answers the same message with a 4xx.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from importlib.util import find_spec


class FacepointsError(Exception):
    """Base of all: a mistake that the person who called can mend; the message says how."""


class BadFile(FacepointsError):
    """A data file is absent, damaged or not in the competition's format."""


class BadChoice(FacepointsError):
    """Somebody asked for a recipe, field, keypoint or value that does not exist."""


class BadRun(FacepointsError):
    """A run folder or model file is absent, incomplete, damaged, or made for something else."""


class AlreadyTrained(BadRun):
    """The run folder holds exactly this training, complete. Use it, or force a new one."""


class KaggleError(FacepointsError):
    """Kaggle has no key from us, refuses, cannot be reached, or answers nonsense; the message says what to do."""


class MissingExtra(FacepointsError):
    """An optional dependency is not installed; the message gives the pip command."""


def unknown(kind: str, name: str, known: Iterable[str]) -> BadChoice:
    """The error for a name that is not among `known`: "no recipe 'cn'; did you mean 'cnn'?"."""
    choices = sorted(known)
    close = difflib.get_close_matches(name, choices, n=1, cutoff=0.5)
    remedy = f"did you mean '{close[0]}'?" if close else f"there are: {', '.join(choices)}"
    return BadChoice(f"no {kind} '{name}'; {remedy}")


def missing_extra(error: ModuleNotFoundError) -> MissingExtra | None:
    """The error for a module that an optional install would bring; None where something else is missing."""
    from importlib.metadata import PackageNotFoundError, requires  # only who fails waits for it

    try:
        known = requires("facepoints") or []
    except PackageNotFoundError:
        return None
    # some libraries name what they lack in their message only
    named = [error.name.partition(".")[0]] if error.name else re.findall(r"\w+", str(error))
    for requirement in known:
        found = re.match(r"([\w-]+).*extra == ['\"](\w+)['\"]", requirement)
        if found and found[1].replace("-", "_") in named and find_spec(found[1].replace("-", "_")) is None:
            return MissingExtra(
                f"this needs {found[1]}, which is not installed. Run: pip install 'facepoints[{found[2]}]'"
            )
    return None

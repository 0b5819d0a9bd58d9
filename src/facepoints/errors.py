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
from collections.abc import Iterable


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

"""A submission handed in at Kaggle through its official client, and the score that comes back."""

from __future__ import annotations

import json
import time
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from facepoints.data.kaggle.client import COMPETITION, KaggleClient, Submission
from facepoints.data.kaggle.competition import read_sample_submission
from facepoints.errors import BadFile, KaggleError
from facepoints.files import write_text

ASK_EVERY = 3.0
"""Seconds between two questions for the score."""


def send(
    submission: Path,
    message: str,
    console: Console,
    *,
    competition: str = COMPETITION,
    wait_for: float = 300.0,
) -> float | None:
    """Hand in a submission file with a message; its public score, or None if there is none within `wait_for` s.

    The file is read first. Both scores also go into <name>.kaggle.json beside it.
    """
    rows = len(read_sample_submission(submission)[0])
    if not rows:
        raise BadFile(f"{submission.name} line 2: there are only column names. Write it with `facepoints submit`.")
    message = " ".join(message.split())  # as it will stand in Kaggle's list, by which it is found again
    client = KaggleClient(competition, console)
    with console.status(f"handing in {escape(submission.name)} ..."):
        before = {one.ref for one in client.submissions()}
        client.hand_in(submission, message, before)
    console.print(f"[bold]{escape(submission.name)}[/] ({rows:,} rows) is handed in", soft_wrap=True)
    try:
        scored = _scored(client, message, before, console, wait_for)
    except KaggleError as error:  # handed in it is: a broken line must not look like a failed submission
        client.note(str(error))
        scored = None
    if scored is None:
        console.print(f"No score yet: look at {client.page}/submissions", soft_wrap=True)
        return None
    if scored.status != "complete":
        why = scored.fault or "it does not say why"
        raise KaggleError(f"{submission.name}: Kaggle could not score it: {why}. See {client.page}/submissions")
    scores = {"public_score": scored.public_score, "private_score": scored.private_score}
    result = submission.with_suffix(".kaggle.json")
    facts = {"competition": competition, "submission": scored.ref, "message": message} | scores
    write_text(result, json.dumps(facts, indent=2) + "\n")
    shown = [f"{name.replace('_', ' ')} [bold]{value}[/]" for name, value in scores.items() if value is not None]
    console.print(f"{', '.join(shown) or 'no score'} (RMSE in pixels); also in {escape(str(result))}", soft_wrap=True)
    return scored.public_score


def _scored(
    client: KaggleClient, message: str, before: set[int], console: Console, wait_for: float
) -> Submission | None:
    """The submission that was not there before, once it is scored or refused; None after `wait_for` s."""
    until = time.monotonic() + wait_for
    with console.status("waiting for the score ..."):
        while True:
            ours = [one for one in client.submissions() if one.ref not in before and one.message == message]
            if ours and ours[0].status != "pending":
                return ours[0]
            if time.monotonic() + ASK_EVERY > until:
                return None
            time.sleep(ASK_EVERY)

"""Submit a file to Kaggle through its official client and wait for the score."""

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

POLL_SECONDS = 3.0
"""Seconds between two requests for the score."""


def send(
    submission: Path,
    message: str,
    console: Console,
    *,
    competition: str = COMPETITION,
    wait_for: float = 300.0,
) -> float | None:
    """Submit a file with a message; returns its public score, or None without a score after `wait_for` s.

    The file is checked first. Both scores are also written to <name>.kaggle.json in the same folder.
    """
    rows = len(read_sample_submission(submission)[0])
    if not rows:
        raise BadFile(f"{submission.name} line 2: there are only column names. Write it with `facepoints submit`.")
    message = " ".join(message.split())  # as Kaggle lists it, to find the submission again
    console.print(f"submitting {escape(submission.name)} to Kaggle ...")
    client = KaggleClient(competition)
    before = {one.ref for one in client.submissions()}
    client.submit(submission, message)
    console.print(f"[bold]{escape(submission.name)}[/] ({rows:,} rows) is submitted", soft_wrap=True)
    try:
        with console.status("waiting for the score ..."):
            scored = _wait(client, message, before, wait_for)
    except KaggleError as error:  # it is submitted: a lost connection must not look like a failed submission
        console.print(f"[yellow]note:[/] {escape(str(error))}", highlight=False, soft_wrap=True)
        scored = None
    if scored is None:
        console.print(f"No score yet: see {client.page}/submissions", soft_wrap=True)
        return None
    if scored.status != "complete":
        why = scored.fault or "no reason given"
        raise KaggleError(f"{submission.name}: Kaggle could not score it: {why}. See {client.page}/submissions")
    scores = {"public_score": scored.public_score, "private_score": scored.private_score}
    result = submission.with_suffix(".kaggle.json")
    facts = {"competition": competition, "submission": scored.ref, "message": message} | scores
    write_text(result, json.dumps(facts, indent=2) + "\n")
    shown = [f"{name.replace('_', ' ')} [bold]{value}[/]" for name, value in scores.items() if value is not None]
    console.print(f"{', '.join(shown) or 'no score'} (RMSE in pixels); also in {escape(str(result))}", soft_wrap=True)
    return scored.public_score


def _wait(client: KaggleClient, message: str, before: set[int], wait_for: float) -> Submission | None:
    """The new submission with this message, once it is scored or rejected; None after `wait_for` s."""
    until = time.monotonic() + wait_for
    while True:
        ours = [one for one in client.submissions() if one.ref not in before and one.message == message]
        if ours and ours[0].status != "pending":
            return ours[0]
        if time.monotonic() + POLL_SECONDS > until:
            return None
        time.sleep(POLL_SECONDS)

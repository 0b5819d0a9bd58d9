"""Where a study is kept: a journal in the search's own folder, or a database that several processes share."""

from __future__ import annotations

import os
import re
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import optuna
from filelock import FileLock, Timeout
from optuna.exceptions import ExperimentalWarning, StorageInternalError
from optuna.storages import BaseStorage, JournalStorage, RDBStorage, RetryHeartbeatStaleTrialCallback
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from facepoints.errors import BadChoice, BadFile, BadRun, MissingExtra

JOURNAL = "study.journal"
"""The default storage, in the search's folder."""

HEARTBEAT = 20
"""Seconds between two signs of life of a trial in a database."""

SILENCE = 90
"""Seconds without one after which a trial counts as lost, and another process repeats it."""

ATTEMPTS = 3
"""How often a lost or stopped trial is repeated: one that kills its process must not do so for ever."""

_CONNECTING = 10
"""Seconds to wait for a database server."""

_WAITING = {
    name: {"connect_timeout": _CONNECTING} for name in ("psycopg", "psycopg2", "pymysql", "mysqldb", "mysqlconnector")
}

EXPECTED = "sqlite:///FILE, postgresql+psycopg://USER:PASSWORD@HOST/DATABASE, or another URL that SQLAlchemy knows"


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Keep the folder to this process; raises BadRun where another search is at work in it.

    The system gives the lock back when a process ends, however it ends.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".search.lock", timeout=0):
            yield
    except Timeout:
        raise BadRun(
            f"{folder}: another search is at work here; give this one its own --out (and both the same --storage)"
        ) from None


def open_database(url: str) -> BaseStorage:
    """The database at this URL. Raises BadChoice, BadRun or MissingExtra in one line."""
    try:
        parts = make_url(url)
    except ArgumentError:
        raise BadChoice(f"--storage {url}: not the URL of a database; expected {EXPECTED}") from None
    waiting = _WAITING.get(parts.drivername.partition("+")[2], {})
    try:
        return _database(url, waiting)
    except ImportError as error:
        driver = "pip install 'psycopg[binary]'" if "postgresql" in url else "pip install the driver that it names"
        raise MissingExtra(f"--storage {shown(url)}: its driver is not installed. Run: {driver}") from error
    except (ArgumentError, RuntimeError, StorageInternalError, SQLAlchemyError) as error:
        what = "cannot be opened" if isinstance(error, ArgumentError | RuntimeError) else "cannot be reached"
        raise BadRun(f"--storage {shown(url)}: {what} ({_reason(error)}); expected {EXPECTED}") from error


def close_database(storage: BaseStorage) -> None:
    """Hang up."""
    storage.remove_session()
    if isinstance(storage, RDBStorage):
        storage.engine.dispose()


def open_journal(folder: Path) -> BaseStorage:
    """The journal, mended: the folder is ours alone, so what another process left half done is nobody's."""
    path = folder / JOURNAL
    lock = JournalFileOpenLock(str(path))
    path.with_name(path.name + ".lock").unlink(missing_ok=True)
    if path.exists():
        with path.open("rb+") as file:
            content = file.read()
            file.truncate(content.rfind(b"\n") + 1)  # a line that a kill cut short would spoil the next one
            os.fsync(file.fileno())
    try:
        return JournalStorage(JournalFileBackend(str(path), lock))
    except (ValueError, KeyError, TypeError) as error:
        raise BadRun(f"{path}: damaged ({error}); move it away to start the study anew") from error


def _database(url: str, waiting: dict[str, int]) -> BaseStorage:
    for patience in (0.5, 1.0, 2.0, 4.0, 0.0):
        try:
            return RDBStorage(
                url,
                engine_kwargs={"connect_args": waiting, "pool_pre_ping": True},
                heartbeat_interval=HEARTBEAT,
                grace_period=SILENCE,
                heartbeat_stale_trial_callback=RetryHeartbeatStaleTrialCallback(max_retry=ATTEMPTS),
            )
        except (SQLAlchemyError, StorageInternalError) as error:
            # the tables of a fresh database, which another process is making at the same moment
            if not patience or not re.search("already exists|duplicate key|UNIQUE constraint", str(error)):
                raise
        time.sleep(patience)
    raise AssertionError("the last attempt raises")


def shown(url: str | None) -> str:
    """A storage's URL as it may be printed: without the password."""
    if url is None:
        return JOURNAL
    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        return url


@contextmanager
def plain_errors(url: str | None) -> Iterator[None]:
    """What a storage raises while it is used, in one line: BadRun, or BadFile for the journal."""
    try:
        yield
    except (StorageInternalError, SQLAlchemyError) as error:
        lost = f"--storage {shown(url)}: lost on the way ({_reason(error)})"
        raise BadRun(f"{lost}. The same command goes on once it is back") from error
    except OSError as error:
        if error.filename is None and error.errno is None:
            raise
        where = error.filename or shown(url)
        raise BadFile(f"{where}: cannot be written ({error.strerror}). Make room; the same command goes on") from error


@contextmanager
def quiet_optuna() -> Iterator[None]:
    """Without Optuna's log lines and its remarks that retries and heartbeats are young."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(level)


def _reason(error: Exception) -> str:
    """The line of a database's error that says what happened."""
    origin = error.__cause__ if isinstance(error, StorageInternalError) and error.__cause__ else error
    lines = str(getattr(origin, "orig", None) or origin).strip().splitlines()
    return lines[0] if lines else type(origin).__name__

"""The storage of a study: a SQLite file in the search's own folder, or a database that several processes share."""

from __future__ import annotations

import re
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import optuna
from filelock import FileLock, Timeout
from optuna.exceptions import ExperimentalWarning, StorageInternalError
from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from facepoints.errors import BadChoice, BadFile, BadRun, MissingExtra

DATABASE = "study.db"
"""The default storage, in the search's folder."""
HEARTBEAT, GRACE_PERIOD = 20, 90
"""Seconds between two heartbeats of a trial, and without one until the trial counts as lost and is repeated."""
ATTEMPTS = 3
"""Maximum number of repetitions of a lost trial: it may be the trial that kills its process."""

_TIMEOUT = {name: {"connect_timeout": 10} for name in ("psycopg", "psycopg2", "pymysql", "mysqldb", "mysqlconnector")}
_EXPECTED = "sqlite:///FILE, postgresql+psycopg://USER:PASSWORD@HOST/DATABASE, or another URL that SQLAlchemy supports"


def default_url(folder: Path) -> str:
    """The storage of a search that shares none."""
    return f"sqlite:///{(folder / DATABASE).resolve()}"


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Lock the folder for this process; raises BadRun if another search uses it. The lock ends with the process."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".search.lock", timeout=0):
            yield
    except Timeout:
        raise BadRun(
            f"{folder}: another search is running in this folder. Choose another --out; "
            "to work on the same study, give both the same --storage"
        ) from None


@contextmanager
def open_storage(url: str, *, shared: bool) -> Iterator[RDBStorage]:
    """The database at this URL, with heartbeats of its trials if it is `shared`.

    Its errors become BadChoice, BadRun or MissingExtra in one line.
    """
    try:
        driver = make_url(url).drivername.partition("+")[2]
    except ArgumentError:
        raise BadChoice(f"{url}: not the URL of a database, expected {_EXPECTED}") from None
    try:
        storage = _connect(url, _TIMEOUT.get(driver, {}), HEARTBEAT if shared else None)
    except ImportError as error:
        package = "'psycopg[binary]'" if "postgresql" in url else f"the driver {driver}"
        raise MissingExtra(f"{shown(url)}: its driver is not installed. Run: pip install {package}") from error
    except (ArgumentError, RuntimeError, StorageInternalError, SQLAlchemyError) as error:
        raise BadRun(f"{shown(url)}: cannot be opened ({_reason(error)}), expected {_EXPECTED}") from error
    try:
        yield storage
    except (StorageInternalError, SQLAlchemyError) as error:
        raise BadRun(f"{shown(url)}: {_reason(error)}. The same command continues the search afterwards") from error
    finally:
        storage.remove_session()
        storage.engine.dispose()


def _connect(url: str, connect_args: dict[str, int], heartbeat: int | None) -> RDBStorage:
    for pause in (0.5, 1.0, 2.0, 4.0, None):
        try:
            return RDBStorage(
                url,
                engine_kwargs={"connect_args": connect_args, "pool_pre_ping": True},
                heartbeat_interval=heartbeat,
                grace_period=GRACE_PERIOD,
                heartbeat_stale_trial_callback=RetryHeartbeatStaleTrialCallback(max_retry=ATTEMPTS),
            )
        except (SQLAlchemyError, StorageInternalError) as error:
            # another process creates the tables of a new database at the same moment
            if pause is None or not re.search("already exists|duplicate key|UNIQUE constraint", str(error)):
                raise
            time.sleep(pause)
    raise AssertionError("the last attempt raises")


def shown(url: str) -> str:
    """The URL without its password."""
    return make_url(url).render_as_string(hide_password=True)


@contextmanager
def quiet_optuna() -> Iterator[None]:
    """Without Optuna's log lines and its warnings that retries and heartbeats are experimental."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(level)


@contextmanager
def one_line_errors(folder: Path) -> Iterator[None]:
    """A file that cannot be written becomes BadFile in one line."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno is None:
            raise
        raise BadFile(
            f"{error.filename or folder}: cannot be written ({error.strerror}). Free some disk space or choose another "
            "--out; the same command continues the search"
        ) from error


def _reason(error: Exception) -> str:
    """The first line of a database's own error."""
    origin = error.__cause__ if isinstance(error, StorageInternalError) and error.__cause__ else error
    lines = str(getattr(origin, "orig", None) or origin).strip().splitlines()
    return lines[0] if lines else type(origin).__name__

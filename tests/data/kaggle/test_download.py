"""A local server in place of Kaggle: files arrive complete or not at all, and each error has a remedy."""

from __future__ import annotations

import dataclasses
import errno
import importlib.util
import io
import json
import os
import re
import socket
import sys
import threading
import time
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from facepoints.data.kaggle import submission as kaggle_submission
from facepoints.data.kaggle.download import PARTIAL, download
from facepoints.data.kaggle.submission import send
from facepoints.data.kaggle.writer import write_submission, write_submission_faces, write_training
from facepoints.data.synthetic.faces import synthetic_submission, synthetic_training
from facepoints.errors import BadFile, FacepointsError, KaggleError, MissingExtra

needs_client = pytest.mark.skipif(
    importlib.util.find_spec("kaggle") is None, reason="the official client is absent: pip install kaggle"
)

MB = 1 << 20
KEY = "0123456789abcdef-secret"
FILES = ("training.zip", "test.zip", "IdLookupTable.csv", "SampleSubmission.csv")
DATE = "Fri, 05 Jan 2018 10:00:00 GMT"


@dataclasses.dataclass
class Answer:
    """What the server sends instead of the truth, once."""

    status: int = 200
    body: bytes = b""
    kind: str = "text/html"
    cut: int | None = None
    """bytes after which the line breaks"""


def refusal(status: int, message: str = "no") -> Answer:
    return Answer(status, json.dumps({"code": status, "message": message}).encode(), "application/json")


PAGE = Answer(body=b"<!DOCTYPE html><html><body>Log in to the hotel's network</body></html>")


class Kaggle(ThreadingHTTPServer):
    """The few calls that the client makes, answered truthfully unless a test has planned something else."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = files
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.planned: dict[str, list[Answer]] = defaultdict(list)
        self.calls: list[str] = []
        self.asked_ranges: list[str] = []
        self.keys: set[str] = set()
        self.redirects = True
        self.token_is_good = True
        self.uploaded: list[bytes] = []
        self.submissions: list[dict[str, Any]] = []
        self.verdict: dict[str, Any] = {"status": "COMPLETE", "publicScore": "1.25", "privateScore": "1.5"}
        self.polls_until_scored = 1

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no news."""


class Handler(BaseHTTPRequestHandler):
    server: Kaggle
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        name = self.path.rsplit("/", 1)[1]
        self.server.keys.add(self.headers.get("Authorization", ""))
        self._answer(name, lambda: getattr(self, f"_{name}")(asked))

    def do_GET(self) -> None:
        self._answer("storage", lambda: self._file(self.path.split("?")[0].rsplit("/", 1)[1]))

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))

        def keep() -> None:
            self.server.uploaded.append(body)
            self._json({})

        self._answer("upload", keep)

    def _answer(self, name: str, truth: Callable[[], object]) -> None:
        self.server.calls.append(name)
        planned = self.server.planned[name].pop(0) if self.server.planned[name] else None
        if planned is None:
            truth()
            return
        if planned.cut is not None:
            self._file("training.zip", planned.cut)
        else:
            self._send(planned.status, planned.body, planned.kind)

    def _send(self, status: int, body: bytes, kind: str, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def _json(self, body: object) -> None:
        self._send(200, json.dumps(body).encode(), "application/json")

    def _file(self, name: str, cut: int | None = None) -> None:
        content, start = self.server.files[name], 0
        if asked := self.headers.get("Range"):
            self.server.asked_ranges.append(asked)
            start = int(asked.removeprefix("bytes=").rstrip("-"))
        self.send_response(206 if asked else 200)
        for field, value in {
            "Content-Type": "application/octet-stream",
            "Content-Length": str(len(content) - start),
            "Last-Modified": DATE,
            "Accept-Ranges": "bytes",
            "ETag": f'"{name}"',
        }.items():
            self.send_header(field, value)
        self.end_headers()
        self.wfile.write(content[start:cut])
        if cut is not None:
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True

    def _IntrospectToken(self, asked: dict[str, Any]) -> None:  # noqa: N802
        self._json({"active": self.server.token_is_good, "username": "user" if self.server.token_is_good else ""})

    def _ListDataFiles(self, asked: dict[str, Any]) -> None:  # noqa: N802
        files = [{"name": name, "totalBytes": len(content)} for name, content in self.server.files.items()]
        self._json({"files": [file | {"creationDate": "2018-01-05T10:00:00Z"} for file in files]})

    def _DownloadDataFile(self, asked: dict[str, Any]) -> None:  # noqa: N802
        if self.server.redirects:
            place = f"{self.server.url}/storage/{asked['fileName']}?signature=abc"
            self._send(302, b"", "text/html", Location=place)
        else:
            self._file(asked["fileName"])

    def _StartSubmissionUpload(self, asked: dict[str, Any]) -> None:  # noqa: N802
        self._json({"token": "blob", "createUrl": f"{self.server.url}/upload/blob?signature=abc"})

    def _CreateSubmission(self, asked: dict[str, Any]) -> None:  # noqa: N802
        ref = 100 + len(self.server.submissions)
        about = {"ref": ref, "description": asked["submissionDescription"], "date": "2026-01-05T10:00:00Z"}
        self.server.submissions.insert(0, about | {"status": "PENDING", "fileName": "submission.csv"})
        self._json({"message": "Successfully submitted", "ref": ref})

    def _ListSubmissions(self, asked: dict[str, Any]) -> None:  # noqa: N802
        self._json({"submissions": self.server.submissions})
        self.server.polls_until_scored -= bool(self.server.submissions)
        if self.server.submissions and self.server.polls_until_scored <= 0:
            self.server.submissions[0] |= self.server.verdict


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("files")
    write_training(synthetic_training(6), folder / "training.zip")
    with zipfile.ZipFile(folder / "training.zip", "a") as archive:  # the client writes and counts whole MB
        archive.writestr("ballast", np.random.default_rng(0).bytes(3 * MB))
    asked, _ = synthetic_submission(4)
    write_submission_faces(asked, folder)
    write_submission(folder / "SampleSubmission.csv", asked.row_id, np.zeros(len(asked.row_id)))
    return {name: (folder / name).read_bytes() for name in FILES}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all tests here: the client looks for its folder once, on import."""
    folder = tmp_path_factory.mktemp("home")
    (folder / ".kaggle").mkdir()
    return folder


@pytest.fixture
def no_key(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty ~/.kaggle, on a machine without a network."""
    for variable in [name for name in os.environ if name.startswith("KAGGLE_") or name.lower().endswith("_proxy")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    for path in (home / ".kaggle").iterdir():
        path.unlink()

    def refuse(self: socket.socket, address: Any) -> None:
        assert address[0] == "127.0.0.1", f"a test reaches for {address}"
        connect(self, address)

    connect = socket.socket.connect
    monkeypatch.setattr(socket.socket, "connect", refuse)
    return home / ".kaggle"


@pytest.fixture
def kaggle(files: dict[str, bytes], no_key: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kaggle]:
    """A server that the client takes for Kaggle; the user has a key, and pauses are short."""
    monkeypatch.setenv("KAGGLE_USERNAME", "user")
    monkeypatch.setenv("KAGGLE_KEY", KEY)  # before the import, which looks for it
    from kaggle.api import kaggle_api_extended
    from kagglesdk import kaggle_env

    server = Kaggle(dict(files))
    for env in kaggle_env.KaggleEnv:
        monkeypatch.setitem(kaggle_env._env_to_endpoint, env, server.url)
    monkeypatch.setattr(kaggle_submission, "POLL_SECONDS", 0.02)
    # The client's own pauses between tries: seconds that only the real server needs.
    clock = SimpleNamespace(sleep=lambda seconds: None, mktime=time.mktime, time=time.time)
    monkeypatch.setattr(kaggle_api_extended, "time", clock)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), width=200)


@pytest.fixture
def submission(tmp_path: Path) -> Path:
    path = tmp_path / "out" / "submission.csv"
    write_submission(path, np.arange(1, 6), np.linspace(0, 90, 5))
    return path


def printed(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def partial_files(folder: Path) -> list[Path]:
    return [path for path in (folder / PARTIAL).rglob("*") if path.is_file()]


def kaggle_fails(folder: Path, console: Console, *words: str) -> str:
    """Downloading fails in one line that holds all these words, and leaves no file that looks whole."""
    with pytest.raises(FacepointsError) as caught:
        download(folder, console)
    message = str(caught.value)
    assert "\n" not in message
    assert [word for word in words if word not in message] == []
    return message


# ---------------------------------------------------------------- download: good


@needs_client
@pytest.mark.parametrize("redirects", [True, False])
def test_all_files_arrive_as_they_are(kaggle: Kaggle, tmp_path: Path, console: Console, redirects: bool) -> None:
    kaggle.redirects = redirects
    paths = download(tmp_path / "data", console)
    assert sorted(path.name for path in paths) == sorted(FILES)
    assert {path.name: path.read_bytes() for path in (tmp_path / "data").iterdir()} == kaggle.files
    assert kaggle.calls.count("DownloadDataFile") == 4
    for words in ("training.zip", "6 labeled faces", "4 faces", "values of 4 test images"):
        assert words in printed(console)


@needs_client
def test_what_is_there_is_not_downloaded_again(kaggle: Kaggle, tmp_path: Path, console: Console) -> None:
    download(tmp_path, console)
    kaggle.calls.clear()
    with zipfile.ZipFile(tmp_path / "training.zip") as archive:  # unpacked by hand: as good as the zip
        archive.extract("training.csv", tmp_path)
    (tmp_path / "training.zip").unlink()
    paths = download(tmp_path, console)
    assert "DownloadDataFile" not in kaggle.calls
    assert tmp_path / "training.csv" in paths
    assert printed(console).count(" exists: ") == 4


@needs_client
def test_a_damaged_file_is_replaced(kaggle: Kaggle, tmp_path: Path, console: Console) -> None:
    download(tmp_path, console)
    whole = (tmp_path / "test.zip").read_bytes()
    (tmp_path / "test.zip").write_bytes(whole[:-100])
    table = (tmp_path / "IdLookupTable.csv").read_bytes()
    (tmp_path / "IdLookupTable.csv").write_bytes(table[: table.rindex(b"\n", 0, -2) + 1])  # a row less: readable
    download(tmp_path, console)
    assert (tmp_path / "test.zip").read_bytes() == whole
    assert (tmp_path / "IdLookupTable.csv").read_bytes() == table
    assert printed(console).count("is damaged") == 2


@needs_client
def test_a_damaged_csv_of_ones_own_is_left_alone(kaggle: Kaggle, tmp_path: Path, console: Console) -> None:
    (tmp_path / "training.csv").write_text("a,b\n1,2\n")
    kaggle_fails(tmp_path, console, "training.csv", "It is read instead of training.zip")
    assert (tmp_path / "training.csv").read_text() == "a,b\n1,2\n"


@needs_client
def test_a_table_may_come_zipped(kaggle: Kaggle, tmp_path: Path, console: Console) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("IdLookupTable.csv", kaggle.files["IdLookupTable.csv"])
    body = Answer(body=packed.getvalue(), kind="application/zip")
    kaggle.planned["storage"] = [Answer(body=kaggle.files["training.zip"]), Answer(body=kaggle.files["test.zip"]), body]
    (tmp_path / "IdLookupTable.csv").write_text("damaged")
    assert tmp_path / "IdLookupTable.zip" in download(tmp_path, console)
    assert not (tmp_path / "IdLookupTable.csv").exists()


@needs_client
def test_a_token_signs_in(
    kaggle: Kaggle, tmp_path: Path, console: Console, monkeypatch: pytest.MonkeyPatch, no_key: Path
) -> None:
    monkeypatch.delenv("KAGGLE_USERNAME")
    monkeypatch.delenv("KAGGLE_KEY")
    (no_key / "access_token").write_text(f"KGAT_{KEY}\n")
    download(tmp_path, console)
    assert kaggle.keys == {f"Bearer KGAT_{KEY}"}


# ---------------------------------------------------------------- download: broken lines


@needs_client
def test_a_broken_line_is_mended_from_where_it_broke(kaggle: Kaggle, tmp_path: Path, console: Console) -> None:
    kaggle.planned["storage"] = [Answer(cut=5 * MB // 2)]
    download(tmp_path, console)
    assert kaggle.asked_ranges == [f"bytes={2 * MB}-"]
    assert (tmp_path / "training.zip").read_bytes() == kaggle.files["training.zip"]


@needs_client
def test_a_stopped_download_is_resumed(kaggle: Kaggle, tmp_path: Path, console: Console) -> None:
    kaggle.planned["storage"] = [Answer(cut=5 * MB // 2)] * 20
    message = kaggle_fails(tmp_path, console, "downloading training.zip", "cannot be reached", "Check the network")
    assert "signature" not in message
    assert not (tmp_path / "training.zip").exists()
    assert sum(path.stat().st_size for path in partial_files(tmp_path)) >= 2 * MB
    kaggle.planned["storage"].clear()
    kaggle.asked_ranges.clear()
    download(tmp_path, console)
    assert kaggle.asked_ranges == [f"bytes={2 * MB}-"]
    assert (tmp_path / "training.zip").read_bytes() == kaggle.files["training.zip"]
    assert not (tmp_path / PARTIAL).exists()


@needs_client
def test_no_network(kaggle: Kaggle, tmp_path: Path, console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    from kagglesdk import kaggle_env

    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        unreachable = f"http://127.0.0.1:{unused.getsockname()[1]}"
        for env in kaggle_env.KaggleEnv:
            monkeypatch.setitem(kaggle_env._env_to_endpoint, env, unreachable)
        kaggle_fails(tmp_path, console, "cannot be reached", "ConnectionError", "Check the network")
    assert kaggle.calls == []


@needs_client
@pytest.mark.parametrize("status", [429, 500, 503])
def test_an_overloaded_server_is_named(kaggle: Kaggle, tmp_path: Path, console: Console, status: int) -> None:
    kaggle.planned["ListDataFiles"] = [refusal(status)]
    kaggle_fails(tmp_path, console, "listing the files", f"overloaded (HTTP {status}): no", "in some minutes")


# ---------------------------------------------------------------- download: denied and missing


@needs_client
@pytest.mark.parametrize("call", ["ListDataFiles", "DownloadDataFile"])
def test_rules_that_were_not_accepted(kaggle: Kaggle, tmp_path: Path, console: Console, call: str) -> None:
    kaggle.planned[call] = [refusal(403, "You must accept this competition's rules")]
    words = ("HTTP 403", "You must accept this", "competitions/facial-keypoints-detection/rules", "run this again")
    kaggle_fails(tmp_path, console, *words)
    assert kaggle.calls.count(call) == 1
    assert list(tmp_path.iterdir()) == []


@needs_client
def test_a_key_that_is_wrong(kaggle: Kaggle, tmp_path: Path, console: Console) -> None:
    kaggle.planned["ListDataFiles"] = [refusal(401, f"Unauthenticated {KEY}")]
    message = kaggle_fails(tmp_path, console, "HTTP 401", "wrong, expired or revoked", "settings")
    assert KEY not in message


@needs_client
@pytest.mark.parametrize("answer", [None, 400, 401])
def test_a_token_that_is_wrong(
    kaggle: Kaggle, tmp_path: Path, console: Console, monkeypatch: pytest.MonkeyPatch, answer: int | None
) -> None:
    monkeypatch.delenv("KAGGLE_USERNAME")
    monkeypatch.setenv("KAGGLE_API_TOKEN", KEY)
    kaggle.token_is_good = False
    if answer:
        kaggle.planned["IntrospectToken"] = [refusal(answer)] * 2
    words = "wrong, expired or revoked" if answer == 401 else "no valid Kaggle key. Sign in at https"
    kaggle_fails(tmp_path, console, "signing in", words, "www.kaggle.com/settings")


@needs_client
def test_a_competition_that_is_not_there(kaggle: Kaggle, tmp_path: Path, console: Console) -> None:
    kaggle.planned["ListDataFiles"] = [refusal(404, "Not found")]
    with pytest.raises(KaggleError, match=r"HTTP 404\): Not found\. Check that .*/competitions/titanik"):
        download(tmp_path, console, competition="titanik")


@needs_client
def test_a_competition_of_something_else(kaggle: Kaggle, tmp_path: Path, console: Console) -> None:
    kaggle.files = {"train.csv": b"", "images/test.zip": b"", "../training.zip": b""}
    kaggle_fails(tmp_path, console, "offers no IdLookupTable, SampleSubmission, test, training")
    assert list(tmp_path.iterdir()) == []


# ---------------------------------------------------------------- download: broken answers


@needs_client
@pytest.mark.parametrize(
    ("body", "words"),
    [
        (PAGE.body, "a web page, expected a table"),
        (b"PK\x03\x04 and then nothing", "the zip is damaged or cut off"),
        (b"", "the zip is damaged or cut off"),
    ],
)
def test_a_broken_file_gets_no_name(kaggle: Kaggle, tmp_path: Path, console: Console, body: bytes, words: str) -> None:
    kaggle.planned["storage"] = [Answer(body=body)]
    kaggle_fails(tmp_path, console, "training.zip", words)
    assert list(tmp_path.iterdir()) == []
    download(tmp_path, console)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == kaggle.files


@needs_client
def test_a_truncated_table_gets_no_name(kaggle: Kaggle, tmp_path: Path, console: Console) -> None:
    download(tmp_path, console)
    (tmp_path / "IdLookupTable.csv").unlink()
    kaggle.planned["storage"] = [Answer(body=kaggle.files["IdLookupTable.csv"][:60].rsplit(b"\n", 1)[0])]
    kaggle_fails(tmp_path, console, "IdLookupTable.csv", "cut off", "bytes")
    assert not (tmp_path / "IdLookupTable.csv").exists()


@needs_client
@pytest.mark.parametrize("body", [PAGE, Answer(body=b'{"files": 3}', kind="application/json")])
def test_an_answer_of_somebody_else(kaggle: Kaggle, tmp_path: Path, console: Console, body: Answer) -> None:
    kaggle.planned["ListDataFiles"] = [body]
    kaggle_fails(tmp_path, console, "listing the files", "invalid response", "proxy or a login page")


@needs_client
def test_tables_that_do_not_fit_each_other(kaggle: Kaggle, tmp_path: Path, console: Console) -> None:
    kaggle.files["IdLookupTable.csv"] += b"9999,9999,nose_tip_x,\n"
    kaggle_fails(tmp_path, console, "IdLookupTable.csv line", "ImageId 9999 is not in the test file")


@needs_client
def test_a_full_disk_is_told_before(
    kaggle: Kaggle, tmp_path: Path, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda place: SimpleNamespace(free=10))
    kaggle_fails(tmp_path / "new" / "data", console, "0 MB are free", "Make room")
    assert "DownloadDataFile" not in kaggle.calls


@needs_client
def test_a_folder_that_cannot_be_made(kaggle: Kaggle, tmp_path: Path, console: Console) -> None:
    (tmp_path / "data").write_text("a file")
    kaggle_fails(tmp_path / "data", console, "cannot be created", "Choose another folder")


@needs_client
@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "the disk: No space left"),
        (PermissionError(errno.EACCES, "Permission denied", "/data/x"), "/data/x: Permission denied"),
    ],
)
def test_a_disk_that_fills_is_not_tried_again(
    kaggle: Kaggle, tmp_path: Path, console: Console, monkeypatch: pytest.MonkeyPatch, error: OSError, words: str
) -> None:
    import kaggle as client

    def write(*args: object, **options: object) -> None:
        raise error

    monkeypatch.setattr(client.api, "competition_download_file", write)
    kaggle_fails(tmp_path, console, "downloading training.zip: ", words, "make room")


@needs_client
def test_a_client_that_cannot_be_imported(
    kaggle: Kaggle, tmp_path: Path, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "kaggle", SimpleNamespace(__spec__=object()))  # as an empty folder of that name
    with pytest.raises(MissingExtra, match=r"cannot be imported \(.*'api'\)\. Run: pip install -U"):
        download(tmp_path, console)


# ---------------------------------------------------------------- send


@needs_client
def test_a_submission_gets_its_score(kaggle: Kaggle, submission: Path, console: Console) -> None:
    kaggle.polls_until_scored = 3
    assert send(submission, "a first\ntry", console) == 1.25
    assert kaggle.uploaded == [submission.read_bytes()]
    assert "public score 1.25, private score 1.5" in printed(console)
    facts = json.loads((submission.parent / "submission.kaggle.json").read_text())
    assert facts == {
        "competition": "facial-keypoints-detection",
        "submission": 100,
        "message": "a first try",
        "public_score": 1.25,
        "private_score": 1.5,
    }


@needs_client
def test_an_older_submission_with_the_same_message_is_not_taken_for_it(
    kaggle: Kaggle, submission: Path, console: Console
) -> None:
    old = {"ref": 7, "description": "again", "status": "COMPLETE", "publicScore": "9.0", "date": "2020-01-05T10:00:00Z"}
    kaggle.submissions = [old]
    kaggle.polls_until_scored = 9
    kaggle.verdict = {"status": "COMPLETE", "publicScore": "2.0", "privateScore": ""}
    assert send(submission, "again", console) == 2.0
    assert "private" not in printed(console)


@needs_client
def test_a_score_that_takes_too_long(kaggle: Kaggle, submission: Path, console: Console) -> None:
    kaggle.polls_until_scored = 10**6
    assert send(submission, "slow", console, wait_for=0.1) is None
    assert "No score yet: see https://www.kaggle.com/competitions/" in printed(console)
    assert not (submission.parent / "submission.kaggle.json").exists()


@needs_client
def test_a_line_that_breaks_while_waiting(kaggle: Kaggle, submission: Path, console: Console) -> None:
    kaggle.planned["ListSubmissions"] = []

    def after_handing_in(handler: Handler, asked: dict[str, Any]) -> None:
        handler.server.planned["ListSubmissions"] = [refusal(503)]
        create(handler, asked)

    create = Handler._CreateSubmission
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Handler, "_CreateSubmission", after_handing_in)
        assert send(submission, "m", console) is None
    assert "is submitted" in printed(console)
    assert "No score yet" in printed(console)


@needs_client
def test_a_submission_that_cannot_be_scored(kaggle: Kaggle, submission: Path, console: Console) -> None:
    kaggle.verdict = {"status": "ERROR", "errorDescription": "Submission must have 27124 rows"}
    with pytest.raises(KaggleError, match=r"could not score it: Submission must have 27124 rows\. See "):
        send(submission, "m", console)


@needs_client
def test_a_failed_submission_may_still_have_arrived(kaggle: Kaggle, submission: Path, console: Console) -> None:
    kaggle.planned["CreateSubmission"] = [refusal(500)]
    with pytest.raises(KaggleError, match=r"HTTP 500.* Check first whether it arrived"):
        send(submission, "m", console)
    assert kaggle.calls.count("CreateSubmission") == 1


@needs_client
def test_kaggles_reason_is_passed_on(kaggle: Kaggle, submission: Path, console: Console) -> None:
    kaggle.planned["CreateSubmission"] = [refusal(400, "You used all\nsubmissions today.")]
    with pytest.raises(KaggleError, match=r"HTTP 400\): You used all submissions today\. See https"):
        send(submission, "m", console)


@needs_client
def test_a_failed_upload_is_named(kaggle: Kaggle, submission: Path, console: Console) -> None:
    kaggle.planned["upload"] = [refusal(500)]
    with pytest.raises(KaggleError, match=r"submitting submission\.csv: .*cannot be reached"):
        send(submission, "m", console)
    assert kaggle.submissions == []


@pytest.mark.parametrize("table", ["RowId,Location\n", "RowId,Loc\n1,2\n", "RowId,Location\n1,nan\n"])
def test_a_bad_submission_is_refused_before_any_call(tmp_path: Path, console: Console, table: str) -> None:
    (tmp_path / "submission.csv").write_text(table)
    with pytest.raises(BadFile, match=r"submission\.csv line "):
        send(tmp_path / "submission.csv", "m", console)


# ---------------------------------------------------------------- no client, no key


def test_without_the_client(console: Console, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kaggle", None)
    with pytest.raises(MissingExtra, match=re.escape("pip install 'facepoints[kaggle]'")):
        download(tmp_path, console)


@needs_client
def test_without_a_key(kaggle: Kaggle, tmp_path: Path, console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KAGGLE_USERNAME")
    monkeypatch.delenv("KAGGLE_KEY")
    kaggle_fails(tmp_path, console, "no valid Kaggle key", "https://www.kaggle.com/settings", "~/.kaggle/access_token")

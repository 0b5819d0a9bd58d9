"""Load test of the server: photos per second, latency, and memory growth over ten thousand mixed requests.

    python benchmarks/serving.py [--seconds 15] [--clients 32] [--mixed 10000] [--workers N]
        [--data DATA] [--out serving.json]

Starts `facepoints serve` on the loopback address and sends requests with locust: first 640 x 480 photos with one face
each, then valid and invalid requests in turn. Clients and server share the processor; the clients' processor time is
reported, too. The faces are those of DATA, or synthetic ones.
"""

from __future__ import annotations

from locust import FastHttpUser, constant, events, task  # first: it changes how sockets wait

# isort: split

import io
import json
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import cv2
import gevent
import numpy as np
import psutil
import typer
from locust.env import Environment
from rich.console import Console
from rich.table import Table

from facepoints.data.loading import load_training
from facepoints.files import write_text

RATE, P95, GROWTH = 40.0, 1.5, 50.0
"""Goals: minimum of photos per second, maximum of the 95th percentile in seconds and of memory growth in MB."""

_FORM = '--x\r\nContent-Disposition: form-data; name="image"; filename="{}"\r\n\r\n'
_HEADERS = {"Content-Type": "multipart/form-data; boundary=x"}
_UPLOAD = 5  # MB, a quarter of the default: otherwise sending oversized uploads dominates
_WARM_UP = 400  # requests before the first memory measurement, to fill allocators and caches


def main(
    seconds: Annotated[float, typer.Option(help="duration of the load with photos", min=1)] = 15,
    clients: Annotated[int, typer.Option(help="concurrent clients", min=1)] = 32,
    mixed: Annotated[int, typer.Option(help="number of valid and invalid requests after that", min=0)] = 10_000,
    workers: Annotated[int | None, typer.Option(help="of the server; default: one per core", min=1)] = None,
    data: Annotated[str, typer.Option(help="folder with the competition's files, or 'synthetic'")] = "synthetic",
    out: Annotated[Path | None, typer.Option(help="also write the results to this JSON file")] = None,
) -> None:
    """Measure `facepoints serve`."""
    console = Console()
    results: dict[str, float] = {}
    photos = scenes(data)
    good = [("/v1/faces", form(photo), _HEADERS, 200) for photo in photos]
    with console.status("starting the server"), served(workers) as (process, url, started):
        results["start_seconds"], results["start_cpu_seconds"] = started, sum(process.cpu_times()[:2])
        send_all(url, good, clients, requests=3 * clients)
        console.print(f"{clients} clients, {seconds:g} s, photos of 640 x 480 with one face")
        results |= load(url, good, clients, seconds, process)
        if mixed:
            every = [good[0], *[crop(data)] * 4, *bad(photos[0])]
            send_all(url, every, clients, requests=_WARM_UP)
            before = process.memory_info().rss
            wrong = send_all(url, every, clients, requests=mixed)
            results |= {
                "mixed": mixed,
                "mixed_wrong": sum(wrong.values()),
                "growth_mb": (process.memory_info().rss - before) / 1e6,
            }
            for line, count in wrong.items():
                console.print(f"{count} x {line}", style="bold red", markup=False)
    show(results, console)
    if out is not None:
        write_text(out, json.dumps(results, indent=1) + "\n")


def scenes(data: str) -> list[bytes]:
    """Sixteen photos, JPEG of 640 x 480, each with a face at a random position."""
    rng = np.random.default_rng(0)
    photos = []
    for face in np.array(load_training(data).faces[:16]):
        side = int(rng.integers(160, 320))
        x, y = int(rng.integers(0, 640 - side)), int(rng.integers(0, 480 - side))
        around = (480 - side - y, 640 - side - x)
        large = cv2.resize(face, (side, side), interpolation=cv2.INTER_CUBIC)
        photo = cv2.copyMakeBorder(large, y, around[0], x, around[1], cv2.BORDER_REPLICATE)
        photos.append(bytes(cv2.imencode(".jpg", photo)[1]))
    return photos


def form(photo: bytes, name: str = "a.jpg") -> bytes:
    return _FORM.format(name).encode() + photo + b"\r\n--x--\r\n"


Call = tuple[str, bytes, dict[str, str], int]
"""Address, body, headers, and the expected status."""


def crop(data: str) -> Call:
    """One face of 96 x 96."""
    file = io.BytesIO()
    np.save(file, np.array(load_training(data).faces[:1]))
    return "/v1/points", file.getvalue(), {"Content-Type": "application/x-npy"}, 200


def bad(photo: bytes) -> list[Call]:
    """Invalid requests."""
    npy, text = {"Content-Type": "application/x-npy"}, {"Content-Type": "text/plain"}
    noise = np.random.default_rng(0).bytes(5000)
    huge = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes([0, 1, 0, 0] * 2) + bytes(30)
    return [
        ("/v1/faces", form(noise), _HEADERS, 422),
        ("/v1/faces", form(b""), _HEADERS, 422),
        ("/v1/faces", form(photo[:100]), _HEADERS, 422),
        ("/v1/faces", form(huge), _HEADERS, 413),
        ("/v1/faces", form(photo, "../../etc/passwd"), text, 415),
        ("/v1/faces", b"", _HEADERS, 422),
        ("/v1/faces", form(bytes(_UPLOAD * 10**6 + 50_000)), _HEADERS, 413),
        ("/v1/points", noise, npy, 400),
        ("/v1/video", noise, npy, 404),
    ]


@contextmanager
def served(workers: int | None) -> Iterator[tuple[psutil.Process, str, float]]:
    """The server, its URL, and its start-up time in seconds."""
    command = [sys.executable, "-c", "from facepoints.cli.main import main; main()", "serve", "--port", "0"]
    command += ["--max-upload", str(_UPLOAD)]
    command += ["--workers", str(workers)] if workers else []
    start = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout
        line = process.stdout.readline()
        url = re.search(r"http://\S+?:\d+", line)
        if url is None:
            raise SystemExit(f"the server did not start: {line}")
        try:
            yield psutil.Process(process.pid), url[0], time.perf_counter() - start
        finally:
            process.terminate()
            process.wait(60)


def load(url: str, calls: list[Call], clients: int, seconds: float, process: psutil.Process) -> dict[str, float]:
    """Load from `clients` clients without a pause."""
    me = psutil.Process()
    before = [sum(p.cpu_times()[:2]) for p in (process, me)]
    environment, wrong = _environment(url, calls, clients)
    start = time.perf_counter()
    environment.runner.start(clients, spawn_rate=clients)  # type: ignore[union-attr]  # created with one
    gevent.sleep(seconds)
    environment.runner.quit()  # type: ignore[union-attr]
    took = time.perf_counter() - start
    server, own = (sum(p.cpu_times()[:2]) - b for p, b in zip((process, me), before, strict=True))
    total = environment.stats.total
    completed = total.num_requests - total.num_failures
    return {
        "photos": completed,
        "photos_per_second": completed / took,
        "median_seconds": total.get_response_time_percentile(0.5) / 1e3,
        "p95_seconds": total.get_response_time_percentile(0.95) / 1e3,
        "errors": sum(wrong.values()),
        "server_cpu_per_photo_ms": 1e3 * server / max(1, completed),
        "client_cpu_per_photo_ms": 1e3 * own / max(1, completed),
    }


def send_all(url: str, calls: list[Call], clients: int, requests: int) -> Counter[str]:
    """Send the requests in turn; returns unexpected responses and their number."""
    environment, wrong = _environment(url, calls, clients)
    environment.runner.start(clients, spawn_rate=clients)  # type: ignore[union-attr]
    while environment.stats.total.num_requests < requests:
        gevent.sleep(0.05)
    environment.runner.quit()  # type: ignore[union-attr]
    return wrong


def _environment(url: str, calls: list[Call], clients: int) -> tuple[Environment, Counter[str]]:
    wrong: Counter[str] = Counter()
    turn = iter(range(10**9))

    class Client(FastHttpUser):
        host = url
        wait_time = constant(0)
        network_timeout = 60.0

        @task
        def send(self) -> None:
            path, body, headers, status = calls[next(turn) % len(calls)]
            with self.client.post(path, data=body, headers=headers, catch_response=True) as response:  # type: ignore[arg-type]
                if response.status_code == status:
                    response.success()
                else:
                    wrong[f"{path}: {response.status_code} instead of {status} {response.error or ''}"] += 1
                    response.failure("wrong")

    environment = Environment(user_classes=[Client], events=events)
    environment.create_local_runner()
    return environment, wrong


def show(results: dict[str, float], console: Console) -> None:
    table = Table("facepoints serve", "")
    table.columns[1].justify = "right"
    for name, value in results.items():
        table.add_row(name.replace("_", " "), f"{value:,.2f}" if value % 1 else f"{value:,.0f}")
    console.print(table)
    goals: dict[str, Any] = {
        f"at least {RATE:g} photos per second": results["photos_per_second"] >= RATE,
        f"95 % within {P95} s": results["p95_seconds"] < P95,
        "no error": results["errors"] == 0,
    }
    if "mixed" in results:
        goals["every mixed request with the expected status"] = results["mixed_wrong"] == 0
        goals[f"memory growth within {GROWTH:g} MB after {results['mixed']:,.0f} mixed requests"] = (
            results["growth_mb"] < GROWTH
        )
    for goal, met in goals.items():
        console.print(f"{'met' if met else 'MISSED'}: {goal}", style="green" if met else "bold red")


if __name__ == "__main__":
    typer.run(main)

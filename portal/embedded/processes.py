"""Child processes that end with this one: web server and worker, and the sandbox's pretend services."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import requests
from django.conf import settings
from django.utils.translation import gettext as _

START_SECONDS = 60


class StartError(RuntimeError):
    """A process did not start; the text says which, with the end of its log."""


class Processes:
    """Starts programs, and stops all of them at the end of the block. They log to files in `logs`.

    Each gets SIGTERM, and after `grace` seconds SIGKILL, with its children.
    """

    def __init__(self, logs: Path, *, grace: float) -> None:
        self._logs = logs
        self._grace = grace
        self._running: dict[str, subprocess.Popen[str]] = {}

    def __enter__(self) -> Self:
        self._logs.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, *_exc: type[BaseException] | BaseException | TracebackType | None) -> None:
        for process in self._running.values():
            assert process.stdin is not None
            with suppress(OSError):
                process.stdin.close()
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + self._grace
        for process in self._running.values():
            try:
                process.wait(max(deadline - time.monotonic(), 0.1))
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)  # each leads a group of its own, see start()
                process.wait()

    def start(self, name: str, arguments: list[str], environment: Mapping[str, str]) -> "subprocess.Popen[str]":
        """Start `python ARGUMENTS` under a name. `port_of` reads the standard output of the pretend services."""
        with (self._logs / f"{name}.log").open("w") as log:
            process = subprocess.Popen(  # noqa: S603 (our own modules, with our own interpreter)
                [sys.executable, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE if name in ("offision", "controllers") else log,
                stderr=log,
                text=True,
                env={**os.environ, **environment},
                cwd=Path(__file__).resolve().parents[2],
                # Ctrl-C reaches this process only, which then ends the others.
                start_new_session=True,
            )
        self._running[name] = process
        return process

    def port_of(self, name: str) -> int:
        """The port that a pretend service printed on its first line. Raises StartError."""
        process = self._running[name]
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise StartError(_("%(name)s did not start: see %(log)s") % self._where(name))
        return int(json.loads(line)["port"])

    def wait_for(self, name: str, url: str) -> None:
        """Wait until a process answers at an address, with any status. Raises StartError."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._running[name].poll() is None:
            with suppress(requests.RequestException):
                requests.get(url, timeout=2, allow_redirects=False)
                return
            time.sleep(0.05)
        raise StartError(_("%(name)s did not start: see %(log)s") % self._where(name))

    def pause(self, name: str) -> None:
        """Stop a process and its children until `resume`."""
        os.killpg(self._running[name].pid, signal.SIGSTOP)

    def resume(self, name: str) -> None:
        os.killpg(self._running[name].pid, signal.SIGCONT)

    def dead(self) -> list[str]:
        """The names of the processes that have ended."""
        return [name for name, process in self._running.items() if process.poll() is not None]

    def wait_for_the_first(self) -> str:
        """Wait until one of the processes ends; its name."""
        while not (ended := self.dead()):
            time.sleep(0.5)
        return ended[0]

    def _where(self, name: str) -> dict[str, str]:
        path = self._logs / f"{name}.log"
        return {"name": name, "log": "\n".join(["", *path.read_text().splitlines()[-15:]])}


LEASHED = ("-m", "portal.embedded.leashed")


def start_web(processes: Processes, port: int, environment: Mapping[str, str], *, workers: int) -> None:
    """Start the portal's web server on a port of 127.0.0.1."""
    files = ["--static-path-route", "/static", "--static-path-mount", str(settings.STATIC_ROOT)]
    settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)
    # Where its workers keep their metrics, so that /metrics adds them up. Those of the last run are deleted.
    metrics = settings.VAR_DIR / "metrics"
    shutil.rmtree(metrics, ignore_errors=True)
    metrics.mkdir(parents=True)
    processes.start(
        "web",
        [
            *LEASHED,
            *("granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port), "--no-ws"),
            *("--workers", str(workers), "--blocking-threads", "8", *files, "portal.wsgi:application"),
        ],
        {"PROMETHEUS_MULTIPROC_DIR": str(metrics), **environment},
    )


def start_worker(processes: Processes, environment: Mapping[str, str]) -> None:
    """Start a worker with beat."""
    arguments = ["celery", "-A", "portal", "worker", "--beat", "--loglevel", "INFO"]
    processes.start("worker", [*LEASHED, *arguments], environment)


def free_port(wish: int = 0) -> int:
    """A port of 127.0.0.1 that nobody listens on: the one wished for if it is free, else any."""
    for port in (wish, 0):
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):
                sock.bind(("127.0.0.1", port))
                return int(sock.getsockname()[1])
    raise StartError(_("There is no free port on 127.0.0.1."))

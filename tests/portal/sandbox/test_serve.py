"""The pretend services as processes: they tell their port, and never outlive their parent."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from tests.portal.sandbox.conftest import BUILDINGS

PIER = str(BUILDINGS / "pier-house.json")
OFFISION = ["offision", "--building", PIER, "--today", "2026-03-10", "--token-env", "SANDBOX_TOKEN"]
CONTROLLERS = ["controllers", "--building", PIER, "--port", "0"]
# No Django settings and no database: what the services do must not need them.
ENVIRONMENT = {
    key: value
    for key, value in os.environ.items()
    if not key.startswith(("PORTAL_", "DJANGO_", "OFFISION_", "DATABASE_"))
}

Start = Callable[[list[str]], "subprocess.Popen[str]"]


@pytest.fixture
def start() -> Iterator[Start]:
    processes: list[subprocess.Popen[str]] = []

    def run(arguments: list[str]) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-m", "portal.sandbox.serve", *arguments],
            cwd=Path(__file__).parents[3],
            env={**ENVIRONMENT, "SANDBOX_TOKEN": "sesame"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        return process

    yield run
    for process in processes:
        process.kill()
        process.communicate()


def port(process: "subprocess.Popen[str]") -> int:
    assert process.stdout is not None
    return int(json.loads(process.stdout.readline())["port"])


def test_both_services_end_with_their_standard_input(start: Start):
    offision, controllers = start(OFFISION), start(CONTROLLERS)
    where = f"http://127.0.0.1:{port(offision)}/API/external/system/v1/information"
    assert requests.get(where, headers={"Authorization": "sesame"}, timeout=10).json()["product"] == "Offision"
    assert requests.get(where, timeout=10).status_code == 401
    where = f"http://127.0.0.1:{port(controllers)}/controllers/Rooftop/info"
    with requests.Session() as kept_alive:  # an open connection must not hold the end up
        assert kept_alive.get(where, timeout=10).json()["windows"] is False
        for process in (offision, controllers):
            out, err = process.communicate(timeout=10)  # closes its standard input
            assert (process.returncode, out, err) == (0, "", "")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_without_an_error(start: Start, number: signal.Signals):
    process = start(CONTROLLERS)
    port(process)
    process.send_signal(number)
    assert process.wait(timeout=10) == 0
    assert process.stderr is not None
    assert process.stderr.read() == ""


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["controllers", "--building", "/none.json"], "cannot be read"),
        ([*OFFISION[:-1], "SANDBOX_NO_SUCH_TOKEN"], "SANDBOX_NO_SUCH_TOKEN holds no token"),
        ([*CONTROLLERS[:-1], "99999999"], "port"),
    ],
)
def test_arguments_that_cannot_be_used_are_refused_in_a_sentence(start: Start, arguments: list[str], sentence: str):
    process = start(arguments)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (2, "")
    assert sentence in err
    assert "Traceback" not in err
    assert "sesame" not in err

"""The whole portal as a user runs it: processes, HTTP, PostgreSQL and Celery, once over files and once over Redis."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Ended:
    """A process that has ended."""

    stdout: str
    stderr: str
    returncode: int
    pid: int


@dataclass(frozen=True)
class Played(Ended):
    """A building file that was played once."""

    building: dict[str, Any]
    today: date

    @property
    def result(self):
        return json.loads(self.stdout)


def demo(*arguments, **environment):
    """Run `manage.py demo --once`; the ended process, with its output."""
    process = subprocess.Popen(
        [sys.executable, "manage.py", "demo", "--once", "--json", *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    stdout, stderr = process.communicate(timeout=300)
    return Ended(stdout, stderr, process.returncode, process.pid)


@pytest.fixture(scope="session")
def play():
    """Plays a building file, and again if midnight came in between: "today" had two dates."""

    def play(path: Path, **environment) -> Played:
        building = json.loads(path.read_text())
        zone = ZoneInfo(building["site"]["timezone"])
        while True:
            before = datetime.now(zone).date()
            ended = demo("--building", str(path), **environment)
            if datetime.now(zone).date() == before:
                return Played(**vars(ended), building=building, today=before)

    return play

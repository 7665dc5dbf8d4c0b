"""The whole portal, run as a user runs it: processes, HTTP, PostgreSQL, Celery; once over files and once over Redis."""

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
class Played:
    """A building file that was played once."""

    building: dict[str, Any]
    today: date
    stdout: str
    stderr: str
    returncode: int

    @property
    def result(self):
        return json.loads(self.stdout)


def demo(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "manage.py", "demo", "--once", "--json", *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture(scope="session")
def play():
    """Plays a building file; once more where midnight came in between, since "today" was then two days."""

    def play(path: Path, **environment) -> Played:
        building = json.loads(path.read_text())
        zone = ZoneInfo(building["site"]["timezone"])
        while True:
            before = datetime.now(zone).date()
            done = demo("--building", str(path), **environment)
            if datetime.now(zone).date() == before:
                return Played(building, before, done.stdout, done.stderr, done.returncode)

    return play

"""Pretend services on real sockets, one a test."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import requests

from portal.buildings.model import Building
from portal.sandbox.controllers_server import ControllersServer
from portal.sandbox.offision_server import OffisionServer
from portal.sandbox.webserver import LocalServer

BUILDINGS = Path(__file__).parents[3] / "portal" / "sandbox" / "buildings"
TODAY = date(2026, 3, 10)
TOKEN = "sesame-open"


class Client:
    """A kept-alive session with one service."""

    def __init__(self, port: int, headers: dict[str, str] | None = None) -> None:
        self.base = f"http://127.0.0.1:{port}"
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers.update(headers or {})

    def __call__(self, method: str, path: str, json: Any = None, **more: Any) -> requests.Response:
        return self.session.request(method, self.base + path, json=json, timeout=20, **more)


@pytest.fixture
def serve() -> Iterator[Callable[[Any], int]]:
    """Serves WSGI apps, each on a port of its own, until the test ends."""
    with ExitStack() as stack:

        def start(app: Any) -> int:
            server = stack.enter_context(LocalServer(app))
            threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
            stack.callback(server.shutdown)
            return int(server.server_port)

        yield start


@pytest.fixture
def small() -> Building:
    """Two rooms, bookings across midnight and backwards, one resource that only a booking knows."""
    who = {"organizer": "Mei@pier.example", "attendees": ["", "guest@away.example"]}
    return Building.model_validate(
        {
            "site": {"name": "Small", "timezone": "Asia/Hong_Kong"},
            "cardholders": [{"email": "mei@pier.example", "name": "Mei Ling Wong"}],
            "controllers": [
                {"name": "North/East", "doors": [{"number": 1, "name": "A"}, {"number": 2, "name": "B"}]},
                {
                    "name": "Old",
                    "options": {"windows": "none", "capacity": 2},
                    "doors": [{"number": 1, "name": "C"}],
                },
            ],
            "policies": [{"name": "p"}],
            "resources": [
                {"id": "r/1", "name": "Room 1", "policy": "p"},
                {"id": "r2", "name": "Room 2", "policy": "p"},
            ],
            "bookings": [
                {"id": "b1", "resource": "r/1", "start": "+0d 09:00", "end": "+0d 10:00", **who},
                {"id": "night", "resource": "r/1", "start": "+0d 23:00", "end": "+1d 01:00", **who},
                {"id": "back", "resource": "r/1", "start": "+0d 12:00", "end": "-1d 11:00", **who},
                {"id": "odd", "resource": "r9", "start": "+0d 12:00", "end": "+0d 13:00", "status": "queer"},
            ],
            "changes": [
                {"update": "b1", "set": {"title": "late"}, "callback": "late"},
                {"update": "b1", "set": {"title": "once"}},
                {"after_seconds": 0.01, "update": "b1", "set": {"title": "twice"}, "callback": "twice"},
                {"after_seconds": 0.02, "delete": "b1", "callback": "lost"},
            ],
            "visits": [
                {"code": "PHX1", "name": "Chi Wai", "from": "+0d 09:00", "until": "+0d 18:00"},
                {"code": "PHX2", "from": "+0d 09:00", "until": "+0d 18:00", "status": "blacklisted"},
            ],
        }
    )


@pytest.fixture
def offision(serve: Callable[[Any], int], small: Building) -> Client:
    return Client(serve(OffisionServer(small, TODAY, TOKEN)), {"Authorization": TOKEN})


@pytest.fixture
def controllers(serve: Callable[[Any], int], small: Building) -> Client:
    return Client(serve(ControllersServer(small)))

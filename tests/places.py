"""A small building in the database, with the pretend Offision and controllers on real sockets beside it."""

import threading
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
import requests

from accessmap.models import Controller, Resource, Site
from doorsync.bookings import fetch
from doorsync.controllers import reconcile
from doorsync.models import ControllerSync, ResourceSync
from doorsync.work import jobs, queue, scheduler
from portal.buildings.loading import load_map
from portal.buildings.model import Building
from portal.core import clock
from portal.core import tasks as core_tasks
from portal.sandbox.controllers_server import ControllersServer
from portal.sandbox.offision_server import OffisionServer
from portal.sandbox.webserver import LocalServer

# Nine in the morning in Hong Kong.
NOW = datetime(2026, 3, 10, 1, 0, tzinfo=UTC)
TOKEN = "a-token-for-the-tests"


def booking(name: str, start: str, end: str, **more: Any) -> dict[str, Any]:
    return {
        "id": name,
        "resource": "room",
        "start": start,
        "end": end,
        "organizer": "mei@pier.example",
        "attendees": ["tom@pier.example"],
        **more,
    }


def building(**more: Any) -> Building:
    """One room with one door, one attic without time windows, three people. One of them may always pass."""
    return Building.model_validate(
        {
            "site": {"name": "Pier", "timezone": "Asia/Hong_Kong"},
            "access_levels": ["facilities"],
            "cardholders": [
                {"email": "mei@pier.example", "name": "Mei", "cards": [{"number": "1001"}]},
                {"email": "Tom@Pier.example ", "name": "Tom", "cards": [{"number": "1002"}]},
                {"name": "Fay", "cards": [{"number": "1003"}], "access_levels": ["facilities"]},
            ],
            "controllers": [
                {"name": "box", "doors": [{"number": 1, "name": "Room door"}, {"number": 2, "name": "Side door"}]},
                {"name": "old", "options": {"windows": "none"}, "doors": [{"number": 1, "name": "Attic door"}]},
            ],
            "policies": [
                {
                    "name": "staff",
                    "admit": ["organizer", "attendees"],
                    "always": ["facilities"],
                    "lead_minutes": 15,
                    "grace_minutes": 10,
                }
            ],
            "resources": [
                {"id": "room", "name": "Room", "doors": ["Room door"], "policy": "staff"},
                {"id": "attic", "name": "Attic", "doors": ["Attic door"], "policy": "staff"},
                {"id": "desk", "name": "Desk", "doors": [], "policy": "staff"},
            ],
            "bookings": [booking("b1", "+0d 10:00", "+0d 11:00")],
            **more,
        }
    )


class Place:
    """Controls of the pretend Offision and controllers, and the portal's work in this process."""

    def __init__(self, offision_url: str, controllers_url: str) -> None:
        self.offision_url = offision_url
        self.controllers_url = controllers_url

    def change(self, **change: Any) -> None:
        requests.post(f"{self.offision_url}/sandbox/change", json=change, timeout=5).raise_for_status()

    def offision_fault(self, mode: str | None, seconds: float = 0) -> None:
        answer = requests.put(f"{self.offision_url}/sandbox/faults", json={"mode": mode, "seconds": seconds}, timeout=5)
        answer.raise_for_status()

    def box(self, method: str, path: str, body: Any = None, name: str = "box") -> Any:
        answer = requests.request(method, f"{self.controllers_url}/controllers/{name}/{path}", json=body, timeout=5)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def cards(self, name: str = "box") -> dict[str, Any]:
        return {card["number"]: card["doors"] for card in self.box("GET", "cards", name=name)["cards"]}

    def fetch(self, name: str = "room") -> Any:
        """Queue a resource and fetch it."""
        queue.enqueue(ResourceSync.objects.filter(resource__external_id=name), at_once=True, wake=False)
        return fetch.fetch_bookings(Resource.objects.get(external_id=name).pk)

    def reconcile(self, name: str = "box") -> Any:
        """Queue a controller and reconcile it."""
        queue.enqueue(ControllerSync.objects.filter(controller__name=name), at_once=True, wake=False)
        return reconcile.reconcile_controller(Controller.objects.get(name=name).pk)

    def sync(self, name: str = "box") -> ControllerSync:
        return ControllerSync.objects.get(controller__name=name)

    def site(self) -> Site:
        return Site.objects.get()

    def room(self, name: str = "room") -> ResourceSync:
        return ResourceSync.objects.get(resource__external_id=name)


@pytest.fixture
def doorbells(monkeypatch):
    """Celery's messages, listed at once instead of sent: these tests do the work themselves. Jobs run at once."""
    sent: list[tuple[Any, ...]] = []
    at_once = SimpleNamespace(on_commit=lambda send, robust: send())
    monkeypatch.setattr(core_tasks, "transaction", at_once)
    monkeypatch.setattr(
        core_tasks, "publish", lambda name, args, **options: sent.append((name.rpartition(".")[2], *args))
    )
    monkeypatch.setattr(jobs, "wake_worker", jobs.run)
    return sent


@pytest.fixture
def start_place(db, settings, doorbells):
    """Start a Place for a building, with its map and its work rows."""
    servers: list[LocalServer] = []

    def serve(app: Any) -> str:
        server = LocalServer(app)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    def start(file: Building) -> Place:
        place = Place(
            serve(OffisionServer(file, NOW.astimezone(file.tz).date(), TOKEN)), serve(ControllersServer(file))
        )
        settings.OFFISION_URL, settings.OFFISION_TOKEN = place.offision_url, TOKEN
        settings.OFFISION_READ_TIMEOUT = 0.5
        load_map(
            file,
            controller_options={
                box.name: {"url": f"{place.controllers_url}/controllers/{box.name}", "timeout_seconds": 0.3}
                for box in file.controllers
            },
        )
        scheduler.tick()
        return place

    with clock.stopped_at(NOW):
        yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def place(start_place):
    return start_place(building())

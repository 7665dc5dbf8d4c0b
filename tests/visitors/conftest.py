"""A gate to ask at, with the pretend Offision behind it."""

from datetime import timedelta
from typing import Any

import pytest
import requests

from portal.audit.models import Entry
from portal.core import clock
from tests.places import NOW, building
from visitors import tasks
from visitors.models import Turnstile, TurnstileKey, Verification
from visitors.verification import guessing

VISITS = [
    {
        "code": "GOOD1",
        "name": "Ana",
        "company": "Acme",
        "host": "mei@pier.example",
        "from": "+0d 08:00",
        "until": "+0d 18:00",
        "status": "checked_in",
    },
    {"code": "NEW1", "name": "Cy", "from": "+0d 08:00", "until": "+0d 18:00", "status": "expected"},
    {"code": "BAD1", "name": "Bo", "from": "+0d 08:00", "until": "+0d 18:00", "status": "blacklisted"},
]
GATES = [
    {"name": "in", "direction": "in", "statuses_in": ["checked_in"]},
    {"name": "other", "direction": "in", "statuses_in": ["checked_in"]},
    {"name": "out", "direction": "out", "statuses_out": ["checked_in"]},
    {"name": "both", "direction": "both", "statuses_in": ["checked_in"], "statuses_out": ["checked_in"]},
]


class Gates:
    """What the tests' turnstiles do."""

    def __init__(self, place: Any, client: Any) -> None:
        self.place, self.client = place, client
        self.keys = {
            gate.name: TurnstileKey.objects.create_key(name=gate.name, turnstile=gate)[1]
            for gate in Turnstile.objects.all()
        }

    def __call__(self, code: str, *, at: str = "in", key: str | None = None, **more: Any) -> Any:
        return self.post("verify", {"code": code, **more}, at=at, key=key)

    def post(self, path: str, body: Any, *, at: str = "in", key: str | None = None) -> Any:
        return self.client.post(
            f"/api/visitors/{path}",
            body,
            content_type="application/json",
            headers={"authorization": f"Api-Key {self.keys[at] if key is None else key}"},
        )

    def device(self, at: str, body: bytes | str = b"", rest: str = "", content_type: str = "text/html") -> Any:
        return self.client.post(f"/api/visitors/devices/{self.keys[at]}/{rest}", body, content_type=content_type)

    def set(self, name: str, **fields: Any) -> Turnstile:
        Turnstile.objects.filter(name=name).update(**fields)
        return Turnstile.objects.get(name=name)

    def visit(self, code: str, **fields: Any) -> None:
        """Have Offision show a visit like this."""
        body = {"code": code, "status": "checked_in", **fields}
        requests.put(f"{self.place.offision_url}/sandbox/visits", json=body, timeout=5).raise_for_status()

    def last(self) -> Verification:
        """The last answer, by the log: the tests' clock stands still."""
        return Verification.objects.get(pk=Entry.objects.filter(action="visitor.verify").latest("id").object_id)

    def offision(self) -> Any:
        return requests.get(f"{self.place.offision_url}/sandbox/status", timeout=5).json()


@pytest.fixture
def gate(start_place, client, monkeypatch):
    rung: list[str] = []
    for name in ("tell_offision", "prefetch_visits"):
        monkeypatch.setattr(getattr(tasks, name), "delay", lambda n=name: rung.append(n))
    # Its timer's thread would write into another transaction.
    monkeypatch.setattr(guessing, "_timer", object())
    guessing.forget()
    yield Gates(start_place(building(visits=VISITS, turnstiles=GATES)), client)
    guessing.forget()


@pytest.fixture
def later():
    """Stop the clock so many seconds after the tests' now."""
    return lambda seconds: clock.stopped_at(NOW + timedelta(seconds=seconds))

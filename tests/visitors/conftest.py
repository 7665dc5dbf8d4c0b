"""Turnstiles that scan codes, with the pretend Offision behind them."""

from datetime import timedelta
from typing import Any

import pytest
import requests

from portal.audit.models import Entry
from portal.core import clock, tasks
from tests.places import NOW, building
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
TURNSTILES = [
    {"name": "in", "direction": "in", "statuses_in": ["checked_in"]},
    {"name": "other", "direction": "in", "statuses_in": ["checked_in"]},
    {"name": "out", "direction": "out", "statuses_out": ["checked_in"]},
    {"name": "both", "direction": "both", "statuses_in": ["checked_in"], "statuses_out": ["checked_in"]},
]


class Turnstiles:
    """The turnstiles "in", "other", "out" and "both": what they send, and how they are configured."""

    def __init__(self, place: Any, client: Any) -> None:
        self.place, self.client = place, client
        self.keys = {
            turnstile.name: TurnstileKey.objects.create_key(name=turnstile.name, turnstile=turnstile)[1]
            for turnstile in Turnstile.objects.all()
        }

    def scan(self, code: str, *, at: str = "in", key: str | None = None, **fields: Any) -> Any:
        return self.post("verify", {"code": code, **fields}, at=at, key=key)

    def post(self, path: str, body: Any, *, at: str = "in", key: str | None = None) -> Any:
        return self.client.post(
            f"/api/visitors/{path}",
            body,
            content_type="application/json",
            headers={"authorization": f"Api-Key {self.keys[at] if key is None else key}"},
        )

    def device(self, at: str, body: bytes | str = b"", path: str = "", content_type: str = "text/html") -> Any:
        return self.client.post(f"/api/visitors/devices/{self.keys[at]}/{path}", body, content_type=content_type)

    def report_passage(self, answer: Any, *, passed: bool = True, at: str = "in", **fields: Any) -> Any:
        body = {"verification_id": answer.json()["verification_id"], "passed": passed, **fields}
        return self.post("passages", body, at=at)

    def configure(self, name: str, **fields: Any) -> Turnstile:
        Turnstile.objects.filter(name=name).update(**fields)
        return Turnstile.objects.get(name=name)

    def set_visit(self, code: str, **fields: Any) -> None:
        """Add or change a visit in Offision."""
        body = {"code": code, "status": "checked_in", **fields}
        requests.put(f"{self.place.offision_url}/sandbox/visits", json=body, timeout=5).raise_for_status()

    def last_verification(self) -> Verification:
        """The last one by the audit log: the tests' clock stands still."""
        return Verification.objects.get(pk=Entry.objects.filter(action="visitor.verify").latest("id").object_id)

    def look_ups(self) -> int:
        """How many look-ups of visits Offision has received."""
        status = requests.get(f"{self.place.offision_url}/sandbox/status", timeout=5).json()
        return int(status["visit_requests"])


@pytest.fixture
def turnstiles(start_place, client, monkeypatch):
    monkeypatch.setattr(tasks, "publish", lambda name, args: None)
    guessing.reset()
    yield Turnstiles(start_place(building(visits=VISITS, turnstiles=TURNSTILES)), client)
    guessing.reset()


@pytest.fixture
def later():
    """Stop the clock so many seconds after the tests' now."""
    return lambda seconds: clock.stopped_at(NOW + timedelta(seconds=seconds))

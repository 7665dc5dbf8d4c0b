"""The portal's promises of speed, each measured with its floor in the same run."""

import functools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import requests
import structlog
from django.conf import settings
from django.db import connection
from django.db.models import Max
from django.urls import reverse
from django.utils.translation import gettext as _

from doorsync.models import BookingFetch, Callback, Reconciliation
from portal.sandbox.load_generator import Load, post_many
from portal.sandbox.play_once import sync_seconds
from portal.sandbox.playground import Playground, quiet

log = structlog.get_logger(__name__)

ROOT = Path(__file__).resolve().parents[2]
ROUNDS = 5
REQUESTS_A_ROUND = 600
CONNECTIONS = 8
LONE_CHANGES = 40


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table. `reached`: whether it reaches its goal; None if it only informs."""

    name: str
    value: float
    unit: str
    goal: str
    reached: bool | None
    how: str


def at_most(name: str, value: float, unit: str, limit: float, how: str) -> Figure:
    return Figure(name, round(value, 3), unit, f"<= {limit:g}", value <= limit, how)


def at_least(name: str, value: float, unit: str, limit: float, how: str) -> Figure:
    return Figure(name, round(value, 3), unit, f">= {limit:g}", value >= limit, how)


def informs(name: str, value: float, unit: str, how: str) -> Figure:
    return Figure(name, round(value, 3), unit, "", None, how)


def measure(place: Playground) -> Iterator[Figure]:
    """All figures that need a running building."""
    yield from one_at_a_time(place)
    yield from endpoint(place)
    yield from many_for_one(place)


def one_at_a_time(place: Playground) -> Iterator[Figure]:
    """Callback received -> controller confirmed, with nothing else going on."""
    log.info("changes, one at a time", n=LONE_CHANGES)
    first = (Callback.objects.aggregate(last=Max("pk"))["last"] or 0) + 1
    bookings = [b for b in place.offision("bookings")["bookings"] if b["resourceId"] != "room-999"]
    room = _room_with_a_door(place)
    for number in range(LONE_CHANGES):
        more = Callback.objects.count() + 1
        attendees = [a["email"] for a in bookings[number % len(bookings)]["attendees"]]
        place.offision("change", {"create": _booking(f"lone-{number}", room, number, attendees)})
        place.wait_until(_("The callback"), functools.partial(_received, more))
        place.wait_until(_("The change"), quiet)
    took = sync_seconds(since=first)
    floor = _floor_of_one_change(place, room)
    how = f"{LONE_CHANGES} changes of one room, each after the one before was confirmed"
    yield at_most("callback to door, p50", took["p50"] or 0, "s", 0.5, how)
    yield at_most("callback to door, p95", took["p95"] or 0, "s", 1.5, how)
    yield informs("its floor: the same HTTP calls alone", floor, "s", "4 booking lists, 1 read, 1 card written; median")


def make_floor_table() -> None:
    """Create the table of the floors' views."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE bench_note (id bigserial PRIMARY KEY, body jsonb NOT NULL)")


def _received(count: int) -> bool:
    return Callback.objects.count() >= count


def _floor_of_one_change(place: Playground, room: str) -> float:
    """The seconds of the HTTP calls that one change needs at least, one after the other."""
    box = place.building.controllers[0]
    base = f"{place.controllers_url}/controllers/{quote(box.name, safe='')}"
    took = []
    with requests.Session() as session:
        for _round in range(20):
            begun = time.perf_counter()
            for _day in range(4):
                session.get(
                    f"{place.offision_url}/API/external/booking/v1/resources/{room}/daily-bookings",
                    params={"date": place.today.isoformat()},
                    headers={"Authorization": os.environ["OFFISION_TOKEN"]},
                    timeout=10,
                ).raise_for_status()
            for path in ("info", "cards", "holds"):
                session.get(f"{base}/{path}", timeout=10).raise_for_status()
            card = {"doors": {str(box.doors[0].number): [[None, None]]}}
            session.put(f"{base}/cards/floor", json=card, timeout=10).raise_for_status()
            session.delete(f"{base}/cards/floor", timeout=10)
            took.append(time.perf_counter() - begun)
    return statistics.median(took)


def endpoint(place: Playground) -> Iterator[Figure]:
    """Callbacks per second, each stored before its 202, in turn with a bare INSERT on the same server."""
    log.info("the callback endpoint against a bare INSERT", rounds=ROUNDS)
    make_floor_table()
    secret = settings.CALLBACK_SECRETS[0]
    ours = place.portal_url + reverse("callback", args=[secret])
    rooms = [resource.id for resource in place.building.resources if resource.doors]
    for name, ids, at_work in (
        ("callbacks for one room", rooms[:1], True),
        ("callbacks for many rooms, worker paused", rooms, False),
        ("callbacks for many rooms, worker at work", rooms, True),
    ):
        bodies = [
            json.dumps({"event": "appointment.updated", "resourceId": ids[n % len(ids)], "n": n}).encode()
            for n in range(REQUESTS_A_ROUND)
        ]
        pairs = []
        for _round in range(ROUNDS):
            if not at_work:
                place.processes.pause("worker")
            floor = _checked(post_many(f"{place.portal_url}/bench/insert/", bodies, connections=CONNECTIONS))
            pairs.append((_checked(post_many(ours, bodies, connections=CONNECTIONS)), floor))
            place.processes.resume("worker")
            place.wait_until(_("The fetches"), quiet)
        ratio = statistics.median(mine / floor for mine, floor in pairs)
        how = f"median of {ROUNDS} pairs of {REQUESTS_A_ROUND} requests on {CONNECTIONS} connections"
        # With many rooms the worker fetches twenty resources again and again on the same two cores; the floor does not.
        name_of_ratio = f"{name}, of a bare INSERT"
        if at_work and len(ids) > 1:
            yield informs(name_of_ratio, ratio, "x", how)
        else:
            yield at_least(name_of_ratio, ratio, "x", 0.7, how)
        yield informs(f"{name}", statistics.median(mine for mine, _ in pairs), "/s", how)
        yield informs("  its floor, bare DRF view with one INSERT", statistics.median(f for _, f in pairs), "/s", how)


def _checked(load: Load) -> float:
    if set(load.statuses) != {202}:
        raise RuntimeError(_("Not every request was taken: %(statuses)s") % {"statuses": load.statuses})
    return load.per_second


def many_for_one(place: Playground) -> Iterator[Figure]:
    """A thousand callbacks for one resource."""
    log.info("a thousand callbacks for one room")
    place.wait_until(_("Quiet"), quiet)
    last = BookingFetch.objects.aggregate(last=Max("pk"))["last"]
    served = place.offision("status")["booking_requests"]
    room = _room_with_a_door(place)
    body = json.dumps({"event": "appointment.updated", "resourceId": room}).encode()
    url = place.portal_url + reverse("callback", args=[settings.CALLBACK_SECRETS[0]])
    _checked(post_many(url, [body] * 1000, connections=CONNECTIONS))
    place.wait_until(_("The fetches"), quiet)
    fetches = BookingFetch.objects.filter(pk__gt=last, resource__external_id=room).count()
    how = "1,000 callbacks, as fast as they are taken"
    yield at_most("fetches for 1,000 callbacks of one room", fetches, "", 19, how)
    yield informs(
        "  HTTP requests that they made", place.offision("status")["booking_requests"] - served, "", "4 days a fetch"
    )
    yield informs("reconciliations in all", Reconciliation.objects.count(), "", "")


def _room_with_a_door(place: Playground) -> str:
    return next(resource.id for resource in place.building.resources if resource.doors)


def _booking(name: str, room: str, number: int, attendees: list[str]) -> dict[str, Any]:
    minute = 10 * number
    return {
        "id": name,
        "resource": room,
        "title": name,
        "start": f"+1d {minute // 60 + 8:02}:{minute % 60:02}",
        "end": f"+1d {(minute + 10) // 60 + 8:02}:{(minute + 10) % 60:02}",
        "status": "checked_in",
        "organizer": attendees[0] if attendees else "",
        "attendees": attendees,
    }


def once(building: Path) -> Iterator[Figure]:
    """Play a whole building file once, in a process of its own."""
    log.info("playing a building once", building=building.name)
    begun = time.perf_counter()
    done = subprocess.run(  # noqa: S603 (our own command, with our own interpreter)
        [sys.executable, "manage.py", "demo", "--once", "--json", "--building", str(building)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    took = time.perf_counter() - begun
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    result = json.loads(done.stdout)
    name = building.stem
    yield at_most(f"demo --once on {name}", took, "s", 25, "wall time, everything included")
    yield informs("  callbacks received", result["callbacks"]["received"], "", "")
    yield informs("  fetches for them", result["callbacks"]["fetches"], "", "")
    yield informs("  callback to door, p50, all changes together", result["sync_seconds"]["p50"], "s", "")
    yield informs("  callback to door, p95, all changes together", result["sync_seconds"]["p95"], "s", "")


def fresh_clone() -> Iterator[Figure]:
    """`git clone` and `make demo` until the first permissions are at the doors, with packages from uv's cache."""
    log.info("a fresh clone, and make demo in it")
    with tempfile.TemporaryDirectory(prefix="portal-clone-") as folder:
        Path(folder).chmod(0o755)
        begun = time.perf_counter()
        clone = Path(folder) / "portal"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)  # noqa: S603, S607
        demo = subprocess.Popen(
            ["make", "demo"],  # noqa: S607
            cwd=clone,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert demo.stderr is not None
        for line in demo.stderr:
            if "the controllers hold what the bookings say" in line:
                break
        took = time.perf_counter() - begun
        os.killpg(demo.pid, 2)  # Ctrl-C
        demo.stderr.read()
        demo.wait()
    yield at_most("fresh clone to the first permission at a door", took, "s", 60, "git clone, make demo")


def as_json(figures: list[Figure]) -> str:
    return json.dumps([asdict(figure) for figure in figures], ensure_ascii=False, indent=1)

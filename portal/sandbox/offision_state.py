"""What the pretend Offision knows: bookings, visits, subscriptions; and the playing of a file's changes."""

import itertools
import sys
import threading
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from time import monotonic, sleep
from typing import Any

from pydantic import ValidationError

from portal.buildings.model import (
    Booking,
    Building,
    Change,
    ChangeError,
    Visit,
    apply_change,
    local_time,
)
from portal.core import clock
from portal.sandbox.callbacks import Callback, CallbackSender

LATE_SECONDS = 1.5
_VISIT_MOVES = {"check-in": ("expected", "checked_in"), "check-out": ("checked_in", "checked_out")}


class StateError(Exception):
    """What is asked does not fit what is there; the text is a sentence that says why."""


@dataclass(frozen=True)
class Subscription:
    """Whom to call about which resource (None: about all)."""

    id: str
    call_url: str
    resource_id: str | None


class OffisionState:
    """Bookings, visits and subscriptions behind one lock. `today` is the site's date that "+0d" means."""

    def __init__(self, building: Building, today: date) -> None:
        self._lock = threading.Lock()
        self._today, self._tz = today, building.tz
        self._names = {
            holder.email.strip().casefold(): holder.name for holder in building.cardholders if holder.email.strip()
        }
        self._bookings = {booking.id: booking for booking in building.bookings}
        self._visits = {visit.code: self._visit_on_wire(visit) for visit in building.visits}
        self._subscriptions: dict[str, Subscription] = {}
        self._numbers = itertools.count(1)
        self._sender = CallbackSender()
        self._changes = building.changes
        self._played = 0
        self._playing = False
        self._resources = {resource.id: resource.name for resource in building.resources}
        for booking in building.bookings:
            self._learn_resource(booking)

    def _learn_resource(self, booking: Booking) -> None:
        # What only a booking names is a resource of Offision's all the same: one that nobody mapped.
        self._resources.setdefault(booking.resource, booking.resource)

    # Reading -----------------------------------------------------------------------------------------

    def resources(self) -> list[dict[str, str]]:
        """Every bookable resource, also those that only a booking names."""
        with self._lock:
            return [{"id": key, "name": name} for key, name in self._resources.items()]

    def bookings(self) -> list[dict[str, Any]]:
        """Every booking present: as on the wire, with the file's own "start" and "end" beside it."""
        with self._lock:
            present = list(self._bookings.values())
        return [{**self._on_wire(b), "start": b.start, "end": b.end} for b in present]

    def daily_bookings(self, resource_id: str, day: date) -> list[dict[str, Any]] | None:
        """A resource's bookings that overlap a date of the site's, by start; None for no such resource."""
        with self._lock:
            if resource_id not in self._resources:
                return None
            present = [b for b in self._bookings.values() if b.resource == resource_id]
        midnight = datetime.combine(day, time(), tzinfo=self._tz).astimezone(UTC)
        next_midnight = datetime.combine(day + timedelta(days=1), time(), tzinfo=self._tz).astimezone(UTC)
        found = []
        for booking in present:
            start, end = self._moment(booking.start), self._moment(booking.end)
            # One that ends before it starts is still listed, on the day of its start: Offision has it.
            if start < next_midnight and (end > midnight or start >= midnight):
                found.append((start, booking.id, booking))
        return [self._on_wire(booking) for _start, _id, booking in sorted(found, key=lambda f: f[:2])]

    def visit(self, code: str) -> dict[str, Any] | None:
        """A visit by its registration code, whatever its case; None for no such visit."""
        with self._lock:
            return self._visits.get(code)

    def visits(self, day: date) -> list[dict[str, Any]]:
        """The visits that overlap a date of the site's, and those without bounds."""
        with self._lock:
            visits = list(self._visits.values())
        return [v for v in visits if (v["validFrom"] or "")[:10] <= day.isoformat() <= (v["validUntil"] or "9999")[:10]]

    def put_visit(self, visit: dict[str, Any]) -> None:
        """Have this visit, as on the wire, in place of any with its code."""
        with self._lock:
            self._visits[visit["code"]] = visit

    def _moment(self, text: str) -> datetime:
        return local_time(text, self._today, self._tz).astimezone(UTC)

    def _iso(self, text: str) -> str:
        return local_time(text, self._today, self._tz).isoformat()

    def _person(self, email: str) -> dict[str, str]:
        return {"name": self._names.get(email.strip().casefold(), ""), "email": email}

    def _on_wire(self, booking: Booking) -> dict[str, Any]:
        return {
            "id": booking.id,
            "resourceId": booking.resource,
            "subject": booking.title,
            "startTime": self._iso(booking.start),
            "endTime": self._iso(booking.end),
            "status": booking.status,
            "organizer": self._person(booking.organizer),
            "attendees": [self._person(email) for email in booking.attendees],
        }

    def _visit_on_wire(self, visit: Visit) -> dict[str, Any]:
        return {
            "code": visit.code,
            "visitorName": visit.name,
            "company": visit.company,
            "hostEmail": visit.host,
            "validFrom": self._iso(visit.valid_from),
            "validUntil": self._iso(visit.valid_until),
            "status": visit.status,
            "site": None,
        }

    # Visits ------------------------------------------------------------------------------------------

    def move_visit(self, code: str, move: str) -> dict[str, Any] | None:
        """Check a visit in or out (`move` is "check-in" or "check-out"); None for no such visit.

        Raises StateError when the visit's status does not allow it.
        """
        needed, becomes = _VISIT_MOVES[move]
        with self._lock:
            visit = self._visits.get(code)
            if visit is None:
                return None
            if visit["status"] != needed:
                raise StateError(f"The visit is {visit['status']}; {move} needs it to be {needed}.")
            visit = self._visits[code] = {**visit, "status": becomes}
        return visit

    # Subscriptions -----------------------------------------------------------------------------------

    def subscribe(self, call_url: str, resource_id: str | None) -> Subscription | None:
        """Call this URL about a resource (None: all) from now on; None for no such resource."""
        with self._lock:
            if resource_id is not None and resource_id not in self._resources:
                return None
            made = Subscription(f"sub-{next(self._numbers)}", call_url, resource_id)
            self._subscriptions[made.id] = made
            return made

    def unsubscribe(self, subscription_id: str) -> bool:
        """Stop calling; False for no such subscription."""
        with self._lock:
            return self._subscriptions.pop(subscription_id, None) is not None

    def subscriptions(self) -> list[Subscription]:
        """Every subscription, oldest first."""
        with self._lock:
            return list(self._subscriptions.values())

    # Changes -----------------------------------------------------------------------------------------

    def change(self, change: Change) -> dict[str, Any]:
        """Make a change now, call the subscribers as it says, and give the booking (as it was, if deleted).

        Raises ChangeError when it creates what is there or touches what is not, pydantic.ValidationError
        when what it sets makes no valid booking.
        """
        with self._lock:
            before, after = apply_change(self._bookings, change)
            booking = after or before
            assert booking is not None
            self._learn_resource(booking)
            # A booking that moved is news to the room it left, too.
            touched = {b.resource: None for b in (before, after) if b is not None}
            to_call = [
                (subscription.call_url, resource_id)
                for resource_id in touched
                for subscription in self._subscriptions.values()
                if subscription.resource_id in (None, resource_id)
            ]
        event = "created" if before is None else "deleted" if after is None else "updated"
        for url, resource_id in to_call:
            payload = {
                "event": f"appointment.{event}",
                "resourceId": resource_id,
                "appointmentId": booking.id,
                "sentAt": clock.now().isoformat(),
            }
            for delay in _delays(change):
                self._sender.send(Callback(url, payload), after_seconds=delay)
        return self._on_wire(booking)

    def play(self) -> bool:
        """Start playing the file's changes in a thread of its own, in order, each at its `after_seconds`.

        False when they are being played, or were, already.
        """
        with self._lock:
            if self._playing:
                return False
            self._playing = True
        threading.Thread(target=self._play, name="play", daemon=True).start()
        return True

    def _play(self) -> None:
        begun = monotonic()
        for change in self._changes:
            sleep(max(0.0, begun + change.after_seconds - monotonic()))
            try:
                self.change(change)
            except (ChangeError, ValidationError) as error:
                # Only after a change by hand, which the file could not know of: the play goes on.
                print(f"A change of the file could not be made: {error}", file=sys.stderr)  # noqa: T201
            with self._lock:
                self._played += 1

    def status(self) -> dict[str, int | bool]:
        """How far the play has come, and the callbacks' counts."""
        with self._lock:
            played, playing = self._played, self._playing
        pending, sent, failures = self._sender.counts()
        return {
            "played": played,
            "of": len(self._changes),
            "finished": playing and played == len(self._changes) and pending == 0,
            "callbacks_sent": sent,
            "callback_failures": failures,
        }


def _delays(change: Change) -> list[float]:
    return {"lost": [], "once": [0.0], "twice": [0.0, 0.0], "late": [LATE_SECONDS]}[change.callback]

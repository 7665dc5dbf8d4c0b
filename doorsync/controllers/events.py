"""Door events: what happened at a controller's doors, into the audit log, each once, also after an outage.

The last event that is in the log stands in the database, and moves on in the transaction that writes the entries.
"""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from accessmap.models import Card, Controller, Door, masked
from doorsync.drivers import driver_for
from doorsync.drivers.base import BadOptions, DoorEvent, DriverError
from doorsync.models import EventCursor
from portal.audit.models import Entry, Outcome
from portal.core import clock
from portal.core.problems import problem_of

_OUTCOMES = {"opened": Outcome.DONE, "unlocked": Outcome.DONE, "denied": Outcome.REFUSED}


def drain_events(controller_id: int) -> int:
    """Write a controller's (primary key) new events to the log; how many. 0 where there are none."""
    controller = Controller.objects.get(pk=controller_id)
    cursor, _created = EventCursor.objects.get_or_create(controller=controller)
    try:
        driver = driver_for(controller, clock.now())
    except BadOptions:
        return 0  # reconciliation reports it
    try:
        if not driver.capabilities.events:
            return 0
        events = driver.events(after=cursor.index)
    except DriverError as error:
        problem = problem_of(error)
        EventCursor.objects.filter(pk=cursor.pk).exclude(last_error=[problem]).update(last_error=[problem])
        return 0
    finally:
        driver.close()
    return _write(controller, cursor.index, events)


def _write(controller: Controller, after: int, events: Sequence[DoorEvent]) -> int:
    """Write the events, unless another worker has moved on from `after` meanwhile."""
    now = clock.now()
    with transaction.atomic():
        cursor = EventCursor.objects.select_for_update().get(controller=controller)
        if cursor.index != after:
            return 0
        Entry.objects.bulk_create(entries(controller, [event for event in events if event.kind], now))
        cursor.index = max((event.index for event in events), default=after)
        cursor.read_at, cursor.last_error = now, []
        cursor.save()
    return len(events)


def entries(controller: Controller, events: Sequence[DoorEvent], now: datetime) -> list[Entry]:
    """The audit entries of these events, with the card's holder. An event in the future counts as now."""
    holders = dict(
        Card.objects.filter(number__in={event.card for event in events}).values_list("number", "cardholder__name")
    )
    doors = {door.number: door for door in Door.objects.filter(controller=controller)}
    return [
        Entry(
            at=min(event.at, now),
            actor=holders.get(event.card) or (f"card {masked(event.card)}" if event.card else "–"),
            action=f"door.{event.kind}",
            object_type=Door._meta.label,
            object_id=str(doors[event.door].pk) if event.door in doors else "",
            object_label=f"{controller.name}: {doors.get(event.door, event.door)}"[:300],
            outcome=_OUTCOMES.get(event.kind, Outcome.FAILED),
            detail={"card": masked(event.card) if event.card else "", "index": event.index, "read": now.isoformat()},
        )
        for event in events
    ]

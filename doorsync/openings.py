"""Doors unlocked for a moment by the very relay that also holds them unlocked (Capabilities.pulse_shows).

While the moment lasts, such a controller is read as holding the door: that is nobody else's doing, and no booking may
rely on it. So the moment is noted down before it begins. Reconciliation leaves the door alone until it is over, and
comes back then: a door that is still unlocked by mistake is known for the portal's own, and is let lock.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Min, Value
from django.db.models.functions import Least

from accessmap.models import Controller, Door
from doorsync.drivers.base import DriverError, Unknown
from doorsync.models import ControllerCard, ControllerHold, ControllerSync
from portal.core import clock

State = ControllerCard.State

# A moment may begin and end so much later than the portal's own count of it: its request takes time.
MARGIN = timedelta(seconds=2)


def under_way(controller: Controller, now: datetime) -> frozenset[int]:
    """The doors (numbers) that may stand unlocked for a moment at `now`. To be asked after the controller was read."""
    rows = ControllerHold.objects.filter(controller=controller, open_until__gt=now)
    return frozenset(rows.values_list("door_number", flat=True))


def next_end(controller: Controller, *, after: datetime) -> datetime | None:
    """When the first of the moments that last beyond `after` is over."""
    rows = ControllerHold.objects.filter(controller=controller, open_until__gt=after)
    found: datetime | None = rows.aggregate(end=Min("open_until"))["end"]
    return found


@contextmanager
def noted(door: Door, *, seconds: int) -> Iterator[None]:
    """While a door is unlocked for so many seconds: note it down first, and have the controller looked at afterwards.

    Where the controller clearly did nothing, the note is taken back. Where nobody knows, it stays the portal's affair
    for a while (ledger.WATCHED_FOR): a request may arrive late.
    """
    now = clock.now()
    until = now + timedelta(seconds=seconds) + MARGIN
    with transaction.atomic():
        # Locked before the hold, as at the end of a round: either that sees this note, or this moves its next edge.
        sync = ControllerSync.objects.filter(controller=door.controller_id)
        list(sync.select_for_update().values_list("pk"))
        hold, created = ControllerHold.objects.get_or_create(
            controller_id=door.controller_id,
            door_number=door.number,
            defaults={"state": State.PENDING, "changed_at": now},
        )
        before = State.IN_STEP if created else hold.state
        mine = ControllerHold.objects.filter(pk=hold.pk)
        mine.update(open_until=until, state=State.PENDING, changed_at=now)
        sync.update(next_edge_at=Least("next_edge_at", Value(until)))
    mine = mine.filter(open_until=until)  # unless another moment began meanwhile
    try:
        yield
    except Unknown:
        raise
    except DriverError:
        if created:
            mine.delete()
        else:
            mine.update(state=before)
        raise
    mine.update(state=before)

"""Doors opened on request, one moment at a time.

With Capabilities.pulse_shows, the relay that opens a door for a moment also holds it unlocked. While the moment lasts,
such a controller is read as holding the door: no booking may rely on that. So the moment is written down before it
begins. Reconciliation leaves the door alone until it is over, and comes back then: a door that is still unlocked by
mistake is known as the portal's own, and is locked.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Min, Value
from django.db.models.functions import Least
from django.utils.translation import gettext as _

from accessmap.models import Controller, Door
from doorsync.drivers import driver_for
from doorsync.drivers.base import Driver, DriverError, Unknown, Unreachable
from doorsync.models import ControllerCard, ControllerHold, ControllerSync, UnlockRequest
from portal.audit.models import Outcome, record
from portal.core import clock

KEYS_KEPT_FOR = timedelta(days=1)


def open_for_a_moment(door: Door, *, milliseconds: int, key: str, actor: str, reason: str = "") -> bool | None:
    """Unlock a door once for so long, in whole seconds. Whether it did; None where nobody knows. The log says why.

    Never repeated, also where nobody knows whether the controller did it: a door that opens twice lets two in. `key`
    names this one moment to controllers that know such keys; `reason`: a person's, for the log. settings.OPEN_DOOR
    names this function.
    """
    problem = ""
    opened: bool | None = False
    detail: dict[str, Any] = {"key": key, **({"reason": reason} if reason else {})}
    if not door.controller.enabled:
        problem = _("Controller %(name)s is disabled.") % {"name": door.controller}
    else:
        try:
            driver = driver_for(door.controller, clock.now())
            try:
                if driver.capabilities.pulse:
                    if not _pulse(driver, door, seconds=max(1, math.ceil(milliseconds / 1000)), key=key):
                        detail["stood_unlocked"] = True
                    opened = True
                else:
                    problem = _("Controller %(name)s can't unlock a door for a moment.") % {"name": door.controller}
            finally:
                driver.close()
        except Unknown as error:
            problem, opened = str(error), None
        except DriverError as error:
            problem = str(error)
    record(
        actor=actor,
        action="door.pulse",
        on=door,
        outcome=Outcome.FAILED if problem else Outcome.DONE,
        reasons=[problem] if problem else [],
        detail=detail,
    )
    return opened


def is_first(key: str) -> bool:
    """Whether this key (a UUID) was never used before; it is used from now on. Two at the same moment: one is first.

    Keys are forgotten after a day, when nobody presses the button of a page that was opened then.
    """
    now = clock.now()
    UnlockRequest.objects.filter(at__lt=now - KEYS_KEPT_FOR).delete()
    try:
        with transaction.atomic():
            UnlockRequest.objects.create(key=key, at=now)
    except IntegrityError:
        return False
    return True


def _pulse(driver: Driver, door: Door, *, seconds: int, key: str) -> bool:
    """Unlock the door for a moment. False where it stands unlocked already, and the end of a moment would lock it."""
    if not driver.capabilities.pulse_shows:
        driver.pulse(door.number, seconds=seconds, key=key)
        return True
    if _is_held(driver, door):
        return False
    with noted(door, seconds=seconds):
        driver.pulse(door.number, seconds=seconds, key=key)
    return True


def _is_held(driver: Driver, door: Door) -> bool:
    try:
        held = driver.read().holds
    except Unknown as error:
        raise Unreachable(error.problem) from error  # it was only asked: nothing has happened
    return door.number in held and door.number not in under_way(door.controller, clock.now())


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

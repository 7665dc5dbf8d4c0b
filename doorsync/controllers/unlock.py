"""Doors unlocked on request, for a moment.

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

from accessmap.models import Controller, Door
from doorsync.controllers.problems import DISABLED, NO_PULSE
from doorsync.drivers import driver_for
from doorsync.drivers.base import Driver, DriverError, Unknown, Unreachable
from doorsync.models import ControllerCard, ControllerHold, ControllerSync, UnlockRequest
from portal.audit.models import Outcome, record_alone
from portal.core import clock
from portal.core.problems import Problem, problem_of

State = ControllerCard.State

KEYS_KEPT_FOR = timedelta(days=1)
# A moment may begin and end this much later than by the portal's clock: its request takes time.
MARGIN = timedelta(seconds=2)


def open_for_a_moment(door: Door, *, milliseconds: int, key: str, actor: str, reason: str = "") -> bool | None:
    """Unlock a door once for so long, rounded up to whole seconds. Whether it did; None if unknown. The log says why.

    Never repeated, even where the outcome is unknown: a door that opens twice lets two people in. `key` names this
    moment to controllers that know such keys; `reason`: a person's, for the log. settings.OPEN_DOOR names it.
    """
    detail: dict[str, Any] = {"key": key, **({"reason": reason} if reason else {})}
    opened, problem = _open(door, seconds=max(1, math.ceil(milliseconds / 1000)), key=key, detail=detail)
    record_alone(
        actor=actor,
        action="door.pulse",
        on=door,
        outcome=Outcome.FAILED if problem else Outcome.DONE,
        reasons=[problem] if problem else [],
        detail=detail,
    )
    return opened


def _open(door: Door, *, seconds: int, key: str, detail: dict[str, Any]) -> tuple[bool | None, Problem | None]:
    """Whether the door was unlocked (None: unknown), and the problem if there was one."""
    controller = door.controller
    if not controller.enabled:
        return False, DISABLED(name=controller)
    try:
        driver = driver_for(controller, clock.now())
        try:
            if not driver.capabilities.pulse:
                return False, NO_PULSE(name=controller)
            if not _pulse(driver, door, seconds=seconds, key=key):
                detail["stood_unlocked"] = True
            return True, None
        finally:
            driver.close()
    except Unknown as error:
        return None, problem_of(error)
    except DriverError as error:
        return False, problem_of(error)


def is_first(key: str) -> bool:
    """Whether this key (a UUID) was never used before; from now on it is. Of two at the same moment, one is first.

    Keys are forgotten after a day.
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
    """Unlock the door for a moment. False where it is held unlocked: the end of the moment would lock it."""
    if not driver.capabilities.pulse_shows:
        driver.pulse(door.number, seconds=seconds, key=key)
        return True
    if _is_held(driver, door):
        return False
    with _written_down(door, seconds=seconds):
        driver.pulse(door.number, seconds=seconds, key=key)
    return True


def _is_held(driver: Driver, door: Door) -> bool:
    try:
        holds = driver.read().holds
    except Unknown as error:
        raise Unreachable(problem_of(error)) from error  # only a question was asked: nothing happened
    return door.number in holds and door.number not in under_way(door.controller, clock.now())


def under_way(controller: Controller, now: datetime) -> frozenset[int]:
    """The doors (numbers) that may be unlocked for a moment at `now`. Ask after the controller was read."""
    rows = ControllerHold.objects.filter(controller=controller, open_until__gt=now)
    return frozenset(rows.values_list("door_number", flat=True))


def next_end(controller: Controller, *, after: datetime) -> datetime | None:
    """When the first of the moments that last beyond `after` is over."""
    rows = ControllerHold.objects.filter(controller=controller, open_until__gt=after)
    end: datetime | None = rows.aggregate(end=Min("open_until"))["end"]
    return end


@contextmanager
def _written_down(door: Door, *, seconds: int) -> Iterator[None]:
    """Write the moment down before the door is unlocked, and have the controller looked at when it is over.

    Where the controller clearly did nothing, the row is restored. Where the outcome is unknown, the door stays the
    portal's own for a while (store.WATCHED_FOR): a request may arrive late.
    """
    now = clock.now()
    until = now + timedelta(seconds=seconds) + MARGIN
    with transaction.atomic():
        # Locked before the hold, as at the end of a reconciliation: that either sees this row, or this moves its edge.
        sync = ControllerSync.objects.filter(controller=door.controller_id)
        list(sync.select_for_update().values_list("pk"))
        hold, created = ControllerHold.objects.get_or_create(
            controller_id=door.controller_id,
            door_number=door.number,
            defaults={"state": State.PENDING, "changed_at": now},
        )
        state_before = State.IN_STEP if created else hold.state
        rows = ControllerHold.objects.filter(pk=hold.pk)
        rows.update(open_until=until, state=State.PENDING, changed_at=now)
        sync.update(next_edge_at=Least("next_edge_at", Value(until)))
    rows = rows.filter(open_until=until)  # unless another moment began meanwhile
    try:
        yield
    except Unknown:
        raise
    except DriverError:
        if created:
            rows.delete()
        else:
            rows.update(state=state_before)
        raise
    rows.update(state=state_before)

"""Doors opened on request, one moment at a time."""

import math
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from accessmap.models import Door
from doorsync import openings
from doorsync.drivers import driver_for
from doorsync.drivers.base import Driver, DriverError, Unknown, Unreachable
from doorsync.models import UnlockRequest
from portal.audit.models import Outcome, record
from portal.core import clock

KEYS_KEPT_FOR = timedelta(days=1)


def open_for_a_moment(door: Door, *, milliseconds: int, key: str, actor: str, reason: str = "") -> bool | None:
    """Unlock a door once for so long, in whole seconds. Whether it did; None where nobody knows. The log says why.

    Never repeated, also where nobody knows whether the controller did it: a door that opens twice lets two in. `key`
    names this one moment to controllers that know such keys; `reason`: a person's, for the log. settings.OPEN_DOOR
    names this function.
    """
    trouble = ""
    opened: bool | None = False
    detail: dict[str, Any] = {"key": key, **({"reason": reason} if reason else {})}
    if not door.controller.enabled:
        trouble = _("Controller %(name)s is disabled.") % {"name": door.controller}
    else:
        try:
            driver = driver_for(door.controller, clock.now())
            try:
                if driver.capabilities.pulse:
                    if not _pulse(driver, door, seconds=max(1, math.ceil(milliseconds / 1000)), key=key):
                        detail["stood_unlocked"] = True
                    opened = True
                else:
                    trouble = _("Controller %(name)s can't unlock a door for a moment.") % {"name": door.controller}
            finally:
                driver.close()
        except Unknown as error:
            trouble, opened = str(error), None
        except DriverError as error:
            trouble = str(error)
    record(
        actor=actor,
        action="door.pulse",
        on=door,
        outcome=Outcome.FAILED if trouble else Outcome.DONE,
        reasons=[trouble] if trouble else [],
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
    with openings.noted(door, seconds=seconds):
        driver.pulse(door.number, seconds=seconds, key=key)
    return True


def _is_held(driver: Driver, door: Door) -> bool:
    try:
        held = driver.read().holds
    except Unknown as error:
        raise Unreachable(str(error)) from error  # it was only asked: nothing has happened
    return door.number in held and door.number not in openings.under_way(door.controller, clock.now())

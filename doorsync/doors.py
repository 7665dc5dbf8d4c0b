"""Doors opened on request, one moment at a time."""

import math

from django.utils.translation import gettext as _

from accessmap.models import Door
from doorsync.drivers import driver_for
from doorsync.drivers.base import DriverError, Unknown
from portal import clock
from portal.audit.models import Outcome, record


def open_for_a_moment(door: Door, *, milliseconds: int, key: str, actor: str) -> bool | None:
    """Unlock a door once for so long, in whole seconds. Whether it did; None where nobody knows. The log says why.

    Never repeated, also where nobody knows whether the controller did it: a door that opens twice lets two in. `key`
    names this one moment to controllers that know such keys. settings.OPEN_DOOR names this function.
    """
    trouble = ""
    opened: bool | None = False
    if not door.controller.enabled:
        trouble = _("Controller %(name)s is disabled.") % {"name": door.controller}
    else:
        try:
            driver = driver_for(door.controller, clock.now())
            try:
                if driver.capabilities.pulse:
                    driver.pulse(door.number, seconds=max(1, math.ceil(milliseconds / 1000)), key=key)
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
        detail={"key": key},
    )
    return opened

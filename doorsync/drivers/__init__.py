"""One package for each family of controllers, behind one small interface (base.py). settings.DRIVERS names them."""

from datetime import datetime
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils.module_loading import import_string

from accessmap.models import Controller
from doorsync.drivers.base import BadOptions, Driver
from doorsync.drivers.problems import NO_DRIVER


def driver_for(controller: Controller, now: datetime) -> Driver:
    """The driver of a controller, with the controller's options, for a piece of work at `now` (aware).

    Raises BadOptions where there is no such driver or it can't work with these options.
    """
    zone = ZoneInfo(controller.site.time_zone)
    return driver_class(controller.driver)(controller.all_options, zone=zone, now=now)


def driver_class(name: str) -> type[Driver]:
    """The driver of this name. Raises BadOptions where there is none."""
    try:
        driver: type[Driver] = import_string(settings.DRIVERS[name])
    except KeyError:
        raise BadOptions(NO_DRIVER(driver=name)) from None
    return driver

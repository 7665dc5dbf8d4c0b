"""One module a controller family, behind one small interface (base.py). settings.DRIVERS names them."""

from django.conf import settings
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from accessmap.models import Controller
from doorsync.drivers.base import BadOptions, Driver


def driver_for(controller: Controller) -> Driver:
    """The driver that speaks to a controller, with the controller's options.

    Raises BadOptions where there is no such driver or it cannot work with these options.
    """
    try:
        path = settings.DRIVERS[controller.driver]
    except KeyError:
        raise BadOptions(
            _("Controller %(name)s: there is no driver %(driver)s.")
            % {"name": controller.name, "driver": controller.driver}
        ) from None
    driver: Driver = import_string(path)(controller.options)
    return driver

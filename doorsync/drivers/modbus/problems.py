"""What can go wrong at a relay board with Modbus TCP."""

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from portal.core.problems import problem

# Options
HOST_EXPECTED = problem("modbus.option.host", _("it must be a host name or an IP address, without a port"))
NO_SUCH_COIL = problem("modbus.option.coil", _("the last relay would be coil %(n)d, and there is none"))

# Notes for staff who set it up
RELAYS = problem("modbus.relays", ngettext_lazy("%(n)d relay", "%(n)d relays", "n"), params=["n"])
RELAYS_ON = problem("modbus.relays_on", _("on: %(relays)s"))
NO_RELAYS_ON = problem("modbus.no_relays_on", _("none of them on"))

NOT_CONNECTED = problem(
    "modbus.not_connected",
    _("No connection to %(host)s, port %(port)d. Is the board on, and Modbus TCP chosen in its settings?"),
)
NO_ANSWER = problem("modbus.no_answer", _("No answer came from the board, or none that can be read."))
UNFIT_ANSWER = problem(
    "modbus.unfit_answer", _("The board's answer does not fit the request: is it a Modbus TCP device?")
)
FAILED = problem("modbus.failed", _("The board failed (Modbus exception %(code)d): nobody knows what it did."))
REFUSED = problem("modbus.refused", _("The board refused: %(why)s (Modbus exception %(code)d)."))
NO_SUCH_FUNCTION = problem("modbus.no_such_function", _("it does not know the function"))
NO_SUCH_ADDRESS = problem(
    "modbus.no_such_address", _("it has no such coil; check the first coil, and whether it has “flash on”")
)
BAD_VALUE = problem("modbus.bad_value", _("it does not take the value; check the number of relays, and for “flash on”"))
BUSY = problem("modbus.busy", _("it is busy"))
NO_PATH = problem("modbus.no_path", _("the gateway has no way to this unit id"))

PULSE_TOO_LONG = problem("modbus.pulse_too_long", _("The board can't unlock a door for %(n)d seconds."))
NO_RELAY = problem("modbus.no_relay", _("Door %(door)d is on no relay: the controller has %(n)d of them."))

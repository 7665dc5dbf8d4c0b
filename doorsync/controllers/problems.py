"""Problems at controllers."""

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from portal.core.problems import problem

CONTROLLER_DISABLED = problem("controller.disabled", _("Controller %(controller)s is disabled."))
CANNOT_UNLOCK = problem("controller.cannot_unlock", _("Controller %(controller)s can't unlock a door for a moment."))
NO_ANSWER_IN_TIME = problem(
    "controller.no_answer_in_time", _("No answer from the controller within %(seconds)g seconds.")
)
UNLOCKED_LATE = problem(
    "controller.unlocked_late", _("The controller unlocked the door after the portal had stopped waiting.")
)

# A connection test: what the controller says of itself, as one sentence.
ANSWERS = problem("controller.answers", _("It answers: %(facts)s."))
AND = problem("controller.and", _("%(fact)s, %(more)s"))
FIRMWARE = problem("controller.firmware", _("firmware %(firmware)s"))
SERIAL = problem("controller.serial", _("serial number %(serial)s"))
CLOCK_OFF = problem("controller.clock_off", _("clock %(seconds)+.0f s off"))
CARDS_IN_IT = problem(
    "controller.cards_in_it", ngettext_lazy("%(n)d card in it", "%(n)d cards in it", "n"), params=["n"]
)
CAPACITY = problem("controller.capacity", _("room for %(n)d"))

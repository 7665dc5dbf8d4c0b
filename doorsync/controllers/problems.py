"""Problems of controllers: what a reconciliation, a connection test or an unlocking finds."""

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from portal.core.problems import problem

NO_ANSWER = problem("controller.no_answer", _("The controller does not answer."))
OTHER_DEVICE = problem(
    "controller.other_device",
    _(
        "The device that answers has serial number %(new)s, and this controller had %(old)s. Nothing was written. If "
        "the device was replaced, forget the old one; if not, correct the address."
    ),
)
DEVICE_TAKEN = problem(
    "controller.device_taken",
    _(
        "The device that answers, serial number %(serial)s, is the controller %(twin)s already. Nothing was written. "
        "One device is one controller: correct the address of one of them."
    ),
)
CLOCK_OFF = problem("controller.clock_off", _("Its clock is %(seconds)d seconds off, and so are its times: %(why)s"))
CLOCK_NOT_SETTABLE = problem("controller.clock_not_settable", _("the portal can't set it."))
HOLDS_NO_CARDS = problem(
    "controller.holds_no_cards",
    ngettext_lazy(
        "%(n)d card may pass its doors, and this controller holds no cards.",
        "%(n)d cards may pass its doors, and this controller holds no cards.",
        "n",
    ),
    params=["n"],
)
CANNOT_HOLD = problem(
    "controller.cannot_hold",
    _("A booking admits anyone, and this controller can't hold a door unlocked."),
)
AT_EDGES = problem(
    "controller.at_edges",
    ngettext_lazy(
        "The controller has no room for more time windows: for %(n)d card the portal gives and ends access itself. "
        "Bookings: %(bookings)s.",
        "The controller has no room for more time windows: for %(n)d cards the portal gives and ends access itself. "
        "Bookings: %(bookings)s.",
        "n",
    ),
    params=["n", "bookings"],
)
FULL = problem(
    "controller.full",
    ngettext_lazy(
        "The controller is full: it has room for %(n)d card.",
        "The controller is full: it has room for %(n)d cards.",
        "n",
    ),
    params=["n"],
)
STOPPED_ANSWERING = problem(
    "controller.stopped_answering",
    ngettext_lazy(
        "The controller stopped answering; %(n)d change waits for the next reconciliation.",
        "The controller stopped answering; %(n)d changes wait for the next reconciliation.",
        "n",
    ),
    params=["n"],
)
OUT_OF_TIME = problem(
    "controller.out_of_time",
    ngettext_lazy(
        "Time was up; %(n)d change waits for the next reconciliation.",
        "Time was up; %(n)d changes wait for the next reconciliation.",
        "n",
    ),
    params=["n"],
)
OVERTAKEN = problem(
    "controller.overtaken", _("This reconciliation took too long, and another one has taken its place.")
)
CHANGES_REFUSED = problem(
    "controller.changes_refused",
    ngettext_lazy(
        "%(n)d change was refused: %(why)s",
        "%(n)d changes were refused: %(why)s",
        "n",
    ),
    params=["n", "why"],
)
CHANGES_UNCONFIRMED = problem(
    "controller.changes_unconfirmed",
    ngettext_lazy(
        "%(n)d change was sent and is not confirmed: %(why)s",
        "%(n)d changes were sent and are not confirmed: %(why)s",
        "n",
    ),
    params=["n", "why"],
)
PLAN_PENDING = problem(
    "controller.plan_pending",
    ngettext_lazy(
        "%(n)d card would lose doors at once. It keeps them until somebody approves the plan.",
        "%(n)d cards would lose doors at once. They keep them until somebody approves the plan.",
        "n",
    ),
    params=["n"],
)
CONTESTED = problem(
    "controller.contested",
    ngettext_lazy(
        "%(n)d card that bookings admit has an entry here that the portal did not write, and does not change.",
        "%(n)d cards that bookings admit have entries here that the portal did not write, and does not change.",
        "n",
    ),
    params=["n"],
)
FOREIGN_HOLDS = problem(
    "controller.foreign_holds", _("%(doors)s: held unlocked, and not by the portal, which leaves it so.")
)
FORGOTTEN = problem(
    "controller.forgotten",
    ngettext_lazy(
        "%(n)d card of serial number %(serial)s forgotten.",
        "%(n)d cards of serial number %(serial)s forgotten.",
        "n",
    ),
    params=["n", "serial"],
)
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
CLOCK_FACT = problem("controller.clock_fact", _("clock %(seconds)+.0f s off"))
CARDS_IN_IT = problem(
    "controller.cards_in_it", ngettext_lazy("%(n)d card in it", "%(n)d cards in it", "n"), params=["n"]
)
CAPACITY = problem("controller.capacity", _("room for %(n)d"))

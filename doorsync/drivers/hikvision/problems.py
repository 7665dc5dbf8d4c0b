"""What can go wrong at a Hikvision device."""

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from portal.core.problems import problem

NOT_XML = problem("hikvision.not_xml", _("What answers is no controller of this family: its answer is no XML."))
UNFIT_ANSWER = problem(
    "hikvision.unfit_answer", _("The device's answer does not fit its documentation (%(error)s %(text)s).")
)
REDIRECTED = problem(
    "hikvision.redirected", _("The device redirects the portal: its address may have to begin with https://.")
)
REFUSED = problem("hikvision.refused", _("The device refused: %(answer)s"))
FAILED = problem("hikvision.failed", _("The device failed: %(answer)s"))
INCOMPLETE = problem(
    "hikvision.incomplete",
    _("The device listed %(n)d of its %(total)d entries and no more. Nothing counts as missing."),
)
EVENTS_OUT_OF_ORDER = problem(
    "hikvision.events_out_of_order",
    _("The device does not list its events by serial number: its firmware may be too old."),
)

# The login
FINGERPRINT_NEEDED = problem(
    "hikvision.fingerprint_needed", _("%(why)s If the device made it itself, enter its fingerprint.")
)
NO_DIGEST = problem(
    "hikvision.no_digest",
    _("The device asks for no digest authentication: switch it on in its web page's security."),
)
LOGIN_WRONG = problem("hikvision.login_wrong", _("User name or password wrong."))
LOGIN_PAUSED = problem(
    "hikvision.login_paused",
    _("User name or password wrong. The device locks a login that fails often: the next try is at %(at)s."),
)
LOGIN_REFUSED_ONCE = problem(
    "hikvision.login_refused_once", _("The device refused the login that it accepted the time before.")
)
LOGIN_LOCKED = problem(
    "hikvision.login_locked",
    ngettext_lazy(
        "The device has locked this login after wrong passwords, for %(n)d more minute.",
        "The device has locked this login after wrong passwords, for %(n)d more minutes.",
        "n",
    ),
    params=["n"],
)
FEW_TRIES_LEFT = problem(
    "hikvision.few_tries_left",
    ngettext_lazy(
        "The portal did not log in: the device would lock after %(n)d more wrong password. Log in by hand.",
        "The portal did not log in: the device would lock after %(n)d more wrong passwords. Log in by hand.",
        "n",
    ),
    params=["n"],
)

# Cards and persons
CARD_NUMBER = problem(
    "hikvision.card_number",
    _("The device takes card numbers of up to %(n)d letters and digits, and nothing else."),
)
BLOCKLISTED = problem(
    "hikvision.blocklisted",
    _("The device has this card's person on its blocklist. Take the person off the blocklist there."),
)
FULL = problem("hikvision.full", _("The device is full."))
FULL_OF_PERSONS = problem("hikvision.full_of_persons", _("The device is full: it has room for %(n)d persons."))
DELETING = problem("hikvision.deleting", _("The device has not finished deleting yet."))
DELETION_FAILED = problem("hikvision.deletion_failed", _("The device reports for the deletion: %(status)s."))

# The clock
CLOCK_FOLLOWS = problem("hikvision.clock_follows", _("its clock is set by %(mode)s"))
CLOCK_NOT_OURS = problem(
    "hikvision.clock_not_ours",
    _(
        "its clock is set by %(mode)s, and the portal does not set it; check that the time zone and daylight saving "
        "are right there, or choose manual time"
    ),
)

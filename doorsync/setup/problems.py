"""What came of a step of the setup."""

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from portal.core.problems import problem

CONTRACT_FITS = problem("setup.contract_fits", _("Everything that was tried fits."))
CONTRACT_MISFITS = problem(
    "setup.contract_misfits",
    ngettext_lazy("%(n)d thing does not fit.", "%(n)d things do not fit.", "n"),
    params=["n"],
)

# The portal calls its own callURL.
CALL_ARRIVED = problem(
    "setup.call_arrived",
    _("The portal's own call arrived: the portal works, and its address can be reached from its own machine."),
)
LOOK_BETWEEN = problem(
    "setup.look_between",
    _("If Offision's calls don't arrive, look between the two: names, firewalls, proxies, certificates."),
)
CALL_UNANSWERED = problem(
    "setup.call_unanswered", _("The call was taken and not answered. Look at the proxy before the portal.")
)
BAD_CERTIFICATE = problem(
    "setup.bad_certificate", _("The portal's certificate is not valid for its address: Offision would not call it.")
)
NOT_REACHED = problem(
    "setup.not_reached",
    _(
        "The portal could not reach itself at %(url)s: the name is not known here, or nothing listens there. Some "
        "networks let no machine call itself by its public name; Offision may still reach it."
    ),
)
OTHER_PORTAL = problem(
    "setup.other_portal",
    _("Another portal answers at PORTAL_PUBLIC_URL: it accepted the call, and this portal did not receive it."),
)
WRONG_STATUS = problem("setup.wrong_status", _("The answer had status %(status)d instead of 202. %(why)s"))
CHECK_ALLOWED_HOSTS = problem("setup.check_allowed_hosts", _("Is its host name in PORTAL_ALLOWED_HOSTS?"))
CHECK_PROXY_PATH = problem(
    "setup.check_proxy_path", _("Does the proxy send /api/offision/ to the portal, and was the portal restarted?")
)
CHECK_PROXY_LOGIN = problem("setup.check_proxy_login", _("Does the proxy ask for a login? Offision has none."))
CHECK_REDIRECT = problem(
    "setup.check_redirect", _("It redirects, and few callers follow. Write the final address into PORTAL_PUBLIC_URL.")
)
CHECK_PROXY = problem("setup.check_proxy", _("Look at the proxy before the portal."))

# A permission, read back.
NO_PERMISSION = problem("setup.no_permission", _("No booking or access level admits anybody to a door now."))
BOOK_A_RESOURCE = problem(
    "setup.book_a_resource", _("Book a mapped resource in Offision, with the cardholder as organizer or attendee.")
)
EMAILS_WITHOUT_CARD = problem(
    "setup.emails_without_card",
    ngettext_lazy(
        "%(n)d email of coming bookings has no active card.",
        "%(n)d emails of coming bookings have no active card.",
        "n",
    ),
    params=["n"],
)
NOT_READ = problem("setup.not_read", _("%(controller)s could not be read: %(why)s"))
MAY_PASS = problem("setup.may_pass", _("Card %(card)s may pass %(door)s from %(start)s until %(end)s"))
MAY_PASS_UNTIL = problem("setup.may_pass_until", _("Card %(card)s may pass %(door)s until %(end)s"))
MAY_PASS_FROM = problem("setup.may_pass_from", _("Card %(card)s may pass %(door)s from %(start)s on"))
MAY_ALWAYS_PASS = problem("setup.may_always_pass", _("Card %(card)s may always pass %(door)s"))
CONFIRMED = problem("setup.confirmed", _("%(permission)s, and the controller holds the same."))
WRITTEN = problem("setup.written", _("%(permission)s, and the portal wrote it. This controller can't be read."))
UNMANAGED = problem(
    "setup.unmanaged",
    _(
        "%(permission)s, but the controller has an entry for the card that the portal did not write. Adopt it under "
        "Unmanaged cards."
    ),
)
NOT_YET = problem(
    "setup.not_yet",
    _(
        "%(permission)s, but the controller does not hold it yet. Look again in a moment; States of controllers has "
        "the problem."
    ),
)
WHEN_IT_BEGINS = problem(
    "setup.when_it_begins", _("%(permission)s. This controller has no time windows: it gets the card when that begins.")
)

# What a job of the setup is doing.
CALLING_ITSELF = problem("setup.calling_itself", _("The portal calls its own callURL."))
READING_BACK = problem("setup.reading_back", _("Reading a controller that should hold a permission."))

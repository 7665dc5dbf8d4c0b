"""Codes of notices: issues that no other package reports, and why a message was not sent."""

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from portal.core.problems import problem

CHANGES_NOT_STARTED = problem(
    "notices.changes_not_started", _("Changes are waiting for this controller, and no worker has started on them.")
)
NEVER_CALLED = problem(
    "notices.never_called", _("Offision has never called, and full resyncs find bookings that have changed.")
)
CALLS_STOPPED = problem(
    "notices.calls_stopped",
    ngettext_lazy(
        "Offision has not called for %(hours)d hour, and full resyncs find bookings that have changed.",
        "Offision has not called for %(hours)d hours, and full resyncs find bookings that have changed.",
        "hours",
    ),
    params=["hours"],
)
EMAIL_NOT_SENT = problem("notices.email_not_sent", _("The email could not be sent: %(why)s"))
RECEIVER_REFUSED = problem("notices.receiver_refused", _("The receiver answered with status %(status)d."))

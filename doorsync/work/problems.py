"""Problems of the work queue, the scheduler and jobs."""

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from portal.core.problems import problem

PORTAL_FAILED = problem(
    "work.portal_failed", _("The portal failed here (%(error)s); its log has the details. It will try again.")
)
LATE = problem(
    "scheduler.late",
    _("%(resources)d resources and %(controllers)d controllers were last in order more than two full resyncs ago."),
)
NOT_LATE = problem("scheduler.not_late", _("Every resource and every controller is in order again."))
DISABLED_WITH_CARDS = problem(
    "controller.disabled_with_cards",
    ngettext_lazy(
        "This controller is disabled: %(n)d card is left in it, and the portal does not remove it.",
        "This controller is disabled: %(n)d cards are left in it, and the portal removes none of them.",
        "n",
    ),
    params=["n"],
)
JOB_BROKEN = problem("job.broken", _("The portal itself failed (%(error)s). Its log has the details."))
JOB_ABANDONED = problem("job.abandoned", _("The worker stopped before it had an answer. Try again."))

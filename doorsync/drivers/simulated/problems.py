"""What can go wrong at the sandbox's pretend controller."""

from django.utils.translation import gettext_lazy as _

from portal.core.problems import problem

UNFIT_ANSWER = problem(
    "simulated.unfit_answer",
    _("What answers is no controller of this family: its answer does not fit (%(error)s)."),
)
FULL = problem("simulated.full", _("The controller is full."))
REFUSED = problem("simulated.refused", _("The controller refused: %(answer)s"))
FAILED = problem("simulated.failed", _("The controller failed with status %(status)d."))

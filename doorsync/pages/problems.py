"""What a job of the staff pages is doing, and why it has no result."""

from django.utils.translation import gettext_lazy as _

from portal.core.problems import problem

CONNECTING = problem("job.connecting", _("Connecting to %(controller)s."))
READING = problem("job.reading", _("Reading what %(controller)s holds."))
ASKING_OFFISION = problem("job.asking_offision", _("Asking Offision."))
NO_LIST_OF_RESOURCES = problem(
    "resources.no_list",
    _("The contract has no list of resources. Enter them by hand, or import a sheet with their ids in Offision."),
)

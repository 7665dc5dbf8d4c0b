"""Problems of work that runs in a worker."""

from django.utils.translation import gettext_lazy as _

from portal.core.problems import problem

JOB_BROKEN = problem("job.broken", _("The portal itself failed (%(error)s). Its log has the details."))
JOB_ABANDONED = problem("job.abandoned", _("The worker stopped before it had an answer. Try again."))

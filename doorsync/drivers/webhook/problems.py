"""What can go wrong at a receiver of signed webhooks."""

from django.utils.translation import gettext_lazy as _

from portal.core.problems import problem

SECRET_EXPECTED = problem("webhook.option.secret", _("it must be whsec_ and base64 of at least %(n)d bytes"))
REFUSED = problem("webhook.refused", _("The receiver refused with status %(status)d."))
FAILED = problem("webhook.failed", _("The receiver failed with status %(status)d."))

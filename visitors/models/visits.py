"""Visits as Offision described them last."""

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from portal.offision.statuses import VisitStatus
from visitors.verification.decision import KnownVisit

STATUS_CHOICES = [
    (VisitStatus.EXPECTED.value, _("expected")),
    (VisitStatus.CHECKED_IN.value, _("checked in")),
    (VisitStatus.CHECKED_OUT.value, _("checked out")),
]


class Visit(models.Model):
    """A visit as Offision described it last. The code is not stored: a keyed digest finds the row."""

    code_digest = models.CharField(_("digest of the code"), max_length=64, unique=True)
    name = models.CharField(pgettext_lazy("of a person", "name"), max_length=300, blank=True)
    company = models.CharField(_("company"), max_length=300, blank=True)
    host_email = models.CharField(_("host"), max_length=320, blank=True)
    valid_from = models.DateTimeField(_("from"), null=True)
    valid_until = models.DateTimeField(_("until"), null=True)
    status = models.CharField(
        _("status"),
        max_length=20,
        choices=[
            *STATUS_CHOICES,
            (VisitStatus.CANCELLED.value, _("cancelled")),
            (VisitStatus.BLACKLISTED.value, _("blacklisted")),
            (VisitStatus.UNKNOWN.value, _("unknown")),
        ],
    )
    offision_site = models.CharField(_("site in Offision"), max_length=500, null=True)  # noqa: DJ001 (Offision names none)
    seen_at = models.DateTimeField(_("last seen in Offision"), db_index=True)

    class Meta:
        verbose_name = _("visit")
        verbose_name_plural = _("visits")
        ordering = ["-seen_at"]

    def __str__(self) -> str:
        return self.name or self.code_digest[:12]

    @property
    def known(self) -> KnownVisit:
        return KnownVisit(VisitStatus(self.status), self.valid_from, self.valid_until, self.offision_site)

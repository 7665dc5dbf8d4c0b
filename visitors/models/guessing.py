"""Scans that were rejected unread while codes were being guessed."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from portal.core.clock import local
from visitors.models.turnstiles import Turnstile


class ThrottledScans(models.Model):
    """How many scans of a turnstile were rejected without a look-up in one minute, because codes were being guessed."""

    turnstile = models.ForeignKey(Turnstile, on_delete=models.CASCADE, verbose_name=_("turnstile"))
    minute = models.DateTimeField(_("minute"))
    count = models.PositiveIntegerField(_("scans"))

    class Meta:
        verbose_name = _("rejected scans")
        verbose_name_plural = _("rejected scans")
        ordering = ["-minute"]
        constraints = [models.UniqueConstraint(fields=["turnstile", "minute"], name="one_count_per_minute")]

    def __str__(self) -> str:
        return f"{self.turnstile} {local(self.minute)}: {self.count}"

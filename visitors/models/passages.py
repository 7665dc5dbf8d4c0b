"""Passages: a visitor walked through a turnstile, or did not after an allow."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from accessmap.models import Site
from portal.core import clock
from portal.core.clock import local
from visitors.models.turnstiles import DIRECTION_CHOICES, Turnstile
from visitors.models.verifications import Verification
from visitors.models.visits import Visit


class Passage(models.Model):
    """Whether a visitor walked through a turnstile after a verification. `passed` is False after turning back."""

    verification = models.OneToOneField(
        Verification,
        on_delete=models.SET_NULL,
        null=True,
        related_name="passage",
        verbose_name=_("verification"),
    )
    turnstile = models.ForeignKey(Turnstile, on_delete=models.SET_NULL, null=True, verbose_name=_("turnstile"))
    site = models.ForeignKey(Site, on_delete=models.CASCADE, verbose_name=_("site"))
    visit = models.ForeignKey(
        Visit, on_delete=models.SET_NULL, null=True, related_name="passages", verbose_name=_("visit")
    )
    direction = models.CharField(_("direction"), max_length=4, choices=DIRECTION_CHOICES)
    at = models.DateTimeField(_("at"))
    passed = models.BooleanField(_("walked through"))
    assumed = models.BooleanField(
        _("doubtful"), default=False, help_text=_("Assumed: the turnstile does not report passages.")
    )
    recorded_at = models.DateTimeField(_("recorded"), default=clock.now)

    class Meta:
        verbose_name = _("passage")
        verbose_name_plural = _("passages")
        ordering = ["-at", "-id"]
        indexes = [
            models.Index(fields=["-at", "-id"], name="newest_passages"),
            models.Index(fields=["site", "visit", "-at"], condition=models.Q(passed=True), name="passages_by_visit"),
        ]

    def __str__(self) -> str:
        return f"{self.visit} {self.direction} {local(self.at)}"

"""Verifications: one answer to one scan."""

import uuid

from django.db import models
from django.utils.translation import gettext_lazy as _

from portal.core import clock
from portal.core.clock import local
from portal.core.problems import ProblemsField
from visitors.models.turnstiles import Turnstile
from visitors.models.visits import Visit


class Verification(models.Model):
    """One answer to one scan. The code is not stored: a keyed digest tells whether two scans read the same code.

    `reasons` and `notes` hold values of decision.Reason.
    """

    class Source(models.TextChoices):
        LIVE = "live", _("Offision")
        TRUSTED = "trusted", _("a stored visit")
        NONE = "none", _("nothing")
        OFFLINE = "offline", _("the turnstile, offline")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    at = models.DateTimeField(_("at"), default=clock.now, db_index=True)
    turnstile = models.ForeignKey(
        Turnstile, on_delete=models.SET_NULL, null=True, related_name="verifications", verbose_name=_("turnstile")
    )
    reader = models.CharField(_("reader"), max_length=50, blank=True)
    direction = models.CharField(_("direction"), max_length=4)
    code_digest = models.CharField(_("digest of the code"), max_length=64)
    visit = models.ForeignKey(
        Visit, on_delete=models.SET_NULL, null=True, related_name="verifications", verbose_name=_("visit")
    )
    nonce = models.CharField(_("nonce"), max_length=100, blank=True)
    allowed = models.BooleanField(_("allowed"))
    reasons = models.JSONField(_("reasons"), default=list)
    notes = models.JSONField(_("notes"), default=list)
    source = models.CharField(_("decided by"), max_length=10, choices=Source, default=Source.LIVE)
    visitor = models.CharField(_("visitor"), max_length=300, blank=True)
    scanned_at = models.DateTimeField(_("scanned, by the device's clock"), null=True)
    upstream = ProblemsField(_("problem with Offision"))

    class Meta:
        verbose_name = _("verification")
        verbose_name_plural = _("verifications")
        ordering = ["-at"]
        constraints = [
            models.UniqueConstraint(
                fields=["turnstile", "nonce", "code_digest", "direction"],
                condition=~models.Q(nonce="") & ~models.Q(source="offline"),
                name="one_answer_per_nonce",
            ),
            models.UniqueConstraint(
                fields=["turnstile", "nonce", "code_digest", "direction", "scanned_at"],
                condition=models.Q(source="offline"),
                name="offline_decision_once",
            ),
        ]
        indexes = [
            models.Index(fields=["turnstile", "-at"]),
            models.Index(fields=["visit", "-at"], condition=models.Q(visit__isnull=False), name="verified_visits"),
            models.Index(fields=["-at"], condition=models.Q(allowed=False), name="denials"),
        ]

    def __str__(self) -> str:
        return f"{self.turnstile} {local(self.at)}"

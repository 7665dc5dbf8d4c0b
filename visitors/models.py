"""Turnstiles, their keys, and what they were answered."""

import uuid
from datetime import timedelta

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _
from rest_framework_api_key.models import AbstractAPIKey

from accessmap.models import Site
from portal import clock
from portal.offision.types import VisitStatus
from visitors.decision import Direction, Terms

STATUS_CHOICES = [
    (VisitStatus.EXPECTED.value, _("expected")),
    (VisitStatus.CHECKED_IN.value, _("checked in")),
    (VisitStatus.CHECKED_OUT.value, _("checked out")),
]


def arrived() -> list[str]:
    return [VisitStatus.CHECKED_IN.value]


class Turnstile(models.Model):
    """A device that asks whether the bearer of a code may pass."""

    site = models.ForeignKey(Site, on_delete=models.PROTECT, verbose_name=_("site"))
    name = models.CharField(_("name"), max_length=200, unique=True)
    enabled = models.BooleanField(_("enabled"), default=True)
    direction = models.CharField(
        _("direction"),
        max_length=4,
        choices=[(Direction.IN.value, _("in")), (Direction.OUT.value, _("out")), (Direction.BOTH.value, _("both"))],
    )
    statuses_in = ArrayField(
        models.CharField(max_length=20, choices=STATUS_CHOICES),
        verbose_name=_("visiting statuses that may come in"),
        default=arrived,
        blank=True,
    )
    statuses_out = ArrayField(
        models.CharField(max_length=20, choices=STATUS_CHOICES),
        verbose_name=_("visiting statuses that may go out"),
        default=arrived,
        blank=True,
    )
    tolerance_minutes = models.PositiveSmallIntegerField(
        _("tolerance (minutes)"),
        default=0,
        validators=[MaxValueValidator(24 * 60)],
        help_text=_("So early before a visit and so late after its end somebody may still come in."),
    )

    class Meta:
        verbose_name = _("turnstile")
        verbose_name_plural = _("turnstiles")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def terms(self) -> Terms:
        return Terms(
            enabled=self.enabled,
            direction=Direction(self.direction),
            statuses_in=frozenset(self.statuses_in),
            statuses_out=frozenset(self.statuses_out),
            tolerance=timedelta(minutes=self.tolerance_minutes),
        )


class TurnstileKey(AbstractAPIKey):
    """What a turnstile shows to be believed. Only a digest of it is kept."""

    turnstile = models.ForeignKey(Turnstile, on_delete=models.CASCADE, related_name="keys", verbose_name=_("turnstile"))

    class Meta:
        verbose_name = _("key of a turnstile")
        verbose_name_plural = _("keys of turnstiles")
        ordering = ["-created"]


class Verification(models.Model):
    """One answer to one scan. The code itself is not kept: a keyed digest tells whether two scans read the same."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    at = models.DateTimeField(_("at"), default=clock.now, db_index=True)
    turnstile = models.ForeignKey(
        Turnstile, on_delete=models.SET_NULL, null=True, related_name="verifications", verbose_name=_("turnstile")
    )
    direction = models.CharField(_("direction"), max_length=4)
    code_digest = models.CharField(_("digest of the code"), max_length=64)
    nonce = models.CharField(max_length=100, blank=True)
    allowed = models.BooleanField(_("allowed"))
    reasons = models.JSONField(_("reasons"), default=list)
    visitor = models.CharField(_("visitor"), max_length=300, blank=True)
    scanned_at = models.DateTimeField(_("scanned, by the device's clock"), null=True)
    upstream = models.TextField(_("what Offision answered wrongly"), blank=True)

    class Meta:
        verbose_name = _("verification")
        verbose_name_plural = _("verifications")
        ordering = ["-at"]
        constraints = [
            models.UniqueConstraint(
                fields=["turnstile", "nonce"], condition=~models.Q(nonce=""), name="one_answer_a_nonce"
            )
        ]

    def __str__(self) -> str:
        return f"{self.turnstile} {self.at:%Y-%m-%d %H:%M:%S}"

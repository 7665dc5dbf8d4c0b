"""The outbox: check-ins and check-outs to send to Offision."""

from django.db import models
from django.utils.translation import gettext_lazy as _
from encrypted_fields.fields import EncryptedCharField

from portal.core import clock
from portal.core.problems import ProblemsField
from visitors.models.turnstiles import Turnstile
from visitors.models.verifications import Verification
from visitors.models.visits import Visit


class VisitStatusUpdate(models.Model):
    """A check-in or check-out to send to Offision: written with the verification, sent by a worker.

    `next_attempt_at` is None until the passage is known, and after the update was sent or given up.
    """

    class Change(models.TextChoices):
        CHECK_IN = "check_in", _("check in")
        CHECK_OUT = "check_out", _("check out")

    verification = models.OneToOneField(Verification, on_delete=models.CASCADE, related_name="status_update")
    visit = models.ForeignKey(Visit, on_delete=models.CASCADE, verbose_name=_("visit"))
    turnstile = models.ForeignKey(Turnstile, on_delete=models.SET_NULL, null=True, verbose_name=_("turnstile"))
    change = models.CharField(_("change"), max_length=10, choices=Change)
    # Deleted once the update was sent or given up.
    code = EncryptedCharField(max_length=200, null=True, editable=False)
    created_at = models.DateTimeField(_("since"), default=clock.now)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    next_attempt_at = models.DateTimeField(_("next attempt"), null=True, default=clock.now)
    done_at = models.DateTimeField(_("done"), null=True)
    last_error = ProblemsField(_("last error"))

    class Meta:
        verbose_name = _("check-in or check-out to send")
        verbose_name_plural = _("check-ins and check-outs to send")
        ordering = ["-id"]
        indexes = [
            models.Index(
                fields=["next_attempt_at"], condition=models.Q(done_at__isnull=True), name="status_updates_due"
            )
        ]

    def __str__(self) -> str:
        return f"{self.visit}: {self.get_change_display()}"

"""Callbacks: calls from Offision, stored as they came."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from accessmap.models import Resource
from doorsync.models.bookings import BookingFetch
from portal.core import clock
from portal.core.clock import local
from portal.core.problems import ProblemsField

# The content type of a call that setup makes to the portal itself. It is no sign of life from Offision.
TEST_CALL = "application/x-portal-test"


class Callback(models.Model):
    """One call to our callURL."""

    class Outcome(models.TextChoices):
        ENQUEUED = "enqueued", _("fetch enqueued")
        UNKNOWN_RESOURCE = "unknown_resource", _("resource not in the map")
        UNREADABLE = "unreadable", _("not readable: full resync")
        TEST = "test", _("test call from setup")

    # Each index slows the answer to Offision: there are few.
    received_at = models.DateTimeField(_("received"), default=clock.now)
    remote_address = models.GenericIPAddressField(_("from"), null=True)
    content_type = models.CharField(_("content type"), max_length=200, blank=True)
    body = models.BinaryField(_("body"))
    outcome = models.CharField(_("outcome"), max_length=20, choices=Outcome)
    problems = ProblemsField(_("problems"))
    named_resource = models.CharField(_("resource named"), max_length=200, blank=True)
    resource = models.ForeignKey(
        Resource,
        on_delete=models.SET_NULL,
        null=True,
        db_index=False,
        related_name="callbacks",
        verbose_name=_("resource"),
    )
    generation = models.BigIntegerField(_("generation"), null=True)
    fetch = models.ForeignKey(
        BookingFetch,
        on_delete=models.SET_NULL,
        null=True,
        db_index=False,
        related_name="callbacks",
        verbose_name=_("answered by"),
    )

    class Meta:
        verbose_name = _("callback")
        verbose_name_plural = _("callbacks")
        permissions = [("read_callback_body", _("Can read what a callback said, word for word"))]
        ordering = ["-id"]
        indexes = [
            models.Index(
                fields=["resource", "generation"],
                condition=models.Q(fetch__isnull=True),
                name="callbacks_unanswered",
            ),
            models.Index(fields=["fetch"], condition=models.Q(fetch__isnull=False), name="callbacks_answered"),
        ]

    def __str__(self) -> str:
        return f"{local(self.received_at)} {self.named_resource}"

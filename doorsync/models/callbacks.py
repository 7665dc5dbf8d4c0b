"""Calls from Offision, as they came."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from accessmap.models import Resource
from doorsync.models.bookings import BookingFetch
from portal.core import clock
from portal.core.clock import local

# The content type of a call that the portal makes to itself: it tests the way, and says nothing of Offision.
TEST_CALL = "application/x-portal-test"


class Callback(models.Model):
    """One call of Offision's to our callURL, as it came."""

    class Outcome(models.TextChoices):
        ASKED = "asked", _("resource asked for")
        UNKNOWN_RESOURCE = "unknown_resource", _("no such resource in the map")
        UNREADABLE = "unreadable", _("not readable; everything is looked at")
        TEST = "test", _("the portal's own test call; nothing is fetched")

    # Every index is paid for while Offision waits for its answer: there are no more than these.
    received_at = models.DateTimeField(_("received"), default=clock.now)
    remote_address = models.GenericIPAddressField(_("from"), null=True)
    content_type = models.CharField(_("content type"), max_length=200, blank=True)
    body = models.BinaryField(_("body"))
    outcome = models.CharField(_("outcome"), max_length=20, choices=Outcome)
    note = models.TextField(_("note"), blank=True)
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

"""Bookings as fetched from Offision, and the fetches themselves."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from accessmap.models import BOOKING_STATUS_CHOICES, Controller, Resource
from portal.core import clock
from portal.core.problems import ProblemsField
from portal.offision.statuses import BookingStatus


class StoredBooking(models.Model):
    """A booking as last fetched."""

    resource = models.ForeignKey(
        Resource, on_delete=models.CASCADE, related_name="bookings", verbose_name=_("resource")
    )
    external_id = models.CharField(_("id in Offision"), max_length=200)
    title = models.CharField(_("title"), max_length=300, blank=True)
    starts_at = models.DateTimeField(_("start"))
    ends_at = models.DateTimeField(_("end"))
    status = models.CharField(
        _("status"),
        max_length=20,
        choices=[
            *BOOKING_STATUS_CHOICES,
            (BookingStatus.CANCELLED.value, _("cancelled")),
            (BookingStatus.NO_SHOW.value, _("no-show")),
            (BookingStatus.UNKNOWN.value, _("unknown")),
        ],
    )
    organizer_email = models.CharField(_("organizer"), max_length=320, blank=True)
    organizer_name = models.CharField(_("organizer's name"), max_length=300, blank=True)
    attendee_emails = ArrayField(models.CharField(max_length=320, blank=True), verbose_name=_("attendees"))
    fetched_at = models.DateTimeField(_("fetched"))

    class Meta:
        verbose_name = _("booking")
        verbose_name_plural = _("bookings")
        ordering = ["starts_at"]
        constraints = [
            models.UniqueConstraint(fields=["resource", "external_id"], name="one_booking_an_id"),
            models.CheckConstraint(
                condition=models.Q(starts_at__lt=models.F("ends_at")), name="booking_starts_before_it_ends"
            ),
        ]
        indexes = [models.Index(fields=["ends_at"])]

    def __str__(self) -> str:
        return self.title or self.external_id


class RejectedBooking(models.Model):
    """A record from Offision that is not a booking the portal can use, and why. It admits nobody."""

    resource = models.ForeignKey(
        Resource, on_delete=models.CASCADE, related_name="rejected", verbose_name=_("resource")
    )
    record_id = models.CharField(_("id in Offision"), max_length=200, blank=True)
    reason = ProblemsField(_("reason"))
    raw = models.TextField(_("as received"))
    seen_at = models.DateTimeField(_("seen"))

    class Meta:
        verbose_name = _("rejected booking")
        verbose_name_plural = _("rejected bookings")
        ordering = ["-seen_at"]

    def __str__(self) -> str:
        return str(self.reason)


class UnmappedResource(models.Model):
    """A resource in Offision that the access map does not have."""

    external_id = models.CharField(_("id in Offision"), max_length=200, unique=True)
    name = models.CharField(_("name"), max_length=300, blank=True)
    first_seen_at = models.DateTimeField(_("first seen"), default=clock.now)
    last_seen_at = models.DateTimeField(_("last seen"), default=clock.now)

    class Meta:
        verbose_name = _("unmapped resource")
        verbose_name_plural = _("unmapped resources")
        ordering = ["-last_seen_at"]

    def __str__(self) -> str:
        return self.name or self.external_id


class BookingFetch(models.Model):
    """One fetch of a resource's bookings, and when the controllers confirmed its changes."""

    class Outcome(models.TextChoices):
        CHANGED = "changed", _("changed")
        UNCHANGED = "unchanged", _("unchanged")
        PENDING = "pending", _("pending approval")
        FAILED = "failed", _("failed")

    resource = models.ForeignKey(Resource, on_delete=models.CASCADE, related_name="fetches", verbose_name=_("resource"))
    generation = models.BigIntegerField(_("generation"))
    cause = models.CharField(_("cause"), max_length=20)
    started_at = models.DateTimeField(_("started"), db_index=True)
    finished_at = models.DateTimeField(_("finished"))
    outcome = models.CharField(_("outcome"), max_length=20, choices=Outcome)
    requests = models.PositiveIntegerField(_("requests to Offision"), default=0)
    vanished = models.PositiveIntegerField(
        _("bookings vanished"), default=0, help_text=_("Left out, or with a status that the contract does not list.")
    )
    problems = ProblemsField(_("problems"))
    confirmed_at = models.DateTimeField(_("confirmed at the doors"), null=True)

    class Meta:
        verbose_name = _("fetch of bookings")
        verbose_name_plural = _("fetches of bookings")
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.resource} {self.get_outcome_display()}"


class FetchTarget(models.Model):
    """A controller that has to confirm a fetch."""

    fetch = models.ForeignKey(BookingFetch, on_delete=models.CASCADE, related_name="targets")
    controller = models.ForeignKey(Controller, on_delete=models.CASCADE)
    generation = models.BigIntegerField(_("generation"))
    confirmed_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["controller", "generation"],
                condition=models.Q(confirmed_at__isnull=True),
                name="targets_unconfirmed",
            )
        ]

    def __str__(self) -> str:
        return f"{self.controller} {self.generation}"

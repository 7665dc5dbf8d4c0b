"""Rows of durable work: how far the portal is with each resource and controller, and with the periodic work."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from accessmap.models import Controller, Resource
from portal.core import clock


class SyncWork(models.Model):
    """A row that is worked on when `requested` is ahead of `done`. See doorsync.work.queue."""

    generation = models.BigIntegerField(_("generation"), default=1)
    observed_generation = models.BigIntegerField(_("observed generation"), default=0)
    lease_token = models.UUIDField(null=True, editable=False)
    leased_generation = models.BigIntegerField(
        default=0, editable=False, help_text=_("What was requested when it was claimed.")
    )
    leased_until = models.DateTimeField(
        null=True, editable=False, help_text=_("A worker that has not finished by then is taken to be dead.")
    )
    next_attempt_at = models.DateTimeField(_("not before"), null=True, editable=False)
    enqueued_at = models.DateTimeField(null=True, editable=False)
    failures = models.PositiveIntegerField(_("failures in a row"), default=0)
    last_error = models.TextField(_("last error"), blank=True)
    created_at = models.DateTimeField(_("known since"), default=clock.now, editable=False)
    started_at = models.DateTimeField(_("last begun"), null=True)
    succeeded_at = models.DateTimeField(_("last in order"), null=True)

    class Meta:
        abstract = True


class ResourceSync(SyncWork):
    """How far the portal is with a resource's bookings."""

    resource = models.OneToOneField(Resource, on_delete=models.CASCADE, related_name="sync", verbose_name=_("resource"))
    cause = models.CharField(_("asked for by"), max_length=20, blank=True)
    pending_reason = models.TextField(_("held"), blank=True)
    pending_ids = models.JSONField(
        default=list, editable=False, help_text=_("The bookings that the list held leaves out.")
    )
    accepted_ids = models.JSONField(
        default=list, editable=False, help_text=_("Bookings of which staff said that they may be missing.")
    )
    fetched_as = models.CharField(
        max_length=200, blank=True, editable=False, help_text=_("The id under which the stored bookings were fetched.")
    )

    class Meta:
        verbose_name = _("state of a resource")
        verbose_name_plural = _("states of resources")
        permissions = [("approve_resourcesync", _("Can take a doubtful list for right"))]
        ordering = ["resource__name"]
        indexes = [
            models.Index(
                fields=["next_attempt_at"],
                condition=models.Q(generation__gt=models.F("observed_generation")),
                name="resources_behind",
            )
        ]

    def __str__(self) -> str:
        return str(self.resource)


class ControllerSync(SyncWork):
    """How far the portal is with a controller."""

    controller = models.OneToOneField(
        Controller, on_delete=models.CASCADE, related_name="sync", verbose_name=_("controller")
    )
    next_edge_at = models.DateTimeField(
        _("acts next at"), null=True, help_text=_("Only for controllers that know no time windows.")
    )
    unreachable = models.PositiveIntegerField(_("unreachable in a row"), default=0)
    suspended_until = models.DateTimeField(_("suspended until"), null=True)
    pending_plan = models.JSONField(_("plan held for approval"), null=True, blank=True)
    approved = models.JSONField(
        default=list, editable=False, help_text=_("[card, door] of which staff said that they may be taken away.")
    )
    dropped = models.JSONField(
        default=list,
        editable=False,
        help_text=_("[card, door] of which staff said that they are not taken away before the end that was promised."),
    )
    serial = models.CharField(_("serial number"), max_length=100, blank=True)
    firmware = models.CharField(_("firmware"), max_length=100, blank=True)
    clock_skew_seconds = models.FloatField(_("clock skew (seconds)"), null=True)

    class Meta:
        verbose_name = _("state of a controller")
        verbose_name_plural = _("states of controllers")
        permissions = [("approve_controllersync", _("Can let a held plan go ahead, or drop it"))]
        ordering = ["controller__name"]
        indexes = [
            models.Index(
                fields=["next_attempt_at"],
                condition=models.Q(generation__gt=models.F("observed_generation")),
                name="controllers_behind",
            )
        ]

    def __str__(self) -> str:
        return str(self.controller)


class SchedulerState(models.Model):
    """One row: the periodic work."""

    ticked_at = models.DateTimeField(_("last tick"), null=True)
    full_resync_wanted_at = models.DateTimeField(_("full pass wanted since"), null=True)
    full_resync_at = models.DateTimeField(_("last full pass"), null=True)
    late_since = models.DateTimeField(_("late since"), null=True)
    subscription_checked_at = models.DateTimeField(_("subscription checked"), null=True)
    subscribed_at = models.DateTimeField(_("subscription last in order"), null=True)
    subscription_error = models.TextField(_("trouble with the subscription"), blank=True)
    offision_error = models.TextField(_("trouble with Offision"), blank=True)

    class Meta:
        verbose_name = _("state of the portal")
        verbose_name_plural = _("state of the portal")
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="only_one_pass_state")]

    def __str__(self) -> str:
        return str(_("State of the portal"))

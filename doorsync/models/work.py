"""The durable work queue: one row for each resource and controller, and the state of the scheduler."""

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from accessmap.models import Controller, Resource
from portal.core import clock
from portal.core.problems import ProblemsField


class SyncWork(models.Model):
    """A row that is worked on while `generation` is ahead of `observed_generation`. See doorsync.work.queue.

    `task_name`: the Celery task that does the work, called with the primary key in `subject_field`.
    """

    task_name: ClassVar[str]
    subject_field: ClassVar[str]

    generation = models.BigIntegerField(_("generation"), default=1)
    observed_generation = models.BigIntegerField(_("observed generation"), default=0)
    lease_token = models.UUIDField(null=True, editable=False)
    leased_generation = models.BigIntegerField(
        default=0, editable=False, help_text=_("The generation when it was leased.")
    )
    leased_until = models.DateTimeField(
        null=True, editable=False, help_text=_("A worker that has not finished by then counts as dead.")
    )
    next_attempt_at = models.DateTimeField(_("next attempt"), null=True, editable=False)
    enqueued_at = models.DateTimeField(null=True, editable=False)
    failures = models.PositiveIntegerField(_("failures in a row"), default=0)
    last_error = ProblemsField(_("last error"))
    created_at = models.DateTimeField(_("known since"), default=clock.now, editable=False)
    started_at = models.DateTimeField(_("last started"), null=True)
    succeeded_at = models.DateTimeField(_("last OK"), null=True)

    class Meta:
        abstract = True


class ResourceSync(SyncWork):
    """The work on a resource's bookings."""

    task_name = "doorsync.tasks.fetch_bookings"
    subject_field = "resource_id"

    resource = models.OneToOneField(Resource, on_delete=models.CASCADE, related_name="sync", verbose_name=_("resource"))
    cause = models.CharField(_("cause"), max_length=20, blank=True)
    pending_reason = ProblemsField(_("pending approval"))
    pending_ids = models.JSONField(
        default=list, editable=False, help_text=_("The bookings that the pending list leaves out.")
    )
    accepted_ids = models.JSONField(
        default=list, editable=False, help_text=_("Bookings that staff accepted as missing.")
    )
    fetched_as = models.CharField(
        max_length=200, blank=True, editable=False, help_text=_("The id under which the stored bookings were fetched.")
    )

    class Meta:
        verbose_name = _("resource state")
        verbose_name_plural = _("resource states")
        permissions = [("approve_resourcesync", _("Can accept a pending booking list"))]
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
    """The work on a controller."""

    task_name = "doorsync.tasks.reconcile_controller"
    subject_field = "controller_id"

    controller = models.OneToOneField(
        Controller, on_delete=models.CASCADE, related_name="sync", verbose_name=_("controller")
    )
    next_edge_at = models.DateTimeField(
        _("next edge"), null=True, help_text=_("Only for controllers without time windows.")
    )
    unreachable = models.PositiveIntegerField(_("unreachable in a row"), default=0)
    suspended_until = models.DateTimeField(_("suspended until"), null=True)
    pending_plan = models.JSONField(_("plan pending approval"), null=True, blank=True)
    approved = models.JSONField(
        default=list, editable=False, help_text=_("[card, door] that staff approved to revoke.")
    )
    dropped = models.JSONField(
        default=list,
        editable=False,
        help_text=_("[card, door] that staff keep until the end that was promised."),
    )
    serial = models.CharField(_("serial number"), max_length=100, blank=True)
    firmware = models.CharField(_("firmware"), max_length=100, blank=True)
    clock_skew_seconds = models.FloatField(_("clock skew (seconds)"), null=True)

    class Meta:
        verbose_name = _("controller state")
        verbose_name_plural = _("controller states")
        permissions = [("approve_controllersync", _("Can approve or drop a pending plan"))]
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
    """The one row of the scheduler, which every tick locks."""

    ticked_at = models.DateTimeField(_("last tick"), null=True)
    full_resync_requested_at = models.DateTimeField(_("full resync requested"), null=True)
    full_resync_at = models.DateTimeField(_("last full resync"), null=True)
    late_since = models.DateTimeField(_("late since"), null=True)
    subscription_checked_at = models.DateTimeField(_("subscription checked"), null=True)
    subscribed_at = models.DateTimeField(_("subscription last OK"), null=True)
    subscription_error = ProblemsField(_("subscription error"))
    offision_error = ProblemsField(_("Offision error"))

    class Meta:
        verbose_name = _("scheduler state")
        verbose_name_plural = _("scheduler state")
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="one_scheduler_state")]

    def __str__(self) -> str:
        return str(_("Scheduler state"))

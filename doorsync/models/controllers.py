"""What controllers should hold, what they hold, and what each reconciliation did."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from accessmap.models import Controller, masked
from portal.core import clock
from portal.core.clock import local
from portal.core.problems import ProblemsField


class UnlockRequest(models.Model):
    """A key that unlocks a door once, however often it is sent."""

    key = models.UUIDField(primary_key=True)
    at = models.DateTimeField(default=clock.now, db_index=True)

    def __str__(self) -> str:
        return str(self.key)


class ControllerCard(models.Model):
    """A card that the portal wrote, or is about to write, into a controller.

    The row is made before the card is first written, so that the portal knows its own entry after a crash. It is kept
    for a while after the card is gone, so that a write that arrives late is still known as the portal's own. While it
    exists, its controller can't be deleted: the card would stay in the controller unnoticed.
    """

    class State(models.TextChoices):
        PENDING = "pending", _("to be written")
        IN_STEP = "in_step", _("in step")
        FAILED = "failed", _("refused by the controller")
        UNCONFIRMED = "unconfirmed", _("written, not confirmed")
        GONE = "gone", _("removed; watched in case a late write brings it back")

    controller = models.ForeignKey(
        Controller, on_delete=models.PROTECT, related_name="cards", verbose_name=_("controller")
    )
    number = models.CharField(_("card"), max_length=200)
    # {door number: [[from or null, until or null, [causes]], ...]}, times ISO 8601 in UTC
    desired = models.JSONField(_("desired"), default=dict)
    # {door number: [[from or null, until or null], ...]} as last known to have been written; null where unknown.
    # For a controller that can't list its cards, this is the only record of what it holds.
    written = models.JSONField(null=True, editable=False)
    state = models.CharField(_("state"), max_length=20, choices=State)
    reason = ProblemsField(_("reason"))
    changed_at = models.DateTimeField(_("changed"))
    confirmed_at = models.DateTimeField(_("confirmed"), null=True)

    class Meta:
        verbose_name = _("card at a controller")
        verbose_name_plural = _("cards at controllers")
        ordering = ["controller_id", "number"]
        constraints = [models.UniqueConstraint(fields=["controller", "number"], name="one_entry_a_card")]
        indexes = [models.Index(fields=["state"]), models.Index(fields=["number"])]

    def __str__(self) -> str:
        return f"{masked(self.number)} @ {self.controller}"


class ControllerHold(models.Model):
    """A door that the portal holds unlocked, has held unlocked, or unlocks for a moment."""

    controller = models.ForeignKey(
        Controller, on_delete=models.PROTECT, related_name="holds", verbose_name=_("controller")
    )
    door_number = models.PositiveSmallIntegerField(_("door"))
    desired = models.JSONField(_("desired"), default=list)
    # Until then the door may be unlocked for a moment, and reconciliation leaves it alone: controllers/unlock.py.
    open_until = models.DateTimeField(_("open until"), null=True, blank=True)
    state = models.CharField(_("state"), max_length=20, choices=ControllerCard.State)
    reason = ProblemsField(_("reason"))
    changed_at = models.DateTimeField(_("changed"))

    class Meta:
        verbose_name = _("door held unlocked")
        verbose_name_plural = _("doors held unlocked")
        ordering = ["controller__name", "door_number"]
        constraints = [models.UniqueConstraint(fields=["controller", "door_number"], name="one_hold_a_door")]

    def __str__(self) -> str:
        return f"{self.controller}/{self.door_number}"


class UnmanagedCard(models.Model):
    """An entry that a controller holds and the portal did not write. The portal changes it only once staff adopt it."""

    controller = models.ForeignKey(
        Controller, on_delete=models.CASCADE, related_name="unmanaged", verbose_name=_("controller")
    )
    number = models.CharField(_("card"), max_length=200)
    held = models.JSONField(_("held"), default=dict)
    wanted = models.BooleanField(
        _("wanted by bookings"), help_text=_("Bookings admit this card, but the entry is not the portal's.")
    )
    first_seen_at = models.DateTimeField(_("first seen"))

    class Meta:
        verbose_name = _("unmanaged card")
        verbose_name_plural = _("unmanaged cards")
        permissions = [("approve_unmanagedcard", _("Can adopt an entry that the portal did not write"))]
        ordering = ["controller_id", "number"]
        constraints = [models.UniqueConstraint(fields=["controller", "number"], name="one_unmanaged_a_card")]

    def __str__(self) -> str:
        return f"{self.masked_number} @ {self.controller}"

    @property
    def masked_number(self) -> str:
        return masked(self.number)


class EventCursor(models.Model):
    """The last door event of a controller that is in the audit log."""

    controller = models.OneToOneField(
        Controller, on_delete=models.CASCADE, related_name="event_cursor", verbose_name=_("controller")
    )
    index = models.BigIntegerField(_("last index"), default=0)
    read_at = models.DateTimeField(_("last read"), null=True)
    last_error = ProblemsField(_("last error"))

    class Meta:
        verbose_name = _("door event cursor")
        verbose_name_plural = _("door event cursors")

    def __str__(self) -> str:
        return f"{self.controller}: {self.index}"


class Reconciliation(models.Model):
    """One reconciliation that changed something or failed."""

    controller = models.ForeignKey(
        Controller, on_delete=models.CASCADE, related_name="reconciliations", verbose_name=_("controller")
    )
    generation = models.BigIntegerField(_("generation"))
    started_at = models.DateTimeField(_("started"))
    finished_at = models.DateTimeField(_("finished"), db_index=True)
    unchanged = models.PositiveIntegerField(_("unchanged"), default=0)
    added = models.PositiveIntegerField(_("added"), default=0)
    updated = models.PositiveIntegerField(_("updated"), default=0)
    removed = models.PositiveIntegerField(_("removed"), default=0)
    failed = models.PositiveIntegerField(_("failed"), default=0)
    unconfirmed = models.PositiveIntegerField(_("unconfirmed"), default=0)
    unmanaged = models.PositiveIntegerField(_("unmanaged"), default=0)
    pending = models.PositiveIntegerField(_("pending approval"), default=0)
    last_error = ProblemsField(_("last error"))

    class Meta:
        verbose_name = _("reconciliation")
        verbose_name_plural = _("reconciliations")
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.controller} {local(self.finished_at)}"

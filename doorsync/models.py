"""What the portal knows of bookings, of the controllers' contents, and of how far it has come.

The *asked-for counters* (Asked) are the heart: `requested` says how often somebody asked for a look, `done` which of
these requests the last good look answered. Celery's messages only wake workers; what is to be done stands here.
"""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from accessmap.models import BOOKING_STATUS_CHOICES, Controller, Resource, masked
from doorsync.notices.models import Delivery as Delivery
from doorsync.notices.models import Notice as Notice
from doorsync.notices.models import Recipient as Recipient
from portal.core import clock
from portal.core.clock import local
from portal.offision.types import BookingStatus


class Asked(models.Model):
    """A row that is worked on when `requested` is ahead of `done`. See doorsync.work.queue."""

    requested = models.BigIntegerField(_("requested"), default=1)
    done = models.BigIntegerField(_("done"), default=0)
    claim = models.UUIDField(null=True, editable=False)
    claimed = models.BigIntegerField(default=0, editable=False, help_text=_("What was requested when it was claimed."))
    claimed_until = models.DateTimeField(
        null=True, editable=False, help_text=_("A worker that has not finished by then is taken to be dead.")
    )
    not_before = models.DateTimeField(_("not before"), null=True, editable=False)
    woken_at = models.DateTimeField(null=True, editable=False)
    failures = models.PositiveIntegerField(_("failures in a row"), default=0)
    trouble = models.TextField(_("trouble"), blank=True)
    created_at = models.DateTimeField(_("known since"), default=clock.now, editable=False)
    started_at = models.DateTimeField(_("last begun"), null=True)
    succeeded_at = models.DateTimeField(_("last in order"), null=True)

    class Meta:
        abstract = True


class ResourceSync(Asked):
    """How far the portal is with a resource's bookings."""

    resource = models.OneToOneField(Resource, on_delete=models.CASCADE, related_name="sync", verbose_name=_("resource"))
    cause = models.CharField(_("asked for by"), max_length=20, blank=True)
    held_reason = models.TextField(_("held"), blank=True)
    held_ids = models.JSONField(
        default=list, editable=False, help_text=_("The bookings that the list held leaves out.")
    )
    believed_ids = models.JSONField(
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
                fields=["not_before"],
                condition=models.Q(requested__gt=models.F("done")),
                name="resources_behind",
            )
        ]

    def __str__(self) -> str:
        return str(self.resource)


class ControllerSync(Asked):
    """How far the portal is with a controller."""

    controller = models.OneToOneField(
        Controller, on_delete=models.CASCADE, related_name="sync", verbose_name=_("controller")
    )
    next_edge_at = models.DateTimeField(
        _("acts next at"), null=True, help_text=_("Only for controllers that know no time windows.")
    )
    unreachable = models.PositiveIntegerField(_("unreachable in a row"), default=0)
    suspended_until = models.DateTimeField(_("suspended until"), null=True)
    held_plan = models.JSONField(_("plan held for approval"), null=True, blank=True)
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
                fields=["not_before"],
                condition=models.Q(requested__gt=models.F("done")),
                name="controllers_behind",
            )
        ]

    def __str__(self) -> str:
        return str(self.controller)


class UnlockRequest(models.Model):
    """One opening of the page that unlocks a door: its key unlocks once, however often it is sent."""

    key = models.UUIDField(primary_key=True)
    at = models.DateTimeField(default=clock.now, db_index=True)

    def __str__(self) -> str:
        return str(self.key)


class PassState(models.Model):
    """One row: the periodic work."""

    map_revision = models.BigIntegerField(_("revision of the map"), default=0)
    ticked_at = models.DateTimeField(_("last tick"), null=True)
    full_pass_wanted_at = models.DateTimeField(_("full pass wanted since"), null=True)
    full_pass_at = models.DateTimeField(_("last full pass"), null=True)
    late_since = models.DateTimeField(_("late since"), null=True)
    subscription_checked_at = models.DateTimeField(_("subscription checked"), null=True)
    subscribed_at = models.DateTimeField(_("subscription last in order"), null=True)
    subscription_trouble = models.TextField(_("trouble with the subscription"), blank=True)
    offision_trouble = models.TextField(_("trouble with Offision"), blank=True)

    class Meta:
        verbose_name = _("state of the portal")
        verbose_name_plural = _("state of the portal")
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="only_one_pass_state")]

    def __str__(self) -> str:
        return str(_("State of the portal"))


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


class SetAsideBooking(models.Model):
    """A record of Offision's that could not be taken for a booking, and why. It admits nobody."""

    resource = models.ForeignKey(
        Resource, on_delete=models.CASCADE, related_name="set_aside", verbose_name=_("resource")
    )
    record_id = models.CharField(_("id in Offision"), max_length=200, blank=True)
    reason = models.TextField(_("reason"))
    raw = models.TextField(_("as received"))
    seen_at = models.DateTimeField(_("seen"))

    class Meta:
        verbose_name = _("booking set aside")
        verbose_name_plural = _("bookings set aside")
        ordering = ["-seen_at"]

    def __str__(self) -> str:
        return self.reason


class UnmappedResource(models.Model):
    """A resource of Offision's that the access map does not know."""

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


class Refresh(models.Model):
    """One fetch of a resource's bookings, and when what it found was confirmed at the doors."""

    class Outcome(models.TextChoices):
        CHANGED = "changed", _("changed")
        UNCHANGED = "unchanged", _("unchanged")
        HELD = "held", _("held for approval")
        FAILED = "failed", _("failed")

    resource = models.ForeignKey(
        Resource, on_delete=models.CASCADE, related_name="refreshes", verbose_name=_("resource")
    )
    generation = models.BigIntegerField(_("generation"))
    cause = models.CharField(_("asked for by"), max_length=20)
    started_at = models.DateTimeField(_("begun"), db_index=True)
    finished_at = models.DateTimeField(_("finished"))
    outcome = models.CharField(_("outcome"), max_length=20, choices=Outcome)
    requests = models.PositiveIntegerField(_("requests to Offision"), default=0)
    vanished = models.PositiveIntegerField(
        _("bookings vanished"), default=0, help_text=_("Left out without a word, or with a status that says nothing.")
    )
    message = models.TextField(_("message"), blank=True)
    confirmed_at = models.DateTimeField(_("confirmed at the doors"), null=True)

    class Meta:
        verbose_name = _("fetch of bookings")
        verbose_name_plural = _("fetches of bookings")
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.resource} {self.get_outcome_display()}"


class RefreshTarget(models.Model):
    """A controller that has to confirm what a refresh found."""

    refresh = models.ForeignKey(Refresh, on_delete=models.CASCADE, related_name="targets")
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


class Callback(models.Model):
    """One call of Offision's to our callURL, as it came."""

    class Outcome(models.TextChoices):
        ASKED = "asked", _("resource asked for")
        UNKNOWN_RESOURCE = "unknown_resource", _("no such resource in the map")
        UNREADABLE = "unreadable", _("not readable; everything is looked at")

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
    refresh = models.ForeignKey(
        Refresh,
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
                condition=models.Q(refresh__isnull=True),
                name="callbacks_unanswered",
            ),
            models.Index(fields=["refresh"], condition=models.Q(refresh__isnull=False), name="callbacks_answered"),
        ]

    def __str__(self) -> str:
        return f"{local(self.received_at)} {self.named_resource}"


class ControllerCard(models.Model):
    """What the portal means a controller to hold for a card, and whether it does.

    A row is made before the card is first written, so that after a crash the portal still knows the entry for its own;
    and kept for a while after it was seen to be gone, so that a write that comes late is known for the portal's own.
    As long as there is one, its controller can't be deleted: the card would stay in the box, and nobody would know.
    """

    class State(models.TextChoices):
        PENDING = "pending", _("to be written")
        IN_STEP = "in_step", _("in step")
        FAILED = "failed", _("refused by the controller")
        UNCONFIRMED = "unconfirmed", _("written, not confirmed")
        GONE = "gone", _("gone, and watched in case a late write brings it back")

    controller = models.ForeignKey(
        Controller, on_delete=models.PROTECT, related_name="cards", verbose_name=_("controller")
    )
    number = models.CharField(_("card"), max_length=200)
    # {door number: [[from or null, until or null, [causes]], ...]}, times ISO 8601 in UTC
    desired = models.JSONField(_("desired"), default=dict)
    # {door number: [[from or null, until or null], ...]} as last known to have been written; null where unknown.
    # Only so does the portal know what a controller holds that can't be asked.
    written = models.JSONField(null=True, editable=False)
    state = models.CharField(_("state"), max_length=20, choices=State)
    reason = models.TextField(_("reason"), blank=True)
    changed_at = models.DateTimeField(_("changed"))
    confirmed_at = models.DateTimeField(_("confirmed"), null=True)

    class Meta:
        verbose_name = _("card at a controller")
        verbose_name_plural = _("cards at controllers")
        ordering = ["controller__name", "number"]
        constraints = [models.UniqueConstraint(fields=["controller", "number"], name="one_entry_a_card")]
        indexes = [models.Index(fields=["state"])]

    def __str__(self) -> str:
        return f"{masked(self.number)} @ {self.controller}"


class ControllerHold(models.Model):
    """A door that the portal means to hold unlocked, has once held so, or unlocks for a moment: its own to change."""

    controller = models.ForeignKey(
        Controller, on_delete=models.PROTECT, related_name="holds", verbose_name=_("controller")
    )
    door_number = models.PositiveSmallIntegerField(_("door"))
    desired = models.JSONField(_("desired"), default=list)
    # See controllers/unlock.py: until then the door may stand unlocked for a moment's sake, and is left alone.
    open_until = models.DateTimeField(_("open until"), null=True, blank=True)
    state = models.CharField(_("state"), max_length=20, choices=ControllerCard.State)
    reason = models.TextField(_("reason"), blank=True)
    changed_at = models.DateTimeField(_("changed"))

    class Meta:
        verbose_name = _("door held unlocked")
        verbose_name_plural = _("doors held unlocked")
        ordering = ["controller__name", "door_number"]
        constraints = [models.UniqueConstraint(fields=["controller", "door_number"], name="one_hold_a_door")]

    def __str__(self) -> str:
        return f"{self.controller}/{self.door_number}"


class UnmanagedCard(models.Model):
    """An entry that a controller holds and the portal did not write. It is not touched unless staff adopt it."""

    controller = models.ForeignKey(
        Controller, on_delete=models.CASCADE, related_name="unmanaged", verbose_name=_("controller")
    )
    number = models.CharField(_("card"), max_length=200)
    held = models.JSONField(_("held"), default=dict)
    wanted = models.BooleanField(
        _("wanted by bookings"),
        help_text=_("Bookings want this card too, but the entry is not the portal's."),
    )
    first_seen_at = models.DateTimeField(_("first seen"))

    class Meta:
        verbose_name = _("unmanaged card")
        verbose_name_plural = _("unmanaged cards")
        permissions = [("approve_unmanagedcard", _("Can take an entry that the portal did not write for its own"))]
        ordering = ["controller__name", "number"]
        constraints = [models.UniqueConstraint(fields=["controller", "number"], name="one_unmanaged_a_card")]

    def __str__(self) -> str:
        return f"{self.masked_number} @ {self.controller}"

    @property
    def masked_number(self) -> str:
        return masked(self.number)


class EventCursor(models.Model):
    """How far a controller's door events are in the log."""

    controller = models.OneToOneField(
        Controller, on_delete=models.CASCADE, related_name="event_cursor", verbose_name=_("controller")
    )
    index = models.BigIntegerField(_("last index"), default=0)
    read_at = models.DateTimeField(_("last read"), null=True)
    trouble = models.TextField(_("trouble"), blank=True)

    class Meta:
        verbose_name = _("reading of door events")
        verbose_name_plural = _("readings of door events")

    def __str__(self) -> str:
        return f"{self.controller}: {self.index}"


class Report(models.Model):
    """What came of one reconciliation that changed something or failed."""

    controller = models.ForeignKey(
        Controller, on_delete=models.CASCADE, related_name="reports", verbose_name=_("controller")
    )
    generation = models.BigIntegerField(_("generation"))
    started_at = models.DateTimeField(_("begun"))
    finished_at = models.DateTimeField(_("finished"), db_index=True)
    unchanged = models.PositiveIntegerField(_("unchanged"), default=0)
    added = models.PositiveIntegerField(_("added"), default=0)
    updated = models.PositiveIntegerField(_("updated"), default=0)
    removed = models.PositiveIntegerField(_("removed"), default=0)
    failed = models.PositiveIntegerField(_("failed"), default=0)
    unconfirmed = models.PositiveIntegerField(_("unconfirmed"), default=0)
    unmanaged = models.PositiveIntegerField(_("unmanaged"), default=0)
    held = models.PositiveIntegerField(_("held for approval"), default=0)
    trouble = models.TextField(_("trouble"), blank=True)

    class Meta:
        verbose_name = _("reconciliation")
        verbose_name_plural = _("reconciliations")
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.controller} {local(self.finished_at)}"

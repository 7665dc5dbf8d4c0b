"""Who may open what: sites, cardholders, cards, access levels, controllers, doors, access policies, resources.

These rows say how things are meant to be; `doorsync` makes the controllers follow. Every change to them is noted in
MapChange and kept in history (pghistory), both by triggers.
"""

import json
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import available_timezones

import pghistory
import pgtrigger
from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _
from encrypted_fields.fields import EncryptedTextField

from portal.core import clock
from portal.offision.types import BookingStatus

MAX_LEAD_MINUTES = 24 * 60


def normal_email(email: str) -> str:
    """The form in which emails are compared: without case and surrounding space."""
    return email.strip().lower()


def validate_time_zone(name: str) -> None:
    if name not in available_timezones():
        raise ValidationError(_("%(name)s is no IANA time zone. An example is Asia/Hong_Kong."), params={"name": name})


def tracked(**options: Any) -> Any:
    """History keeps how a row began, every change of it, and how it was when it was deleted, to be put back."""
    return pghistory.track(pghistory.InsertEvent(), pghistory.UpdateEvent(), pghistory.DeleteEvent(), **options)


def names_changes(*, rows: str = "changed", **columns: str) -> list[pgtrigger.Trigger]:
    """The triggers that note in MapChange what each change of a table touches.

    `columns` are MapChange's, each with the SQL of its value; `rows` is the FROM clause. In both, `changed` stands for
    the rows that one statement has inserted, updated (before and after) or deleted: a statement that changes 10,000
    rows notes them with one INSERT.
    """
    tables_of = {
        pgtrigger.Insert: {"new": "new_rows"},
        pgtrigger.Update: {"old": "old_rows", "new": "new_rows"},
        pgtrigger.Delete: {"old": "old_rows"},
    }
    return [
        pgtrigger.Trigger(
            name=f"names_{str(operation).lower()}",
            level=pgtrigger.Statement,
            when=pgtrigger.After,
            operation=operation,
            referencing=pgtrigger.Referencing(**tables),  # type: ignore[no-untyped-call]
            func=(
                f"WITH changed AS ({' UNION ALL '.join(f'TABLE {table}' for table in tables.values())}) "  # noqa: S608
                f"INSERT INTO accessmap_mapchange ({', '.join(columns)}) "
                f"SELECT DISTINCT {', '.join(columns.values())} FROM {rows}; RETURN NULL;"
            ),
        )
        for operation, tables in tables_of.items()
    ]


class MapChange(models.Model):
    """What one change of the map touches: whoever computed something from the map computes it again.

    Triggers insert these rows, so bulk updates and raw SQL are noted too. Nothing is locked that two transactions
    share: plain ids instead of foreign keys, and rows instead of a counter. accessmap.services.map_changes reads them.
    """

    controller_id = models.BigIntegerField(null=True)
    resource_id = models.BigIntegerField(null=True)
    policy_id = models.BigIntegerField(null=True)
    level_id = models.BigIntegerField(null=True)
    cardholder_id = models.BigIntegerField(null=True)
    email = models.TextField(null=True)  # noqa: DJ001 - NULL in every column that a change does not name
    card_number = models.TextField(null=True)  # noqa: DJ001

    def __str__(self) -> str:
        return f"Map change {self.pk}"


@tracked()
class Site(models.Model):
    name = models.CharField(_("name"), max_length=200, unique=True)
    time_zone = models.CharField(_("time zone"), max_length=64, validators=[validate_time_zone])

    class Meta:
        verbose_name = _("site")
        verbose_name_plural = _("sites")
        ordering = ["name"]
        triggers = names_changes(
            controller_id="controller.id",
            rows="changed JOIN accessmap_controller controller ON controller.site_id = changed.id",
        )

    def __str__(self) -> str:
        return self.name


@tracked()
class AccessLevel(models.Model):
    name = models.CharField(_("name"), max_length=200, unique=True)

    class Meta:
        verbose_name = _("access level")
        verbose_name_plural = _("access levels")
        ordering = ["name"]
        triggers = names_changes(level_id="changed.id")

    def __str__(self) -> str:
        return self.name


@tracked()
class Cardholder(models.Model):
    email = models.EmailField(
        _("email"),
        max_length=320,
        blank=True,
        help_text=_("As in Offision; case does not matter. Somebody with no email can't be found by a booking."),
    )
    name = models.CharField(_("name"), max_length=200)
    access_levels = models.ManyToManyField(
        AccessLevel,
        through="Membership",
        related_name="cardholders",
        verbose_name=_("access levels"),
        blank=True,
    )

    class Meta:
        verbose_name = _("cardholder")
        verbose_name_plural = _("cardholders")
        ordering = ["name", "pk"]
        constraints = [
            models.UniqueConstraint(
                Lower("email"),
                condition=~models.Q(email=""),
                name="one_cardholder_an_email",
                violation_error_message=_("There is a cardholder with this email already."),
            )
        ]
        triggers = names_changes(cardholder_id="changed.id", email="changed.email")

    def __str__(self) -> str:
        return f"{self.name} <{self.email}>" if self.email else self.name

    def clean(self) -> None:
        self.email = self.email.strip()


@tracked()
class Membership(models.Model):
    """A cardholder's place in an access level."""

    cardholder = models.ForeignKey(Cardholder, on_delete=models.CASCADE)
    access_level = models.ForeignKey(AccessLevel, on_delete=models.CASCADE, verbose_name=_("access level"))

    class Meta:
        verbose_name = _("membership")
        verbose_name_plural = _("memberships")
        constraints = [models.UniqueConstraint(fields=["cardholder", "access_level"], name="one_membership_a_level")]
        triggers = names_changes(level_id="changed.access_level_id")

    def __str__(self) -> str:
        return f"{self.cardholder}: {self.access_level}"


class CardStatus(models.TextChoices):
    ACTIVE = "active", _("active")
    LOST = "lost", _("lost")
    RETURNED = "returned", _("returned")


@tracked()
class Card(models.Model):
    cardholder = models.ForeignKey(
        Cardholder, on_delete=models.CASCADE, related_name="cards", verbose_name=_("cardholder")
    )
    number = models.CharField(
        _("number"),
        max_length=200,
        unique=True,
        validators=[RegexValidator(r"^[0-9A-Za-z-]+\Z", _("Digits, letters and hyphens only."))],
        help_text=_("As the readers report it."),
    )
    status = models.CharField(_("status"), max_length=10, choices=CardStatus, default=CardStatus.ACTIVE)
    valid_from = models.DateTimeField(_("valid from"), null=True, blank=True)
    valid_until = models.DateTimeField(
        _("valid until"), null=True, blank=True, help_text=_("The first moment at which it no longer opens.")
    )

    class Meta:
        verbose_name = _("card")
        verbose_name_plural = _("cards")
        ordering = ["number"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(valid_from__isnull=True)
                | models.Q(valid_until__isnull=True)
                | models.Q(valid_from__lt=models.F("valid_until")),
                name="card_validity_in_order",
                violation_error_message=_("The card's validity ends before it begins."),
            ),
            models.CheckConstraint(condition=~models.Q(number=""), name="card_has_a_number"),
        ]
        triggers = names_changes(cardholder_id="changed.cardholder_id", card_number="changed.number")
        permissions = [("view_card_number", _("Can have a card's whole number shown, which the audit log notes"))]

    def __str__(self) -> str:
        return masked(self.number)

    @classmethod
    def usable(cls, now: datetime) -> models.QuerySet["Card"]:
        """Active cards whose validity has not ended at `now` (aware)."""
        return cls.objects.filter(
            models.Q(valid_until__isnull=True) | models.Q(valid_until__gt=now), status=CardStatus.ACTIVE
        )


def masked(number: str) -> str:
    """A card number as it is shown where nobody needs it whole: the last four characters."""
    return "••••" + number[-4:] if len(number) > 4 else "••••"


@tracked(exclude=["options", "secrets"])
class Controller(models.Model):
    """The box that decides at doors."""

    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="controllers", verbose_name=_("site"))
    name = models.CharField(_("name"), max_length=200, unique=True)
    driver = models.CharField(_("driver"), max_length=50, help_text=_("The family of controllers that it belongs to."))
    options = models.JSONField(
        _("options"),
        default=dict,
        blank=True,
        help_text=_("What its driver needs to know, such as its address."),
    )
    # JSON, by name: what of the options is secret. Encrypted at rest.
    secrets = EncryptedTextField(null=True, editable=False)
    enabled = models.BooleanField(
        _("enabled"), default=True, help_text=_("A disabled controller is left as it is, and not spoken to.")
    )

    class Meta:
        verbose_name = _("controller")
        verbose_name_plural = _("controllers")
        ordering = ["name"]
        triggers = names_changes(controller_id="changed.id")

    def __str__(self) -> str:
        return self.name

    @property
    def all_options(self) -> dict[str, Any]:
        """What its driver needs to know, the secrets too."""
        return {**self.options, **json.loads(self.secrets or "{}")}

    def set_options(self, options: Mapping[str, Any], *, secret: Collection[str] = ()) -> None:
        """Give it these options. Those named as secret are kept encrypted."""
        self.options = {name: value for name, value in options.items() if name not in secret}
        self.secrets = json.dumps({name: options[name] for name in secret if name in options})

    def clean(self) -> None:
        if self.driver not in settings.DRIVERS:
            raise ValidationError(
                {
                    "driver": _("There is no driver %(driver)s. There are: %(known)s.")
                    % {"driver": self.driver, "known": ", ".join(sorted(settings.DRIVERS))}
                }
            )
        if not isinstance(self.options, dict):
            raise ValidationError({"options": _('Options are named values, such as {"url": "http://..."}.')})


@tracked()
class Door(models.Model):
    controller = models.ForeignKey(
        Controller, on_delete=models.CASCADE, related_name="doors", verbose_name=_("controller")
    )
    number = models.PositiveSmallIntegerField(
        _("number"), validators=[MinValueValidator(1)], help_text=_("Its number at the controller.")
    )
    name = models.CharField(_("name"), max_length=200)
    floor = models.CharField(
        _("floor"), max_length=50, blank=True, help_text=_("Such as 12/F; the door board can be filtered by it.")
    )

    class Meta:
        verbose_name = _("door")
        verbose_name_plural = _("doors")
        permissions = [("unlock_door", _("Can unlock a door for a moment"))]
        ordering = ["controller__name", "number"]
        constraints = [
            models.UniqueConstraint(fields=["controller", "number"], name="one_door_a_number"),
            models.UniqueConstraint(fields=["controller", "name"], name="one_door_a_name"),
            models.CheckConstraint(condition=models.Q(number__gte=1), name="door_numbers_from_one"),
        ]
        triggers = names_changes(controller_id="changed.controller_id")

    def __str__(self) -> str:
        return self.name


def default_statuses() -> list[str]:
    return [BookingStatus.CONFIRMED.value, BookingStatus.CHECKED_IN.value]


BOOKING_STATUS_CHOICES = [
    (BookingStatus.CONFIRMED.value, _("confirmed")),
    (BookingStatus.CHECKED_IN.value, _("checked in")),
    (BookingStatus.CHECKED_OUT.value, _("checked out")),
    (BookingStatus.TENTATIVE.value, _("tentative")),
]


@tracked()
class AccessPolicy(models.Model):
    """Whom a booking admits, how early and how late, and who may always pass."""

    name = models.CharField(_("name"), max_length=200, unique=True)
    admit_organizer = models.BooleanField(_("admit the organizer"), default=True)
    admit_attendees = models.BooleanField(_("admit the attendees"), default=True)
    admit_anyone = models.BooleanField(
        _("admit anyone"),
        default=False,
        help_text=_("Holds the door unlocked from start to end, lead and grace left out."),
    )
    admit_levels = models.ManyToManyField(
        AccessLevel,
        through="PolicyAdmits",
        related_name="admitted_by",
        verbose_name=_("access levels admitted while booked"),
        blank=True,
    )
    always_levels = models.ManyToManyField(
        AccessLevel,
        through="PolicyAlways",
        related_name="always_admitted_by",
        verbose_name=_("access levels that may always pass"),
        blank=True,
    )
    statuses = ArrayField(
        models.CharField(max_length=20, choices=BOOKING_STATUS_CHOICES),
        verbose_name=_("booking statuses that count"),
        default=default_statuses,
    )
    lead_minutes = models.PositiveSmallIntegerField(
        _("lead (minutes)"), default=15, validators=[MaxValueValidator(MAX_LEAD_MINUTES)]
    )
    grace_minutes = models.PositiveSmallIntegerField(
        _("grace (minutes)"), default=0, validators=[MaxValueValidator(MAX_LEAD_MINUTES)]
    )

    class Meta:
        verbose_name = _("access policy")
        verbose_name_plural = _("access policies")
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(lead_minutes__lte=MAX_LEAD_MINUTES) & models.Q(grace_minutes__lte=MAX_LEAD_MINUTES),
                name="lead_and_grace_within_a_day",
            )
        ]
        triggers = names_changes(policy_id="changed.id")

    def __str__(self) -> str:
        return self.name


@tracked()
class PolicyAdmits(models.Model):
    """An access level that a policy admits while the resource is booked."""

    policy = models.ForeignKey(AccessPolicy, on_delete=models.CASCADE)
    access_level = models.ForeignKey(AccessLevel, on_delete=models.CASCADE, verbose_name=_("access level"))

    class Meta:
        verbose_name = _("access level admitted while booked")
        verbose_name_plural = _("access levels admitted while booked")
        constraints = [models.UniqueConstraint(fields=["policy", "access_level"], name="one_admits_a_level")]
        triggers = names_changes(policy_id="changed.policy_id")

    def __str__(self) -> str:
        return str(self.access_level)


@tracked()
class PolicyAlways(models.Model):
    """An access level that may always pass the doors of a policy's resources."""

    policy = models.ForeignKey(AccessPolicy, on_delete=models.CASCADE)
    access_level = models.ForeignKey(AccessLevel, on_delete=models.CASCADE, verbose_name=_("access level"))

    class Meta:
        verbose_name = _("access level that may always pass")
        verbose_name_plural = _("access levels that may always pass")
        constraints = [models.UniqueConstraint(fields=["policy", "access_level"], name="one_always_a_level")]
        triggers = names_changes(policy_id="changed.policy_id")

    def __str__(self) -> str:
        return str(self.access_level)


@tracked()
class Resource(models.Model):
    """A bookable resource of Offision's, and the doors that lead to it."""

    site = models.ForeignKey(Site, on_delete=models.PROTECT, related_name="resources", verbose_name=_("site"))
    external_id = models.CharField(_("id in Offision"), max_length=200, unique=True)
    name = models.CharField(_("name"), max_length=200)
    policy = models.ForeignKey(
        AccessPolicy, on_delete=models.PROTECT, related_name="resources", verbose_name=_("access policy")
    )
    doors = models.ManyToManyField(
        Door, through="ResourceDoor", related_name="resources", verbose_name=_("doors"), blank=True
    )

    class Meta:
        verbose_name = _("resource")
        verbose_name_plural = _("resources")
        ordering = ["name"]
        constraints = [models.CheckConstraint(condition=~models.Q(external_id=""), name="resource_has_an_id")]
        triggers = names_changes(resource_id="changed.id")

    def __str__(self) -> str:
        return self.name


@tracked()
class ResourceDoor(models.Model):
    """A door that leads to a resource."""

    resource = models.ForeignKey(Resource, on_delete=models.CASCADE)
    door = models.ForeignKey(Door, on_delete=models.CASCADE, verbose_name=_("door"))

    class Meta:
        verbose_name = _("door of a resource")
        verbose_name_plural = _("doors of resources")
        constraints = [models.UniqueConstraint(fields=["resource", "door"], name="one_link_a_door")]
        triggers = names_changes(
            resource_id="changed.resource_id",
            controller_id="door.controller_id",
            rows="changed LEFT JOIN accessmap_door door ON door.id = changed.door_id",
        )

    def __str__(self) -> str:
        return str(self.door)


class MapImport(models.Model):
    """A sheet that somebody has uploaded: checked first, then imported at their word, and undone at their word."""

    class Kind(models.TextChoices):
        PEOPLE = "people", _("people and cards")
        RESOURCES = "resources", _("resources and doors")

    class State(models.TextChoices):
        CHECKING = "checking", _("being checked")
        CHECKED = "checked", _("checked, not imported")
        IMPORTING = "importing", _("being imported")
        IMPORTED = "imported", _("imported")
        FAILED = "failed", _("not imported")
        DROPPED = "dropped", _("dropped")
        UNDOING = "undoing", _("being undone")
        UNDONE = "undone", _("undone")

    # What a worker has to do; in every other state it is a person's turn.
    WORK = (State.CHECKING, State.IMPORTING, State.UNDOING)

    kind = models.CharField(_("kind"), max_length=20, choices=Kind)
    state = models.CharField(_("state"), max_length=20, choices=State, default=State.CHECKING)
    file_name = models.CharField(_("file"), max_length=200)
    # Cleared once it has been imported or dropped: it names people and whole card numbers.
    content = models.BinaryField(editable=False, default=b"")
    actor = models.CharField(_("uploaded by"), max_length=200)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+", editable=False
    )
    language = models.CharField(max_length=10, default="en", editable=False)
    uploaded_at = models.DateTimeField(_("uploaded"), default=clock.now)
    finished_at = models.DateTimeField(_("finished"), null=True)
    leased_until = models.DateTimeField(null=True, editable=False)
    rows_total = models.PositiveIntegerField(_("rows"), default=0)
    rows_done = models.PositiveIntegerField(_("rows done"), default=0)
    created = models.PositiveIntegerField(_("new"), default=0)
    changed = models.PositiveIntegerField(_("changed"), default=0)
    unchanged = models.PositiveIntegerField(_("unchanged"), default=0)
    errors = models.PositiveIntegerField(_("rows with errors"), default=0)
    # What stands on its page, card numbers masked: [[row, who or what, sentence], ...], no more than a page can show.
    error_rows = models.JSONField(default=list, editable=False)
    change_rows = models.JSONField(default=list, editable=False)
    notes = models.JSONField(default=list, editable=False)
    context = models.UUIDField(null=True, editable=False, help_text=_("Its changes in history."))

    class Meta:
        verbose_name = _("import")
        verbose_name_plural = _("imports")
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.file_name} ({self.get_state_display()})"

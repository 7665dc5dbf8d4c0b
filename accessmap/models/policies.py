"""Access policies."""

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from accessmap.models.cardholders import AccessLevel
from accessmap.models.changes import names_changes, tracked
from portal.offision.statuses import BookingStatus

MAX_LEAD_MINUTES = 24 * 60


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
    """Which people a booking admits, how early and how late, and who may always pass."""

    name = models.CharField(_("name"), max_length=200, unique=True)
    admit_organizer = models.BooleanField(_("admit the organizer"), default=True)
    admit_attendees = models.BooleanField(_("admit the attendees"), default=True)
    admit_anyone = models.BooleanField(
        _("admit anyone"),
        default=False,
        help_text=_("Holds the door unlocked from start to end, without lead and grace."),
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

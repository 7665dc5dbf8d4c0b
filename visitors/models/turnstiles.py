"""Turnstiles: the device, how it admits visitors, its readers, its keys and its kiosks."""

from datetime import timedelta
from ipaddress import ip_network

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.http import HttpResponse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from rest_framework_api_key.models import AbstractAPIKey

from accessmap.models import Door, Site
from portal.core.clock import local
from portal.offision.statuses import VisitStatus
from visitors.models.visits import STATUS_CHOICES
from visitors.verification.decision import AntiPassback, Direction, TurnstilePolicy

DIRECTION_CHOICES = [(Direction.IN.value, _("in")), (Direction.OUT.value, _("out"))]


def _checked_in() -> list[str]:
    return [VisitStatus.CHECKED_IN.value]


def validate_network(text: str) -> None:
    try:
        ip_network(text)
    except ValueError:
        raise ValidationError(
            _("%(text)s is not an address or a network. Examples are 10.1.2.3 and 10.1.2.0/24."), params={"text": text}
        ) from None


class Protocol(models.TextChoices):
    """How a device phrases its requests and expects its answers; see visitors.devices.protocols."""

    NATIVE = "native", _("portal (JSON, key in a header)")
    TEMPLATE = "template", _("template (configured below)")
    VGUANG = "vguang", _("Vguang / RTscan")
    CONTROL_ID = "control_id", _("Control iD")
    HIKVISION = "hikvision", _("Hikvision remote check")


class Turnstile(models.Model):
    """A device that asks whether the bearer of a code may pass, and the policy that decides."""

    class Shows(models.TextChoices):
        NAME = "name", pgettext_lazy("of a person", "name")
        COMPANY = "company", _("company")
        HOST = "host", _("host's email")

    class Opens(models.TextChoices):
        ANSWER = "answer", _("by the answer: the device opens itself")
        DOOR = "door", _("by the portal: it unlocks a door for a moment")

    site = models.ForeignKey(Site, on_delete=models.PROTECT, verbose_name=_("site"))
    name = models.CharField(_("name"), max_length=200, unique=True)
    enabled = models.BooleanField(_("enabled"), default=True)
    direction = models.CharField(
        _("direction"), max_length=4, choices=[*DIRECTION_CHOICES, (Direction.BOTH.value, _("both"))]
    )
    protocol = models.CharField(_("protocol"), max_length=20, choices=Protocol, default=Protocol.NATIVE)
    sources = ArrayField(
        models.CharField(max_length=50, validators=[validate_network]),
        verbose_name=_("source addresses"),
        default=list,
        blank=True,
        help_text=_("Addresses or networks of the device, separated by commas. Empty: any address."),
    )
    code_prefix = models.CharField(
        _("prefix"), max_length=20, blank=True, help_text=_("What the scanner is configured to put before a code.")
    )
    code_suffix = models.CharField(
        _("suffix"), max_length=20, blank=True, help_text=_("What the scanner is configured to put after a code.")
    )
    sends_hex = models.BooleanField(
        _("sends codes as hexadecimal digits"), default=False, help_text=_("As some Vguang and RTscan models do.")
    )
    statuses_in = ArrayField(
        models.CharField(max_length=20, choices=STATUS_CHOICES),
        verbose_name=_("visiting statuses that may come in"),
        default=_checked_in,
        blank=True,
    )
    statuses_out = ArrayField(
        models.CharField(max_length=20, choices=STATUS_CHOICES),
        verbose_name=_("visiting statuses that may go out"),
        default=_checked_in,
        blank=True,
    )
    tolerance_minutes = models.PositiveSmallIntegerField(
        _("tolerance (minutes)"),
        default=0,
        validators=[MaxValueValidator(24 * 60)],
        help_text=_("How long before its start and after its end a visit still admits."),
    )
    any_site = models.BooleanField(_("admits visits of other sites"), default=False)
    offision_site = models.CharField(
        _("site in Offision"),
        max_length=200,
        blank=True,
        help_text=_("The name of this site in Offision, if it differs from the name here."),
    )
    anti_passback = models.CharField(
        _("anti-passback"),
        max_length=10,
        choices=[
            (AntiPassback.OFF.value, _("off")),
            (AntiPassback.SOFT.value, _("soft: a second arrival is noted")),
            (AntiPassback.HARD.value, _("hard: no second arrival before leaving")),
            (AntiPassback.TIMED.value, _("timed: no second arrival for so many minutes")),
        ],
        default=AntiPassback.OFF.value,
    )
    anti_passback_minutes = models.PositiveSmallIntegerField(
        _("minutes of timed anti-passback"), default=10, validators=[MinValueValidator(1), MaxValueValidator(24 * 60)]
    )
    leaving_needs_arrival = models.BooleanField(
        _("leaving needs an arrival"),
        default=False,
        help_text=_("If not ticked, a visitor whose arrival was missed may leave."),
    )
    reports_passages = models.BooleanField(
        _("reports passages"),
        default=False,
        help_text=_("If not ticked, an admitted visitor counts as having walked through, marked as doubtful."),
    )
    passage_seconds = models.PositiveSmallIntegerField(
        _("seconds for a passage"),
        default=30,
        validators=[MinValueValidator(1), MaxValueValidator(600)],
        help_text=_("A passage that is not confirmed within this time did not happen."),
    )
    trust_minutes = models.PositiveSmallIntegerField(
        _("minutes to trust a stored visit"),
        default=0,
        validators=[MaxValueValidator(24 * 60)],
        help_text=_("Used while Offision does not answer. 0: nobody passes then."),
    )
    updates_visit_status = models.BooleanField(
        _("check in and out in Offision"),
        default=False,
        help_text=_("Passages become check-ins and check-outs in Offision, if the contract has these operations."),
    )
    opens = models.CharField(_("opens"), max_length=10, choices=Opens, default=Opens.ANSWER)
    door = models.ForeignKey(
        Door, on_delete=models.PROTECT, null=True, blank=True, related_name="turnstiles", verbose_name=_("door")
    )
    open_ms = models.PositiveIntegerField(
        _("open for (ms)"), default=5000, validators=[MinValueValidator(100), MaxValueValidator(60_000)]
    )
    shows = ArrayField(
        models.CharField(max_length=10, choices=Shows),
        verbose_name=_("what its display may show"),
        default=list,
        blank=True,
    )

    class Meta:
        verbose_name = _("turnstile")
        verbose_name_plural = _("turnstiles")
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=~models.Q(opens="door") | models.Q(door__isnull=False),
                name="door_to_open_required",
                violation_error_message=_("Choose the door that the portal is to unlock."),
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def policy(self) -> TurnstilePolicy:
        """The part of this row that decides on a scan."""
        return TurnstilePolicy(
            enabled=self.enabled,
            direction=Direction(self.direction),
            statuses_in=frozenset(self.statuses_in),
            statuses_out=frozenset(self.statuses_out),
            tolerance=timedelta(minutes=self.tolerance_minutes),
            sites=None if self.any_site else frozenset({(self.offision_site or self.site.name).strip().casefold()}),
            anti_passback=AntiPassback(self.anti_passback),
            anti_passback_for=timedelta(minutes=self.anti_passback_minutes),
            leaving_needs_arrival=self.leaving_needs_arrival,
        )


class Reader(models.Model):
    """One of several readers of a turnstile. It decides the direction of a scan; the code never does."""

    turnstile = models.ForeignKey(Turnstile, on_delete=models.CASCADE, related_name="readers")
    name = models.CharField(_("reader"), max_length=50, help_text=_("The name that the device sends, such as 0 or 1."))
    direction = models.CharField(_("direction"), max_length=4, choices=DIRECTION_CHOICES)

    class Meta:
        verbose_name = _("reader")
        verbose_name_plural = _("readers")
        constraints = [models.UniqueConstraint(fields=["turnstile", "name"], name="one_direction_per_reader")]

    def __str__(self) -> str:
        return self.name


class Template(models.Model):
    """The template protocol of one turnstile: which field of a request holds what, and its two answers."""

    class Body(models.TextChoices):
        QUERY = "query", _("in the address (GET)")
        FORM = "form", _("a form")
        JSON = "json", _("JSON")
        RAW = "raw", _("the whole body")

    turnstile = models.OneToOneField(Turnstile, on_delete=models.CASCADE, related_name="template")
    body = models.CharField(_("form of the request"), max_length=10, choices=Body)
    code_at = models.CharField(
        _("code"), max_length=100, blank=True, help_text=_("The field's name; in JSON a path such as data.code.")
    )
    reader_at = models.CharField(_("reader"), max_length=100, blank=True)
    direction_at = models.CharField(_("direction"), max_length=100, blank=True)
    word_in = models.CharField(_("word for in"), max_length=50, blank=True)
    word_out = models.CharField(_("word for out"), max_length=50, blank=True)
    nonce_at = models.CharField(_("number of the scan"), max_length=100, blank=True)
    allow_body = models.TextField(_("answer that opens"), max_length=2000)
    deny_body = models.TextField(_("answer that denies"), max_length=2000)
    content_type = models.CharField(_("content type of the answer"), max_length=100, default="text/plain")

    class Meta:
        verbose_name = _("template")
        verbose_name_plural = _("templates")

    def __str__(self) -> str:
        return str(self.turnstile)

    def clean(self) -> None:
        if self.body != self.Body.RAW and not self.code_at:
            raise ValidationError({"code_at": _("Enter the field that holds the code.")})
        if self.allow_body == self.deny_body:
            raise ValidationError({"deny_body": _("The two answers are the same: the device needs different ones.")})
        if self.direction_at and not (self.word_in and self.word_out):
            raise ValidationError({"direction_at": _("Enter the words for in and for out, too.")})
        if not (self.content_type.isascii() and self.content_type.isprintable() and "/" in self.content_type):
            raise ValidationError({"content_type": _("Enter a content type such as text/plain or application/json.")})
        try:
            for body in (self.allow_body, self.deny_body):
                HttpResponse(body, content_type=self.content_type)
        except (LookupError, UnicodeError):
            raise ValidationError({"content_type": _("The answers cannot be written in this charset.")}) from None


class TurnstileKey(AbstractAPIKey):
    """A key that authenticates a turnstile or its kiosk. Only a digest of the key is stored."""

    turnstile = models.ForeignKey(Turnstile, on_delete=models.CASCADE, related_name="keys", verbose_name=_("turnstile"))
    kiosk = models.BooleanField(_("of a kiosk"), default=False)

    class Meta:
        verbose_name = _("key of a turnstile")
        verbose_name_plural = _("keys of turnstiles")
        ordering = ["-created"]


class KioskPairing(models.Model):
    """A code, shown once, that makes one tablet a kiosk of a turnstile. It is valid for a few minutes."""

    turnstile = models.ForeignKey(Turnstile, on_delete=models.CASCADE, related_name="pairings")
    code_digest = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)
    failures = models.PositiveSmallIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.turnstile} {local(self.expires_at)}"

"""Turnstiles, their keys, visits as last seen, what turnstiles were answered, and who walked through."""

import uuid
from datetime import timedelta
from ipaddress import ip_network

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.http import HttpResponse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from encrypted_fields.fields import EncryptedCharField
from rest_framework_api_key.models import AbstractAPIKey

from accessmap.models import Door, Site
from portal.core import clock
from portal.core.clock import local
from portal.offision.types import VisitStatus
from visitors.verification.decision import AntiPassback, Direction, Sighting, Terms

STATUS_CHOICES = [
    (VisitStatus.EXPECTED.value, _("expected")),
    (VisitStatus.CHECKED_IN.value, _("checked in")),
    (VisitStatus.CHECKED_OUT.value, _("checked out")),
]
DIRECTION_CHOICES = [(Direction.IN.value, _("in")), (Direction.OUT.value, _("out"))]


def arrived() -> list[str]:
    return [VisitStatus.CHECKED_IN.value]


def validate_network(text: str) -> None:
    try:
        ip_network(text)
    except ValueError:
        raise ValidationError(
            _("%(text)s is no address or network. Examples are 10.1.2.3 and 10.1.2.0/24."), params={"text": text}
        ) from None


class Dialect(models.TextChoices):
    """How a device phrases its question; see visitors/dialects."""

    NATIVE = "native", _("the portal's own (JSON, key in a header)")
    TEMPLATE = "template", _("template (configured below)")
    VGUANG = "vguang", _("Vguang / RTscan")
    CONTROL_ID = "control_id", _("Control iD")
    HIKVISION = "hikvision", _("Hikvision remote check")


class Turnstile(models.Model):
    """A device that asks whether the bearer of a code may pass, and the policy by which it is answered."""

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
    dialect = models.CharField(_("dialect"), max_length=20, choices=Dialect, default=Dialect.NATIVE)
    sources = ArrayField(
        models.CharField(max_length=50, validators=[validate_network]),
        verbose_name=_("source addresses"),
        default=list,
        blank=True,
        help_text=_("Addresses or networks that it may ask from, separated by commas; empty: any."),
    )
    code_prefix = models.CharField(
        _("prefix"), max_length=20, blank=True, help_text=_("What the scanner is set to put before a code.")
    )
    code_suffix = models.CharField(
        _("suffix"), max_length=20, blank=True, help_text=_("What the scanner is set to put after a code.")
    )
    sends_hex = models.BooleanField(
        _("sends codes as hexadecimal digits"), default=False, help_text=_("As some Vguang and RTscan models do.")
    )
    statuses_in = ArrayField(
        models.CharField(max_length=20, choices=STATUS_CHOICES),
        verbose_name=_("visiting statuses that may come in"),
        default=arrived,
        blank=True,
    )
    statuses_out = ArrayField(
        models.CharField(max_length=20, choices=STATUS_CHOICES),
        verbose_name=_("visiting statuses that may go out"),
        default=arrived,
        blank=True,
    )
    tolerance_minutes = models.PositiveSmallIntegerField(
        _("tolerance (minutes)"),
        default=0,
        validators=[MaxValueValidator(24 * 60)],
        help_text=_("So early before a visit and so late after its end somebody may still come in."),
    )
    any_site = models.BooleanField(_("visits of other sites may pass, too"), default=False)
    offision_site = models.CharField(
        _("site in Offision"),
        max_length=200,
        blank=True,
        help_text=_("What Offision calls this site, if not by its name here."),
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
        help_text=_("Otherwise somebody whose arrival was missed may leave all the same."),
    )
    reports_passages = models.BooleanField(
        _("tells when somebody walked through"),
        default=False,
        help_text=_("Otherwise whoever was let in is taken to have walked through, and is marked as doubtful."),
    )
    passage_seconds = models.PositiveSmallIntegerField(
        _("seconds for a passage"),
        default=30,
        validators=[MinValueValidator(1), MaxValueValidator(600)],
        help_text=_("A passage that it has not confirmed by then did not happen."),
    )
    trust_minutes = models.PositiveSmallIntegerField(
        _("minutes to trust a visit seen before"),
        default=0,
        validators=[MaxValueValidator(24 * 60)],
        help_text=_("While Offision can't answer. 0: nobody passes then."),
    )
    tells_offision = models.BooleanField(
        _("check in and out in Offision"),
        default=False,
        help_text=_("Passages are told to Offision, if the contract has the operations."),
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
                name="a_door_to_open",
                violation_error_message=_("Choose the door that the portal is to unlock."),
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def terms(self) -> Terms:
        return Terms(
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
    """A reader of a turnstile that has several: the direction comes from here, never from the code."""

    turnstile = models.ForeignKey(Turnstile, on_delete=models.CASCADE, related_name="readers")
    name = models.CharField(_("reader"), max_length=50, help_text=_("As the device names it, such as 0 or 1."))
    direction = models.CharField(_("direction"), max_length=4, choices=DIRECTION_CHOICES)

    class Meta:
        verbose_name = _("reader")
        verbose_name_plural = _("readers")
        constraints = [models.UniqueConstraint(fields=["turnstile", "name"], name="one_direction_a_reader")]

    def __str__(self) -> str:
        return self.name


class Template(models.Model):
    """The template dialect of one turnstile: where its question holds what, and what it takes for yes and no."""

    class Body(models.TextChoices):
        QUERY = "query", _("in the address (GET)")
        FORM = "form", _("a form")
        JSON = "json", _("JSON")
        RAW = "raw", _("the whole body")

    turnstile = models.OneToOneField(Turnstile, on_delete=models.CASCADE, related_name="template")
    body = models.CharField(_("where the question stands"), max_length=10, choices=Body)
    code_at = models.CharField(
        _("code"), max_length=100, blank=True, help_text=_("The field's name; in JSON a path such as data.code.")
    )
    reader_at = models.CharField(_("reader"), max_length=100, blank=True)
    direction_at = models.CharField(_("direction"), max_length=100, blank=True)
    word_in = models.CharField(_("its word for in"), max_length=50, blank=True)
    word_out = models.CharField(_("its word for out"), max_length=50, blank=True)
    nonce_at = models.CharField(_("number of the scan"), max_length=100, blank=True)
    allow_body = models.TextField(_("answer that opens"), max_length=2000)
    deny_body = models.TextField(_("answer that does not"), max_length=2000)
    content_type = models.CharField(_("content type of the answer"), max_length=100, default="text/plain")

    class Meta:
        verbose_name = _("template")
        verbose_name_plural = _("templates")

    def __str__(self) -> str:
        return str(self.turnstile)

    def clean(self) -> None:
        if self.body != self.Body.RAW and not self.code_at:
            raise ValidationError({"code_at": _("Say in which field the code stands.")})
        if self.allow_body == self.deny_body:
            raise ValidationError({"deny_body": _("The two answers are the same: it could not tell them apart.")})
        if self.direction_at and not (self.word_in and self.word_out):
            raise ValidationError({"direction_at": _("Say its words for in and for out, too.")})
        if not (self.content_type.isascii() and self.content_type.isprintable() and "/" in self.content_type):
            raise ValidationError({"content_type": _("A content type is such as text/plain or application/json.")})
        try:
            for body in (self.allow_body, self.deny_body):
                HttpResponse(body, content_type=self.content_type)
        except (LookupError, UnicodeError):
            raise ValidationError(
                {"content_type": _("The answers can't be written in the charset that this names.")}
            ) from None


class TurnstileKey(AbstractAPIKey):
    """What a turnstile shows to be believed. Only a digest of it is kept."""

    turnstile = models.ForeignKey(Turnstile, on_delete=models.CASCADE, related_name="keys", verbose_name=_("turnstile"))
    kiosk = models.BooleanField(_("of a kiosk"), default=False)

    class Meta:
        verbose_name = _("key of a turnstile")
        verbose_name_plural = _("keys of turnstiles")
        ordering = ["-created"]


class KioskPairing(models.Model):
    """A code, shown once, by which a tablet becomes a turnstile's kiosk. Good for one tablet and a few minutes."""

    turnstile = models.ForeignKey(Turnstile, on_delete=models.CASCADE, related_name="pairings")
    code_digest = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)
    failures = models.PositiveSmallIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.turnstile} {local(self.expires_at)}"


class Visit(models.Model):
    """A visit as Offision last told it. The code itself is not kept: a keyed digest finds it again."""

    code_digest = models.CharField(_("digest of the code"), max_length=64, unique=True)
    name = models.CharField(pgettext_lazy("of a person", "name"), max_length=300, blank=True)
    company = models.CharField(_("company"), max_length=300, blank=True)
    host_email = models.CharField(_("host"), max_length=320, blank=True)
    valid_from = models.DateTimeField(_("from"), null=True)
    valid_until = models.DateTimeField(_("until"), null=True)
    status = models.CharField(
        _("status"),
        max_length=20,
        choices=[
            *STATUS_CHOICES,
            (VisitStatus.CANCELLED.value, _("cancelled")),
            (VisitStatus.BLACKLISTED.value, _("blacklisted")),
            (VisitStatus.UNKNOWN.value, _("unknown")),
        ],
    )
    offision_site = models.CharField(_("site in Offision"), max_length=500, null=True)  # noqa: DJ001 (none named)
    seen_at = models.DateTimeField(_("last told by Offision"), db_index=True)

    class Meta:
        verbose_name = _("visit")
        verbose_name_plural = _("visits")
        ordering = ["-seen_at"]

    def __str__(self) -> str:
        return self.name or self.code_digest[:12]

    @property
    def sighting(self) -> Sighting:
        return Sighting(VisitStatus(self.status), self.valid_from, self.valid_until, self.offision_site)


class Verification(models.Model):
    """One answer to one scan. The code itself is not kept: a keyed digest tells whether two scans read the same."""

    class Source(models.TextChoices):
        LIVE = "live", _("Offision")
        TRUSTED = "trusted", _("a visit seen before")
        NONE = "none", _("nothing")
        OFFLINE = "offline", _("the gate alone")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    at = models.DateTimeField(_("at"), default=clock.now, db_index=True)
    turnstile = models.ForeignKey(
        Turnstile, on_delete=models.SET_NULL, null=True, related_name="verifications", verbose_name=_("turnstile")
    )
    reader = models.CharField(_("reader"), max_length=50, blank=True)
    direction = models.CharField(_("direction"), max_length=4)
    code_digest = models.CharField(_("digest of the code"), max_length=64)
    visit = models.ForeignKey(
        Visit, on_delete=models.SET_NULL, null=True, related_name="verifications", verbose_name=_("visit")
    )
    nonce = models.CharField(_("nonce"), max_length=100, blank=True)
    allowed = models.BooleanField(_("allowed"))
    reasons = models.JSONField(_("reasons"), default=list)
    notes = models.JSONField(_("remarkable"), default=list)
    source = models.CharField(_("decided by"), max_length=10, choices=Source, default=Source.LIVE)
    visitor = models.CharField(_("visitor"), max_length=300, blank=True)
    scanned_at = models.DateTimeField(_("scanned, by the device's clock"), null=True)
    upstream = models.TextField(_("what Offision answered wrongly"), blank=True)

    class Meta:
        verbose_name = _("verification")
        verbose_name_plural = _("verifications")
        ordering = ["-at"]
        constraints = [
            models.UniqueConstraint(
                fields=["turnstile", "nonce", "code_digest", "direction"],
                condition=~models.Q(nonce="") & ~models.Q(source="offline"),
                name="one_answer_a_nonce",
            ),
            models.UniqueConstraint(
                fields=["turnstile", "nonce", "code_digest", "direction", "scanned_at"],
                condition=models.Q(source="offline"),
                name="each_offline_once",
            ),
        ]
        indexes = [
            models.Index(fields=["turnstile", "-at"]),
            models.Index(fields=["visit", "-at"], condition=models.Q(visit__isnull=False), name="verified_visits"),
            models.Index(fields=["-at"], condition=models.Q(allowed=False), name="denials"),
        ]

    def __str__(self) -> str:
        return f"{self.turnstile} {local(self.at)}"


class Passage(models.Model):
    """Somebody walked through a turnstile, or was let and did not. Another fact than that they might."""

    verification = models.OneToOneField(
        Verification,
        on_delete=models.SET_NULL,
        null=True,
        related_name="passage",
        verbose_name=_("verification"),
    )
    turnstile = models.ForeignKey(Turnstile, on_delete=models.SET_NULL, null=True, verbose_name=_("turnstile"))
    site = models.ForeignKey(Site, on_delete=models.CASCADE, verbose_name=_("site"))
    visit = models.ForeignKey(
        Visit, on_delete=models.SET_NULL, null=True, related_name="passages", verbose_name=_("visit")
    )
    direction = models.CharField(_("direction"), max_length=4, choices=DIRECTION_CHOICES)
    at = models.DateTimeField(_("at"))
    passed = models.BooleanField(_("walked through"))
    assumed = models.BooleanField(
        _("doubtful"), default=False, help_text=_("Nobody saw it: the turnstile does not tell.")
    )
    recorded_at = models.DateTimeField(_("recorded"), default=clock.now)

    class Meta:
        verbose_name = _("passage")
        verbose_name_plural = _("passages")
        ordering = ["-at", "-id"]
        indexes = [models.Index(fields=["site", "visit", "-at"], condition=models.Q(passed=True), name="who_walked")]

    def __str__(self) -> str:
        return f"{self.visit} {self.direction} {local(self.at)}"


class StatusMove(models.Model):
    """A check-in or check-out that Offision is to be told: written with the passage, told by a worker."""

    class Move(models.TextChoices):
        CHECK_IN = "check_in", _("check in")
        CHECK_OUT = "check_out", _("check out")

    verification = models.OneToOneField(Verification, on_delete=models.CASCADE, related_name="move")
    visit = models.ForeignKey(Visit, on_delete=models.CASCADE, verbose_name=_("visit"))
    turnstile = models.ForeignKey(Turnstile, on_delete=models.SET_NULL, null=True, verbose_name=_("turnstile"))
    move = models.CharField(_("what"), max_length=10, choices=Move)
    # Needed to tell, and taken away when that is done.
    code = EncryptedCharField(max_length=200, null=True, editable=False)
    created_at = models.DateTimeField(_("since"), default=clock.now)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    next_at = models.DateTimeField(_("next attempt"), null=True, default=clock.now)
    done_at = models.DateTimeField(_("told"), null=True)
    last_error = models.TextField(_("last error"), blank=True)

    class Meta:
        verbose_name = _("check-in or check-out to tell")
        verbose_name_plural = _("check-ins and check-outs to tell")
        ordering = ["-id"]
        indexes = [models.Index(fields=["next_at"], condition=models.Q(done_at__isnull=True), name="moves_to_tell")]

    def __str__(self) -> str:
        return f"{self.visit}: {self.get_move_display()}"


class ThrottledScans(models.Model):
    """How many scans of a turnstile were turned away unlooked-at in a minute, because codes were being guessed."""

    turnstile = models.ForeignKey(Turnstile, on_delete=models.CASCADE, verbose_name=_("turnstile"))
    minute = models.DateTimeField(_("minute"))
    count = models.PositiveIntegerField(_("scans"))

    class Meta:
        verbose_name = _("scans turned away")
        verbose_name_plural = _("scans turned away")
        ordering = ["-minute"]
        constraints = [models.UniqueConstraint(fields=["turnstile", "minute"], name="one_count_a_minute")]

    def __str__(self) -> str:
        return f"{self.turnstile} {local(self.minute)}: {self.count}"

"""Issues and their notices, recipients, and the messages to them."""

import uuid

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _
from encrypted_fields.fields import EncryptedTextField

from doorsync.notices.decision import SILENCE, SUBSCRIPTION, Kind
from portal.core import clock
from portal.core.problems import ProblemsField

KIND_CHOICES = [
    (Kind.DRIFT.value, _("lasting drift")),
    (Kind.CONTROLLER.value, _("unreachable controller")),
    (Kind.CALLBACKS.value, _("callback failure")),
    (Kind.OFFISION.value, _("Offision failure")),
    (Kind.SEALS.value, _("broken seals of the audit log")),
]

# A kind with more than one object has names for those that no row names.
_OBJECT_NAMES = {SUBSCRIPTION.key: _("subscription"), SILENCE.key: _("no calls from Offision")}


def every_kind() -> list[str]:
    return [kind.value for kind in Kind]


class Notice(models.Model):
    """One issue from its start to its end, and when recipients were notified. See doorsync.notices.decision."""

    kind = models.CharField(_("kind"), max_length=20, choices=KIND_CHOICES)
    key = models.CharField(max_length=100, editable=False, help_text=_("Which object of its kind."))
    label = models.CharField(_("object"), max_length=300, blank=True, help_text=_("The name of the object's row."))
    problems = ProblemsField(_("problem"))
    since = models.DateTimeField(_("since"))
    notified_at = models.DateTimeField(_("notified"), null=True)
    clear_since = models.DateTimeField(null=True, editable=False, help_text=_("No issue has been seen since then."))
    ended_at = models.DateTimeField(_("ended"), null=True)
    end_notified_at = models.DateTimeField(_("notified of the end"), null=True)

    class Meta:
        verbose_name = _("notice")
        verbose_name_plural = _("notices")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "key"], condition=models.Q(ended_at__isnull=True), name="one_open_notice_an_object"
            )
        ]
        indexes = [models.Index(fields=["since"])]

    def __str__(self) -> str:
        return ": ".join(filter(None, [str(self.get_kind_display()), self.object_name]))

    @property
    def object_name(self) -> str:
        """Which object of the kind, in the active language; "" for a kind with one object."""
        return self.label or str(_OBJECT_NAMES.get(self.key, ""))


class Recipient(models.Model):
    """A person or a system that is notified."""

    class Channel(models.TextChoices):
        EMAIL = "email", _("email")
        WEBHOOK = "webhook", _("webhook")

    class Language(models.TextChoices):
        ENGLISH = "en", _("English")
        CHINESE = "zh-hant", _("Traditional Chinese")

    name = models.CharField(_("name"), max_length=200, unique=True)
    channel = models.CharField(_("channel"), max_length=10, choices=Channel, default=Channel.EMAIL)
    email = models.EmailField(_("email"), max_length=320, blank=True)
    url = models.CharField(
        _("webhook address"),
        max_length=500,
        blank=True,
        validators=[RegexValidator(r"^https?://[^\s/]+\S*\Z", _("An address that starts with https:// or http://."))],
        help_text=_("Where the receiver listens. Use https:// unless it is on this machine."),
    )
    secret = EncryptedTextField(null=True, editable=False)
    kinds = ArrayField(
        models.CharField(max_length=20, choices=KIND_CHOICES), verbose_name=_("notified of"), default=every_kind
    )
    language = models.CharField(_("language"), max_length=10, choices=Language, default=Language.ENGLISH)
    digest_hour = models.PositiveSmallIntegerField(
        _("hour of the digest"),
        default=8,
        validators=[MaxValueValidator(23)],
        help_text=_("0 to 23. The daily digest lists open and ended issues. It is not sent when there are none."),
    )
    enabled = models.BooleanField(_("enabled"), default=True)
    # Starts and ends up to then are in a message already, or are of other kinds.
    notified_until = models.DateTimeField(default=clock.now, editable=False)
    message_at = models.DateTimeField(_("last message"), null=True, editable=False)
    digest_at = models.DateTimeField(_("last digest"), default=clock.now, editable=False)

    class Meta:
        verbose_name = _("recipient of notices")
        verbose_name_plural = _("recipients of notices")
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=(models.Q(channel="email") & ~models.Q(email=""))
                | (models.Q(channel="webhook") & ~models.Q(url="")),
                name="recipient_has_an_address",
                violation_error_message=_("Enter the email address or the webhook address."),
            )
        ]

    def __str__(self) -> str:
        return self.name


class Delivery(models.Model):
    """A message to one recipient."""

    class State(models.TextChoices):
        WAITING = "waiting", _("to be sent")
        SENT = "sent", _("sent")
        GIVEN_UP = "given_up", _("given up")

    recipient = models.ForeignKey(
        Recipient, on_delete=models.CASCADE, related_name="deliveries", verbose_name=_("recipient")
    )
    # The webhook-id and part of the Message-ID: receivers ignore a key that they have seen.
    key = models.UUIDField(default=uuid.uuid4, editable=False)
    type = models.CharField(_("type"), max_length=30)
    subject = models.CharField(_("subject"), max_length=200)
    text = models.TextField(_("text"))
    data = models.JSONField(_("data"), default=dict)
    made_at = models.DateTimeField(_("made"), default=clock.now)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    next_attempt_at = models.DateTimeField(_("next attempt"), null=True, default=clock.now)
    last_error = ProblemsField(_("last error"))
    sent_at = models.DateTimeField(_("sent"), null=True)

    class Meta:
        verbose_name = _("message to a recipient")
        verbose_name_plural = _("messages to recipients")
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["next_attempt_at"], condition=models.Q(state="waiting"), name="deliveries_waiting"),
            models.Index(fields=["made_at"]),
        ]

    def __str__(self) -> str:
        return self.subject

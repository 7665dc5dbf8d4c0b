"""What is or was wrong, who is told, and what was sent to whom."""

import uuid

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _
from encrypted_fields.fields import EncryptedTextField

from portal.core import clock


class Kind(models.TextChoices):
    """What can be wrong. More may follow: a recipient says which it wants."""

    DRIFT = "drift", _("drift that lasts")
    CONTROLLER = "controller", _("controllers that do not answer")
    CALLBACKS = "callbacks", _("callbacks that stop")
    OFFISION = "offision", _("Offision failing")
    SEALS = "seals", _("broken seals of the audit log")


def every_kind() -> list[str]:
    return list(Kind.values)


class Notice(models.Model):
    """Something that is wrong, or was. It is told only once it has lasted; see doorsync.notices.decision."""

    kind = models.CharField(_("kind"), max_length=20, choices=Kind)
    key = models.CharField(max_length=100, editable=False, help_text=_("Which object of its kind."))
    label = models.CharField(_("object"), max_length=300, blank=True)
    why = models.TextField(_("why"), blank=True)
    since = models.DateTimeField(_("since"))
    told_at = models.DateTimeField(_("told"), null=True)
    clear_since = models.DateTimeField(null=True, editable=False, help_text=_("It seems to be over since then."))
    ended_at = models.DateTimeField(_("over since"), null=True)
    end_told_at = models.DateTimeField(_("told that it is over"), null=True)

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
        return f"{self.get_kind_display()}: {self.label}" if self.label else str(self.get_kind_display())


class Recipient(models.Model):
    """Somebody, or some system, that is told."""

    class Channel(models.TextChoices):
        EMAIL = "email", _("email")
        WEBHOOK = "webhook", _("webhook")

    class Language(models.TextChoices):
        ENGLISH = "en", _("English")
        CHINESE = "zh-hant", _("Traditional Chinese")

    name = models.CharField(_("name"), max_length=200, unique=True)
    channel = models.CharField(_("by"), max_length=10, choices=Channel, default=Channel.EMAIL)
    email = models.EmailField(_("email"), max_length=320, blank=True)
    url = models.CharField(
        _("webhook address"),
        max_length=500,
        blank=True,
        validators=[RegexValidator(r"^https?://[^\s/]+\S*\Z", _("An address that starts with https:// or http://."))],
        help_text=_("Where the receiver listens. Use https:// unless it is on this machine."),
    )
    secret = EncryptedTextField(null=True, editable=False)
    kinds = ArrayField(models.CharField(max_length=20, choices=Kind), verbose_name=_("is told of"), default=every_kind)
    language = models.CharField(_("language"), max_length=10, choices=Language, default=Language.ENGLISH)
    digest_hour = models.PositiveSmallIntegerField(
        _("hour of the digest"),
        default=8,
        validators=[MaxValueValidator(23)],
        help_text=_("0 to 23. What goes on, and what came and went, once a day; nothing where all was well."),
    )
    enabled = models.BooleanField(_("enabled"), default=True)
    # What began or ended until then stands in some message, or was none of its kinds.
    told_until = models.DateTimeField(default=clock.now, editable=False)
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
                violation_error_message=_("Give the email address, or the webhook's address, that it is told at."),
            )
        ]

    def __str__(self) -> str:
        return self.name


class Delivery(models.Model):
    """A message to one recipient: to be sent, sent, or given up."""

    class State(models.TextChoices):
        WAITING = "waiting", _("to be sent")
        SENT = "sent", _("sent")
        GIVEN_UP = "given_up", _("given up")

    recipient = models.ForeignKey(
        Recipient, on_delete=models.CASCADE, related_name="deliveries", verbose_name=_("recipient")
    )
    # Also the webhook-id: a receiver that has seen it does nothing.
    key = models.UUIDField(default=uuid.uuid4, editable=False)
    type = models.CharField(_("type"), max_length=30)
    subject = models.CharField(_("subject"), max_length=200)
    text = models.TextField(_("text"))
    data = models.JSONField(_("data"), default=dict)
    made_at = models.DateTimeField(_("made"), default=clock.now)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    next_attempt_at = models.DateTimeField(_("next attempt"), null=True, default=clock.now)
    last_error = models.TextField(_("last error"), blank=True)
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

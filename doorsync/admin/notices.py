"""Recipients of notices, the notices, and the messages that were sent."""

from typing import Any
from urllib.parse import urlsplit

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, override

from doorsync.models.notices import KIND_CHOICES, Delivery, Notice, Recipient, every_kind
from doorsync.notices import delivery
from doorsync.notices.messages import test_message
from portal.audit.models import record
from portal.core import clock, webhooks
from portal.core.admin.read_only import ReadOnlyAdmin


class RecipientForm(forms.ModelForm):
    kinds = forms.MultipleChoiceField(
        choices=KIND_CHOICES,
        initial=every_kind,
        widget=forms.CheckboxSelectMultiple,
        label=gettext_lazy("Notified of"),
    )
    new_secret = forms.CharField(
        label=gettext_lazy("Signing secret"),
        required=False,
        max_length=200,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text=gettext_lazy(
            'For a webhook: the secret it shares with the receiver, "whsec_" and base64 of at least 24 bytes. It is '
            "stored encrypted and never shown. Leave it blank to keep the stored secret."
        ),
    )

    class Meta:
        model = Recipient
        fields = ["name", "enabled", "channel", "email", "url", "kinds", "language", "digest_hour"]

    def clean_new_secret(self) -> str:
        secret = str(self.cleaned_data["new_secret"])
        if secret and not webhooks.is_long_enough(secret):
            raise ValidationError(
                _('A signing secret is "whsec_" and base64 of at least %(n)d bytes.') % {"n": webhooks.SHORTEST_SECRET}
            )
        return secret

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        secret = cleaned.get("new_secret") or ""
        channel = cleaned.get("channel")
        if channel == Recipient.Channel.WEBHOOK and "new_secret" in cleaned and not (secret or self.instance.secret):
            self.add_error("new_secret", _("A webhook needs a secret: its receiver checks the signature with it."))
        if channel == Recipient.Channel.EMAIL and not settings.EMAIL_URL:
            self.add_error("channel", _("EMAIL_URL is not set, so no email can be sent. Set it, or use a webhook."))
        if secret:
            self.instance.secret = secret
        return cleaned


@admin.register(Recipient)
class RecipientAdmin(admin.ModelAdmin):
    form = RecipientForm
    list_display = ["name", "channel", "address", "language", "enabled", "last_message"]
    fields = [
        "name",
        "enabled",
        "channel",
        "email",
        "url",
        "new_secret",
        "kinds",
        "language",
        "digest_hour",
    ]
    actions = ["send_test"]

    def get_fields(self, request: HttpRequest, obj: Recipient | None = None) -> list[Any]:
        """Only users who may change a recipient see its whole address: for some receivers the address is a secret."""
        fields = list(super().get_fields(request, obj))
        if obj is None or self.has_change_permission(request, obj):
            return fields
        return [name for name in fields if name not in ("email", "url", "new_secret")] + ["address"]

    def get_readonly_fields(self, request: HttpRequest, obj: Recipient | None = None) -> list[str]:
        return ["address"]

    def get_queryset(self, request: HttpRequest) -> Any:
        deliveries = Delivery.objects.filter(recipient=OuterRef("pk")).order_by("-id")
        last = {f"last_{name}": Subquery(deliveries.values(name)[:1]) for name in ("made_at", "state", "last_error")}
        return super().get_queryset(request).annotate(**last)

    @admin.display(description=gettext_lazy("address"))
    def address(self, recipient: Recipient) -> str:
        if recipient.channel == Recipient.Channel.EMAIL:
            return recipient.email
        return f"{urlsplit(recipient.url).hostname}/…"

    @admin.display(description=gettext_lazy("last message"))
    def last_message(self, recipient: Any) -> str:
        if recipient.last_made_at is None:
            return "–"
        state = Delivery.State(recipient.last_state).label
        return f"{clock.local(recipient.last_made_at)}: {state}. {recipient.last_last_error}".strip()

    @admin.action(description=gettext_lazy("Send a test message"), permissions=["change"])
    @transaction.atomic
    def send_test(self, request: HttpRequest, queryset: QuerySet[Recipient]) -> None:
        recipients = list(queryset.filter(enabled=True))
        with transaction.atomic():
            for recipient in recipients:
                with override(recipient.language):
                    delivery.enqueue(recipient, test_message(clock.now()))
                record(actor=request.user.get_username(), action="recipient.test", on=recipient)
        self.message_user(
            request,
            ngettext(
                "%d test message is sent within a minute. See the result under Messages to recipients.",
                "%d test messages are sent within a minute. See the results under Messages to recipients.",
                len(recipients),
            )
            % len(recipients),
            messages.SUCCESS if recipients else messages.WARNING,
        )


@admin.register(Notice)
class NoticeAdmin(ReadOnlyAdmin):
    list_display = ["kind", "object_name", "since", "notified_at", "ended_at", "reasons"]
    list_filter = ["kind", ("ended_at", admin.EmptyFieldListFilter)]
    search_fields = ["label"]
    fields = ["kind", "object_name", "reasons", "since", "notified_at", "ended_at", "end_notified_at"]

    @admin.display(description=gettext_lazy("object"), ordering="label")
    def object_name(self, notice: Notice) -> str:
        return notice.object_name

    @admin.display(description=gettext_lazy("problem"))
    def reasons(self, notice: Notice) -> str:
        return str(notice.problems)


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    list_display = ["made_at", "state", "recipient", "subject", "attempts", "next_attempt_at", "error"]
    list_filter = ["state", "recipient", "type"]
    list_select_related = ["recipient"]
    fields = ["recipient", "made_at", "subject", "text", "state", "attempts", "next_attempt_at", "sent_at", "error"]

    @admin.display(description=gettext_lazy("last error"))
    def error(self, delivery: Delivery) -> str:
        return str(delivery.last_error)

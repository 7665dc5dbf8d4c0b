"""Who is told what is wrong, what was told, and what came of it."""

from typing import Any
from urllib.parse import urlsplit

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Model, OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, override

from doorsync.models.notices import Delivery, Kind, Notice, Recipient, every_kind
from doorsync.notices import delivery
from doorsync.notices import messages as notice_words
from portal.audit.models import record
from portal.core import clock, webhooks


class _WrittenByThePortal(admin.ModelAdmin):
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class RecipientForm(forms.ModelForm):
    kinds = forms.MultipleChoiceField(
        choices=Kind.choices,
        initial=every_kind,
        widget=forms.CheckboxSelectMultiple,
        label=gettext_lazy("Is told of"),
    )
    new_secret = forms.CharField(
        label=gettext_lazy("Signing secret"),
        required=False,
        max_length=200,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text=gettext_lazy(
            'Of a webhook: shared with the receiver, "whsec_" and base64 of at least 24 bytes. Stored encrypted and '
            "never shown; leave it blank to keep the one that is stored."
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
            self.add_error("new_secret", _("A webhook needs a secret, or its receiver could not tell who calls."))
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
        """Some receivers' addresses are secrets by themselves: only those who enter them see them whole."""
        fields = list(super().get_fields(request, obj))
        if obj is None or self.has_change_permission(request, obj):
            return fields
        return [name for name in fields if name not in ("email", "url", "new_secret")] + ["address"]

    def get_readonly_fields(self, request: HttpRequest, obj: Recipient | None = None) -> list[str]:
        return ["address"]

    def get_queryset(self, request: HttpRequest) -> Any:
        last = Delivery.objects.filter(recipient=OuterRef("pk")).order_by("-id")
        shown = {f"last_{name}": Subquery(last.values(name)[:1]) for name in ("made_at", "state", "last_error")}
        return super().get_queryset(request).annotate(**shown)

    @admin.display(description=gettext_lazy("told at"))
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

    def save_model(self, request: HttpRequest, obj: Recipient, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        record(
            actor=request.user.get_username(),
            action="recipient.change" if change else "recipient.add",
            on=obj,
            detail={"channel": obj.channel, "kinds": obj.kinds, "enabled": obj.enabled, "changed": form.changed_data},
        )

    def delete_model(self, request: HttpRequest, obj: Recipient) -> None:
        record(actor=request.user.get_username(), action="recipient.delete", on=obj)
        super().delete_model(request, obj)

    @transaction.atomic
    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Recipient]) -> None:
        for recipient in queryset:
            record(actor=request.user.get_username(), action="recipient.delete", on=recipient)
        super().delete_queryset(request, queryset)

    @admin.action(description=gettext_lazy("Send a test message"), permissions=["change"])
    @transaction.atomic
    def send_test(self, request: HttpRequest, queryset: QuerySet[Recipient]) -> None:
        chosen = list(queryset.filter(enabled=True))
        for recipient in chosen:
            with override(recipient.language):
                message = notice_words.trial(clock.now())
            delivery.put(recipient, message)
            record(actor=request.user.get_username(), action="recipient.test", on=recipient)
        self.message_user(
            request,
            ngettext(
                "%d test message is sent within a minute. Messages to recipients says what came of it.",
                "%d test messages are sent within a minute. Messages to recipients says what came of them.",
                len(chosen),
            )
            % len(chosen),
            messages.SUCCESS if chosen else messages.WARNING,
        )


@admin.register(Notice)
class NoticeAdmin(_WrittenByThePortal):
    list_display = ["kind", "label", "since", "told_at", "ended_at", "why"]
    list_filter = ["kind", ("ended_at", admin.EmptyFieldListFilter)]
    search_fields = ["label"]
    fields = ["kind", "label", "why", "since", "told_at", "ended_at", "end_told_at"]


@admin.register(Delivery)
class DeliveryAdmin(_WrittenByThePortal):
    list_display = ["made_at", "state", "recipient", "subject", "attempts", "next_attempt_at", "last_error"]
    list_filter = ["state", "recipient", "type"]
    list_select_related = ["recipient"]
    fields = [
        "recipient",
        "made_at",
        "subject",
        "text",
        "state",
        "attempts",
        "next_attempt_at",
        "sent_at",
        "last_error",
    ]

"""Turnstiles, their answers, passages and visits in the admin."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from rest_framework_api_key.models import APIKey

from portal.audit.models import record
from portal.core.admin.changelists import SEARCHES_THE_NEWEST, LongList
from portal.core.admin.labels import LabelledFields, LabelledInline
from visitors.devices import kiosks
from visitors.models import (
    STATUS_CHOICES,
    Dialect,
    Passage,
    Reader,
    StatusMove,
    Template,
    ThrottledScans,
    Turnstile,
    TurnstileKey,
    Verification,
    Visit,
    validate_network,
)

# The library's own keys belong to nobody; ours belong to turnstiles.
admin.site.unregister(APIKey)


def _checkboxes(field: str, choices: Any) -> forms.MultipleChoiceField:
    model_field: Any = Turnstile._meta.get_field(field)
    return forms.MultipleChoiceField(
        choices=choices,
        widget=forms.CheckboxSelectMultiple,
        required=False,
        label=capfirst(model_field.verbose_name),
        initial=model_field.get_default(),
    )


def _literal(field: str) -> forms.CharField:
    model_field: Any = Template._meta.get_field(field)
    return forms.CharField(
        label=capfirst(model_field.verbose_name),
        max_length=model_field.max_length,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 3}),
    )


class TurnstileForm(forms.ModelForm):
    statuses_in = _checkboxes("statuses_in", STATUS_CHOICES)
    statuses_out = _checkboxes("statuses_out", STATUS_CHOICES)
    shows = _checkboxes("shows", Turnstile.Shows.choices)

    class Meta:
        model = Turnstile
        exclude: list[str] = []

    def clean_sources(self) -> list[str]:
        sources: list[str] = self.cleaned_data["sources"]
        for source in sources:
            validate_network(source)
        return sources

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        for way in ("in", "out"):
            goes = cleaned.get("direction") in (way, "both")
            if cleaned.get("enabled") and goes and not cleaned.get(f"statuses_{way}"):
                self.add_error(f"statuses_{way}", _("Choose at least one: as it is, nobody could pass this way."))
        if cleaned.get("opens") == Turnstile.Opens.DOOR and not cleaned.get("door"):
            self.add_error("door", _("Choose the door that the portal is to unlock."))
        return cleaned


class ReaderInline(LabelledInline):
    model = Reader
    extra = 0


class TemplateForm(forms.ModelForm):
    """The answers are kept to the letter: to some devices a line end at the end counts."""

    allow_body = _literal("allow_body")
    deny_body = _literal("deny_body")

    class Meta:
        model = Template
        exclude: list[str] = []


class TemplateInline(admin.StackedInline):
    model = Template
    form = TemplateForm
    extra = 0


@admin.register(Turnstile)
class TurnstileAdmin(LabelledFields, admin.ModelAdmin):
    form = TurnstileForm
    list_display = ["name", "site", "direction", "dialect", "enabled", "kiosk"]
    list_select_related = ["site"]
    search_fields = ["name"]
    autocomplete_fields = ["door"]
    inlines = [ReaderInline, TemplateInline]
    actions = ["make_key", "pair_kiosk", "unpair_kiosks"]
    fieldsets = [
        (None, {"fields": ["site", "name", "enabled", "direction"]}),
        (
            gettext_lazy("Who may pass"),
            {
                "fields": [
                    "statuses_in",
                    "statuses_out",
                    "tolerance_minutes",
                    "any_site",
                    "offision_site",
                    "anti_passback",
                    "anti_passback_minutes",
                    "leaving_needs_arrival",
                    "trust_minutes",
                ]
            },
        ),
        (
            gettext_lazy("Passages"),
            {"fields": ["reports_passages", "passage_seconds", "tells_offision"]},
        ),
        (gettext_lazy("Opening and display"), {"fields": ["opens", "door", "open_ms", "shows"]}),
        (
            gettext_lazy("The device"),
            {"fields": ["dialect", "sources", "code_prefix", "code_suffix", "sends_hex"]},
        ),
    ]

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        turnstile = form.instance
        if turnstile.direction == "both" and turnstile.dialect != Dialect.NATIVE and not turnstile.readers.exists():
            self.message_user(
                request,
                _("It goes both ways and has no readers: unless it says which way, nobody passes. Add its readers."),
                messages.WARNING,
            )

    @admin.display(description=gettext_lazy("kiosk"))
    def kiosk(self, turnstile: Turnstile) -> str:
        return format_html('<a href="{}">{}</a>', reverse("kiosk", args=[turnstile.pk]), _("page"))

    @admin.action(description=gettext_lazy("Make a new key for the device (its old ones end)"), permissions=["change"])
    def make_key(self, request: HttpRequest, queryset: QuerySet[Turnstile]) -> None:
        for turnstile in queryset:
            with transaction.atomic():
                turnstile.keys.filter(kiosk=False).update(revoked=True)
                _key, secret = TurnstileKey.objects.create_key(name=turnstile.name[:50], turnstile=turnstile)
                record(actor=request.user.get_username(), action="turnstile.key", on=turnstile)
            text = _("The key of %(name)s, shown this once: %(key)s") % {"name": turnstile.name, "key": secret}
            if turnstile.dialect != Dialect.NATIVE:
                address = request.build_absolute_uri(reverse("device", args=[secret]))
                text = _("The address for %(name)s, with its key, shown this once: %(address)s") % {
                    "name": turnstile.name,
                    "address": address,
                }
            self.message_user(request, text, messages.WARNING)

    @admin.action(description=gettext_lazy("Pair a tablet as kiosk"), permissions=["change"])
    def pair_kiosk(self, request: HttpRequest, queryset: QuerySet[Turnstile]) -> None:
        for turnstile in queryset:
            code = kiosks.new_pairing(turnstile, actor=request.user.get_username())
            self.message_user(
                request,
                _("Open %(address)s on the tablet and type %(code)s there within ten minutes.")
                % {
                    "address": request.build_absolute_uri(reverse("kiosk", args=[turnstile.pk])),
                    "code": f"{code[:4]} {code[4:]}",
                },
                messages.WARNING,
            )

    @admin.action(description=gettext_lazy("Unpair all its tablets"), permissions=["change"])
    def unpair_kiosks(self, request: HttpRequest, queryset: QuerySet[Turnstile]) -> None:
        count = sum(kiosks.unpair(turnstile, actor=request.user.get_username()) for turnstile in queryset)
        self.message_user(
            request, ngettext("%d tablet is a kiosk no more.", "%d tablets are kiosks no more.", count) % count
        )


class ReadOnlyAdmin(LongList):
    """For rows that the portal writes: people read them."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(Verification)
class VerificationAdmin(ReadOnlyAdmin):
    list_display = ["at", "turnstile", "direction", "allowed", "why", "visitor", "source"]
    list_filter = ["allowed", "source", "turnstile"]
    list_select_related = ["turnstile"]
    search_fields = ["visitor"]
    search_help_text = SEARCHES_THE_NEWEST
    newest_by = "at"
    date_hierarchy = "at"

    @admin.display(description=gettext_lazy("reasons"))
    def why(self, row: Verification) -> str:
        return ", ".join([*row.reasons, *(f"({note})" for note in row.notes)]) or "–"


@admin.register(Passage)
class PassageAdmin(ReadOnlyAdmin):
    list_display = ["at", "visit", "turnstile", "direction", "passed", "assumed"]
    list_filter = ["turnstile", "direction", "passed", "assumed"]
    list_select_related = ["visit", "turnstile"]
    date_hierarchy = "at"


@admin.register(Visit)
class VisitAdmin(ReadOnlyAdmin):
    list_display = ["name", "company", "status", "valid_from", "valid_until", "seen_at"]
    list_filter = ["status"]
    search_fields = ["name", "company", "host_email"]


@admin.register(StatusMove)
class StatusMoveAdmin(ReadOnlyAdmin):
    list_display = ["created_at", "visit", "move", "attempts", "done_at", "last_error"]
    list_select_related = ["visit"]


@admin.register(ThrottledScans)
class ThrottledScansAdmin(ReadOnlyAdmin):
    list_display = ["minute", "turnstile", "count"]
    list_select_related = ["turnstile"]

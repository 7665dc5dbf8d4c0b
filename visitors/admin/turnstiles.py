"""Turnstiles in the admin, with the actions that make keys and pair kiosks."""

# Django's admin classes take no type arguments at run time.
# mypy: allow-any-generics

from typing import Any

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from portal.audit.models import record
from portal.core.admin.labels import LabelledFields, LabelledInline
from visitors.admin.forms import TemplateForm, TurnstileForm
from visitors.devices import kiosks
from visitors.models import Protocol, Reader, Template, Turnstile, TurnstileKey


class ReaderInline(LabelledInline):
    model = Reader
    extra = 0


class TemplateInline(admin.StackedInline):
    model = Template
    form = TemplateForm
    extra = 0


@admin.register(Turnstile)
class TurnstileAdmin(LabelledFields, admin.ModelAdmin):
    form = TurnstileForm
    list_display = ["name", "site", "direction", "protocol", "enabled", "kiosk"]
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
            {"fields": ["reports_passages", "passage_seconds", "updates_visit_status"]},
        ),
        (gettext_lazy("Opening and display"), {"fields": ["opens", "door", "open_ms", "shows"]}),
        (
            gettext_lazy("The device"),
            {"fields": ["protocol", "sources", "code_prefix", "code_suffix", "sends_hex"]},
        ),
    ]

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        turnstile = form.instance
        if turnstile.direction == "both" and turnstile.protocol != Protocol.NATIVE and not turnstile.readers.exists():
            self.message_user(
                request,
                _("It goes both ways and has no readers: without a direction a scan is denied. Add readers."),
                messages.WARNING,
            )

    @admin.display(description=gettext_lazy("kiosk"))
    def kiosk(self, turnstile: Turnstile) -> str:
        return format_html('<a href="{}">{}</a>', reverse("kiosk", args=[turnstile.pk]), _("page"))

    @admin.action(
        description=gettext_lazy("Make a new key for the device, revoke its old keys"), permissions=["change"]
    )
    def make_key(self, request: HttpRequest, queryset: QuerySet[Turnstile]) -> None:
        for turnstile in queryset:
            with transaction.atomic():
                turnstile.keys.filter(kiosk=False).update(revoked=True)
                _key, secret = TurnstileKey.objects.create_key(name=turnstile.name[:50], turnstile=turnstile)
                record(actor=request.user.get_username(), action="turnstile.key", on=turnstile)
            text = _("The key of %(name)s, shown only now: %(key)s") % {"name": turnstile.name, "key": secret}
            if turnstile.protocol != Protocol.NATIVE:
                address = request.build_absolute_uri(reverse("device", args=[secret]))
                text = _("The address for %(name)s, with its key, shown only now: %(address)s") % {
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
        self.message_user(request, ngettext("%d tablet is unpaired.", "%d tablets are unpaired.", count) % count)

"""Turnstiles and their answers in the admin."""

from django import forms
from django.contrib import admin, messages
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework_api_key.models import APIKey

from portal.audit.models import record
from visitors.models import STATUS_CHOICES, Turnstile, TurnstileKey, Verification

# The library's own keys belong to nobody; ours belong to turnstiles.
admin.site.unregister(APIKey)


class TurnstileForm(forms.ModelForm):
    statuses_in = forms.MultipleChoiceField(
        choices=STATUS_CHOICES,
        widget=forms.CheckboxSelectMultiple,
        required=False,
        label=Turnstile._meta.get_field("statuses_in").verbose_name,
    )
    statuses_out = forms.MultipleChoiceField(
        choices=STATUS_CHOICES,
        widget=forms.CheckboxSelectMultiple,
        required=False,
        label=Turnstile._meta.get_field("statuses_out").verbose_name,
    )

    class Meta:
        model = Turnstile
        fields = ["site", "name", "enabled", "direction", "statuses_in", "statuses_out", "tolerance_minutes"]


@admin.register(Turnstile)
class TurnstileAdmin(admin.ModelAdmin):
    form = TurnstileForm
    list_display = ["name", "site", "direction", "enabled"]
    list_select_related = ["site"]
    actions = ["make_key"]

    @admin.action(description=gettext_lazy("Make a new key (the old ones end)"), permissions=["change"])
    def make_key(self, request: HttpRequest, queryset: QuerySet[Turnstile]) -> None:
        for turnstile in queryset:
            with transaction.atomic():
                turnstile.keys.update(revoked=True)
                _key, secret = TurnstileKey.objects.create_key(name=turnstile.name[:50], turnstile=turnstile)
                record(actor=request.user.get_username(), action="turnstile.key", on=turnstile)
            self.message_user(
                request,
                _("The key of %(name)s, shown this once: %(key)s") % {"name": turnstile.name, "key": secret},
                messages.WARNING,
            )


@admin.register(Verification)
class VerificationAdmin(admin.ModelAdmin):
    list_display = ["at", "turnstile", "direction", "allowed", "reasons", "visitor"]
    list_filter = ["allowed", "turnstile"]
    list_select_related = ["turnstile"]
    date_hierarchy = "at"
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

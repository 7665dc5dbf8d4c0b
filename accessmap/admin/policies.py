"""Access policies, with a summary in sentences."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy

from accessmap.admin.history import WithHistory
from accessmap.models import BOOKING_STATUS_CHOICES, AccessPolicy, PolicyAdmits, PolicyAlways, default_statuses
from accessmap.services.policy_summary import policy_in_words
from portal.core.admin.labels import LabelledInline

_STATUSES = dict(BOOKING_STATUS_CHOICES)


def policy_text(policy: AccessPolicy) -> str:
    """A policy in sentences. Its access levels are prefetched."""
    return policy_in_words(
        organizer=policy.admit_organizer,
        attendees=policy.admit_attendees,
        anyone=policy.admit_anyone,
        levels=[level.name for level in policy.admit_levels.all()],
        always=[level.name for level in policy.always_levels.all()],
        statuses=[str(_STATUSES.get(status, status)) for status in policy.statuses],
        lead=policy.lead_minutes,
        grace=policy.grace_minutes,
    )


class PolicyForm(forms.ModelForm):
    statuses = forms.MultipleChoiceField(
        choices=BOOKING_STATUS_CHOICES,
        widget=forms.CheckboxSelectMultiple,
        label=AccessPolicy._meta.get_field("statuses").verbose_name,
        initial=default_statuses,
    )

    class Meta:
        model = AccessPolicy
        fields = [
            "name",
            "admit_organizer",
            "admit_attendees",
            "admit_anyone",
            "statuses",
            "lead_minutes",
            "grace_minutes",
        ]


class PolicyAdmitsInline(LabelledInline):
    model = PolicyAdmits
    extra = 0


class PolicyAlwaysInline(LabelledInline):
    model = PolicyAlways
    extra = 0


@admin.register(AccessPolicy)
class AccessPolicyAdmin(WithHistory, admin.ModelAdmin):
    form = PolicyForm
    list_display = ["name", "summary"]
    inlines = [PolicyAdmitsInline, PolicyAlwaysInline]

    def get_fields(self, request: HttpRequest, obj: AccessPolicy | None = None) -> list[Any]:
        return [*PolicyForm.Meta.fields[:1], *(["summary"] if obj else []), *PolicyForm.Meta.fields[1:]]

    def get_readonly_fields(self, request: HttpRequest, obj: AccessPolicy | None = None) -> list[str]:
        return ["summary"]

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("admit_levels", "always_levels")

    @admin.display(description=gettext_lazy("in words"))
    def summary(self, policy: AccessPolicy) -> str:
        return policy_text(policy)

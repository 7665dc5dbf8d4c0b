"""The access map in the admin: plain and working."""

from typing import Any

from django import forms
from django.contrib import admin

from accessmap.models import (
    BOOKING_STATUS_CHOICES,
    AccessLevel,
    AccessPolicy,
    Card,
    Cardholder,
    Door,
    Membership,
    PolicyAdmits,
    PolicyAlways,
    Resource,
    ResourceDoor,
    Site,
)


class CardInline(admin.TabularInline):
    model = Card
    extra = 0


class MembershipInline(admin.TabularInline):
    model = Membership
    extra = 0
    autocomplete_fields = ["access_level"]


@admin.register(Cardholder)
class CardholderAdmin(admin.ModelAdmin):
    list_display = ["name", "email"]
    list_filter = ["access_levels"]
    search_fields = ["name", "email", "cards__number"]
    inlines = [CardInline, MembershipInline]


@admin.register(Site)
class SiteAdmin(admin.ModelAdmin):
    list_display = ["name", "time_zone"]


@admin.register(AccessLevel)
class AccessLevelAdmin(admin.ModelAdmin):
    list_display = ["name"]
    search_fields = ["name"]


class PolicyForm(forms.ModelForm):
    statuses = forms.MultipleChoiceField(
        choices=BOOKING_STATUS_CHOICES,
        widget=forms.CheckboxSelectMultiple,
        label=AccessPolicy._meta.get_field("statuses").verbose_name,
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


class PolicyAdmitsInline(admin.TabularInline):
    model = PolicyAdmits
    extra = 0


class PolicyAlwaysInline(admin.TabularInline):
    model = PolicyAlways
    extra = 0


@admin.register(AccessPolicy)
class AccessPolicyAdmin(admin.ModelAdmin):
    form = PolicyForm
    list_display = [
        "name",
        "admit_organizer",
        "admit_attendees",
        "admit_anyone",
        "lead_minutes",
        "grace_minutes",
    ]
    inlines = [PolicyAdmitsInline, PolicyAlwaysInline]


@admin.register(Door)
class DoorAdmin(admin.ModelAdmin):
    list_display = ["name", "controller", "number"]
    list_filter = ["controller"]
    list_select_related = ["controller"]
    search_fields = ["name"]


class ResourceDoorInline(admin.TabularInline):
    model = ResourceDoor
    extra = 0
    autocomplete_fields = ["door"]


@admin.register(Resource)
class ResourceAdmin(admin.ModelAdmin):
    list_display = ["name", "external_id", "policy", "door_names"]
    list_filter = ["policy", "site"]
    list_select_related = ["policy"]
    search_fields = ["name", "external_id"]
    inlines = [ResourceDoorInline]

    def get_queryset(self, request: Any) -> Any:
        return super().get_queryset(request).prefetch_related("doors")

    @admin.display(description=Resource._meta.get_field("doors").verbose_name)
    def door_names(self, resource: Resource) -> str:
        return ", ".join(door.name for door in resource.doors.all())

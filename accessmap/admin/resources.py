"""Resources with their doors, and what their access policies admit."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy

from accessmap.admin.history import WithHistory
from accessmap.admin.policies import policy_text
from accessmap.admin.sheets import WithSheets
from accessmap.models import MapImport, Resource, ResourceDoor
from portal.core.admin.labels import LabelledInline


class ResourceDoorInline(LabelledInline):
    model = ResourceDoor
    extra = 0
    autocomplete_fields = ["door"]


@admin.register(Resource)
class ResourceAdmin(WithHistory, WithSheets, admin.ModelAdmin):
    sheet = MapImport.Kind.RESOURCES
    change_list_template = "admin/accessmap/resource/change_list.html"
    list_display = ["name", "external_id", "door_names", "policy", "policy_words"]
    list_filter = ["policy", "site"]
    list_select_related = ["policy"]
    search_fields = ["name", "external_id"]
    show_full_result_count = False
    inlines = [ResourceDoorInline]

    def get_fields(self, request: HttpRequest, obj: Resource | None = None) -> list[Any]:
        return ["site", "external_id", "name", "policy", *(["policy_words"] if obj else [])]

    def get_readonly_fields(self, request: HttpRequest, obj: Resource | None = None) -> list[str]:
        return ["policy_words"]

    def get_queryset(self, request: HttpRequest) -> Any:
        rows = super().get_queryset(request).select_related("site", "policy")
        return rows.prefetch_related("doors__controller", "policy__admit_levels", "policy__always_levels")

    @admin.display(description=Resource._meta.get_field("doors").verbose_name)
    def door_names(self, resource: Resource) -> str:
        return ", ".join(door.name for door in resource.doors.all()) or "–"

    @admin.display(description=gettext_lazy("who may enter"))
    def policy_words(self, resource: Resource) -> str:
        return policy_text(resource.policy)

"""Sites, doors and access levels."""

from collections.abc import Iterator
from typing import Any

from django.contrib import admin

from accessmap.admin.history import WithHistory
from accessmap.models import AccessLevel, Door, Site


@admin.register(Site)
class SiteAdmin(WithHistory, admin.ModelAdmin):
    list_display = ["name", "time_zone"]


@admin.register(AccessLevel)
class AccessLevelAdmin(WithHistory, admin.ModelAdmin):
    list_display = ["name"]
    search_fields = ["name"]


class FloorFilter(admin.AllValuesFieldListFilter):
    """Django's own filter shows an empty link for doors without a floor."""

    def choices(self, changelist: Any) -> Iterator[Any]:
        for choice in super().choices(changelist):
            yield {**choice, "display": choice["display"] or self.empty_value_display}


@admin.register(Door)
class DoorAdmin(WithHistory, admin.ModelAdmin):
    list_display = ["name", "floor", "controller", "number"]
    list_filter = [("floor", FloorFilter), "controller"]
    list_select_related = ["controller"]
    search_fields = ["name"]

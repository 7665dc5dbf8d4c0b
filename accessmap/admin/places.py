"""Sites, doors and access levels."""

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


@admin.register(Door)
class DoorAdmin(WithHistory, admin.ModelAdmin):
    list_display = ["name", "floor", "controller", "number"]
    list_filter = ["floor", "controller"]
    list_select_related = ["controller"]
    search_fields = ["name"]

"""The audit log in the admin: to read, never to change."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from portal.audit.models import Entry


@admin.register(Entry)
class EntryAdmin(admin.ModelAdmin):
    list_display = ["at", "actor", "action", "object_label", "outcome"]
    list_filter = ["outcome", "action"]
    search_fields = ["actor", "object_label", "object_id"]
    date_hierarchy = "at"
    show_full_result_count = False  # the log grows without end; counting it all would make the page slow

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

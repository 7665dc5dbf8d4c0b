"""The audit log in the admin: to read, never to change."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy

from portal.audit.models import Entry
from portal.lists import SEARCHES_THE_NEWEST, LongList, values_of


class ActionFilter(admin.SimpleListFilter):
    """The actions that there are, without going through the log for them."""

    title = gettext_lazy("action")
    parameter_name = "action"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(action, action) for action in values_of(Entry, "action")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Entry]) -> QuerySet[Entry]:
        return queryset.filter(action=self.value()) if self.value() else queryset


@admin.register(Entry)
class EntryAdmin(LongList):
    list_display = ["at", "actor", "action", "object_label", "outcome"]
    list_filter = ["outcome", ActionFilter]
    search_fields = ["actor", "object_label", "object_id"]
    date_hierarchy = "at"
    ordering = ["-at", "-id"]
    sortable_by = ["at"]
    newest_by = "at"
    search_help_text = SEARCHES_THE_NEWEST

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

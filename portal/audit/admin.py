"""The audit log in the admin: to read, never to change."""

from operator import itemgetter
from typing import Any

from django.contrib import admin, messages
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal.audit.events import event_of
from portal.audit.models import Entry, Seal, SealCheck
from portal.core import clock
from portal.core.admin.changelists import SEARCHES_THE_NEWEST, values_of
from portal.core.admin.read_only import ReadOnlyAdmin, ReadOnlyLongList


class ActionFilter(admin.SimpleListFilter):
    """The actions that occur in the log, by name, found without reading the log through."""

    title = gettext_lazy("what happened")
    parameter_name = "action"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        actions = [(action, event_of(action)) for action in values_of(Entry, "action")]
        return sorted(((action, event.name if event else action) for action, event in actions), key=itemgetter(1))

    def queryset(self, request: HttpRequest, queryset: QuerySet[Entry]) -> QuerySet[Entry]:
        return queryset.filter(action=self.value()) if self.value() else queryset


@admin.register(Entry)
class EntryAdmin(ReadOnlyLongList):
    list_display = ["at", "actor", "what_happened", "outcome", "why"]
    fields = [
        "at",
        "what_happened",
        "actor",
        "action",
        "object_type",
        "object_id",
        "object_label",
        "outcome",
        "why",
        "detail",
    ]
    readonly_fields = ["what_happened", "why"]
    list_filter = ["outcome", ActionFilter]
    search_fields = ["actor", "object_label", "object_id"]
    date_hierarchy = "at"
    ordering = ["-at", "-id"]
    sortable_by = ["at"]
    newest_by = "at"
    search_help_text = SEARCHES_THE_NEWEST

    @admin.display(description=gettext_lazy("what happened"))
    def what_happened(self, entry: Entry) -> str:
        return entry.sentence

    @admin.display(description=gettext_lazy("reasons"))
    def why(self, entry: Entry) -> str:
        return str(entry.reasons) or "–"


class _ByNumber(Paginator):
    """Seals are numbered without a gap: the last number is the count."""

    @cached_property
    def count(self) -> int:
        return Seal.objects.values_list("number", flat=True).first() or 0


@admin.register(Seal)
class SealAdmin(ReadOnlyAdmin):
    list_display = ["number", "sealed_at", "count", "first_id", "last_id", "short_hash"]
    ordering = ["-number"]
    sortable_by = ()
    paginator = _ByNumber

    @admin.display(description=gettext_lazy("hash"))
    def short_hash(self, seal: Seal) -> str:
        return f"{seal.hash[:16]}…"

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The list, below the result of the last check."""
        state = SealCheck.objects.filter(pk=1).first()
        if state is None or state.checked_at is None:
            messages.warning(request, _("The seals have not been checked yet."))
        elif state.last_error:
            times = {"at": clock.local(state.checked_at), "why": state.last_error}
            messages.error(request, _("Broken, as found at %(at)s: %(why)s") % times)
        else:
            times = {"at": clock.local(state.checked_at), "number": str(state.number)}
            messages.success(request, _("In order up to seal %(number)s, as checked at %(at)s.") % times)
        return super().changelist_view(request, extra_context)

"""Door sync in the admin: callbacks, fetches, what the controllers hold, and what waits for approval."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accessmap.admin.masking import NumberHidden
from accessmap.models import masked
from doorsync.admin.actions import WithStaffActions
from doorsync.controllers import approvals
from doorsync.models import (
    BookingFetch,
    Callback,
    ControllerCard,
    ControllerSync,
    Reconciliation,
    RejectedBooking,
    ResourceSync,
    SchedulerState,
    StoredBooking,
    UnmanagedCard,
    UnmappedResource,
)
from doorsync.pages import actions
from portal.core.admin.changelists import SEARCHES_THE_NEWEST
from portal.core.admin.read_only import ReadOnlyLongList


class BehindFilter(admin.SimpleListFilter):
    title = gettext_lazy("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("error", _("with an error")), ("pending", _("pending approval"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "error":
            return queryset.exclude(last_error=[])
        if self.value() == "pending":
            if queryset.model is ResourceSync:
                return queryset.exclude(pending_reason=[])
            return queryset.filter(pending_plan__isnull=False)
        return queryset


@admin.register(ResourceSync)
class ResourceSyncAdmin(WithStaffActions, ReadOnlyLongList):
    list_display = ["resource", "succeeded_at", "failures", "in_words"]
    list_filter = [BehindFilter]
    list_select_related = ["resource"]
    search_fields = ["resource__name", "resource__external_id"]
    staff_actions = [actions.FETCH_RESOURCE, actions.ACCEPT_BOOKINGS]
    exclude = ["enqueued_at", "lease_token", "leased_until", "leased_generation"]

    @admin.display(description=gettext_lazy("what is wrong"))
    def in_words(self, sync: ResourceSync) -> str:
        return " ".join(map(str, [*sync.last_error, *sync.pending_reason])) or "–"


@admin.register(ControllerSync)
class ControllerSyncAdmin(WithStaffActions, ReadOnlyLongList):
    list_display = ["controller", "succeeded_at", "suspended_until", "failures", "in_words", "revocation"]
    list_filter = [BehindFilter]
    list_select_related = ["controller__site"]  # its driver asks for the zone
    search_fields = ["controller__name"]
    staff_actions = [actions.SYNC_CONTROLLER, actions.APPROVE_PLAN, actions.FORGET_CONTROLLER]
    fields = [
        "controller",
        "in_words",
        "revocation",
        "started_at",
        "succeeded_at",
        "failures",
        "suspended_until",
        "next_edge_at",
        "serial",
        "firmware",
        "clock_skew_seconds",
        "pending_cards",
    ]
    readonly_fields = ["in_words", "revocation", "pending_cards"]

    @admin.display(description=gettext_lazy("what is wrong"))
    def in_words(self, sync: ControllerSync) -> str:
        if sync.suspended_until:
            return _("%(error)s Not reached %(n)d times in a row: suspended until %(time)s.") % {
                "error": sync.last_error,
                "n": sync.unreachable,
                "time": sync.suspended_until.astimezone().strftime("%H:%M:%S"),
            }
        return str(sync.last_error) or "–"

    @admin.display(description=gettext_lazy("revocation"))
    def revocation(self, sync: ControllerSync) -> str:
        return approvals.revocation_sentence(sync.controller)

    @admin.display(description=gettext_lazy("cards that would lose doors"))
    def pending_cards(self, sync: ControllerSync) -> str:
        cards = dict.fromkeys(card for card, _door in (sync.pending_plan or {}).get("pairs", []))
        return ", ".join(masked(card) for card in cards) or "–"


@admin.register(StoredBooking)
class StoredBookingAdmin(ReadOnlyLongList):
    list_display = ["title", "resource", "starts_at", "ends_at", "status", "organizer_email"]
    list_filter = ["status", "resource"]
    list_select_related = ["resource"]
    search_fields = ["title", "external_id", "organizer_email"]
    date_hierarchy = "starts_at"


@admin.register(RejectedBooking)
class RejectedBookingAdmin(ReadOnlyLongList):
    list_display = ["seen_at", "resource", "record_id", "reason"]
    list_select_related = ["resource"]


@admin.register(UnmappedResource)
class UnmappedResourceAdmin(ReadOnlyLongList):
    list_display = ["external_id", "name", "first_seen_at", "last_seen_at"]
    search_fields = ["external_id", "name"]


@admin.register(Callback)
class CallbackAdmin(ReadOnlyLongList):
    list_display = ["received_at", "named_resource", "resource", "outcome", "result"]
    list_filter = ["outcome"]
    list_select_related = ["resource", "fetch"]
    search_fields = ["named_resource"]
    search_help_text = SEARCHES_THE_NEWEST
    newest_by = "id"
    readonly_fields = ["result", "body_text"]

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("fetch__targets")

    def get_fields(self, request: HttpRequest, obj: Callback | None = None) -> list[Any]:
        shown = ["received_at", "remote_address", "content_type", "named_resource", "resource", "outcome", "problems"]
        body = ["body_text"] if request.user.has_perm("doorsync.read_callback_body") else []
        return [*shown, "result", *body]

    @admin.display(description=gettext_lazy("result"))
    def result(self, callback: Callback) -> str:
        fetch = callback.fetch
        if fetch is not None and not fetch.targets.all():
            return _("fetched (%(outcome)s); the resource has no door") % {"outcome": fetch.get_outcome_display()}
        if fetch is None:
            if callback.outcome == Callback.Outcome.TEST:
                return "–"
            return _("waiting") if callback.resource_id else _("full resync")
        if fetch.confirmed_at is None:
            return _("fetched (%(outcome)s), not confirmed at the doors") % {"outcome": fetch.get_outcome_display()}
        seconds = (fetch.confirmed_at - callback.received_at).total_seconds()
        return _("confirmed at the doors after %(seconds).1f s") % {"seconds": max(seconds, 0)}

    @admin.display(description=gettext_lazy("body"))
    def body_text(self, callback: Callback) -> str:
        return bytes(callback.body).decode("utf-8", "backslashreplace")


@admin.register(BookingFetch)
class BookingFetchAdmin(ReadOnlyLongList):
    list_display = ["started_at", "resource", "cause", "outcome", "requests", "confirmed_at"]
    list_filter = ["outcome", "cause"]
    list_select_related = ["resource"]


@admin.register(ControllerCard)
class ControllerCardAdmin(NumberHidden, ReadOnlyLongList):
    list_display = ["masked_number", "controller", "state", "reason", "confirmed_at"]
    list_filter = ["state", "controller"]
    list_select_related = ["controller"]
    search_fields = ["=number"]
    exclude = ["number"]
    readonly_fields = ["masked_number"]

    @admin.display(description=gettext_lazy("card"))
    def masked_number(self, row: ControllerCard) -> str:
        return masked(row.number)


@admin.register(UnmanagedCard)
class UnmanagedCardAdmin(WithStaffActions, NumberHidden, ReadOnlyLongList):
    list_display = ["masked_number", "controller", "wanted", "first_seen_at"]
    list_filter = ["controller", "wanted"]
    list_select_related = ["controller"]
    search_fields = ["=number"]
    exclude = ["number"]
    readonly_fields = ["masked_number"]
    staff_actions = [actions.ADOPT_CARDS]

    @admin.display(description=gettext_lazy("card"))
    def masked_number(self, row: UnmanagedCard) -> str:
        return masked(row.number)


@admin.register(Reconciliation)
class ReconciliationAdmin(ReadOnlyLongList):
    list_display = [
        "finished_at",
        "controller",
        "added",
        "updated",
        "removed",
        "unchanged",
        "failed",
        "unconfirmed",
        "unmanaged",
        "last_error",
    ]
    list_filter = ["controller"]
    list_select_related = ["controller"]


@admin.register(SchedulerState)
class SchedulerStateAdmin(ReadOnlyLongList):
    list_display = [
        "ticked_at",
        "full_resync_at",
        "late_since",
        "offision_error",
        "subscribed_at",
        "subscription_error",
    ]

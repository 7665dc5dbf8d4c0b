"""Door sync in the admin: what came in, what was fetched, what the controllers hold, and what waits for a person."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from accessmap.admin.masking import NumberHidden
from accessmap.models import masked
from doorsync.bookings import approvals as booking_approvals
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
from portal.core.admin.changelists import SEARCHES_THE_NEWEST, LongList


class ReadOnlyAdmin(LongList):
    """For rows that the portal writes: people read them."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class StateAdmin(ReadOnlyAdmin):
    """For states that staff can act on. The actions ask for the model's own permissions."""

    def has_act_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(f"{self.opts.app_label}.change_{self.opts.model_name}")

    def has_approve_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(f"{self.opts.app_label}.approve_{self.opts.model_name}")


class BehindFilter(admin.SimpleListFilter):
    title = gettext_lazy("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("trouble", _("in trouble")), ("held", _("held for approval"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "trouble":
            return queryset.exclude(last_error="")
        if self.value() == "held":
            if queryset.model is ResourceSync:
                return queryset.exclude(pending_reason="")
            return queryset.filter(pending_plan__isnull=False)
        return queryset


@admin.register(ResourceSync)
class ResourceSyncAdmin(StateAdmin):
    list_display = ["resource", "succeeded_at", "failures", "in_words"]
    list_filter = [BehindFilter]
    list_select_related = ["resource"]
    search_fields = ["resource__name", "resource__external_id"]
    actions = ["look_now", "accept"]
    exclude = ["enqueued_at", "lease_token", "leased_until", "leased_generation"]

    @admin.display(description=gettext_lazy("what is wrong"))
    def in_words(self, sync: ResourceSync) -> str:
        return " ".join(filter(None, [sync.last_error, sync.pending_reason])) or "–"

    @admin.action(description=gettext_lazy("Fetch the bookings now"), permissions=["act"])
    def look_now(self, request: HttpRequest, queryset: QuerySet[ResourceSync]) -> None:
        approvals.look(queryset.select_related("resource"), actor=request.user.get_username())
        self.message_user(request, _("They are fetched within seconds."))

    @admin.action(description=gettext_lazy("Take the list that is held for right"), permissions=["approve"])
    def accept(self, request: HttpRequest, queryset: QuerySet[ResourceSync]) -> None:
        count = booking_approvals.accept(queryset, actor=request.user.get_username())
        self.message_user(
            request,
            ngettext("%d list will be believed.", "%d lists will be believed.", count) % count,
            messages.SUCCESS if count else messages.WARNING,
        )


@admin.register(ControllerSync)
class ControllerSyncAdmin(StateAdmin):
    list_display = ["controller", "succeeded_at", "suspended_until", "failures", "in_words", "revocation"]
    list_filter = [BehindFilter]
    list_select_related = ["controller__site"]  # its driver asks for the zone
    search_fields = ["controller__name"]
    actions = ["look_now", "approve", "forget"]
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
        "held_cards",
    ]
    readonly_fields = ["in_words", "revocation", "held_cards"]

    @admin.display(description=gettext_lazy("what is wrong"))
    def in_words(self, sync: ControllerSync) -> str:
        if sync.suspended_until:
            return _("%(trouble)s Not answering %(n)d times in a row: left alone until %(time)s.") % {
                "trouble": sync.last_error,
                "n": sync.unreachable,
                "time": sync.suspended_until.astimezone().strftime("%H:%M:%S"),
            }
        return sync.last_error or "–"

    @admin.display(description=gettext_lazy("revocation"))
    def revocation(self, sync: ControllerSync) -> str:
        return approvals.revocation_in_words(sync.controller)

    @admin.display(description=gettext_lazy("cards that would lose doors"))
    def held_cards(self, sync: ControllerSync) -> str:
        cards = dict.fromkeys(card for card, _door in (sync.pending_plan or {}).get("pairs", []))
        return ", ".join(masked(card) for card in cards) or "–"

    @admin.action(description=gettext_lazy("Reconcile now"), permissions=["act"])
    def look_now(self, request: HttpRequest, queryset: QuerySet[ControllerSync]) -> None:
        approvals.look(queryset.select_related("controller"), actor=request.user.get_username())
        self.message_user(request, _("They are reconciled within seconds."))

    @admin.action(description=gettext_lazy("Approve the plan that is held"), permissions=["approve"])
    def approve(self, request: HttpRequest, queryset: QuerySet[ControllerSync]) -> None:
        count = approvals.approve(queryset, actor=request.user.get_username())
        self.message_user(
            request,
            ngettext("%d plan approved.", "%d plans approved.", count) % count,
            messages.SUCCESS if count else messages.WARNING,
        )

    @admin.action(description=gettext_lazy("The box was replaced: forget what it held"), permissions=["forget"])
    def forget(self, request: HttpRequest, queryset: QuerySet[ControllerSync]) -> None:
        count = approvals.forget_boxes(queryset, actor=request.user.get_username())
        self.message_user(
            request,
            ngettext(
                "%d box forgotten. If it still hangs somewhere, it goes on admitting the cards in it.",
                "%d boxes forgotten. Where they still hang somewhere, they go on admitting the cards in them.",
                count,
            )
            % count,
            messages.WARNING,
        )

    def has_forget_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accessmap.change_controller")


@admin.register(StoredBooking)
class StoredBookingAdmin(ReadOnlyAdmin):
    list_display = ["title", "resource", "starts_at", "ends_at", "status", "organizer_email"]
    list_filter = ["status", "resource"]
    list_select_related = ["resource"]
    search_fields = ["title", "external_id", "organizer_email"]
    date_hierarchy = "starts_at"


@admin.register(RejectedBooking)
class SetAsideBookingAdmin(ReadOnlyAdmin):
    list_display = ["seen_at", "resource", "record_id", "reason"]
    list_select_related = ["resource"]


@admin.register(UnmappedResource)
class UnmappedResourceAdmin(ReadOnlyAdmin):
    list_display = ["external_id", "name", "first_seen_at", "last_seen_at"]
    search_fields = ["external_id", "name"]


@admin.register(Callback)
class CallbackAdmin(ReadOnlyAdmin):
    list_display = ["received_at", "named_resource", "resource", "outcome", "what_came_of_it"]
    list_filter = ["outcome"]
    list_select_related = ["resource", "fetch"]
    search_fields = ["named_resource"]
    search_help_text = SEARCHES_THE_NEWEST
    newest_by = "id"
    readonly_fields = ["what_came_of_it", "body_text"]

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("fetch__targets")

    def get_fields(self, request: HttpRequest, obj: Callback | None = None) -> list[Any]:
        shown = ["received_at", "remote_address", "content_type", "named_resource", "resource", "outcome", "note"]
        body = ["body_text"] if request.user.has_perm("doorsync.read_callback_body") else []
        return [*shown, "what_came_of_it", *body]

    @admin.display(description=gettext_lazy("what came of it"))
    def what_came_of_it(self, callback: Callback) -> str:
        fetch = callback.fetch
        if fetch is not None and not fetch.targets.all():
            return _("fetched (%(outcome)s); no door leads to this resource") % {"outcome": fetch.get_outcome_display()}
        if fetch is None:
            return _("waiting") if callback.resource_id else _("everything is looked at")
        if fetch.confirmed_at is None:
            return _("fetched (%(outcome)s), not confirmed at the doors") % {"outcome": fetch.get_outcome_display()}
        seconds = (fetch.confirmed_at - callback.received_at).total_seconds()
        return _("confirmed at the doors after %(seconds).1f s") % {"seconds": max(seconds, 0)}

    @admin.display(description=gettext_lazy("body"))
    def body_text(self, callback: Callback) -> str:
        return bytes(callback.body).decode("utf-8", "backslashreplace")


@admin.register(BookingFetch)
class RefreshAdmin(ReadOnlyAdmin):
    list_display = ["started_at", "resource", "cause", "outcome", "requests", "confirmed_at"]
    list_filter = ["outcome", "cause"]
    list_select_related = ["resource"]


@admin.register(ControllerCard)
class ControllerCardAdmin(NumberHidden, ReadOnlyAdmin):
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
class UnmanagedCardAdmin(NumberHidden, StateAdmin):
    list_display = ["masked_number", "controller", "wanted", "first_seen_at"]
    list_filter = ["controller", "wanted"]
    list_select_related = ["controller"]
    search_fields = ["=number"]
    exclude = ["number"]
    readonly_fields = ["masked_number"]
    actions = ["adopt"]

    @admin.display(description=gettext_lazy("card"))
    def masked_number(self, row: UnmanagedCard) -> str:
        return masked(row.number)

    @admin.action(
        description=gettext_lazy("Adopt: have these cards follow the bookings from now on"), permissions=["approve"]
    )
    def adopt(self, request: HttpRequest, queryset: QuerySet[UnmanagedCard]) -> None:
        count = approvals.adopt(queryset, actor=request.user.get_username())
        self.message_user(
            request,
            ngettext(
                "%d card is the portal's from now on. If nothing admits it, it is taken out.",
                "%d cards are the portal's from now on. Those that nothing admits are taken out.",
                count,
            )
            % count,
            messages.SUCCESS,
        )


@admin.register(Reconciliation)
class ReportAdmin(ReadOnlyAdmin):
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
class PassStateAdmin(ReadOnlyAdmin):
    list_display = [
        "ticked_at",
        "full_resync_at",
        "late_since",
        "offision_error",
        "subscribed_at",
        "subscription_error",
    ]

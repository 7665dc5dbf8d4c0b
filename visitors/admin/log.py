"""What the portal stores about visitors, to read: verifications, passages, visits, updates of Offision."""

from django.contrib import admin
from django.utils.translation import gettext_lazy

from portal.core.admin.changelists import SEARCHES_THE_NEWEST
from portal.core.admin.read_only import ReadOnlyLongList
from visitors.models import Passage, ThrottledScans, Verification, Visit, VisitStatusUpdate


@admin.register(Verification)
class VerificationAdmin(ReadOnlyLongList):
    list_display = ["at", "turnstile", "direction", "allowed", "reason_codes", "visitor", "source"]
    list_filter = ["allowed", "source", "turnstile"]
    list_select_related = ["turnstile"]
    search_fields = ["visitor"]
    search_help_text = SEARCHES_THE_NEWEST
    newest_by = "at"
    date_hierarchy = "at"

    @admin.display(description=gettext_lazy("reasons"))
    def reason_codes(self, verification: Verification) -> str:
        return ", ".join([*verification.reasons, *(f"({note})" for note in verification.notes)]) or "–"


@admin.register(Passage)
class PassageAdmin(ReadOnlyLongList):
    list_display = ["at", "visit", "turnstile", "direction", "passed", "assumed"]
    list_filter = ["turnstile", "direction", "passed", "assumed"]
    list_select_related = ["visit", "turnstile"]
    date_hierarchy = "at"


@admin.register(Visit)
class VisitAdmin(ReadOnlyLongList):
    list_display = ["name", "company", "status", "valid_from", "valid_until", "seen_at"]
    list_filter = ["status"]
    search_fields = ["name", "company", "host_email"]


@admin.register(VisitStatusUpdate)
class VisitStatusUpdateAdmin(ReadOnlyLongList):
    list_display = ["created_at", "visit", "change", "attempts", "done_at", "last_error"]
    list_select_related = ["visit"]


@admin.register(ThrottledScans)
class ThrottledScansAdmin(ReadOnlyLongList):
    list_display = ["minute", "turnstile", "count"]
    list_select_related = ["turnstile"]

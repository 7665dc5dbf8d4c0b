"""What staff decide about bookings: accept a pending list, fetch now, process a callback again."""

from django.db import transaction
from django.db.models import F, QuerySet

from accessmap.models import Resource
from doorsync.models import Callback, ResourceSync, SchedulerState
from doorsync.work import queue
from portal.audit.models import record
from portal.core import clock


@transaction.atomic
def accept(rows: QuerySet[ResourceSync], *, actor: str) -> int:
    """Accept that the pending lists of these resources leave out bookings. How many lists were pending."""
    with_list = rows.exclude(pending_reason=[]).order_by("pk")
    pending = list(with_list.select_for_update(of=("self",)).select_related("resource"))
    accepted = ResourceSync.objects.filter(pk__in=[row.pk for row in pending])
    queue.enqueue(accepted, at_once=True, accepted_ids=F("pending_ids"))
    for row in pending:
        record(actor=actor, action="bookings.approve", on=row.resource, reasons=row.pending_reason)
    return len(pending)


@transaction.atomic
def fetch_now(rows: QuerySet[ResourceSync], *, actor: str) -> int:
    """Fetch the bookings of these resources now. How many."""
    resources = Resource.objects.filter(pk__in=queue.enqueue(rows, at_once=True))
    for resource in resources:
        record(actor=actor, action="work.requested", on=resource)
    return len(resources)


@transaction.atomic
def reprocess(callback: Callback, *, actor: str) -> None:
    """Fetch what a callback points at once more: its resource, or everything if it names none that the map has."""
    rows = ResourceSync.objects.filter(resource__external_id=callback.named_resource)
    if not callback.named_resource or not queue.enqueue(rows, at_once=True):
        SchedulerState.objects.filter(pk=1).update(full_resync_requested_at=clock.now())
    record(actor=actor, action="callback.reprocess", on=callback, label=callback.named_resource or "–")

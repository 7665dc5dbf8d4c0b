"""What staff decide about bookings: a pending list is right, a callback is looked at once more."""

from django.db import transaction
from django.db.models import F, QuerySet

from doorsync.models import Callback, ResourceSync, SchedulerState
from doorsync.work import queue
from portal.audit.models import record
from portal.core import clock


@transaction.atomic
def accept(rows: QuerySet[ResourceSync], *, actor: str) -> int:
    """Take it for right that these resources' held lists leave out what they do. How many were held."""
    held = list(rows.exclude(pending_reason="").select_for_update(of=("self",)).select_related("resource"))
    chosen = ResourceSync.objects.filter(pk__in=[row.pk for row in held])
    chosen.update(accepted_ids=F("pending_ids"))
    queue.enqueue_now(chosen)
    for row in held:
        record(actor=actor, action="bookings.approve", on=row.resource, reasons=[row.pending_reason])
    return len(held)


@transaction.atomic
def reprocess(callback: Callback, *, actor: str) -> None:
    """Look once more at what a callback points at: its resource, or everything where it names none that is known."""
    rows = ResourceSync.objects.filter(resource__external_id=callback.named_resource)
    if callback.named_resource and rows.exists():
        queue.enqueue_now(rows)
    else:
        SchedulerState.objects.filter(pk=1).update(full_resync_wanted_at=clock.now())
    record(actor=actor, action="callback.reprocess", on=callback, label=callback.named_resource or "–")

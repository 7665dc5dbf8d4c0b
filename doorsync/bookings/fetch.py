"""Fetch a resource's bookings, believe them or hold them, store them, and ask for its controllers."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Case, F, Sum, Value, When
from django.utils.translation import gettext as _

from accessmap.models import BOOKING_STATUS_CHOICES, Controller
from doorsync.models import (
    Callback,
    ControllerSync,
    PassState,
    Refresh,
    RefreshTarget,
    ResourceSync,
    SetAsideBooking,
    StoredBooking,
)
from doorsync.policy.safety import doubtful, doubtful_everywhere
from doorsync.work import queue
from portal.audit.models import Outcome, record
from portal.core import clock
from portal.offision.default import client_from_settings
from portal.offision.errors import OffisionError
from portal.offision.types import Booking, BookingList, BookingStatus

log = structlog.get_logger(__name__)

# In a burst of calls for one resource its fetches keep this distance, so that they are few.
SETTLE = timedelta(seconds=1.5)
DAYS_BACK, DAYS_AHEAD = 1, 2
# Fewer, from many resources at once: what vanished within this time is counted together.
COUNTED_TOGETHER = timedelta(hours=1)

_COMPARED = (
    "title",
    "starts_at",
    "ends_at",
    "status",
    "organizer_email",
    "organizer_name",
    "attendee_emails",
)


def horizon(now: datetime, zone: ZoneInfo) -> tuple[date, date]:
    """The first and last local day whose bookings are kept: yesterday, for those across midnight, to two days ahead."""
    today = now.astimezone(zone).date()
    return today - timedelta(days=DAYS_BACK), today + timedelta(days=DAYS_AHEAD)


def refresh_resource(resource_id: int) -> Refresh | None:
    """Bring the stored bookings of a resource (primary key) up to date. None where nobody asked or somebody does it."""
    now = clock.now()
    rows = ResourceSync.objects.filter(resource=resource_id).select_related("resource__site", "resource__policy")
    sync = queue.claim(rows, now)
    if sync is None:
        return None
    with queue.given_back(sync):
        first, last = horizon(now, ZoneInfo(sync.resource.site.time_zone))
        try:
            found = client_from_settings().bookings(sync.resource.external_id, first, last)
        except OffisionError as error:
            return _failed(sync, now, error)
        return _take_in(sync, found, now)


def _take_in(sync: ResourceSync, found: BookingList, now: datetime) -> Refresh | None:
    resource = sync.resource
    with transaction.atomic():
        locked = ResourceSync.objects.select_for_update().get(pk=sync.pk)
        if locked.claim != sync.claim:
            return None  # our claim lapsed, and somebody has fetched since: what we hold is older than what is stored
        stored = {b.external_id: b for b in StoredBooking.objects.filter(resource=resource)}
        lost, vanished, reason = _doubt(stored.values(), found, sync, now)
        refresh = Refresh(
            resource=resource,
            generation=sync.requested,
            cause=sync.cause or "start",
            started_at=now,
            finished_at=clock.now(),
            requests=found.requests,
            vanished=0 if reason else len(vanished),
        )
        if reason:
            refresh.outcome, refresh.message = Refresh.Outcome.HELD, reason
            refresh.save()
            if reason != sync.held_reason:
                record(
                    actor="portal",
                    action="bookings.held",
                    on=resource,
                    outcome=Outcome.HELD,
                    reasons=[reason],
                )
        else:
            changed = _store(resource.pk, stored, found, now)
            refresh.outcome = Refresh.Outcome.CHANGED if changed else Refresh.Outcome.UNCHANGED
            refresh.save()
            _ask_controllers(refresh, changed=changed)
            if sync.believed_ids:
                record(actor="portal", action="bookings.believed", on=resource, reasons=[_("approved by staff")])
        _answer_callbacks(refresh)
        queue.finish(
            sync,
            answered=True,
            failures=0,
            trouble="",
            held_reason=reason,
            held_ids=sorted(lost) if reason else [],
            fetched_as=resource.external_id,
            # What was approved while this fetch ran is for the next one.
            **({"believed_ids": []} if not reason and locked.believed_ids == sync.believed_ids else {}),
            succeeded_at=sync.succeeded_at if reason else now,
            # Asked again while the fetch ran: that is a burst, and settles first.
            not_before=Case(When(requested__gt=sync.requested, then=Value(clock.now() + SETTLE)), default=None),
        )
    # Not in the transaction above: the tick locks this row first and resources after it.
    PassState.objects.filter(pk=1).exclude(offision_trouble="").update(offision_trouble="")
    return refresh


def _doubt(
    stored: Iterable[StoredBooking], found: BookingList, sync: ResourceSync, now: datetime
) -> tuple[set[str], set[str], str]:
    """Ids of the bookings that an answer takes away, of those that vanished, and why it is held ("" if it is believed).

    What staff believed to be right counts no more.
    """
    policy, limit = sync.resource.policy, settings.HOLD_REVOCATIONS_OVER
    grace = timedelta(minutes=policy.grace_minutes)

    def admits(booking: StoredBooking | Booking) -> bool:
        return booking.ends_at + grace > now and str(booking.status) in policy.statuses

    coming = {b.external_id for b in stored if admits(b)}
    lost = coming - {b.id for b in found.bookings if admits(b)} - set(sync.believed_ids)
    vanished = lost - {b.id for b in found.bookings if b.status is not BookingStatus.UNKNOWN}
    if doubtful(coming=len(coming), lost=len(lost), vanished=len(vanished), limit=limit):
        sentence = _(
            "Offision's list for %(resource)s leaves out %(lost)d of %(coming)d coming bookings at once. "
            "Nobody's access was taken away. If the list is right, approve it; if not, look at Offision."
        )
        return lost, vanished, sentence % {"resource": sync.resource, "lost": len(lost), "coming": len(coming)}
    if vanished and _doubtful_everywhere(len(vanished), now, limit=limit):
        sentence = _(
            "Bookings vanish from many resources at once: %(lost)d of %(coming)d from %(resource)s. "
            "Nobody's access there was taken away. If its list is right, approve it; if not, look at Offision."
        )
        return lost, vanished, sentence % {"resource": sync.resource, "lost": len(lost), "coming": len(coming)}
    return lost, vanished, ""


def _doubtful_everywhere(vanished: int, now: datetime, *, limit: int) -> bool:
    lately = Refresh.objects.filter(started_at__gt=now - COUNTED_TOGETHER, vanished__gt=0)
    before = lately.aggregate(total=Sum("vanished"))["total"] or 0
    known = [status for status, _name in BOOKING_STATUS_CHOICES]
    coming = StoredBooking.objects.filter(ends_at__gt=now, status__in=known).count()
    return doubtful_everywhere(coming=coming + before, vanished=vanished + before, limit=limit)


def _store(resource_id: int, stored: dict[str, StoredBooking], found: BookingList, now: datetime) -> bool:
    """Make the stored bookings those found; whether anything differed."""
    fresh = {b.id: _row(resource_id, b, now) for b in found.bookings}
    gone = [row.pk for key, row in stored.items() if key not in fresh]
    changed = [
        row
        for key, row in fresh.items()
        if key in stored and any(getattr(row, f) != getattr(stored[key], f) for f in _COMPARED)
    ]
    for row in changed:
        row.pk = stored[row.external_id].pk
    new = [row for key, row in fresh.items() if key not in stored]
    StoredBooking.objects.filter(pk__in=gone).delete()
    StoredBooking.objects.bulk_create(new)
    StoredBooking.objects.bulk_update(changed, [*_COMPARED, "fetched_at"])
    _store_set_aside(resource_id, found, now)
    return bool(gone or changed or new)


def _row(resource_id: int, booking: Booking, now: datetime) -> StoredBooking:
    return StoredBooking(
        resource_id=resource_id,
        external_id=booking.id,
        title=booking.title[:300],
        starts_at=booking.starts_at,
        ends_at=booking.ends_at,
        status=booking.status.value,
        organizer_email=booking.organizer_email,
        organizer_name=booking.organizer_name[:300],
        attendee_emails=list(booking.attendee_emails),
        fetched_at=now,
    )


def _store_set_aside(resource_id: int, found: BookingList, now: datetime) -> None:
    known = set(SetAsideBooking.objects.filter(resource=resource_id).values_list("record_id", "reason"))
    present = {(s.record_id, s.reason): s for s in found.set_aside}
    if known == set(present):
        return
    SetAsideBooking.objects.filter(resource=resource_id).delete()
    SetAsideBooking.objects.bulk_create(
        SetAsideBooking(resource_id=resource_id, record_id=s.record_id, reason=s.reason, raw=s.raw, seen_at=now)
        for s in present.values()
    )


def _ask_controllers(refresh: Refresh, *, changed: bool) -> None:
    """Ask for the controllers behind the resource, and remember which of their generations will answer this fetch."""
    # The disabled ones, too: as long as they are, nothing is confirmed there.
    controllers = Controller.objects.filter(doors__resources=refresh.resource_id).distinct()
    ControllerSync.objects.bulk_create(
        (ControllerSync(controller=controller) for controller in controllers.filter(sync__isnull=True)),
        ignore_conflicts=True,
    )
    syncs = list(
        ControllerSync.objects.select_for_update(of=("self",))
        .filter(controller__in=controllers)
        .select_related("controller")
        .order_by("pk")
    )
    now = clock.now()
    if changed:
        ControllerSync.objects.filter(pk__in=[s.pk for s in syncs]).update(requested=F("requested") + 1, woken_at=now)
    targets = []
    for sync in syncs:
        generation = sync.requested + (1 if changed else 0)
        targets.append(
            RefreshTarget(
                refresh=refresh,
                controller_id=sync.controller_id,
                generation=generation,
                confirmed_at=now if sync.done >= generation and sync.controller.enabled else None,
            )
        )
    RefreshTarget.objects.bulk_create(targets)
    if targets and all(target.confirmed_at for target in targets):
        Refresh.objects.filter(pk=refresh.pk).update(confirmed_at=now)
    if changed:
        from doorsync import tasks  # the tasks call this service

        for sync in syncs:
            if sync.controller.enabled:
                queue.ring(tasks.reconcile_controller, sync.controller_id)


def _answer_callbacks(refresh: Refresh) -> None:
    Callback.objects.filter(
        resource=refresh.resource_id, refresh__isnull=True, generation__lte=refresh.generation
    ).update(refresh=refresh)


def _failed(sync: ResourceSync, now: datetime, error: OffisionError) -> Refresh:
    failures = sync.failures + 1
    trouble = _("The bookings of %(resource)s could not be fetched: %(why)s Nobody's access was taken away.") % {
        "resource": sync.resource,
        "why": error.summary,
    }
    with transaction.atomic():
        refresh = Refresh.objects.create(
            resource=sync.resource,
            generation=sync.requested,
            cause=sync.cause or "start",
            started_at=now,
            finished_at=clock.now(),
            outcome=Refresh.Outcome.FAILED,
            message=trouble,
        )
        if trouble != sync.trouble:
            record(
                actor="portal",
                action="bookings.fetch",
                on=sync.resource,
                outcome=Outcome.FAILED,
                reasons=[error.summary],
            )
        PassState.objects.filter(pk=1).exclude(offision_trouble=error.summary).update(offision_trouble=error.summary)
        wait = queue.backoff(failures) if error.retryable else queue.backoff(9)
        queue.finish(sync, answered=False, failures=failures, trouble=trouble, not_before=clock.now() + wait)
    log.warning("bookings could not be fetched", resource=str(sync.resource), why=error.summary)
    return refresh

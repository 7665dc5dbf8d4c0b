"""Fetch a resource's bookings, accept them or have them wait for a person, store them, and enqueue the controllers."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Case, Sum, Value, When

from accessmap.models import BOOKING_STATUS_CHOICES, Controller
from doorsync.bookings.problems import ACCEPTED_BY_STAFF, MANY_LEFT_OUT, NOT_FETCHED, VANISHED_EVERYWHERE
from doorsync.models import (
    BookingFetch,
    Callback,
    ControllerSync,
    FetchTarget,
    RejectedBooking,
    ResourceSync,
    SchedulerState,
    StoredBooking,
    values,
)
from doorsync.policy.rules import still_admits
from doorsync.policy.safety import suspicious, suspicious_everywhere
from doorsync.work import queue
from portal.audit.models import Outcome, record
from portal.core import clock
from portal.core.problems import Problem, Problems, problem_of
from portal.offision.default import client_from_settings
from portal.offision.errors import OffisionError
from portal.offision.statuses import BookingStatus
from portal.offision.types import Booking, BookingList

log = structlog.get_logger(__name__)

# In a burst of callbacks for one resource, its fetches keep this distance.
SETTLE = timedelta(seconds=1.5)
DAYS_BACK, DAYS_AHEAD = 1, 2
# Bookings that vanish from many resources within this time are counted together.
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


def fetch_bookings(resource_id: int) -> BookingFetch | None:
    """Fetch and store a resource's (primary key) bookings. None: nothing to do, or another worker does it."""
    now = clock.now()
    rows = ResourceSync.objects.filter(resource=resource_id).select_related("resource__site", "resource__policy")
    sync = queue.lease(rows, now)
    if sync is None:
        return None
    with queue.release_on_error(sync):
        first, last = horizon(now, ZoneInfo(sync.resource.site.time_zone))
        try:
            fetched = client_from_settings().bookings(sync.resource.external_id, first, last)
        except OffisionError as error:
            return _save_failure(sync, now, error)
        return _save(sync, fetched, now)


def _save(sync: ResourceSync, fetched: BookingList, now: datetime) -> BookingFetch | None:
    resource = sync.resource
    with transaction.atomic():
        locked = ResourceSync.objects.select_for_update().get(pk=sync.pk)
        if locked.lease_token != sync.lease_token:
            return None  # the lease ended, and another worker has stored a newer list
        stored = {b.external_id: b for b in StoredBooking.objects.filter(resource=resource)}
        lost, vanished, doubt = _check(stored.values(), fetched, sync, now)
        fetch = BookingFetch(
            resource=resource,
            generation=sync.generation,
            cause=sync.cause or "start",
            started_at=now,
            finished_at=clock.now(),
            requests=fetched.requests,
            vanished=0 if doubt else len(vanished),
        )
        if doubt:
            fetch.outcome, fetch.problems = BookingFetch.Outcome.PENDING, doubt
            fetch.save()
            if doubt.key not in sync.pending_reason.keys:
                record(actor="portal", action="bookings.pending", on=resource, outcome=Outcome.PENDING, reasons=[doubt])
        else:
            changed = _store(resource.pk, stored, fetched, now)
            fetch.outcome = BookingFetch.Outcome.CHANGED if changed else BookingFetch.Outcome.UNCHANGED
            fetch.save()
            _enqueue_controllers(fetch, changed=changed)
            if sync.accepted_ids:
                record(actor="portal", action="bookings.accepted", on=resource, reasons=[ACCEPTED_BY_STAFF()])
        Callback.objects.filter(
            resource=fetch.resource_id, fetch__isnull=True, generation__lte=fetch.generation
        ).update(fetch=fetch)
        queue.release(
            sync,
            observed=True,
            failures=0,
            last_error=Problems(),
            pending_reason=Problems([doubt] if doubt else []),
            pending_ids=sorted(lost) if doubt else [],
            fetched_as=resource.external_id,
            # What staff accepted while this fetch ran is for the next one.
            **({"accepted_ids": []} if not doubt and locked.accepted_ids == sync.accepted_ids else {}),
            succeeded_at=sync.succeeded_at if doubt else now,
            # Another request while the fetch ran is a burst, and settles first.
            next_attempt_at=Case(When(generation__gt=sync.generation, then=Value(clock.now() + SETTLE)), default=None),
        )
    # Not in the transaction above: the tick locks this row first and resources after it, so both would deadlock.
    SchedulerState.objects.filter(pk=1).exclude(offision_error=[]).update(offision_error=[])
    return fetch


def _check(
    stored: Iterable[StoredBooking], fetched: BookingList, sync: ResourceSync, now: datetime
) -> tuple[set[str], set[str], Problem | None]:
    """Ids of the bookings that a fetch takes away, of those that vanished, and why a person has to decide, if so.

    Bookings that staff accepted as missing do not count.
    """
    policy, limit = values.policy_of(sync.resource.policy), settings.APPROVE_REVOCATIONS_OVER
    admitting = {b.external_id for b in stored if still_admits(values.booking_of(b), policy, now)}
    rows = {b.id: _row(sync.resource_id, b, now) for b in fetched.bookings}
    still_admitting = {key for key, row in rows.items() if still_admits(values.booking_of(row), policy, now)}
    lost = admitting - still_admitting - set(sync.accepted_ids)
    vanished = lost - {b.id for b in fetched.bookings if b.status is not BookingStatus.UNKNOWN}
    counts = {"resource": sync.resource, "lost": len(lost), "coming": len(admitting)}
    if suspicious(coming=len(admitting), lost=len(lost), vanished=len(vanished), limit=limit):
        return lost, vanished, MANY_LEFT_OUT(**counts)
    if vanished and _suspicious_everywhere(len(vanished), now, limit=limit):
        return lost, vanished, VANISHED_EVERYWHERE(**counts)
    return lost, vanished, None


def _suspicious_everywhere(vanished: int, now: datetime, *, limit: int) -> bool:
    recent = BookingFetch.objects.filter(started_at__gt=now - COUNTED_TOGETHER, vanished__gt=0)
    before = recent.aggregate(total=Sum("vanished"))["total"] or 0
    known = [status for status, _name in BOOKING_STATUS_CHOICES]
    coming = StoredBooking.objects.filter(ends_at__gt=now, status__in=known).count()
    return suspicious_everywhere(coming=coming + before, vanished=vanished + before, limit=limit)


def _store(resource_id: int, stored: dict[str, StoredBooking], fetched: BookingList, now: datetime) -> bool:
    """Make the stored bookings those that were fetched; whether anything differed."""
    fresh = {b.id: _row(resource_id, b, now) for b in fetched.bookings}
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
    _store_rejected(resource_id, fetched, now)
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


def _store_rejected(resource_id: int, fetched: BookingList, now: datetime) -> None:
    rows = RejectedBooking.objects.filter(resource=resource_id)
    known = {(row.record_id, row.reason) for row in rows.only("record_id", "reason")}
    rejected = {(r.record_id, Problems([r.reason])): r for r in fetched.rejected}
    if known == set(rejected):
        return
    rows.delete()
    RejectedBooking.objects.bulk_create(
        RejectedBooking(resource_id=resource_id, record_id=record_id, reason=reason, raw=r.raw, seen_at=now)
        for (record_id, reason), r in rejected.items()
    )


def _enqueue_controllers(fetch: BookingFetch, *, changed: bool) -> None:
    """Enqueue the controllers behind the resource, and store which of their generations confirms this fetch."""
    # Disabled ones, too: while they are disabled, nothing is confirmed there.
    controllers = Controller.objects.filter(doors__resources=fetch.resource_id).distinct()
    ControllerSync.objects.bulk_create(
        (ControllerSync(controller=controller) for controller in controllers.filter(sync__isnull=True)),
        ignore_conflicts=True,
    )
    rows = ControllerSync.objects.filter(controller__in=controllers)
    if changed:
        queue.enqueue(rows)
    # Locked, so that a reconciliation that ends now either sees these targets or is seen here.
    syncs = rows.select_for_update(of=("self",)).select_related("controller").order_by("pk")
    now = clock.now()
    targets = [
        FetchTarget(
            fetch=fetch,
            controller_id=sync.controller_id,
            generation=sync.generation,
            confirmed_at=now if sync.observed_generation >= sync.generation and sync.controller.enabled else None,
        )
        for sync in syncs
    ]
    FetchTarget.objects.bulk_create(targets)
    if targets and all(target.confirmed_at for target in targets):
        BookingFetch.objects.filter(pk=fetch.pk).update(confirmed_at=now)


def _save_failure(sync: ResourceSync, now: datetime, error: OffisionError) -> BookingFetch:
    failures = sync.failures + 1
    why = problem_of(error)
    problem = NOT_FETCHED(resource=sync.resource, why=why)
    with transaction.atomic():
        fetch = BookingFetch.objects.create(
            resource=sync.resource,
            generation=sync.generation,
            cause=sync.cause or "start",
            started_at=now,
            finished_at=clock.now(),
            outcome=BookingFetch.Outcome.FAILED,
            problems=[problem],
        )
        if problem.key not in sync.last_error.keys:
            record(actor="portal", action="bookings.fetch", on=sync.resource, outcome=Outcome.FAILED, reasons=[why])
        SchedulerState.objects.filter(pk=1).exclude(offision_error=[why]).update(offision_error=[why])
        wait = queue.backoff(failures) if error.retryable else queue.backoff(9)
        queue.release(sync, observed=False, failures=failures, last_error=[problem], next_attempt_at=clock.now() + wait)
    log.warning("bookings could not be fetched", resource=str(sync.resource), error=str(error))
    return fetch

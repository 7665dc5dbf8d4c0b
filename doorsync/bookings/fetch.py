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
    BookingFetch,
    Callback,
    ControllerSync,
    FetchTarget,
    RejectedBooking,
    ResourceSync,
    SchedulerState,
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


def fetch_bookings(resource_id: int) -> BookingFetch | None:
    """Bring the stored bookings of a resource (primary key) up to date. None where nobody asked or somebody does it."""
    now = clock.now()
    rows = ResourceSync.objects.filter(resource=resource_id).select_related("resource__site", "resource__policy")
    sync = queue.lease(rows, now)
    if sync is None:
        return None
    with queue.release_on_error(sync):
        first, last = horizon(now, ZoneInfo(sync.resource.site.time_zone))
        try:
            found = client_from_settings().bookings(sync.resource.external_id, first, last)
        except OffisionError as error:
            return _failed(sync, now, error)
        return _take_in(sync, found, now)


def _take_in(sync: ResourceSync, found: BookingList, now: datetime) -> BookingFetch | None:
    resource = sync.resource
    with transaction.atomic():
        locked = ResourceSync.objects.select_for_update().get(pk=sync.pk)
        if locked.lease_token != sync.lease_token:
            return None  # our claim lapsed, and somebody has fetched since: what we hold is older than what is stored
        stored = {b.external_id: b for b in StoredBooking.objects.filter(resource=resource)}
        lost, vanished, reason = _doubt(stored.values(), found, sync, now)
        fetch = BookingFetch(
            resource=resource,
            generation=sync.generation,
            cause=sync.cause or "start",
            started_at=now,
            finished_at=clock.now(),
            requests=found.requests,
            vanished=0 if reason else len(vanished),
        )
        if reason:
            fetch.outcome, fetch.message = BookingFetch.Outcome.HELD, reason
            fetch.save()
            if reason != sync.pending_reason:
                record(
                    actor="portal",
                    action="bookings.held",
                    on=resource,
                    outcome=Outcome.HELD,
                    reasons=[reason],
                )
        else:
            changed = _store(resource.pk, stored, found, now)
            fetch.outcome = BookingFetch.Outcome.CHANGED if changed else BookingFetch.Outcome.UNCHANGED
            fetch.save()
            _enqueue_controllers(fetch, changed=changed)
            if sync.accepted_ids:
                record(actor="portal", action="bookings.believed", on=resource, reasons=[_("approved by staff")])
        _answer_callbacks(fetch)
        queue.release(
            sync,
            answered=True,
            failures=0,
            last_error="",
            pending_reason=reason,
            pending_ids=sorted(lost) if reason else [],
            fetched_as=resource.external_id,
            # What was approved while this fetch ran is for the next one.
            **({"accepted_ids": []} if not reason and locked.accepted_ids == sync.accepted_ids else {}),
            succeeded_at=sync.succeeded_at if reason else now,
            # Asked again while the fetch ran: that is a burst, and settles first.
            next_attempt_at=Case(When(generation__gt=sync.generation, then=Value(clock.now() + SETTLE)), default=None),
        )
    # Not in the transaction above: the tick locks this row first and resources after it.
    SchedulerState.objects.filter(pk=1).exclude(offision_error="").update(offision_error="")
    return fetch


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
    lost = coming - {b.id for b in found.bookings if admits(b)} - set(sync.accepted_ids)
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
    lately = BookingFetch.objects.filter(started_at__gt=now - COUNTED_TOGETHER, vanished__gt=0)
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
    known = set(RejectedBooking.objects.filter(resource=resource_id).values_list("record_id", "reason"))
    present = {(s.record_id, str(s.reason)): s for s in found.rejected}
    if known == set(present):
        return
    RejectedBooking.objects.filter(resource=resource_id).delete()
    RejectedBooking.objects.bulk_create(
        RejectedBooking(resource_id=resource_id, record_id=s.record_id, reason=str(s.reason), raw=s.raw, seen_at=now)
        for s in present.values()
    )


def _enqueue_controllers(fetch: BookingFetch, *, changed: bool) -> None:
    """Ask for the controllers behind the resource, and remember which of their generations will answer this fetch."""
    # The disabled ones, too: as long as they are, nothing is confirmed there.
    controllers = Controller.objects.filter(doors__resources=fetch.resource_id).distinct()
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
        ControllerSync.objects.filter(pk__in=[s.pk for s in syncs]).update(
            generation=F("generation") + 1, enqueued_at=now
        )
    targets = []
    for sync in syncs:
        generation = sync.generation + (1 if changed else 0)
        targets.append(
            FetchTarget(
                fetch=fetch,
                controller_id=sync.controller_id,
                generation=generation,
                confirmed_at=now if sync.observed_generation >= generation and sync.controller.enabled else None,
            )
        )
    FetchTarget.objects.bulk_create(targets)
    if targets and all(target.confirmed_at for target in targets):
        BookingFetch.objects.filter(pk=fetch.pk).update(confirmed_at=now)
    if changed:
        from doorsync import tasks  # the tasks call this service

        for sync in syncs:
            if sync.controller.enabled:
                queue.enqueue(tasks.reconcile_controller, sync.controller_id)


def _answer_callbacks(fetch: BookingFetch) -> None:
    Callback.objects.filter(resource=fetch.resource_id, fetch__isnull=True, generation__lte=fetch.generation).update(
        fetch=fetch
    )


def _failed(sync: ResourceSync, now: datetime, error: OffisionError) -> BookingFetch:
    failures = sync.failures + 1
    problem = _("The bookings of %(resource)s could not be fetched: %(why)s Nobody's access was taken away.") % {
        "resource": sync.resource,
        "why": error.summary,
    }
    with transaction.atomic():
        fetch = BookingFetch.objects.create(
            resource=sync.resource,
            generation=sync.generation,
            cause=sync.cause or "start",
            started_at=now,
            finished_at=clock.now(),
            outcome=BookingFetch.Outcome.FAILED,
            message=problem,
        )
        if problem != sync.last_error:
            record(
                actor="portal",
                action="bookings.fetch",
                on=sync.resource,
                outcome=Outcome.FAILED,
                reasons=[error.summary],
            )
        SchedulerState.objects.filter(pk=1).exclude(offision_error=error.summary).update(offision_error=error.summary)
        wait = queue.backoff(failures) if error.retryable else queue.backoff(9)
        queue.release(sync, answered=False, failures=failures, last_error=problem, next_attempt_at=clock.now() + wait)
    log.warning("bookings could not be fetched", resource=str(sync.resource), why=error.summary)
    return fetch

"""The periodic work: the tick sends the tasks of whatever is due, and full resyncs make up for lost callbacks."""

from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Subquery

from accessmap.models import Controller, Resource
from accessmap.services import map_changes
from doorsync.models import (
    BookingFetch,
    Callback,
    ControllerSync,
    Reconciliation,
    ResourceSync,
    SchedulerState,
    StoredBooking,
)
from doorsync.work import jobs, queue, touched
from doorsync.work.problems import DISABLED_WITH_CARDS, LATE, NOT_LATE
from portal.audit.models import Outcome, record
from portal.core import clock
from portal.core.problems import Problems
from portal.core.tasks import send_task

log = structlog.get_logger(__name__)

# Callbacks that name no known resource request a full resync; many of them at once are still one.
FULL_RESYNC_AT_MOST_EVERY = timedelta(seconds=60)
SUBSCRIPTION_CHECKED_EVERY = timedelta(minutes=10)
SUBSCRIPTION_RETRIED_EVERY = timedelta(minutes=1)
# Callbacks, fetches and reconciliations are kept for a while; the audit log is what is kept for good.
KEPT_FOR = timedelta(days=90)
# An event read that starts later than this is left to the next one.
EVENT_READ_EXPIRES = 10


def tick() -> None:
    """Once a second: react to map changes, edges, full resyncs and late work, and send the tasks of what is due."""
    now = clock.now()
    with transaction.atomic():
        state = SchedulerState.objects.select_for_update(skip_locked=True).filter(pk=1).first()
        if state is None:
            return  # another tick is running
        if _full_resync_due(state, now):
            full_resync(state, now)
        _refetch_renamed()
        _enqueue_controllers(now)
        _report_late(state, now)
        _check_subscription(state, now)
        state.ticked_at = now
        state.save()
    _answer_late_callbacks()
    queue.send_due(ResourceSync.objects.all(), now)
    queue.send_due(ControllerSync.objects.filter(controller__enabled=True), now)


def _answer_late_callbacks() -> None:
    """Link callbacks to their fetch that were stored only after that fetch had begun and ended."""
    waiting = Callback.objects.filter(fetch__isnull=True, generation__lte=F("resource__sync__observed_generation"))
    answer = BookingFetch.objects.filter(
        resource=OuterRef("resource"), generation__gte=OuterRef("generation"), started_at__gte=OuterRef("received_at")
    ).order_by("generation")
    waiting.filter(Exists(answer)).update(fetch=Subquery(answer.values("pk")[:1]))


def _enqueue_controllers(now: datetime) -> None:
    """Enqueue the controllers that committed changes of the access map touch, and those at an edge."""
    at_edge = list(ControllerSync.objects.filter(next_edge_at__lte=now).values_list("pk", flat=True))
    changes = map_changes.consume()
    if changes:
        _create_missing_rows()
        touched_rows = ControllerSync.objects.filter(controller__in=touched.controllers_touched_by(changes))
        # Cards that are no longer active are removed at once, whatever delays the controller's next attempt.
        revoking = list(touched.syncs_that_hold_inactive_cards(changes).values_list("pk", flat=True))
        ordinary = {*at_edge, *touched_rows.values_list("pk", flat=True)}
    else:
        revoking, ordinary = [], set(at_edge)
    # All in one go: locked batch by batch, they would deadlock with whoever locks several controllers.
    with_disabled = ControllerSync.objects.filter(Q(pk__in={*ordinary, *revoking}) | Q(controller__enabled=False))
    list(with_disabled.select_for_update(of=("self",)).order_by("pk").values_list("pk"))
    queue.enqueue(ControllerSync.objects.filter(pk__in=ordinary), wake=False)
    queue.enqueue(ControllerSync.objects.filter(pk__in=revoking), at_once=True, wake=False)
    ControllerSync.objects.filter(pk__in=at_edge).update(next_edge_at=None)
    if changes:
        _report_disabled()


def _create_missing_rows() -> None:
    ResourceSync.objects.bulk_create(
        (ResourceSync(resource_id=pk, cause="start") for pk in _without_sync(Resource.objects.all())),
        ignore_conflicts=True,
    )
    ControllerSync.objects.bulk_create(
        (ControllerSync(controller_id=pk) for pk in _without_sync(Controller.objects.all())),
        ignore_conflicts=True,
    )


def _refetch_renamed() -> None:
    """Where staff changed a resource's id, delete its stored bookings and fetch those of the new id."""
    renamed = ResourceSync.objects.exclude(fetched_as="").exclude(fetched_as=F("resource__external_id"))
    resources = list(renamed.values_list("resource_id", flat=True))
    if resources:
        queue.enqueue(ResourceSync.objects.filter(resource__in=resources), wake=False, cause="start", fetched_as="")
        StoredBooking.objects.filter(resource__in=resources).delete()


def _report_disabled() -> None:
    """Show at a disabled controller how many cards are left in it; the log keeps when it began."""
    cards = Count("controller__cards")
    for sync in ControllerSync.objects.filter(controller__enabled=False).annotate(cards=cards).order_by("pk"):
        problems = Problems([DISABLED_WITH_CARDS(n=sync.cards)] if sync.cards else [])
        if problems != sync.last_error:
            ControllerSync.objects.filter(pk=sync.pk).update(last_error=problems)
        if problems and problems.keys != sync.last_error.keys:
            record(actor="portal", action="controller.disabled", on=sync.controller, reasons=problems)


def _check_subscription(state: SchedulerState, now: datetime) -> None:
    """Have the subscription checked: every ten minutes, every minute after an error."""
    interval = SUBSCRIPTION_RETRIED_EVERY if state.subscription_error else SUBSCRIPTION_CHECKED_EVERY
    if state.subscription_checked_at is None or now - state.subscription_checked_at >= interval:
        state.subscription_checked_at = now
        send_task("doorsync.tasks.keep_subscribed")


def _without_sync(rows: QuerySet[Resource] | QuerySet[Controller]) -> list[int]:
    return list(rows.filter(sync__isnull=True).values_list("pk", flat=True))


def _full_resync_due(state: SchedulerState, now: datetime) -> bool:
    if state.full_resync_at is None:
        return True
    since = now - state.full_resync_at
    wanted = state.full_resync_requested_at is not None and since >= FULL_RESYNC_AT_MOST_EVERY
    return wanted or since >= timedelta(seconds=settings.FULL_RESYNC_SECONDS)


def full_resync(state: SchedulerState, now: datetime) -> None:
    """Enqueue every resource and every controller, and delete rows that are older than KEPT_FOR."""
    # Resources before controllers: the lock order of queue.enqueue.
    queue.enqueue_resources(Resource.objects.values_list("pk", flat=True), cause="full_resync")
    queue.enqueue_controllers(Controller.objects.values_list("pk", flat=True))
    state.full_resync_at, state.full_resync_requested_at = now, None
    send_task("doorsync.tasks.list_resources")
    old = now - KEPT_FOR
    Callback.objects.filter(received_at__lt=old).delete()
    BookingFetch.objects.filter(started_at__lt=old).delete()
    Reconciliation.objects.filter(finished_at__lt=old).delete()
    jobs.delete_old(now)


def late_resources(now: datetime) -> QuerySet[ResourceSync]:
    """Resources whose last good fetch was longer than two full resyncs ago: the promise to converge is broken."""
    return _late(ResourceSync.objects.filter(resource__doors__isnull=False).distinct(), now)


def late_controllers(now: datetime) -> QuerySet[ControllerSync]:
    """Controllers that were last in order longer than two full resyncs ago."""
    return _late(ControllerSync.objects.filter(controller__enabled=True), now)


def _late(rows: "QuerySet[queue.Row]", now: datetime) -> "QuerySet[queue.Row]":
    promised = now - 2 * timedelta(seconds=settings.FULL_RESYNC_SECONDS)
    return rows.filter(Q(succeeded_at__lt=promised) | Q(succeeded_at__isnull=True, created_at__lt=promised))


def _report_late(state: SchedulerState, now: datetime) -> None:
    """Raise an alarm once when work is late, and cancel it once when nothing is late any more."""
    resources, controllers = late_resources(now).count(), late_controllers(now).count()
    is_late = bool(resources or controllers)
    if is_late == (state.late_since is not None):
        return
    state.late_since = now if is_late else None
    problem = LATE(resources=resources, controllers=controllers) if is_late else NOT_LATE()
    record(
        actor="portal",
        action="convergence.late" if is_late else "convergence.restored",
        on=None,
        outcome=Outcome.FAILED if is_late else Outcome.DONE,
        reasons=[problem],
    )
    (log.error if is_late else log.info)(str(problem))


def enqueue_event_reads() -> None:
    """Have the door events of every controller read; suspended ones are left until they are tried again."""
    reachable = ControllerSync.objects.filter(controller__enabled=True, suspended_until__isnull=True)
    for controller_id in reachable.values_list("controller_id", flat=True):
        send_task("doorsync.tasks.drain_events", controller_id, expires=EVENT_READ_EXPIRES)

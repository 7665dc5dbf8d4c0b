"""The periodic work: the tick that rings for whatever is due, and the full pass that makes up for lost callbacks."""

from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Subquery
from django.utils.translation import gettext as _

from accessmap.models import Controller, MapRevision, Resource
from doorsync import tasks
from doorsync.models import (
    BookingFetch,
    Callback,
    ControllerSync,
    Reconciliation,
    ResourceSync,
    SchedulerState,
    StoredBooking,
)
from doorsync.work import jobs, queue
from portal.audit.models import Outcome, record
from portal.core import clock

log = structlog.get_logger(__name__)

# Callbacks that point nowhere ask for everything; that many of them at once still are one full pass.
FULL_RESYNC_AT_MOST_EVERY = timedelta(seconds=60)
SUBSCRIPTION_CHECKED_EVERY = timedelta(minutes=10)
SUBSCRIPTION_RETRIED_EVERY = timedelta(minutes=1)
# Callbacks, fetches and reports are working papers; the audit log is what is kept.
KEEP_PAPERS = timedelta(days=90)


def tick() -> None:
    """Once a second: notice changes of the map, edges, full passes and broken promises, and ring for what is behind."""
    now = clock.now()
    with transaction.atomic():
        state = SchedulerState.objects.select_for_update(skip_locked=True).filter(pk=1).first()
        if state is None:
            return  # another tick is at it
        if _full_resync_due(state, now):
            full_resync(state, now)
        _notice_renamed()
        _notice_map(state)
        edges = list(ControllerSync.objects.filter(next_edge_at__lte=now).values_list("controller_id", flat=True))
        if edges:
            queue.enqueue_controllers(edges)
            ControllerSync.objects.filter(controller__in=edges).update(next_edge_at=None)
        _watch_promises(state, now)
        _mind_subscription(state, now)
        state.ticked_at = now
        state.save()
    _answer_latecomers()
    _ring(now)


def _answer_latecomers() -> None:
    """Callbacks that were stored only after the fetch that they were waiting for had begun and ended."""
    waiting = Callback.objects.filter(fetch__isnull=True, generation__lte=F("resource__sync__observed_generation"))
    answer = BookingFetch.objects.filter(
        resource=OuterRef("resource"), generation__gte=OuterRef("generation"), started_at__gte=OuterRef("received_at")
    ).order_by("generation")
    waiting.filter(Exists(answer)).update(fetch=Subquery(answer.values("pk")[:1]))


def _notice_map(state: SchedulerState) -> None:
    revision = MapRevision.current()
    if revision == state.map_revision:
        return
    ResourceSync.objects.bulk_create(
        (ResourceSync(resource_id=pk, cause="start") for pk in _without_sync(Resource.objects.all())),
        ignore_conflicts=True,
    )
    ControllerSync.objects.bulk_create(
        (ControllerSync(controller_id=pk) for pk in _without_sync(Controller.objects.all())),
        ignore_conflicts=True,
    )
    queue.enqueue_controllers(Controller.objects.values_list("pk", flat=True))
    _notice_disabled()
    state.map_revision = revision


def _notice_renamed() -> None:
    """Bookings belong to the id under which they were fetched: where staff changed it, they admit nobody any more."""
    renamed = ResourceSync.objects.exclude(fetched_as="").exclude(fetched_as=F("resource__external_id"))
    resources = list(renamed.values_list("resource_id", flat=True))
    if resources:
        queue.enqueue_resources(resources, cause="start")
        ResourceSync.objects.filter(resource__in=resources).update(fetched_as="")
        StoredBooking.objects.filter(resource__in=resources).delete()


def _notice_disabled() -> None:
    """Say of disabled controllers with cards in them what that means; the log keeps when it began."""
    cards = Count("controller__cards")
    for sync in ControllerSync.objects.filter(controller__enabled=False).annotate(cards=cards).order_by("pk"):
        problem = (
            _("This controller is disabled: %(n)d cards are left in it, and the portal takes none of them out.")
            % {"n": sync.cards}
            if sync.cards
            else ""
        )
        if problem != sync.last_error:
            ControllerSync.objects.filter(pk=sync.pk).update(last_error=problem)
            if problem:
                record(actor="portal", action="controller.disabled", on=sync.controller, reasons=[problem])


def _mind_subscription(state: SchedulerState, now: datetime) -> None:
    """Have the subscription looked at: every ten minutes, every minute while there is trouble with it."""
    interval = SUBSCRIPTION_RETRIED_EVERY if state.subscription_error else SUBSCRIPTION_CHECKED_EVERY
    if state.subscription_checked_at is None or now - state.subscription_checked_at >= interval:
        state.subscription_checked_at = now
        transaction.on_commit(tasks.keep_subscribed.delay)


def _without_sync(rows: QuerySet[Resource] | QuerySet[Controller]) -> list[int]:
    return list(rows.filter(sync__isnull=True).values_list("pk", flat=True))


def _full_resync_due(state: SchedulerState, now: datetime) -> bool:
    if state.full_resync_at is None:
        return True
    since = now - state.full_resync_at
    wanted = state.full_resync_wanted_at is not None and since >= FULL_RESYNC_AT_MOST_EVERY
    return wanted or since >= timedelta(seconds=settings.FULL_RESYNC_SECONDS)


def full_resync(state: SchedulerState, now: datetime) -> None:
    """Ask for every resource and every controller, and take away papers that nobody needs any more."""
    queue.enqueue_resources(Resource.objects.values_list("pk", flat=True), cause="full_resync")  # first: see asking
    queue.enqueue_controllers(Controller.objects.values_list("pk", flat=True))
    state.full_resync_at, state.full_resync_wanted_at = now, None
    transaction.on_commit(tasks.list_resources.delay)
    old = now - KEEP_PAPERS
    Callback.objects.filter(received_at__lt=old).delete()
    BookingFetch.objects.filter(started_at__lt=old).delete()
    Reconciliation.objects.filter(finished_at__lt=old).delete()
    jobs.delete_old(now)


def late_resources(now: datetime) -> QuerySet[ResourceSync]:
    """Resources whose bookings were last seen longer ago than two full passes: the promise of converging is broken."""
    return _late(ResourceSync.objects.filter(resource__doors__isnull=False).distinct(), now)


def late_controllers(now: datetime) -> QuerySet[ControllerSync]:
    """Controllers that were last in order longer ago than two full passes."""
    return _late(ControllerSync.objects.filter(controller__enabled=True), now)


def _late(rows: "QuerySet[queue.Row]", now: datetime) -> "QuerySet[queue.Row]":
    promised = now - 2 * timedelta(seconds=settings.FULL_RESYNC_SECONDS)
    return rows.filter(Q(succeeded_at__lt=promised) | Q(succeeded_at__isnull=True, created_at__lt=promised))


def _watch_promises(state: SchedulerState, now: datetime) -> None:
    """Raise the alarm once when something is late, and take it back once when nothing is any more."""
    resources, controllers = late_resources(now).count(), late_controllers(now).count()
    late = bool(resources or controllers)
    if late == (state.late_since is not None):
        return
    state.late_since = now if late else None
    sentence = (
        _("%(r)d resources and %(c)d controllers were last in order more than two full passes ago.")
        % {"r": resources, "c": controllers}
        if late
        else _("Every resource and every controller is in order again.")
    )
    record(
        actor="portal",
        action="convergence.late" if late else "convergence.restored",
        on=None,
        label=sentence,
        outcome=Outcome.FAILED if late else Outcome.DONE,
        reasons=[sentence],
    )
    (log.error if late else log.info)(sentence)


def enqueue_event_reads() -> None:
    """Have every controller's door events read; those that don't answer are left alone until they are tried again."""
    reachable = ControllerSync.objects.filter(controller__enabled=True, suspended_until__isnull=True)
    for controller_id in reachable.values_list("controller_id", flat=True):
        tasks.drain_events.apply_async((controller_id,), expires=10)


def _ring(now: datetime) -> None:
    resources = queue.due(ResourceSync.objects.all(), now)
    controllers = queue.due(ControllerSync.objects.filter(controller__enabled=True), now)
    for rows, field, task in (
        (resources, "resource_id", tasks.fetch_bookings),
        (controllers, "controller_id", tasks.reconcile_controller),
    ):
        keys = dict(rows.values_list("pk", field))
        rows.model._default_manager.filter(pk__in=keys).update(enqueued_at=now)
        for key in keys.values():
            task.delay(key)

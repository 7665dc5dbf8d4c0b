"""The durable work queue: rows that say what is to be done. Celery messages only wake the workers.

Each resource and each controller has one row (SyncWork). Whoever wants work done raises its `generation`. A worker
leases the row, works, and releases it with the generation that it observed; what was requested meanwhile stays ahead
and is done next. A thousand requests are one piece of work. A lease ends by itself, so a worker that died is replaced.
The tick sends the task again for whatever is behind: a lost message costs a moment, a doubled one nothing.
"""

import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TypeVar

from django.db import transaction
from django.db.models import Case, F, Q, QuerySet, When

from doorsync.models import ControllerSync, ResourceSync, SyncWork
from doorsync.work.problems import PORTAL_FAILED
from portal.core import clock
from portal.core.tasks import send_task

Row = TypeVar("Row", bound=SyncWork)

# Longer than any piece of work may take (see reconcile.BUDGET_SECONDS and the Offision client's deadlines).
LEASE = timedelta(seconds=180)
# A task that no worker has begun after this long is sent again.
SEND_AGAIN_AFTER = timedelta(seconds=5)


def enqueue(rows: QuerySet[Row], *, at_once: bool = False, wake: bool = True, **changes: object) -> list[int]:
    """Request work on these rows. Returns the primary keys of their resources or controllers.

    `at_once`: a person asks, so neither a back-off nor a suspension delays it. `wake`: send the task on commit; else
    the next tick does. `changes`: other fields to set. A transaction that enqueues both resources and controllers
    enqueues the resources first, so that no two wait for each other.
    """
    model = rows.model
    with transaction.atomic():
        # Everybody locks the rows in this order.
        locked = dict(rows.select_for_update(of=("self",)).order_by("pk").values_list("pk", model.subject_field))
        if at_once:
            changes["next_attempt_at"] = None
        model._default_manager.filter(pk__in=locked).update(
            generation=F("generation") + 1, enqueued_at=clock.now() if wake else None, **changes
        )
        if wake:
            for subject_id in locked.values():
                send_task(model.task_name, subject_id)
    return list(locked.values())


def waiting_generation(row: SyncWork) -> int | None:
    """The generation of a request on which no work has begun: it will answer a request made now, too. None: no such."""
    begun = row.leased_generation if row.lease_token else row.observed_generation
    return row.generation if row.generation > begun else None


def request(row: SyncWork, now: datetime, **changes: object) -> int:
    """Request work on one row that the caller has just read. Returns the generation that will answer the request.

    One UPDATE, and no lock: for a callback, whose sender waits. For any number of rows use enqueue. Nothing is
    written if an earlier request still waits. The task is sent only if a worker could lease the row
    now; else the tick sends it.
    """
    waiting = Q(lease_token__isnull=True, generation__gt=F("observed_generation")) | Q(
        lease_token__isnull=False, generation__gt=F("leased_generation")
    )
    is_leased = row.leased_until is not None and row.leased_until > now
    wake = not is_leased and (row.next_attempt_at is None or row.next_attempt_at <= now)
    if wake:
        changes["enqueued_at"] = now
    rows = type(row)._default_manager.filter(pk=row.pk).exclude(waiting)
    if rows.update(generation=F("generation") + 1, **changes) and wake:
        send_task(row.task_name, getattr(row, row.subject_field))
    return row.generation + 1


def enqueue_resources(resources: Iterable[int], *, cause: str) -> None:
    """Request a fetch of the bookings of these resources (primary keys), for the next tick to send."""
    enqueue(ResourceSync.objects.filter(resource__in=resources), wake=False, cause=cause)


def enqueue_controllers(controllers: Iterable[int]) -> None:
    """Request a reconciliation of these controllers (primary keys), for the next tick to send."""
    enqueue(ControllerSync.objects.filter(controller__in=controllers), wake=False)


def leasable(rows: QuerySet[Row], now: datetime) -> QuerySet[Row]:
    """The rows that are behind, that nobody works on, and whose next attempt is due."""
    return rows.filter(
        Q(leased_until__isnull=True) | Q(leased_until__lt=now),
        Q(next_attempt_at__isnull=True) | Q(next_attempt_at__lte=now),
        generation__gt=F("observed_generation"),
    )


def lease(rows: QuerySet[Row], now: datetime) -> Row | None:
    """Lease the one row of `rows` for this worker; None where there is nothing to do or another worker does it.

    The row's `generation` is the one to release it with.
    """
    token = uuid.uuid4()
    leased = leasable(rows, now).update(
        lease_token=token,
        leased_generation=F("generation"),
        leased_until=now + LEASE,
        started_at=now,
        next_attempt_at=now,  # not NULL: release sees whether somebody asks "at once" meanwhile
    )
    return rows.get(lease_token=token) if leased else None


def holds_lease(row: SyncWork) -> bool:
    """Whether the lease is still this worker's. Without it, further work may undo what the next worker has done."""
    rows = type(row)._default_manager.filter(pk=row.pk, lease_token=row.lease_token)
    return rows.filter(leased_until__gt=clock.now()).exists()


def release(row: SyncWork, *, observed: bool, **changes: object) -> bool:
    """Give a leased row back; `observed`: whether its generation is done. False if the lease had ended.

    A `next_attempt_at` does not delay what was enqueued at once while the work went on.
    """
    if observed:
        changes["observed_generation"] = row.generation
    if changes.get("next_attempt_at") is not None:
        at_once = When(next_attempt_at__isnull=True, generation__gt=row.generation, then=None)
        changes["next_attempt_at"] = Case(at_once, default=changes["next_attempt_at"])
    rows = type(row)._default_manager.filter(pk=row.pk, lease_token=row.lease_token)
    # A task that was sent while the work went on found the row leased, and did nothing.
    return bool(rows.update(lease_token=None, leased_until=None, enqueued_at=None, **changes))


@contextmanager
def release_on_error(row: SyncWork) -> Iterator[None]:
    """While a leased row is worked on: after an error that nobody foresaw, the row says so and is tried again later."""
    try:
        yield
    except Exception as error:
        release(
            row,
            observed=False,
            failures=row.failures + 1,
            last_error=PORTAL_FAILED(error=type(error).__name__),
            next_attempt_at=clock.now() + backoff(row.failures + 1),
        )
        raise


def due(rows: QuerySet[Row], now: datetime) -> QuerySet[Row]:
    """The leasable rows for which no task was sent, or for which the one that was sent did not help."""
    return leasable(rows, now).filter(
        Q(enqueued_at__isnull=True)
        | Q(enqueued_at__lte=F("started_at"))
        | Q(enqueued_at__lt=F("next_attempt_at"))
        | Q(enqueued_at__lt=now - SEND_AGAIN_AFTER)
    )


def send_due(rows: QuerySet[Row], now: datetime) -> None:
    """Send the task of every row that is due."""
    subjects = dict(due(rows, now).values_list("pk", rows.model.subject_field))
    rows.model._default_manager.filter(pk__in=subjects).update(enqueued_at=now)
    for subject_id in subjects.values():
        send_task(rows.model.task_name, subject_id)


def backoff(failures: int) -> timedelta:
    """How long to wait after so many failures in a row: 2 s, doubling, 5 minutes at the most."""
    return timedelta(seconds=min(2 ** min(failures, 9), 300))

"""The asked-for counters: who wants a look at what, who is having one, and who rings whom.

A worker *claims* a row, notes how far `requested` has come, works, and *finishes* with that number as `done`. What is
asked for in the meantime stays ahead of `done` and gets a look of its own. A thousand askers are one look. A claim
lapses by itself, so a worker that died is replaced. The tick rings again for whatever is behind: a lost
message costs a moment, a doubled one nothing.
"""

import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils.translation import gettext as _

from doorsync.models import ControllerSync, ResourceSync, SyncWork
from portal.core import clock

Row = TypeVar("Row", bound=SyncWork)

# Longer than any piece of work may take (see reconcile.BUDGET_SECONDS and the client's deadlines).
LEASE = timedelta(seconds=180)
# A doorbell that nobody answered for so long is rung again.
ENQUEUE_AGAIN = timedelta(seconds=5)


def enqueue_resources(resources: Iterable[int], *, cause: str) -> None:
    """Ask for a fresh look at the bookings of these resources (primary keys). The tick rings.

    Whoever asks for resources and controllers in one transaction asks for the resources first, as a fetch does.
    """
    rows = ResourceSync.objects.filter(resource__in=resources)
    _in_order(rows).update(generation=F("generation") + 1, cause=cause, enqueued_at=None)


def enqueue_controllers(controllers: Iterable[int]) -> None:
    """Ask for these controllers (primary keys) to be reconciled. The tick rings."""
    rows = ControllerSync.objects.filter(controller__in=controllers)
    _in_order(rows).update(generation=F("generation") + 1, enqueued_at=None)


def _in_order(rows: QuerySet[Row]) -> QuerySet[Row]:
    """The rows, locked in the order in which everybody locks them, so that no two wait for each other."""
    with transaction.atomic():
        keys = list(rows.select_for_update(of=("self",)).order_by("pk").values_list("pk", flat=True))
    return rows.model._default_manager.filter(pk__in=keys)


def enqueue_now(rows: QuerySet[Row]) -> None:
    """Ask for these rows on a person's word: neither a back-off nor a suspension makes them wait."""
    rows.update(generation=F("generation") + 1, enqueued_at=None, next_attempt_at=None)


def leasable(rows: QuerySet[Row], now: datetime) -> QuerySet[Row]:
    """Those that are behind, that nobody works on, and that need not wait."""
    return rows.filter(
        Q(leased_until__isnull=True) | Q(leased_until__lt=now),
        Q(next_attempt_at__isnull=True) | Q(next_attempt_at__lte=now),
        generation__gt=F("observed_generation"),
    )


def lease(rows: QuerySet[Row], now: datetime) -> Row | None:
    """Take the one row of `rows` for this worker, or None where there is nothing to do or somebody does it.

    The row's `requested` is the generation to finish with.
    """
    token = uuid.uuid4()
    taken = leasable(rows, now).update(
        lease_token=token, leased_generation=F("generation"), leased_until=now + LEASE, started_at=now
    )
    return rows.get(lease_token=token) if taken else None


def holds_lease(row: SyncWork) -> bool:
    """Whether a claim holds now. Who works on without it may undo what its heir has done."""
    rows = type(row)._default_manager.filter(pk=row.pk, lease_token=row.lease_token)
    return rows.filter(leased_until__gt=clock.now()).exists()


def release(row: SyncWork, *, answered: bool, **changes: object) -> bool:
    """Give a claimed row back; `answered` says whether its generation is done. False if the claim had lapsed."""
    if answered:
        changes["observed_generation"] = row.generation
    rows = type(row)._default_manager.filter(pk=row.pk, lease_token=row.lease_token)
    # Whoever rang while the work went on was not heard.
    return bool(rows.update(lease_token=None, leased_until=None, enqueued_at=None, **changes))


@contextmanager
def release_on_error(row: SyncWork) -> Iterator[None]:
    """While a claimed row is worked on: should the work break in a way nobody foresaw, the row says so and waits."""
    try:
        yield
    except Exception as error:
        release(
            row,
            answered=False,
            failures=row.failures + 1,
            last_error=_("The portal itself failed here (%(error)s); its log has the details. It will try again.")
            % {"error": type(error).__name__},
            next_attempt_at=clock.now() + backoff(row.failures + 1),
        )
        raise


def enqueue(task: Any, key: int) -> None:
    """Wake a worker once this transaction is committed. A broker that is down is logged: the tick rings again."""
    transaction.on_commit(partial(task.delay, key), robust=True)


def due(rows: QuerySet[Row], now: datetime) -> QuerySet[Row]:
    """Those claimable for which nobody has rung, or for which ringing did not help."""
    return leasable(rows, now).filter(
        Q(enqueued_at__isnull=True)
        | Q(enqueued_at__lte=F("started_at"))
        | Q(enqueued_at__lt=F("next_attempt_at"))
        | Q(enqueued_at__lt=now - ENQUEUE_AGAIN)
    )


def backoff(failures: int) -> timedelta:
    """How long to wait after so many failures in a row: 2 s, doubling, 5 minutes at the most."""
    return timedelta(seconds=min(2 ** min(failures, 9), 300))

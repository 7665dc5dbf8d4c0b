"""Doors opened on request, one moment at a time.

With Capabilities.pulse_shows, the relay that opens a door for a moment also holds it unlocked. While the moment lasts,
such a controller reports the door as held unlocked, which no booking may rely on. So the moment is stored before it
begins. Reconciliation leaves the door alone until the moment is over, and acts again then: a door that is still
unlocked by mistake is known to be the portal's, and is locked.

A person or a turnstile waits for the answer, and so does a thread of the web server: after UNLOCK_SECONDS the outcome
is unknown, whatever the controller's own time-out is.
"""

import math
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from threading import Thread
from typing import Any, TypeVar

from django.db import IntegrityError, close_old_connections, connection, transaction
from django.db.models import Min, Value
from django.db.models.functions import Least

from accessmap.models import Controller, Door
from doorsync.controllers.problems import (
    CANNOT_UNLOCK,
    CONTROLLER_DISABLED,
    NO_ANSWER_IN_TIME,
    UNLOCKED_LATE,
)
from doorsync.drivers import driver_for
from doorsync.drivers.base import Driver, DriverError, Unknown, Unreachable
from doorsync.models import ControllerCard, ControllerHold, ControllerSync, UnlockRequest
from portal.audit.models import Outcome, record
from portal.core import clock
from portal.core.problems import Problem, problem_of

KEYS_KEPT_FOR = timedelta(days=1)
# From the request until its answer, in all.
UNLOCK_SECONDS = 2.0

T = TypeVar("T")


def open_for_a_moment(door: Door, *, milliseconds: int, key: str, actor: str, reason: str = "") -> bool | None:
    """Unlock a door once for so long, in whole seconds. Returns whether it did; None if nobody knows.

    Returns within UNLOCK_SECONDS. The audit log has the outcome; if the controller unlocks the door only later, it has
    another entry then. Never repeated, even after an unknown outcome: a door that opens twice lets two in. `key` names
    this one moment to controllers that know such keys; `reason` is a person's. settings.OPEN_DOOR names this function.
    """
    problem: Problem | None = None
    opened: bool | None = False
    detail: dict[str, Any] = {"key": key, **({"reason": reason} if reason else {})}

    @transaction.atomic
    def note(outcome: Outcome, *reasons: Problem) -> None:
        record(actor=actor, action="door.pulse", on=door, outcome=outcome, reasons=reasons, detail=detail)

    if not door.controller.enabled:
        problem = CONTROLLER_DISABLED(controller=str(door.controller))
    else:
        try:
            bounded = BoundedDriver(driver_for(door.controller, clock.now()), seconds=UNLOCK_SECONDS)
            try:
                if bounded.driver.capabilities.pulse:
                    seconds = max(1, math.ceil(milliseconds / 1000))
                    note_late = partial(note, Outcome.DONE, UNLOCKED_LATE())
                    if not _pulse(bounded, door, seconds=seconds, key=key, note_late=note_late):
                        detail["stood_unlocked"] = True
                    opened = True
                else:
                    problem = CANNOT_UNLOCK(controller=str(door.controller))
            finally:
                bounded.close()
        except Unknown as error:
            problem, opened = problem_of(error), None
        except DriverError as error:
            problem = problem_of(error)
    if problem is not None:
        note(Outcome.FAILED, problem)
    else:
        note(Outcome.DONE)
    return opened


class BoundedDriver:
    """A driver whose calls together take no longer than so many seconds. Each call runs in a thread of its own."""

    def __init__(self, driver: Driver, *, seconds: float) -> None:
        self.driver = driver
        self._until = time.monotonic() + seconds
        self._abandoned: Future[Any] | None = None

    def call(self, function: Callable[[], T], *, late: Callable[[], None] | None = None) -> T:
        """What the function returns. Raises Unknown when the time is up; `late` runs if it succeeds after that.

        The function must not use the database: it would see another transaction.
        """
        future: Future[T] = Future()

        def run() -> None:
            try:
                result = function()
            except BaseException as error:
                future.set_exception(error)
            else:
                future.set_result(result)

        def note_if_done(ended: Future[T]) -> None:
            if late is not None and ended.exception() is None:
                _in_a_connection_of_its_own(late)

        Thread(target=run, name="unlock", daemon=True).start()
        try:
            return future.result(timeout=max(0.0, self._until - time.monotonic()))
        except TimeoutError:
            if future.done():
                return future.result()  # it ended at the last moment, or raised a TimeoutError of its own
            self._abandoned = future
            future.add_done_callback(note_if_done)
            raise Unknown(NO_ANSWER_IN_TIME(seconds=UNLOCK_SECONDS)) from None

    def close(self) -> None:
        """Close the driver: at once, or when its abandoned call has ended."""
        if self._abandoned is None:
            self.driver.close()
        else:
            self._abandoned.add_done_callback(lambda _ended: self.driver.close())


def _in_a_connection_of_its_own(function: Callable[[], None]) -> None:
    close_old_connections()
    try:
        function()
    finally:
        connection.close()


def is_first(key: str) -> bool:
    """Whether this key (a UUID) was never used before; it is used from now on. Of two at the same moment one is first.

    Keys are deleted after a day: nobody presses a button on a page that old.
    """
    now = clock.now()
    UnlockRequest.objects.filter(at__lt=now - KEYS_KEPT_FOR).delete()
    try:
        with transaction.atomic():
            UnlockRequest.objects.create(key=key, at=now)
    except IntegrityError:
        return False
    return True


def _pulse(bounded: BoundedDriver, door: Door, *, seconds: int, key: str, note_late: Callable[[], None]) -> bool:
    """Unlock the door for a moment. False if it is held unlocked already: the end of a moment would lock it."""
    driver = bounded.driver

    def pulse() -> None:
        driver.pulse(door.number, seconds=seconds, key=key)

    if not driver.capabilities.pulse_shows:
        bounded.call(pulse, late=note_late)
        return True
    if _is_held(bounded, door):
        return False
    with noted(door, seconds=seconds):
        bounded.call(pulse, late=note_late)
    return True


def _is_held(bounded: BoundedDriver, door: Door) -> bool:
    try:
        holds = bounded.call(bounded.driver.read).holds
    except Unknown as error:
        raise Unreachable(error.problem) from error  # it was only read: nothing has happened
    return door.number in holds and door.number not in under_way(door.controller, clock.now())


State = ControllerCard.State

# The request takes time: a moment may begin and end so much later than the portal counts.
MARGIN = timedelta(seconds=2)


def under_way(controller: Controller, now: datetime) -> frozenset[int]:
    """The doors (numbers) that may stand unlocked for a moment at `now`. Call it after the controller was read."""
    rows = ControllerHold.objects.filter(controller=controller, open_until__gt=now)
    return frozenset(rows.values_list("door_number", flat=True))


def next_end(controller: Controller, *, after: datetime) -> datetime | None:
    """The end of the first moment that lasts beyond `after`; None if there is none."""
    rows = ControllerHold.objects.filter(controller=controller, open_until__gt=after)
    end: datetime | None = rows.aggregate(end=Min("open_until"))["end"]
    return end


@contextmanager
def noted(door: Door, *, seconds: int) -> Iterator[None]:
    """While a door is unlocked for so many seconds: store that first, and have the controller reconciled afterwards.

    If the controller surely did nothing, the row is restored. If nobody knows, the portal keeps watching the door for a
    while (store.WATCHED_FOR): a request may arrive late.
    """
    now = clock.now()
    until = now + timedelta(seconds=seconds) + MARGIN
    with transaction.atomic():
        # Locked before the hold, as when a result is saved: either that sees this row, or this moves its next edge.
        sync = ControllerSync.objects.filter(controller=door.controller_id)
        list(sync.select_for_update().values_list("pk"))
        hold, created = ControllerHold.objects.get_or_create(
            controller_id=door.controller_id,
            door_number=door.number,
            defaults={"state": State.PENDING, "changed_at": now},
        )
        before = State.IN_STEP if created else hold.state
        mine = ControllerHold.objects.filter(pk=hold.pk)
        mine.update(open_until=until, state=State.PENDING, changed_at=now)
        sync.update(next_edge_at=Least("next_edge_at", Value(until)))
    mine = mine.filter(open_until=until)  # unless another moment began meanwhile
    try:
        yield
    except Unknown:
        raise
    except DriverError:
        if created:
            mine.delete()
        else:
            mine.update(state=before)
        raise
    mine.update(state=before)

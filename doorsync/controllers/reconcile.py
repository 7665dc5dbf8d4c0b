"""Make a controller hold what the bookings say: plan, write the intents, apply, read back what is uncertain, save."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from doorsync.controllers import store
from doorsync.controllers.planning import plan_for
from doorsync.controllers.problems import (
    CLOCK_NOT_SETTABLE,
    CLOCK_OFF,
    DEVICE_TAKEN,
    FULL,
    OTHER_DEVICE,
    OUT_OF_TIME,
    OVERTAKEN,
    STOPPED_ANSWERING,
)
from doorsync.controllers.result import SUSPEND_AFTER, Device, ReconcileResult
from doorsync.drivers import driver_for
from doorsync.drivers.base import BadOptions, DeviceInfo, Driver, DriverError, Refused, Unknown, Unreachable
from doorsync.models import ControllerSync
from doorsync.policy.plan import Change, Kind, Plan, Target
from doorsync.policy.windows import DoorWindows, without_lapsed
from doorsync.work import queue
from portal.core import clock
from portal.core.problems import Problem, problem_of

log = structlog.get_logger(__name__)

# Writing ends after this; the rest is written in the next reconciliation. Well below queue.LEASE.
BUDGET_SECONDS = 45
# After this many writes in a row without an answer, the controller counts as gone.
GIVE_UP_AFTER = 3
REFUSED_AGAIN_AFTER = timedelta(seconds=15)
CLOCK_TOLERANCE = timedelta(minutes=1)
# A device that is back is noticed within this time; asking a dead one costs one time-out.
LONGEST_SUSPENSION = timedelta(minutes=1)


def reconcile_controller(controller_id: int) -> ReconcileResult | None:
    """Reconcile one controller (primary key). None where there is nothing to do or another worker does it."""
    now = clock.now()
    rows = ControllerSync.objects.filter(controller=controller_id, controller__enabled=True)
    sync = queue.lease(rows.select_related("controller__site"), now)
    if sync is None:
        return None
    with queue.release_on_error(sync):
        result = _reconcile(sync, now)
        if not result.in_step:
            log.warning(
                "controller is not in order",
                controller=sync.controller.name,
                error=str(result.error or ""),
                failed=len(result.failed),
                unconfirmed=len(result.unconfirmed),
            )
        store.save(sync, result, next_attempt_at=_next_attempt(sync, result, clock.now()))
        return result


def _reconcile(sync: ControllerSync, now: datetime) -> ReconcileResult:
    try:
        driver = driver_for(sync.controller, now)
    except BadOptions as error:
        return ReconcileResult(now, error=problem_of(error))
    device, deadline = Device(), time.monotonic() + BUDGET_SECONDS
    try:
        info = driver.info()
        device = Device(info.firmware, info.serial)
        if wrong := _wrong_device(sync, info):
            return ReconcileResult(now, error=wrong, device=device)
        warnings: tuple[Problem, ...] = ()
        if info.time is not None:
            skew = info.time - clock.now()
            device = replace(device, clock_skew_seconds=skew.total_seconds())
            warnings = _set_clock(driver, skew)
        planned = plan_for(sync, driver, info, now)
        store.write_intents(sync.controller, planned.plan, now)
        result = apply(planned.plan, driver, deadline=deadline, may_go_on=lambda: queue.holds_lease(sync), now=now)
        return replace(
            result, next_edge_at=planned.next_edge_at, warnings=(*warnings, *planned.warnings), device=device
        )
    except DriverError as error:
        reached = not isinstance(error, Unreachable | Unknown)
        return ReconcileResult(now, error=problem_of(error), reached=reached, device=device)
    finally:
        driver.close()


def _wrong_device(sync: ControllerSync, info: DeviceInfo) -> Problem | None:
    """Why nothing is written: another device answers, or the device belongs to another controller."""
    if sync.serial and info.serial != sync.serial:
        return OTHER_DEVICE(new=info.serial or "?", old=sync.serial)
    twin = ControllerSync.objects.filter(serial=info.serial).exclude(pk=sync.pk).select_related("controller").first()
    if info.serial and twin is not None:
        return DEVICE_TAKEN(serial=info.serial, twin=twin.controller)
    return None


def _set_clock(driver: Driver, skew: timedelta) -> tuple[Problem, ...]:
    """Set a clock that is off; a warning where that is not possible."""
    if abs(skew) <= CLOCK_TOLERANCE:
        return ()
    why = CLOCK_NOT_SETTABLE()
    if driver.capabilities.sets_clock:
        try:
            driver.set_clock(clock.now())
        except (Refused, Unknown) as error:
            why = problem_of(error)
        else:
            return ()
    return (CLOCK_OFF(seconds=int(skew.total_seconds()), why=why),)


def apply(
    plan: Plan, driver: Driver, *, deadline: float, may_go_on: Callable[[], bool], now: datetime
) -> ReconcileResult:
    """Make the plan's changes until `deadline` (time.monotonic()), and read back those without an answer."""
    failed: dict[Target, Problem] = {card: FULL(n=plan.capacity) for card in sorted(plan.no_room)}
    unconfirmed: dict[Target, Problem] = {}
    done: list[Change] = []
    error: Problem | None = None
    reached, silent = True, 0
    for position, change in enumerate(plan.changes):
        left = len(plan.changes) - position
        if silent >= GIVE_UP_AFTER or time.monotonic() > deadline:
            error, reached = (STOPPED_ANSWERING(n=left), False) if silent else (OUT_OF_TIME(n=left), True)
            break
        if not may_go_on():
            error = OVERTAKEN()
            break
        try:
            _write(driver, change)
        except Refused as refusal:
            failed[change.target] = problem_of(refusal)
            silent = 0
        except Unknown as unknown:
            unconfirmed[change.target] = problem_of(unknown)
            silent += 1
        except Unreachable as unreachable:
            error, reached = problem_of(unreachable), False
            break
        else:
            done.append(change)
            silent = 0
    if unconfirmed and driver.capabilities.lists_cards:
        try:
            seen = _read_back(driver, plan, unconfirmed, now)
        except DriverError as unread:
            error, reached = problem_of(unread), not isinstance(unread, Unreachable | Unknown)
        else:
            done += seen
            for change in seen:
                del unconfirmed[change.target]
    return ReconcileResult(
        now, plan=plan, done=tuple(done), failed=failed, unconfirmed=unconfirmed, error=error, reached=reached
    )


def _write(driver: Driver, change: Change) -> None:
    if isinstance(change.target, int):
        driver.hold(change.target, change.record.get(change.target, ()))
    elif change.kind is Kind.REMOVE:
        driver.remove(change.target)
    else:
        driver.put(change.target, change.record)


def _read_back(driver: Driver, plan: Plan, unconfirmed: "dict[Target, Problem]", now: datetime) -> list[Change]:
    """The changes without an answer that the controller made all the same: a time-out is unknown, not refused."""
    actual = driver.read()

    def present(target: Target) -> DoorWindows:
        if isinstance(target, int):
            return {door: windows for door, windows in actual.holds.items() if door == target}
        return actual.cards.get(target, {})

    return [
        change
        for change in plan.changes
        if change.target in unconfirmed and without_lapsed(present(change.target), now) == change.record
    ]


def _next_attempt(sync: ControllerSync, result: ReconcileResult, now: datetime) -> datetime | None:
    """When to try again; None where the controller is in order."""
    if result.in_step:
        return None
    if not result.reached and sync.unreachable + 1 >= SUSPEND_AFTER:
        beyond = min(sync.unreachable + 1 - SUSPEND_AFTER, 10)
        return now + min(timedelta(seconds=30 * 2**beyond), LONGEST_SUSPENSION)
    wait: timedelta = queue.backoff(sync.failures + 1)
    if not result.reached:
        return now + wait
    # It answers: one card that it refuses must not delay the other changes, and the edges, for minutes.
    soon: datetime = now + min(wait, REFUSED_AGAIN_AFTER)
    return max(min(soon, result.next_edge_at), now) if result.next_edge_at else soon

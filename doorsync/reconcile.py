"""Make a controller hold what the bookings say: read, diff, apply, read back what is uncertain, report."""

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.utils.translation import gettext as _

from accessmap.models import Card
from doorsync import asking, ledger
from doorsync.desired import desired_for
from doorsync.diff import Diff, diff, revoked, too_many, without_lapsed
from doorsync.drivers import driver_for
from doorsync.drivers.base import (
    Actual,
    BadOptions,
    Driver,
    DriverError,
    Full,
    Record,
    Refused,
    Unknown,
    Unreachable,
)
from doorsync.models import ControllerCard, ControllerSync
from doorsync.planning import Desired, next_edge, windows
from doorsync.rounds import SUSPEND_AFTER, Round, door_name
from portal import clock

log = structlog.get_logger(__name__)

# One round may take so long; what is left then is done in the next. Well below asking.LEASE.
BUDGET_SECONDS = 45
# So many writes in a row without an answer, and the round is over: the controller has gone.
GIVE_UP_AFTER = 3
REFUSED_AGAIN_AFTER = timedelta(seconds=15)
CLOCK_TOLERANCE = timedelta(minutes=1)
LONGEST_SUSPENSION = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class _Change:
    kind: str  # removed, updated, added; the order in which they are made
    name: str
    record: Record
    write: Callable[[], None]
    hold_door: int | None = None


def reconcile_controller(controller_id: int) -> Round | None:
    """Reconcile one controller (primary key). None where nobody asked for it, or somebody does it already."""
    now = clock.now()
    rows = ControllerSync.objects.filter(controller=controller_id, controller__enabled=True)
    sync = asking.claim(rows.select_related("controller"), now)
    if sync is None:
        return None
    with asking.given_back(sync):
        desired = desired_for(sync.controller, now)
        outcome = Round(started_at=now)
        try:
            driver = driver_for(sync.controller)
        except BadOptions as error:
            outcome.trouble = str(error)
            return _finish(sync, desired, outcome)
        try:
            _work(driver, sync, desired, outcome)
        except DriverError as error:
            outcome.trouble = str(error)
            outcome.reached = not isinstance(error, Unreachable | Unknown)
        finally:
            driver.close()
        return _finish(sync, desired, outcome)


def _work(driver: Driver, sync: ControllerSync, desired: Desired, outcome: Round) -> None:
    now = outcome.started_at
    info = driver.info()
    outcome.firmware = info.firmware
    if info.time is not None:
        _mind_clock(driver, info.time, outcome)
    actual = driver.read()
    outcome.read, outcome.present = True, frozenset(actual.cards)
    rows = ledger.load(sync.controller)
    wanted = {
        card: record
        for card, doors in desired.cards.items()
        if (record := driver.encode({d: windows(found) for d, found in doors.items()}, now))
    }
    wanted_holds = driver.encode_hold({d: windows(f) for d, f in desired.unlocked.items()}, now)
    cards = diff(wanted, actual.cards, rows.keys(), now=now)
    holds = diff(
        {door: {door: found} for door, found in wanted_holds.items()},
        {door: {door: found} for door, found in actual.holds.items()},
        ledger.owned_holds(sync.controller),
        now=now,
    )
    outcome.unchanged = len(cards.unchanged)
    outcome.unmanaged = dict(cards.unmanaged)
    # Wanted at any time, not only now: on a box without windows a card may be wanted tomorrow.
    outcome.contested = frozenset(cards.unmanaged.keys() & desired.cards.keys())
    for card in cards.unchanged:
        if rows[card].state != ControllerCard.State.IN_STEP:
            outcome.done["confirmed", card] = wanted[card]  # written in a round that did not live to see it
    if driver.capabilities.acts_at_edges:
        outcome.next_edge_at = next_edge(desired, now)
    _hold_back(sync, rows, desired, outcome)
    if driver.capabilities.acts_at_edges and outcome.held:
        # What is held was promised until some moment, too; nothing is held beyond that.
        promises = ledger.promised({card: rows[card] for card in outcome.held})
        edges = [w.end for doors in promises.values() for found in doors.values() for w in found if w.end]
        outcome.next_edge_at = min([e for e in (*edges, outcome.next_edge_at) if e and e > now], default=None)
    ledger.write_intents(sync.controller, rows, desired, cards, holds, now=now)
    changes = _changes(driver, cards, holds, held=outcome.held)
    changes = _within_capacity(changes, actual, info.capacity, outcome)
    _apply(changes, outcome, may_go_on=lambda: asking.still_ours(sync))
    if outcome.unconfirmed:
        _read_back(driver, changes, outcome)


def _mind_clock(driver: Driver, theirs: datetime, outcome: Round) -> None:
    skew = theirs - clock.now()
    outcome.clock_skew = skew.total_seconds()
    if abs(skew) > CLOCK_TOLERANCE and driver.capabilities.sets_clock:
        driver.set_clock(clock.now())


def _hold_back(sync: ControllerSync, rows: Mapping[str, ControllerCard], desired: Desired, outcome: Round) -> None:
    """Keep a plan that would take too much away at once for a person to approve; the rest of it goes ahead."""
    before = ledger.promised(rows)
    lost = revoked(before, desired.cards.keys(), now=outcome.started_at)
    # What the card itself forbids, being lost, returned, expired or gone, waits for nobody's approval.
    lost &= set(Card.usable(outcome.started_at).filter(number__in=lost).values_list("number", flat=True))
    alive = sum(1 for doors in before.values() if without_lapsed(doors, outcome.started_at))
    if not too_many(revoked=len(lost), before=alive, limit=settings.HOLD_REVOCATIONS_OVER):
        return
    digest = hashlib.sha256("\n".join(sorted(lost)).encode()).hexdigest()
    outcome.approval_stands = digest == sync.approved_digest
    if not outcome.approval_stands:
        outcome.held, outcome.digest = lost, digest


def _changes(driver: Driver, cards: Diff[str], holds: Diff[int], *, held: frozenset[str]) -> list[_Change]:
    """Removals first: they free room, and what is taken away must not wait for what is given."""

    def put(card: str, record: Record) -> Callable[[], None]:
        return lambda: driver.put(card, record)

    def remove(card: str) -> Callable[[], None]:
        return lambda: driver.remove(card)

    def hold(door: int, record: Record) -> Callable[[], None]:
        return lambda: driver.hold(door, record.get(door, ()))

    return [
        *(_Change("removed", c, {}, remove(c)) for c in sorted(cards.remove - held)),
        *(_Change("held", door_name(d), {}, hold(d, {}), d) for d in sorted(holds.remove)),
        *(_Change("updated", c, r, put(c, r)) for c, r in sorted(cards.update.items())),
        *(_Change("added", c, r, put(c, r)) for c, r in sorted(cards.add.items())),
        *(_Change("held", door_name(d), r, hold(d, r), d) for d, r in sorted({**holds.update, **holds.add}.items())),
    ]


def _within_capacity(changes: list[_Change], actual: Actual, capacity: int | None, outcome: Round) -> list[_Change]:
    """Leave out the cards for which a full controller has no room, and say so, before writing anything."""
    if capacity is None:
        return changes
    room = capacity - len(actual.cards) + sum(1 for c in changes if c.kind == "removed")
    kept = []
    for change in changes:
        if change.kind == "added":
            room -= 1
            if room < 0:
                outcome.failed[change.name] = _("The controller is full: it has room for %(n)d cards.") % {
                    "n": capacity
                }
                continue
        kept.append(change)
    return kept


def _apply(changes: list[_Change], outcome: Round, *, may_go_on: Callable[[], bool]) -> None:
    deadline = time.monotonic() + BUDGET_SECONDS
    silent = 0
    for position, change in enumerate(changes):
        if time.monotonic() > deadline or silent >= GIVE_UP_AFTER:
            left = len(changes) - position
            outcome.trouble = (
                _("The controller stopped answering; %(n)d changes wait for the next round.") % {"n": left}
                if silent
                else _("Time was up; %(n)d changes wait for the next round.") % {"n": left}
            )
            outcome.reached = not silent
            return
        if not may_go_on():
            outcome.trouble = _("This round took too long, and another one has taken its place.")
            return
        try:
            change.write()
        except (Refused, Full) as error:
            outcome.failed[change.name] = str(error)
            silent = 0
        except Unknown as error:
            outcome.unconfirmed[change.name] = str(error)
            silent += 1
        except Unreachable as error:
            outcome.trouble, outcome.reached = str(error), False
            return
        else:
            _note(change, outcome)
            silent = 0


def _read_back(driver: Driver, changes: list[_Change], outcome: Round) -> None:
    """A time-out is unknown, not refused: see what the controller made of it."""
    actual = driver.read()
    for change in changes:
        if change.name not in outcome.unconfirmed:
            continue
        if change.hold_door is not None:
            there: Record = {d: w for d, w in actual.holds.items() if d == change.hold_door}
        else:
            there = actual.cards.get(change.name, {})
        if without_lapsed(there, outcome.started_at) == change.record:
            del outcome.unconfirmed[change.name]
            _note(change, outcome)


def _note(change: _Change, outcome: Round) -> None:
    if change.hold_door is not None:
        outcome.holds_done[change.hold_door] = change.record
    else:
        outcome.done[change.kind, change.name] = change.record


def _finish(sync: ControllerSync, desired: Desired, outcome: Round) -> Round:
    now = clock.now()
    if outcome.in_order:
        ledger.close_round(sync, desired, outcome, not_before=None)
        return outcome
    wait = asking.backoff(sync.failures + 1)
    if outcome.reached:
        # It answers: one card that it refuses must not make the others' changes, and edges, wait for minutes.
        wait = min(wait, REFUSED_AGAIN_AFTER)
    not_before = now + wait
    if outcome.reached and outcome.next_edge_at is not None:
        not_before = max(min(not_before, outcome.next_edge_at), now)
    if not outcome.reached and sync.unreachable + 1 >= SUSPEND_AFTER:
        beyond = sync.unreachable + 1 - SUSPEND_AFTER
        not_before = now + min(timedelta(seconds=30) * 2 ** min(beyond, 10), LONGEST_SUSPENSION)
    log.warning(
        "controller is not in order",
        controller=sync.controller.name,
        trouble=outcome.trouble,
        failed=len(outcome.failed),
        unconfirmed=len(outcome.unconfirmed),
    )
    ledger.close_round(sync, desired, outcome, not_before=not_before)
    return outcome

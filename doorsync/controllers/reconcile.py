"""Make a controller hold what the bookings say: read, diff, apply, read back what is uncertain, report."""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.utils.translation import gettext as _

from accessmap.models import Card
from doorsync.controllers import preview, store, unlock
from doorsync.controllers.desired import desired_for
from doorsync.controllers.result import SUSPEND_AFTER, Round, door_name
from doorsync.drivers import driver_for
from doorsync.drivers.base import (
    Actual,
    BadOptions,
    DeviceInfo,
    Driver,
    DriverError,
    Encoded,
    Full,
    Hold,
    Refused,
    Unknown,
    Unreachable,
)
from doorsync.models import ControllerCard, ControllerSync
from doorsync.policy.diff import Diff, alive, diff, without_lapsed
from doorsync.policy.naive_clock import next_change
from doorsync.policy.plan import Desired, keeping, next_edge
from doorsync.policy.safety import at_stake, ends, revoked, too_many
from doorsync.policy.windows import Permission, Record
from doorsync.work import queue
from portal.core import clock

log = structlog.get_logger(__name__)

# One round may take so long; what is left then is done in the next. Well below asking.LEASE.
BUDGET_SECONDS = 45
# So many writes in a row without an answer, and the round is over: the controller has gone.
GIVE_UP_AFTER = 3
REFUSED_AGAIN_AFTER = timedelta(seconds=15)
# So many bookings are named in a sentence.
NAMED_AT_MOST = 10
CLOCK_TOLERANCE = timedelta(minutes=1)
# A box that is back is noticed within so long; asking a dead one costs a time-out and nothing else.
LONGEST_SUSPENSION = timedelta(minutes=1)


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
    sync = queue.lease(rows.select_related("controller__site"), now)
    if sync is None:
        return None
    with queue.release_on_error(sync):
        outcome = Round(started_at=now, desired=desired_for(sync.controller, now))
        try:
            driver = driver_for(sync.controller, now)
        except BadOptions as error:
            outcome.last_error = str(error)
            return _finish(sync, outcome)
        try:
            _work(driver, sync, outcome)
        except DriverError as error:
            outcome.last_error = str(error)
            outcome.reached = not isinstance(error, Unreachable | Unknown)
        finally:
            driver.close()
        return _finish(sync, outcome)


def _work(driver: Driver, sync: ControllerSync, outcome: Round) -> None:
    now, deadline = outcome.started_at, time.monotonic() + BUDGET_SECONDS
    info = driver.info()
    outcome.firmware, outcome.serial = info.firmware, info.serial
    if not _is_the_box(sync, info, outcome):
        return
    if info.time is not None:
        _mind_clock(driver, info.time, outcome)
    rows = store.load(sync.controller)
    actual = driver.read() if driver.capabilities.lists_cards else store.as_written(sync.controller, rows)
    outcome.read, outcome.present = True, frozenset(actual.cards)
    _hold_back(sync, rows, actual, outcome)
    desired = outcome.desired
    encoded, wanted_holds = preview.wanted(driver, desired)
    wanted = encoded.records
    if desired.cards and not driver.capabilities.holds_cards:
        outcome.warnings.append(
            _("%(n)d cards may pass its doors, and this controller holds no cards.") % {"n": len(desired.cards)}
        )
        wanted, desired = {}, Desired(unlocked=desired.unlocked)
        outcome.desired = desired
    if wanted_holds and driver.capabilities.hold is Hold.NO:
        outcome.warnings.append(_("A booking admits anyone, and this controller can't hold a door unlocked."))
        wanted_holds = {}
    cards = diff(wanted, actual.cards, rows.keys(), now=now)
    owned_holds = store.owned_holds(sync.controller)
    leaving = unlock.under_way(sync.controller, now)
    holds = preview.diff_of_holds(wanted_holds, actual, owned_holds.keys(), leaving=leaving, now=now)
    outcome.doors_held = frozenset({*actual.holds, *wanted_holds})
    outcome.foreign_holds = frozenset(holds.unmanaged)
    outcome.unchanged = len(cards.unchanged)
    outcome.unmanaged = dict(cards.unmanaged)
    # Wanted at any time, not only now: on a box without windows a card may be wanted tomorrow.
    outcome.contested = frozenset(cards.unmanaged.keys() & desired.cards.keys())
    # Written in a round that did not live to see it.
    for card in cards.unchanged:
        if rows[card].state != ControllerCard.State.IN_STEP:
            outcome.done["confirmed", card] = wanted[card]
    for door in holds.unchanged:
        if owned_holds[door] != ControllerCard.State.IN_STEP:
            outcome.holds_done[door] = {door: wanted_holds[door]}
    outcome.next_edge_at = _next_edge(driver, desired, encoded)
    if encoded.portal_timed:
        outcome.warnings.append(_at_edges_in_words(encoded.portal_timed, desired))
    doubted = store.in_doubt(sync.controller, rows)
    store.write_intents(sync.controller, rows, outcome, cards, holds)
    changes = _in_order(_changes(driver, cards, holds), doubted)
    changes = _within_capacity(changes, actual, info.capacity, outcome)
    _apply(changes, outcome, deadline=deadline, may_go_on=lambda: queue.holds_lease(sync))
    if outcome.unconfirmed and driver.capabilities.lists_cards:
        _read_back(driver, changes, outcome)


def _next_edge(driver: Driver, desired: Desired, encoded: Encoded) -> datetime | None:
    """When the portal must come back: at the edges of what this controller can't be told ahead of time, and, where its
    clock knows no zone, when the clocks change."""
    able = driver.capabilities
    if able.acts_at_edges or encoded.portal_timed:
        edge = next_edge(desired, driver.now, written=encoded.records.values())
    elif able.hold is Hold.NOW:
        edge = next_edge(Desired(unlocked=desired.unlocked), driver.now)
    else:
        edge = None
    change = next_change(driver.zone, driver.now) if able.naive_clock else None
    return min(filter(None, (edge, change)), default=None)


def _at_edges_in_words(at_edges: Set[tuple[str, int]], desired: Desired) -> str:
    """Which bookings a controller without room for their time windows does not cover by itself."""
    causes = {c for card, door in at_edges for p in desired.cards[card].get(door, ()) for c in p.causes}
    bookings = sorted(cause.partition(":")[2] for cause in causes)
    shown = ", ".join(bookings[:NAMED_AT_MOST]) + (", …" if len(bookings) > NAMED_AT_MOST else "")
    return _(
        "The controller has no room for more time windows: for %(n)d cards the portal opens and ends access itself, as "
        "long as it is up. Bookings: %(bookings)s."
    ) % {"n": len({card for card, _door in at_edges}), "bookings": shown}


def _is_the_box(sync: ControllerSync, info: DeviceInfo, outcome: Round) -> bool:
    """Whether it is the device that was spoken to before, and no other controller's. Nothing is written elsewhere."""
    if sync.serial and info.serial != sync.serial:
        outcome.last_error = _(
            "The device that answers has serial number %(new)s, and this controller had %(old)s. Nothing was written. "
            "If the box was replaced, forget the old one; if not, mend the address."
        ) % {"new": info.serial or "?", "old": sync.serial}
        return False
    twin = ControllerSync.objects.filter(serial=info.serial).exclude(pk=sync.pk).select_related("controller").first()
    if info.serial and twin is not None:
        outcome.last_error = _(
            "The device that answers, serial number %(serial)s, is the controller %(twin)s already. Nothing was "
            "written. One device is one controller: mend the address of one of them."
        ) % {"serial": info.serial, "twin": twin.controller}
        return False
    return True


def _mind_clock(driver: Driver, theirs: datetime, outcome: Round) -> None:
    skew = theirs - clock.now()
    outcome.clock_skew = skew.total_seconds()
    if abs(skew) <= CLOCK_TOLERANCE:
        return
    why = _("it can't be set from here")
    if driver.capabilities.sets_clock:
        try:
            driver.set_clock(clock.now())
        except (Refused, Unknown) as error:
            why = str(error)
        else:
            return
    outcome.warnings.append(
        _("Its clock is %(seconds)d seconds off, and so are its times: %(why)s.")
        % {"seconds": skew.total_seconds(), "why": why.rstrip(".")}
    )


def _hold_back(sync: ControllerSync, rows: Mapping[str, ControllerCard], actual: Actual, outcome: Round) -> None:
    """Where too much would be taken away at once, what was promised stays wanted until a person approves.

    The rest goes ahead; and nothing is held beyond the end that it was promised until. What a person said is not to be
    taken away stays until that end, too; what has no end goes on waiting for an approval.
    """
    now, desired = outcome.started_at, outcome.desired
    before = store.promised(rows)
    wanted = {card: set(doors) for card, doors in desired.cards.items()}
    outcome.doors_of = {
        card: wanted.get(card, set()) | before.get(card, {}).keys() | actual.cards.get(card, {}).keys()
        for card in {*wanted, *before, *actual.cards}
    }
    approved = {(card, door) for card, door in sync.approved}
    lost = revoked(before, wanted, now=now) - approved
    losing: dict[str, dict[int, tuple[Permission, ...]]] = defaultdict(dict)
    for card, door in lost:
        losing[card][door] = before[card][door]
    kept = _still_valid(losing, now)
    lost = frozenset((card, door) for card, doors in kept.items() for door in doors)
    refused = lost & {(card, door) for card, door in sync.dropped}
    outcome.dropped = frozenset((card, door) for card, door in refused if ends(kept[card][door]))
    asked, stake = lost - refused, at_stake(before, now=now) - approved | lost
    if not too_many(revoked=len(asked), before=len(stake), limit=settings.HOLD_REVOCATIONS_OVER):
        asked = frozenset()
    outcome.held = asked | refused - outcome.dropped
    staying = outcome.held | outcome.dropped
    outcome.desired = keeping(
        desired,
        {card: {d: some for d, some in doors.items() if (card, d) in staying} for card, doors in kept.items()},
    )


def _still_valid(
    promised: Mapping[str, Mapping[int, tuple[Permission, ...]]], now: datetime
) -> dict[str, dict[int, tuple[Permission, ...]]]:
    """What the cards themselves allow of it: one lost, returned, expired or gone waits for nobody's approval."""
    cards = Card.usable(now).filter(number__in=promised)
    found = {}
    for number, valid_from, valid_until in cards.values_list("number", "valid_from", "valid_until"):
        clipped = {
            door: tuple(
                Permission(window, p.causes) for p in some if (window := p.window.clipped(valid_from, valid_until))
            )
            for door, some in promised[number].items()
        }
        if doors := alive(clipped, now):
            found[number] = doors
    return found


def _changes(driver: Driver, cards: Diff[str], holds: Diff[int]) -> list[_Change]:
    """Locking and removals first: they free room, and what is taken away must not wait for what is given."""

    def put(card: str, record: Record) -> Callable[[], None]:
        return lambda: driver.put(card, record)

    def remove(card: str) -> Callable[[], None]:
        return lambda: driver.remove(card)

    def hold(door: int, record: Record) -> Callable[[], None]:
        return lambda: driver.hold(door, record.get(door, ()))

    return [
        *(_Change("held", door_name(d), {}, hold(d, {}), d) for d in sorted(holds.remove)),
        *(_Change("removed", c, {}, remove(c)) for c in sorted(cards.remove)),
        *(_Change("updated", c, r, put(c, r)) for c, r in sorted(cards.update.items())),
        *(_Change("added", c, r, put(c, r)) for c, r in sorted(cards.add.items())),
        *(_Change("held", door_name(d), r, hold(d, r), d) for d, r in sorted({**holds.update, **holds.add}.items())),
    ]


def _in_order(changes: list[_Change], doubted: Set[str]) -> list[_Change]:
    """The changes with which there was trouble before come last: they must not keep the others from their turn."""
    return sorted(changes, key=lambda change: change.name in doubted)


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


def _apply(changes: list[_Change], outcome: Round, *, deadline: float, may_go_on: Callable[[], bool]) -> None:
    silent = 0
    for position, change in enumerate(changes):
        if time.monotonic() > deadline or silent >= GIVE_UP_AFTER:
            left = len(changes) - position
            outcome.last_error = (
                _("The controller stopped answering; %(n)d changes wait for the next round.") % {"n": left}
                if silent
                else _("Time was up; %(n)d changes wait for the next round.") % {"n": left}
            )
            outcome.reached = not silent
            return
        if not may_go_on():
            outcome.last_error = _("This round took too long, and another one has taken its place.")
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
            outcome.last_error, outcome.reached = str(error), False
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


def _finish(sync: ControllerSync, outcome: Round) -> Round:
    now = clock.now()
    if outcome.in_order:
        store.close_round(sync, outcome, next_attempt_at=None)
        return outcome
    wait = queue.backoff(sync.failures + 1)
    if outcome.reached:
        # It answers: one card that it refuses must not make the others' changes, and edges, wait for minutes.
        wait = min(wait, REFUSED_AGAIN_AFTER)
    next_attempt_at = now + wait
    if outcome.reached and outcome.next_edge_at is not None:
        next_attempt_at = max(min(next_attempt_at, outcome.next_edge_at), now)
    if not outcome.reached and sync.unreachable + 1 >= SUSPEND_AFTER:
        beyond = sync.unreachable + 1 - SUSPEND_AFTER
        next_attempt_at = now + min(timedelta(seconds=30) * 2 ** min(beyond, 10), LONGEST_SUSPENSION)
    log.warning(
        "controller is not in order",
        controller=sync.controller.name,
        last_error=outcome.last_error,
        failed=len(outcome.failed),
        unconfirmed=len(outcome.unconfirmed),
    )
    store.close_round(sync, outcome, next_attempt_at=next_attempt_at)
    return outcome

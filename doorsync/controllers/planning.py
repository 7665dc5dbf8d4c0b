"""Read a controller and plan what to do there. Reconciliation and preview share it: both see the very same plan."""

from collections.abc import Iterable, Set
from dataclasses import dataclass, replace
from datetime import datetime

from django.conf import settings

from accessmap.models import Card
from doorsync.controllers import store, unlock
from doorsync.controllers.desired import desired_for
from doorsync.controllers.result import capability_problems
from doorsync.drivers.base import DeviceInfo, Driver, Hold
from doorsync.models import ControllerSync
from doorsync.policy.desired import Desired, next_edge, with_kept
from doorsync.policy.naive_clock import next_change
from doorsync.policy.plan import Plan, Reading, Wanted, make_plan, pairs_of
from doorsync.policy.rules import ValidCard
from doorsync.policy.safety import Pair, protect, revoked
from doorsync.policy.windows import DoorWindows, record_of
from portal.core.problems import Problem


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan, when the portal must act next, and what staff should know of it."""

    plan: Plan
    next_edge_at: datetime | None
    warnings: tuple[Problem, ...]


def plan_for(sync: ControllerSync, driver: Driver, info: DeviceInfo, now: datetime) -> Planned:
    """Read the controller through its driver and plan for `now` (aware). Writes nothing. Raises DriverError."""
    controller = sync.controller
    rows = store.load(controller)
    actual = driver.read() if driver.capabilities.lists_cards else store.as_written(controller, rows)
    reading = Reading(actual.cards, actual.holds, info.capacity)
    # Queried after the reading: a pulse that began before it must be known.
    own = replace(store.own_entries(controller, rows), pulsing=unlock.under_way(controller, now))
    desired = desired_for(controller, now)
    approved, dropped = pairs_of(sync.approved), pairs_of(sync.dropped)
    losing = revoked(own.promised, {card: set(doors) for card, doors in desired.cards.items()}, now=now) - approved
    protection = protect(
        own.promised,
        losing,
        _valid_cards({card for card, _door in losing}, now),
        approved=approved,
        dropped=dropped,
        limit=settings.APPROVE_REVOCATIONS_OVER,
        now=now,
    )
    desired = with_kept(desired, protection.kept)
    able = driver.capabilities
    encoded = driver.encode_all({card: record_of(doors) for card, doors in desired.cards.items()})
    can_hold = able.hold is not Hold.NO
    holds = driver.encode_hold(record_of(desired.unlocked)) if can_hold else {}
    warnings = capability_problems(desired, encoded.portal_timed, holds_cards=able.holds_cards, can_hold=can_hold)
    if not able.holds_cards:
        desired = Desired(unlocked=desired.unlocked)
    wanted = Wanted(encoded.records if able.holds_cards else {}, holds)
    plan = make_plan(desired, wanted, reading, own, protection, now=now)
    return Planned(plan, _next_edge(driver, desired, wanted.cards.values(), encoded.portal_timed), tuple(warnings))


def _valid_cards(numbers: Set[str], now: datetime) -> dict[str, ValidCard]:
    """Those of these cards that can be used now or later."""
    rows = Card.usable(now).filter(number__in=numbers)
    return {row[0]: ValidCard(*row) for row in rows.values_list("number", "valid_from", "valid_until")}


def _next_edge(
    driver: Driver, desired: Desired, written: Iterable[DoorWindows], at_edges: Set[Pair]
) -> datetime | None:
    """When the portal must reconcile again: at the next edge of a window that the controller can't store, or at the
    next change of the zone's offset if its clock has no zone."""
    able = driver.capabilities
    if able.acts_at_edges or at_edges:
        edge = next_edge(desired, driver.now, written=written)
    elif able.hold is Hold.NOW:
        edge = next_edge(Desired(unlocked=desired.unlocked), driver.now)
    else:
        edge = None
    change = next_change(driver.zone, driver.now) if able.naive_clock else None
    return min(filter(None, (edge, change)), default=None)

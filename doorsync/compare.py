"""What a reconciliation would do at a controller: read, compared, and nothing written."""

from collections.abc import Set
from dataclasses import dataclass
from datetime import datetime

from accessmap.models import Controller
from doorsync import ledger, openings
from doorsync.desired import desired_for
from doorsync.diff import Diff, diff
from doorsync.drivers import driver_for
from doorsync.drivers.base import Actual, DeviceInfo, Driver, Encoded, Record
from doorsync.planning import Desired, windows


@dataclass(frozen=True, slots=True)
class Comparison:
    """A controller as it is and as it should be. Cards are whole numbers: mask them before showing."""

    info: DeviceInfo
    cards: Diff[str]
    holds: Diff[int]

    @property
    def in_step(self) -> bool:
        """Whether there is nothing to do, as far as the portal may write there."""
        return not any((d.add or d.update or d.remove or d.contested) for d in (self.cards, self.holds))


def compare(controller: Controller, now: datetime) -> Comparison:
    """Read a controller and compare it with what is wanted at `now` (aware). Raises DriverError."""
    rows = ledger.load(controller)
    driver = driver_for(controller, now)
    try:
        info = driver.info()
        actual = driver.read() if driver.capabilities.lists_cards else ledger.as_written(controller, rows)
        cards, holds = wanted(driver, desired_for(controller, now))
    finally:
        driver.close()
    return Comparison(
        info=info,
        cards=diff(cards.records, actual.cards, rows.keys(), now=now),
        holds=diff_of_holds(
            holds,
            actual,
            ledger.owned_holds(controller).keys(),
            leaving=openings.under_way(controller, now),
            now=now,
        ),
    )


def wanted(driver: Driver, desired: Desired) -> tuple[Encoded, Record]:
    """What the controller should hold now, as its driver says it: the cards' records, and the doors held."""
    cards = {card: {d: windows(found) for d, found in doors.items()} for card, doors in desired.cards.items()}
    return driver.encode_all(cards), driver.encode_hold({d: windows(f) for d, f in desired.unlocked.items()})


def diff_of_holds(holds: Record, actual: Actual, owned: Set[int], *, leaving: Set[int], now: datetime) -> Diff[int]:
    """The doors held unlocked, compared door by door, but for those (numbers) to be left alone."""
    return diff(
        {door: {door: found} for door, found in holds.items() if door not in leaving},
        {door: {door: found} for door, found in actual.holds.items() if door not in leaving},
        owned,
        now=now,
    )

"""What a reconciliation would do at a controller: read, compared, and nothing written."""

from collections.abc import Mapping, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from accessmap.models import Controller, masked
from doorsync.controllers import store, unlock
from doorsync.controllers.desired import desired_for
from doorsync.drivers import driver_for
from doorsync.drivers.base import Actual, DeviceInfo, Driver, Encoded
from doorsync.policy.diff import Diff, diff
from doorsync.policy.plan import Desired
from doorsync.policy.windows import Record, windows


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
    rows = store.load(controller)
    driver = driver_for(controller, now)
    try:
        info = driver.info()
        actual = driver.read() if driver.capabilities.lists_cards else store.as_written(controller, rows)
        cards, holds = wanted(driver, desired_for(controller, now))
    finally:
        driver.close()
    return Comparison(
        info=info,
        cards=diff(cards.records, actual.cards, rows.keys(), now=now),
        holds=diff_of_holds(
            holds,
            actual,
            store.owned_holds(controller).keys(),
            leaving=unlock.under_way(controller, now),
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


def rows_of(controller: Controller, found: Comparison) -> dict[str, list[dict[str, Any]]]:
    """What would be done, by kind: a row for each card, masked, and for each door held unlocked, with its windows by
    door (names; ISO 8601 in UTC)."""
    names = dict(controller.doors.values_list("number", "name"))

    def rows(some: Mapping[Any, Record]) -> list[dict[str, Any]]:
        return [
            {
                "what": masked(key) if isinstance(key, str) else _("held unlocked"),
                "doors": {
                    names.get(door, str(door)): [[_iso(w.start), _iso(w.end)] for w in windows]
                    for door, windows in sorted(record.items())
                },
            }
            for key, record in sorted(some.items())
        ]

    cards, holds = found.cards, found.holds
    return {
        "add": rows(cards.add) + rows(holds.add),
        "update": rows(cards.update) + rows(holds.update),
        "remove": rows({card: {} for card in cards.remove}) + rows({door: {door: ()} for door in holds.remove}),
        "contested": rows({card: cards.unmanaged[card] for card in cards.contested}),
        "unmanaged": rows(cards.unmanaged) + rows(holds.unmanaged),
    }


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()

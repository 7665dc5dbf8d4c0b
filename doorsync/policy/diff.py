"""What must change at a controller, and what may. Pure."""

from collections.abc import Hashable, Iterable, Mapping, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from doorsync.drivers.base import Record
from doorsync.policy.plan import ALWAYS, Permission, windows

Key = TypeVar("Key", bound=Hashable)
Pair = tuple[str, int]  # card, door number


@dataclass(frozen=True, slots=True)
class Diff(Generic[Key]):
    """Keys are cards, or doors for what is held unlocked."""

    unchanged: frozenset[Key]
    add: Mapping[Key, Record]
    update: Mapping[Key, Record]
    remove: frozenset[Key]
    unmanaged: Mapping[Key, Record]
    # Unmanaged, and wanted too: the portal would write them if they were its own.
    contested: frozenset[Key]


def diff(wanted: Mapping[Key, Record], actual: Mapping[Key, Record], owned: Set[Key], *, now: datetime) -> Diff[Key]:
    """Compare what a controller should hold with what it holds. Entries that the portal does not own stay as they are.

    Windows that have lapsed admit nobody, so a difference in them alone is none.
    """
    present = {key: without_lapsed(record, now) for key, record in actual.items()}
    foreign = actual.keys() - owned
    mine = {key: record for key, record in wanted.items() if key not in foreign}
    return Diff(
        unchanged=frozenset(key for key, record in mine.items() if present.get(key) == record),
        add={key: record for key, record in mine.items() if key not in present},
        update={key: record for key, record in mine.items() if key in present and present[key] != record},
        remove=frozenset((actual.keys() & owned) - wanted.keys()),
        unmanaged={key: actual[key] for key in foreign},
        contested=frozenset(foreign & wanted.keys()),
    )


def without_lapsed(record: Record, now: datetime) -> Record:
    """The record as far as it can still admit anybody."""
    alive = {door: tuple(w for w in found if not w.lapsed(now)) for door, found in record.items()}
    return {door: found for door, found in alive.items() if found}


def alive(permissions: Mapping[int, tuple[Permission, ...]], now: datetime) -> dict[int, tuple[Permission, ...]]:
    """The doors at which these permissions can still admit anybody, and how."""
    found = {door: tuple(p for p in some if not p.window.lapsed(now)) for door, some in permissions.items()}
    return {door: some for door, some in found.items() if some}


def revoked(
    before: Mapping[str, Mapping[int, tuple[Permission, ...]]], wanted: Mapping[str, Set[int]], *, now: datetime
) -> frozenset[Pair]:
    """The (card, door) that were promised from now on and are wanted no more; `wanted`: doors by card.

    A permission whose windows merely ran out is not among them: the end of a large meeting is no reason for alarm.
    Nor is a card that gains another door at the same time: its meeting moved.
    """
    found = set()
    for card, doors in before.items():
        promised, now_wanted = alive(doors, now).keys(), wanted.get(card, set())
        if not now_wanted - promised:
            found |= {(card, door) for door in promised - now_wanted}
    return frozenset(found)


def ends(permissions: Iterable[Permission]) -> bool:
    """Whether what these permissions admit to is over some day, by itself."""
    return all(permission.window.end is not None for permission in permissions)


def at_stake(before: Mapping[str, Mapping[int, tuple[Permission, ...]]], *, now: datetime) -> frozenset[Pair]:
    """The (card, door) promised for certain times: of these a wrong list could take too many away."""
    return frozenset(
        (card, door)
        for card, doors in before.items()
        for door, some in alive(doors, now).items()
        if windows(some) != (ALWAYS,)
    )


def too_many(*, revoked: int, before: int, limit: int) -> bool:
    """Whether so much is taken away at once that a person should approve it."""
    return revoked > limit and 2 * revoked > before

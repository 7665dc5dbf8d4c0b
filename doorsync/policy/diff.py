"""What must change at a controller, and what may. Pure."""

from collections.abc import Hashable, Mapping, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from doorsync.policy.windows import Permission, Record

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

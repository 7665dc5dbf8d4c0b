"""What differs between what a controller should hold and what it holds. Pure."""

from collections.abc import Hashable, Mapping, Set
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, TypeVar

from doorsync.policy.windows import DoorWindows, without_lapsed

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Diff(Generic[Key]):
    """Keys are card numbers, or door numbers for doors held unlocked."""

    unchanged: frozenset[Key] = frozenset()
    add: Mapping[Key, DoorWindows] = field(default_factory=dict)
    update: Mapping[Key, DoorWindows] = field(default_factory=dict)
    remove: frozenset[Key] = frozenset()
    unmanaged: Mapping[Key, DoorWindows] = field(default_factory=dict)
    # Unmanaged and wanted: the portal would write them if they were its own.
    contested: frozenset[Key] = frozenset()


def diff(
    wanted: Mapping[Key, DoorWindows], actual: Mapping[Key, DoorWindows], owned: Set[Key], *, now: datetime
) -> Diff[Key]:
    """Compare what a controller should hold with what it holds. Entries that the portal does not own stay as they are.

    Lapsed windows admit nobody, so a difference in them alone is none.
    """
    present = {key: without_lapsed(record, now) for key, record in actual.items()}
    foreign = actual.keys() - owned
    own = {key: record for key, record in wanted.items() if key not in foreign}
    return Diff(
        unchanged=frozenset(key for key, record in own.items() if present.get(key) == record),
        add={key: record for key, record in own.items() if key not in present},
        update={key: record for key, record in own.items() if key in present and present[key] != record},
        remove=frozenset((actual.keys() & owned) - wanted.keys()),
        unmanaged={key: actual[key] for key in foreign},
        contested=frozenset(foreign & wanted.keys()),
    )

"""What a reconciliation is going to do at one controller. Pure: preview shows exactly this plan, and apply carries it
out."""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from doorsync.policy.desired import Desired
from doorsync.policy.diff import Diff, diff
from doorsync.policy.safety import Pair, Protection
from doorsync.policy.windows import DoorWindows, Permissions

# What a change is about: a card by its number, or a door held unlocked by its number.
Target = str | int


class Kind(StrEnum):
    """What a change does."""

    LOCK = "lock"
    REMOVE = "remove"
    UPDATE = "update"
    ADD = "add"
    UNLOCK = "unlock"


@dataclass(frozen=True, slots=True)
class Change:
    """One write to a controller. `record`: the target's whole record after it; empty for a removal or a lock."""

    kind: Kind
    target: Target
    record: DoorWindows


@dataclass(frozen=True, slots=True)
class Reading:
    """What a controller holds, whoever wrote it, and how many cards it has room for (None: unknown)."""

    cards: Mapping[str, DoorWindows]
    holds: DoorWindows
    capacity: int | None = None


@dataclass(frozen=True, slots=True)
class OwnEntries:
    """What the portal knows of its own entries at a controller.

    `promised`: by card. `holds`: the doors it holds or held unlocked. `in_step`: known to be as they were written.
    `failed_before`: refused or unconfirmed in the last reconciliation. `pulsing`: doors that may be unlocked for a
    moment, and are left alone until it is over.
    """

    promised: Mapping[str, Permissions] = field(default_factory=dict)
    holds: frozenset[int] = frozenset()
    in_step: frozenset[Target] = frozenset()
    failed_before: frozenset[Target] = frozenset()
    pulsing: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Wanted:
    """The desired state as the controller's driver expresses it: records by card, and the doors to hold unlocked."""

    cards: Mapping[str, DoorWindows]
    holds: DoorWindows


@dataclass(frozen=True, slots=True)
class Plan:
    """The whole plan for a controller. Card numbers are whole: mask them before showing."""

    desired: Desired
    wanted: Wanted
    cards: Diff[str]
    holds: Diff[int]
    changes: tuple[Change, ...]
    protection: Protection
    # Cards to add for which a full controller has no room.
    no_room: frozenset[str]
    capacity: int | None
    # Written in an earlier reconciliation, and confirmed by this reading.
    confirmed: Mapping[Target, DoorWindows]
    # The controller holds these cards.
    present: frozenset[str]
    # Held unlocked, or to be.
    doors_held: frozenset[int]
    # The doors of each card: desired, promised or held.
    doors_of: Mapping[str, frozenset[int]]

    @property
    def contested(self) -> frozenset[str]:
        """Cards that are wanted now or later, and have entries that the portal did not write."""
        return frozenset(self.cards.unmanaged.keys() & self.desired.cards.keys())

    @property
    def in_step(self) -> bool:
        """Whether there is nothing to do and nothing to decide."""
        return not (self.changes or self.no_room or self.contested or self.holds.contested or self.protection.pending)


def make_plan(
    desired: Desired, wanted: Wanted, reading: Reading, own: OwnEntries, protection: Protection, *, now: datetime
) -> Plan:
    """Compare, and order what has to be done at `now` (aware).

    `desired` holds what `protection` keeps. Locks and removals come first: they free room, and what is taken away must
    not wait for what is given. Targets that failed last time come last, so that they do not keep others waiting.
    """
    cards = diff(wanted.cards, reading.cards, own.promised.keys(), now=now)
    holds = diff(_by_door(wanted.holds, own.pulsing), _by_door(reading.holds, own.pulsing), own.holds, now=now)
    changes, no_room = _within_capacity(_changes(cards, holds, own.failed_before), reading)
    return Plan(
        desired=desired,
        wanted=wanted,
        cards=cards,
        holds=holds,
        changes=changes,
        protection=protection,
        no_room=no_room,
        capacity=reading.capacity,
        confirmed={
            **{card: wanted.cards[card] for card in cards.unchanged - own.in_step},
            **{door: {door: wanted.holds[door]} for door in holds.unchanged - own.in_step},
        },
        present=frozenset(reading.cards),
        doors_held=frozenset({*reading.holds, *wanted.holds}),
        doors_of={
            card: frozenset({*desired.cards.get(card, {}), *own.promised.get(card, {}), *reading.cards.get(card, {})})
            for card in {*desired.cards, *own.promised, *reading.cards}
        },
    )


def _by_door(holds: DoorWindows, pulsing: Set[int]) -> dict[int, DoorWindows]:
    """Doors held unlocked, as records of their own."""
    return {door: {door: windows} for door, windows in holds.items() if door not in pulsing}


def _changes(cards: Diff[str], holds: Diff[int], failed_before: Set[Target]) -> list[Change]:
    changes = [
        *(Change(Kind.LOCK, door, {}) for door in sorted(holds.remove)),
        *(Change(Kind.REMOVE, card, {}) for card in sorted(cards.remove)),
        *(Change(Kind.UPDATE, card, record) for card, record in sorted(cards.update.items())),
        *(Change(Kind.ADD, card, record) for card, record in sorted(cards.add.items())),
        *(Change(Kind.UNLOCK, door, record) for door, record in sorted({**holds.update, **holds.add}.items())),
    ]
    return sorted(changes, key=lambda change: change.target in failed_before)


def _within_capacity(changes: list[Change], reading: Reading) -> tuple[tuple[Change, ...], frozenset[str]]:
    """The changes without the cards for which the controller has no room, and these cards."""
    if reading.capacity is None:
        return tuple(changes), frozenset()
    room = reading.capacity - len(reading.cards) + sum(change.kind is Kind.REMOVE for change in changes)
    added = [change for change in changes if change.kind is Kind.ADD]
    refused = frozenset(str(change.target) for change in added[max(room, 0) :])
    return tuple(change for change in changes if change.target not in refused), refused


def pairs_as_json(pairs: Set[Pair]) -> list[list[str | int]]:
    """Pairs as the database keeps them."""
    return sorted([card, door] for card, door in pairs)


def pairs_of(stored: list[list[str | int]]) -> frozenset[Pair]:
    """The pairs that the database keeps."""
    return frozenset((str(card), int(door)) for card, door in stored)

"""Bookings + map + policy -> desired permissions. Pure: no database, no clock of its own.

All times are aware. Windows are end-exclusive: a window until 15:00 no longer admits at 15:00:00.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from doorsync.policy.rules import PlannedBooking, Policy, admitted_emails
from doorsync.policy.windows import ALWAYS, Permission, Window, merged


@dataclass(frozen=True, slots=True)
class PlannedResource:
    """A resource, as far as one controller is concerned: its doors there, by number."""

    id: str
    doors: tuple[int, ...]
    policy: Policy


@dataclass(frozen=True, slots=True)
class PlannedCard:
    number: str
    valid_from: datetime | None = None
    valid_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class People:
    """Active cards, by normalised email and by access level."""

    by_email: Mapping[str, tuple[PlannedCard, ...]]
    by_level: Mapping[str, tuple[PlannedCard, ...]]


@dataclass(frozen=True, slots=True)
class Desired:
    """What a controller should hold: for each card its permissions by door, and the doors to hold unlocked."""

    cards: Mapping[str, Mapping[int, tuple[Permission, ...]]] = field(default_factory=dict)
    unlocked: Mapping[int, tuple[Permission, ...]] = field(default_factory=dict)


def plan(
    resources: Iterable[PlannedResource], bookings: Iterable[PlannedBooking], people: People, *, now: datetime
) -> Desired:
    """The desired state of one controller. Windows that have lapsed are left out; overlapping ones are merged.

    Emails in `bookings` are normalised already (accessmap.models.normal_email); an empty one admits nobody.
    """
    by_resource: dict[str, list[PlannedBooking]] = defaultdict(list)
    for booking in bookings:
        by_resource[booking.resource_id].append(booking)

    cards: dict[str, dict[int, list[Permission]]] = defaultdict(lambda: defaultdict(list))
    unlocked: dict[int, list[Permission]] = defaultdict(list)

    def admit(some: Iterable[PlannedCard], doors: tuple[int, ...], window: Window, cause: str) -> None:
        for card in some:
            valid = window.clipped(card.valid_from, card.valid_until)
            if valid is not None and not valid.lapsed(now):
                for door in doors:
                    cards[card.number][door].append(Permission(valid, (cause,)))

    for resource in resources:
        policy = resource.policy
        for level in policy.always_levels:
            admit(people.by_level.get(level, ()), resource.doors, ALWAYS, f"level:{level}")
        for booking in by_resource[resource.id]:
            if booking.status not in policy.statuses:
                continue
            cause = f"booking:{booking.id}"
            window = Window(booking.starts_at - policy.lead, booking.ends_at + policy.grace)
            for email in admitted_emails(booking, policy):
                if email:
                    admit(people.by_email.get(email, ()), resource.doors, window, cause)
            for level in policy.admit_levels:
                admit(people.by_level.get(level, ()), resource.doors, window, cause)
            held = Window(booking.starts_at, booking.ends_at)
            if policy.admit_anyone and not held.lapsed(now):
                for door in resource.doors:
                    unlocked[door].append(Permission(held, (cause,)))

    return Desired(
        cards={number: {door: merged(found) for door, found in doors.items()} for number, doors in cards.items()},
        unlocked={door: merged(found) for door, found in unlocked.items()},
    )


def keeping(desired: Desired, kept: Mapping[str, Mapping[int, tuple[Permission, ...]]]) -> Desired:
    """The desired state, with these permissions (by card and door) staying as well."""
    cards = {card: dict(doors) for card, doors in desired.cards.items()}
    for card, doors in kept.items():
        for door, some in doors.items():
            there = cards.setdefault(card, {})
            there[door] = merged((*there.get(door, ()), *some))
    return Desired(cards=cards, unlocked=desired.unlocked)


def next_edge(
    desired: Desired, now: datetime, *, written: Iterable[Mapping[int, tuple[Window, ...]]] = ()
) -> datetime | None:
    """The next moment after `now` at which somebody begins or ceases to be admitted; None if there is none.

    `written`: the records as a controller holds them, whose edges may be rounded or more.
    """
    every = [p.window for doors in desired.cards.values() for found in doors.values() for p in found]
    every += [p.window for found in desired.unlocked.values() for p in found]
    every += [window for record in written for found in record.values() for window in found]
    edges = (edge for window in every for edge in (window.start, window.end) if edge is not None and edge > now)
    return min(edges, default=None)

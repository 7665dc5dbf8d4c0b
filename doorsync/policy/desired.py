"""The desired permissions of one controller, from bookings, access map and policies. Pure: no database, no clock."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from doorsync.policy.rules import Booking, Policy, ValidCard, admission
from doorsync.policy.windows import ALWAYS, DoorWindows, Permission, Permissions, Window, merged


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource, as far as one controller is concerned: its doors there, by number."""

    id: str
    doors: tuple[int, ...]
    policy: Policy


@dataclass(frozen=True, slots=True)
class Cardholders:
    """Active cards, by normalised email and by access level."""

    by_email: Mapping[str, tuple[ValidCard, ...]]
    by_level: Mapping[str, tuple[ValidCard, ...]]


@dataclass(frozen=True, slots=True)
class Desired:
    """What a controller should hold: the permissions of each card, and the doors to hold unlocked."""

    cards: Mapping[str, Permissions] = field(default_factory=dict)
    unlocked: Permissions = field(default_factory=dict)


def desired_state(
    resources: Iterable[Resource], bookings: Iterable[Booking], cardholders: Cardholders, *, now: datetime
) -> Desired:
    """The desired state of one controller at `now` (aware), without lapsed windows, overlapping ones merged."""
    bookings_of: dict[str, list[Booking]] = defaultdict(list)
    for booking in bookings:
        bookings_of[booking.resource_id].append(booking)

    cards: dict[str, dict[int, list[Permission]]] = defaultdict(lambda: defaultdict(list))
    unlocked: dict[int, list[Permission]] = defaultdict(list)

    def admit(admitted: Iterable[ValidCard], doors: tuple[int, ...], window: Window, cause: str) -> None:
        for card in admitted:
            valid = card.within(window)
            if valid is not None and not valid.lapsed(now):
                for door in doors:
                    cards[card.number][door].append(Permission(valid, (cause,)))

    for resource in resources:
        for level in resource.policy.always_levels:
            admit(cardholders.by_level.get(level, ()), resource.doors, ALWAYS, f"level:{level}")
        for booking in bookings_of[resource.id]:
            admitted = admission(booking, resource.policy)
            if admitted is None:
                continue
            cause = f"booking:{booking.id}"
            for email in admitted.emails:
                admit(cardholders.by_email.get(email, ()), resource.doors, admitted.window, cause)
            for level in admitted.levels:
                admit(cardholders.by_level.get(level, ()), resource.doors, admitted.window, cause)
            if admitted.unlocked is not None and not admitted.unlocked.lapsed(now):
                for door in resource.doors:
                    unlocked[door].append(Permission(admitted.unlocked, (cause,)))

    return Desired(
        cards={number: {door: merged(found) for door, found in doors.items()} for number, doors in cards.items()},
        unlocked={door: merged(found) for door, found in unlocked.items()},
    )


def with_kept(desired: Desired, kept: Mapping[str, Permissions]) -> Desired:
    """The desired state, with these permissions of cards added."""
    cards = {card: dict(doors) for card, doors in desired.cards.items()}
    for card, doors in kept.items():
        for door, permissions in doors.items():
            of_card = cards.setdefault(card, {})
            of_card[door] = merged((*of_card.get(door, ()), *permissions))
    return Desired(cards=cards, unlocked=desired.unlocked)


def next_edge(desired: Desired, now: datetime, *, written: Iterable[DoorWindows] = ()) -> datetime | None:
    """The next moment after `now` at which a permission begins or ends; None if there is none.

    `written`: the windows as the controller holds them, whose edges may be rounded.
    """
    every = [p.window for doors in desired.cards.values() for permissions in doors.values() for p in permissions]
    every += [p.window for permissions in desired.unlocked.values() for p in permissions]
    every += [window for doors in written for windows in doors.values() for window in windows]
    edges = (edge for window in every for edge in (window.start, window.end) if edge is not None and edge > now)
    return min(edges, default=None)

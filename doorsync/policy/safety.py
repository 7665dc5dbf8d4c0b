"""When a change takes so much away that a person decides first. Pure."""

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field
from datetime import datetime

from doorsync.policy.rules import ValidCard
from doorsync.policy.windows import ALWAYS, Permission, Permissions, still_valid, windows

Pair = tuple[str, int]  # card number, door number

# If every coming booking vanished, and there were this many or more, the fetch is suspicious.
EMPTY_IS_SUSPICIOUS_FROM = 5


def suspicious(*, coming: int, lost: int, vanished: int, limit: int) -> bool:
    """Whether a fetch takes away so much at once that a person decides before it is accepted.

    `coming` bookings admitted somebody from now on, `lost` of them no longer would; `vanished` of these are left out,
    unreadable, or have a status that the contract does not list.
    """
    return (lost > limit and 2 * lost > coming) or (vanished == coming and vanished >= EMPTY_IS_SUSPICIOUS_FROM)


def suspicious_everywhere(*, coming: int, vanished: int, limit: int) -> bool:
    """Whether so many bookings vanish from all resources together that Offision may be failing.

    `coming`: of all resources, including those that vanished.
    """
    return vanished > limit and 4 * vanished > coming


def revoked(promised: Mapping[str, Permissions], wanted: Mapping[str, Set[int]], *, now: datetime) -> frozenset[Pair]:
    """The pairs that were promised from now on and are no longer wanted. `wanted`: doors by card.

    A permission whose windows ran out does not count: the end of a large meeting is no reason for alarm. Nor does a
    card that gains another door at the same time: its meeting moved.
    """
    pairs = set()
    for card, doors in promised.items():
        valid, wanted_doors = still_valid(doors, now).keys(), wanted.get(card, set())
        if not wanted_doors - valid:
            pairs |= {(card, door) for door in valid - wanted_doors}
    return frozenset(pairs)


def ends(permissions: Iterable[Permission]) -> bool:
    """Whether all of these permissions end by themselves."""
    return all(permission.window.end is not None for permission in permissions)


def at_stake(promised: Mapping[str, Permissions], *, now: datetime) -> frozenset[Pair]:
    """The pairs promised for certain times: a wrong booking list could take too many of these away."""
    return frozenset(
        (card, door)
        for card, doors in promised.items()
        for door, permissions in still_valid(doors, now).items()
        if windows(permissions) != (ALWAYS,)
    )


def too_many(*, revoked: int, promised: int, limit: int) -> bool:
    """Whether so much is taken away at once that a person approves it first."""
    return revoked > limit and 2 * revoked > promised


@dataclass(frozen=True, slots=True)
class Protection:
    """Permissions that the bookings no longer give and that stay for now.

    `pending`: until somebody approves. `dropped`: staff dropped the plan, so they stay until they end.
    """

    pending: frozenset[Pair] = frozenset()
    dropped: frozenset[Pair] = frozenset()
    kept: Mapping[str, Permissions] = field(default_factory=dict)


def protect(
    promised: Mapping[str, Permissions],
    losing: Set[Pair],
    valid_cards: Mapping[str, ValidCard],
    *,
    approved: Set[Pair],
    dropped: Set[Pair],
    limit: int,
    now: datetime,
) -> Protection:
    """Decide which of the pairs that a plan would revoke stay until a person approves, or until they end.

    `losing`: the revoked pairs that staff did not approve. `valid_cards`: the cards among them that are usable; a card
    that is lost, returned, expired or deleted is never protected. `dropped`: pairs whose plan staff dropped; those with
    an end stay until that end, the others go on waiting for approval.
    """
    still: dict[str, Permissions] = {}
    for card in {card for card, _door in losing} & valid_cards.keys():
        clipped = {
            door: tuple(
                Permission(window, permission.causes)
                for permission in promised[card][door]
                if (window := valid_cards[card].within(permission.window))
            )
            for lost_card, door in losing
            if lost_card == card
        }
        if doors := still_valid(clipped, now):
            still[card] = doors
    lost = frozenset((card, door) for card, doors in still.items() for door in doors)
    kept_by_staff = frozenset((card, door) for card, door in lost & dropped if ends(still[card][door]))
    undecided = lost - dropped
    stake = at_stake(promised, now=now) - approved | lost
    if not too_many(revoked=len(undecided), promised=len(stake), limit=limit):
        undecided = frozenset()
    pending = undecided | (lost & dropped) - kept_by_staff
    staying = pending | kept_by_staff
    return Protection(
        pending=pending,
        dropped=kept_by_staff,
        kept={
            card: {door: permissions for door, permissions in doors.items() if (card, door) in staying}
            for card, doors in still.items()
        },
    )

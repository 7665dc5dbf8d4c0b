"""When a change takes so much away that a person decides first. Pure."""

from collections.abc import Iterable, Mapping, Set
from datetime import datetime

from doorsync.policy.diff import Pair, alive
from doorsync.policy.windows import ALWAYS, Permission, windows

# An answer from which every coming booking vanished is doubted from so many on.
EMPTY_IS_DOUBTED_FROM = 5


def doubtful(*, coming: int, lost: int, vanished: int, limit: int) -> bool:
    """Whether an answer takes away so much at once that a person should look before it is believed.

    `coming` bookings admitted somebody from now on, `lost` of them no longer would; `vanished` of these without a
    word: left out, unreadable, or with a status that means nothing to us.
    """
    return (lost > limit and 2 * lost > coming) or (vanished == coming and vanished >= EMPTY_IS_DOUBTED_FROM)


def doubtful_everywhere(*, coming: int, vanished: int, limit: int) -> bool:
    """Whether so many bookings vanish from all resources together that Offision may not be well.

    `coming`: of all resources, with those that vanished.
    """
    return vanished > limit and 4 * vanished > coming


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

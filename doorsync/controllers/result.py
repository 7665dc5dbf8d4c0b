"""What happened in one reconciliation of a controller: filled by reconcile.py, written down by ledger.py."""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from doorsync.policy.diff import Pair
from doorsync.policy.plan import Desired
from doorsync.policy.windows import Record

# So many rounds in a row without reaching it, and a controller is left alone for a while.
SUSPEND_AFTER = 3

_DOOR = "door "  # no card's number holds a space


def door_name(number: int) -> str:
    """The name under which a door held unlocked stands in a round, where cards stand by their numbers."""
    return f"{_DOOR}{number}"


def is_door(name: str) -> bool:
    return name.startswith(_DOOR)


def number_of(name: str) -> int:
    return int(name.removeprefix(_DOOR))


@dataclass
class Round:
    FAILED: ClassVar[Promise] = _("%(n)d changes were refused: %(why)s")
    UNCONFIRMED: ClassVar[Promise] = _("%(n)d changes were sent and are not confirmed: %(why)s")
    HELD: ClassVar[Promise] = _(
        "%(n)d cards would lose doors at once. They keep them until somebody approves the plan."
    )
    CONTESTED: ClassVar[Promise] = _(
        "%(n)d cards that bookings admit have entries here that the portal did not write, and does not touch."
    )

    FOREIGN_HOLDS: ClassVar[Promise] = _("%(doors)s: held unlocked, and not by the portal, which leaves it so.")

    started_at: datetime
    desired: Desired
    unchanged: int = 0
    done: dict[tuple[str, str], Record] = field(default_factory=dict)  # (what was done, card) -> record
    holds_done: dict[int, Record] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)  # card or "door N" -> why
    unconfirmed: dict[str, str] = field(default_factory=dict)
    held: frozenset[Pair] = frozenset()
    dropped: frozenset[Pair] = frozenset()  # what stays until its end, on staff's word
    # The doors at which each card's admission is at issue in this round.
    doors_of: Mapping[str, Set[int]] = field(default_factory=dict)
    unmanaged: dict[str, Record] = field(default_factory=dict)
    contested: frozenset[str] = frozenset()
    doors_held: frozenset[int] = frozenset()  # held unlocked at the controller, or to be held so
    foreign_holds: frozenset[int] = frozenset()
    warnings: list[str] = field(default_factory=list)  # what staff should know, and what stops nothing
    last_error: str = ""
    reached: bool = True
    read: bool = False  # whether it was seen what the controller holds
    present: frozenset[str] = frozenset()
    firmware: str = ""
    serial: str = ""
    clock_skew: float | None = None
    next_edge_at: datetime | None = None

    @property
    def in_order(self) -> bool:
        """Whether the controller now holds what it should, as far as the portal may write there."""
        return self.read and not (self.failed or self.unconfirmed or self.last_error)

    def doors_in_doubt(self) -> Set[int] | None:
        """The doors that may not hold what they should, from this round alone; None: any of them."""
        if not self.read or self.last_error:
            return None
        found = {door for _card, door in self.held}
        for name in {*self.failed, *self.unconfirmed, *self.contested}:
            doors = {number_of(name)} if is_door(name) else self.doors_of.get(name)
            if not doors:
                return None
            found |= doors
        return found

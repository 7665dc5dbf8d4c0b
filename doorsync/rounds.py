"""What happened in one reconciliation of a controller: filled by reconcile.py, written down by ledger.py."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from doorsync.drivers.base import Record

# So many rounds in a row without reaching it, and a controller is left alone for a while.
SUSPEND_AFTER = 3


def door_name(number: int) -> str:
    """The name under which a door held unlocked stands in a round, where cards stand by their numbers."""
    return f"door {number}"


@dataclass
class Round:
    FAILED: ClassVar[Promise] = _("%(n)d changes were refused: %(why)s")
    UNCONFIRMED: ClassVar[Promise] = _("%(n)d changes were sent and are not confirmed: %(why)s")
    HELD: ClassVar[Promise] = _(
        "%(n)d cards would lose all access at once. They keep it until somebody approves the plan."
    )
    CONTESTED: ClassVar[Promise] = _(
        "%(n)d cards that bookings admit have entries here that the portal did not write, and does not touch."
    )

    started_at: datetime
    unchanged: int = 0
    done: dict[tuple[str, str], Record] = field(default_factory=dict)  # (what was done, card) -> record
    holds_done: dict[int, Record] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)  # card or "door N" -> why
    unconfirmed: dict[str, str] = field(default_factory=dict)
    held: frozenset[str] = frozenset()
    digest: str = ""
    approval_stands: bool = False
    unmanaged: dict[str, Record] = field(default_factory=dict)
    contested: frozenset[str] = frozenset()
    trouble: str = ""
    reached: bool = True
    read: bool = False  # whether it was seen what the controller holds
    present: frozenset[str] = frozenset()
    firmware: str = ""
    clock_skew: float | None = None
    next_edge_at: datetime | None = None

    @property
    def in_order(self) -> bool:
        """Whether the controller now holds what it should, as far as the portal may write there."""
        return self.read and not (self.failed or self.unconfirmed or self.trouble)

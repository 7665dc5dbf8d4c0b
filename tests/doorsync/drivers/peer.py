"""The interface of the contract suite to a device, or to a fake of one.

A peer answers `opens` by the device's own rules and its own clock, never by the driver's intentions.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar

from portal.core import clock


class Fault(StrEnum):
    """A fault of a device."""

    SILENT = "silent"  # it takes requests, and neither answers nor carries them out
    ANSWERS_LOST = "answers_lost"  # it carries out every change, and its answers to changes don't arrive
    REFUSES = "refuses"  # it refuses every change


class Peer(ABC):
    """One device of a family, on a real socket of this machine."""

    driver: ClassVar[str]  # its name in settings.DRIVERS
    holds_cards: ClassVar[bool] = True
    can_be_full: ClassVar[bool] = True
    tells_events: ClassVar[bool] = True
    has_clock: ClassVar[bool] = True
    can_hold: ClassVar[bool] = True
    # Card numbers as this family's readers report them.
    cards: ClassVar[tuple[str, str, str]] = ("1001", "1002", "1003")
    doors: ClassVar[tuple[int, ...]] = (1, 2)

    # How far the device's clock is ahead. A fake of ours may use `now`; another peer overrides both.
    skew = timedelta()

    def now(self) -> datetime:
        """What the device's clock means; aware, UTC."""
        return clock.now() + self.skew

    @abstractmethod
    def start(self) -> dict[str, Any]:
        """Switch it on. The controller's options, secrets included; time-outs as short as its driver takes."""

    @abstractmethod
    def stop(self) -> None: ...

    @abstractmethod
    def set_fault(self, fault: Fault | None) -> None:
        """Have this fault from now on; None: none."""

    @abstractmethod
    def held_unlocked(self, door: int) -> bool:
        """Whether the door is held unlocked at this moment of its clock. A pulse does not count."""

    @abstractmethod
    def pulses(self, door: int) -> int:
        """How often the door was unlocked for a moment."""

    @property
    @abstractmethod
    def changes_asked(self) -> int:
        """How many requests for a change it has been sent, answered or not."""

    # For those that hold cards --------------------------------------------------------------------

    def opens(self, card: str, door: int) -> bool:
        """Whether it would open this door for this card at this moment of its clock."""
        raise NotImplementedError

    def inside(self) -> Collection[str]:
        """The cards in its memory."""
        raise NotImplementedError

    def put_foreign(self, card: str) -> None:
        """Somebody else gives this card access to the first door, always."""
        raise NotImplementedError

    def forget(self) -> None:
        """Lose every card, as after a flat battery."""
        raise NotImplementedError

    def room_for(self, cards: int) -> None:
        """Have room for so many cards and no more."""
        raise NotImplementedError

    def present(self, card: str, door: int) -> None:
        """Somebody presents a card at a door; the device opens or not, and notes it down."""
        raise NotImplementedError

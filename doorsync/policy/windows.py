"""Windows of time, permissions within them, and how they merge. Pure.

All times are aware. Windows are end-exclusive: a window until 15:00 does not admit at 15:00:00.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

# They stand for "no bound" in comparisons; no booking reaches them.
_BEGINNING = datetime(1, 1, 1, tzinfo=UTC)
_END = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Window:
    """The time from `start` until just before `end`; None means without bound."""

    start: datetime | None
    end: datetime | None

    def covers(self, moment: datetime) -> bool:
        return (self.start or _BEGINNING) <= moment < (self.end or _END)

    def lapsed(self, now: datetime) -> bool:
        """Whether it admits nobody any more."""
        return self.end is not None and self.end <= now

    def clipped(self, start: datetime | None, end: datetime | None) -> "Window | None":
        """The part of it between `start` and `end`, or None if there is none."""
        first = max(self.start or _BEGINNING, start or _BEGINNING)
        last = min(self.end or _END, end or _END)
        if first >= last:
            return None
        return Window(None if first == _BEGINNING else first, None if last == _END else last)


ALWAYS = Window(None, None)
Windows = tuple[Window, ...]
# All that a controller holds for one card, by door number.
DoorWindows = Mapping[int, Windows]


@dataclass(frozen=True, slots=True)
class Permission:
    """A window in which a card may pass, and its causes: bookings and access levels."""

    window: Window
    causes: tuple[str, ...]


# What one card may pass, by door number.
Permissions = Mapping[int, tuple[Permission, ...]]


def merged(permissions: Iterable[Permission]) -> tuple[Permission, ...]:
    """The same admission in the fewest windows, in order; windows that overlap or touch become one."""
    ordered = sorted(permissions, key=lambda p: (p.window.start or _BEGINNING, p.window.end or _END))
    result: list[Permission] = []
    for permission in ordered:
        window = permission.window
        if result and (window.start or _BEGINNING) <= (result[-1].window.end or _END):
            last = result[-1]
            end = max(last.window.end or _END, window.end or _END)
            result[-1] = Permission(
                Window(last.window.start, None if end == _END else end),
                tuple(dict.fromkeys((*last.causes, *permission.causes))),
            )
        else:
            result.append(permission)
    return tuple(result)


def windows(permissions: Iterable[Permission]) -> Windows:
    """The windows without their causes."""
    return tuple(permission.window for permission in permissions)


def record_of(permissions: Permissions) -> DoorWindows:
    """What a card's permissions mean to a controller: windows by door."""
    return {door: windows(found) for door, found in permissions.items()}


def still_valid(permissions: Permissions, now: datetime) -> dict[int, tuple[Permission, ...]]:
    """The permissions that can still admit at `now` or later."""
    valid = {door: tuple(p for p in found if not p.window.lapsed(now)) for door, found in permissions.items()}
    return {door: found for door, found in valid.items() if found}


def without_lapsed(record: DoorWindows, now: datetime) -> DoorWindows:
    """The record without the windows that admit nobody any more."""
    valid = {door: tuple(w for w in found if not w.lapsed(now)) for door, found in record.items()}
    return {door: found for door, found in valid.items() if found}

"""Windows of time, permissions within them, and how they merge. Pure.

All times are aware. Windows are end-exclusive: a window until 15:00 does not admit at 15:00:00.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

# Stand-ins for "always" while windows are compared; no booking reaches there.
_BEGINNING = datetime(1, 1, 1, tzinfo=UTC)


_END = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of time, from `start` until just before `end`; None means without bound."""

    start: datetime | None
    end: datetime | None

    def covers(self, moment: datetime) -> bool:
        return (self.start or _BEGINNING) <= moment < (self.end or _END)

    def lapsed(self, now: datetime) -> bool:
        """Whether it can admit nobody any more."""
        return self.end is not None and self.end <= now

    def clipped(self, start: datetime | None, end: datetime | None) -> "Window | None":
        """The part of it within another stretch, or None where nothing is left."""
        first = max(self.start or _BEGINNING, start or _BEGINNING)
        last = min(self.end or _END, end or _END)
        if first >= last:
            return None
        return Window(None if first == _BEGINNING else first, None if last == _END else last)


ALWAYS = Window(None, None)

Windows = tuple[Window, ...]

Record = Mapping[int, Windows]


@dataclass(frozen=True, slots=True)
class Permission:
    """A window in which a card may pass, and why: the bookings and access levels behind it."""

    window: Window
    causes: tuple[str, ...]


def merged(permissions: Iterable[Permission]) -> tuple[Permission, ...]:
    """The same admission in the fewest windows, in order; windows that overlap or touch become one."""
    ordered = sorted(permissions, key=lambda p: (p.window.start or _BEGINNING, p.window.end or _END))
    done: list[Permission] = []
    for permission in ordered:
        window = permission.window
        if done and (window.start or _BEGINNING) <= (done[-1].window.end or _END):
            last = done[-1]
            end = max(last.window.end or _END, window.end or _END)
            done[-1] = Permission(
                Window(last.window.start, None if end == _END else end),
                tuple(dict.fromkeys((*last.causes, *permission.causes))),
            )
        else:
            done.append(permission)
    return tuple(done)


def windows(permissions: Iterable[Permission]) -> tuple[Window, ...]:
    """The windows alone, without their causes."""
    return tuple(permission.window for permission in permissions)

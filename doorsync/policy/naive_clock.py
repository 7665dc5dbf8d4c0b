"""Windows on devices whose clock knows no time zone: it shows the site's local time. Pure.

The portal sets such a clock right at each change of the zone's offset, and gives the device its records anew then.
Until then the device's clock simply runs on. So what a device should hold at `now` is said for a clock that runs on
until the next change; and where the clock will be set back, the hour that comes twice means the first time. The
second time is said once the change has come.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from doorsync.policy.windows import Window

# Further ahead than anything is loaded but standing access, whose ends are said anew before they come near.
_AHEAD = timedelta(days=8)


class NaiveWindow(NamedTuple):
    """A stretch of local time, as a naive clock shows it; the end exclusive, None without bound."""

    start: datetime | None
    end: datetime | None


def offset_at(zone: ZoneInfo, moment: datetime) -> timedelta:
    """How far the zone is ahead of UTC at an aware moment."""
    offset = moment.astimezone(zone).utcoffset()
    assert offset is not None
    return offset


def next_change(zone: ZoneInfo, now: datetime) -> datetime | None:
    """The next moment after `now` (aware) at which the zone's offset changes, to the second; None if not in a week."""
    before, step = now, timedelta(hours=1)
    while before < now + _AHEAD:
        if offset_at(zone, before + step) != offset_at(zone, before):
            break
        before += step
    else:
        return None
    first, last = before, before + step
    while last - first > timedelta(seconds=1):
        middle = first + (last - first) / 2
        if offset_at(zone, middle) == offset_at(zone, before):
            first = middle
        else:
            last = middle
    return last.replace(microsecond=0).astimezone(UTC)


def to_naive_clock(windows: Iterable[Window], zone: ZoneInfo, now: datetime) -> tuple[NaiveWindow, ...]:
    """The windows as a device is told them at `now` (aware); those within the hour that is yet to come again are left
    out until it does."""
    wall = _NaiveClock(zone, now)
    naive_windows: list[NaiveWindow] = []
    for window in windows:
        for start, end in wall.stretches(window):
            if naive_windows and start is not None and naive_windows[-1].end == start:
                naive_windows[-1] = NaiveWindow(naive_windows[-1].start, end)
            else:
                naive_windows.append(NaiveWindow(start, end))
    return tuple(naive_windows)


def from_naive_clock(windows: Iterable[NaiveWindow], zone: ZoneInfo, now: datetime) -> tuple[Window, ...]:
    """The windows that a device means which shows these at `now` (aware)."""
    wall = _NaiveClock(zone, now)
    return tuple(
        Window(
            None if start is None else wall.moment(start),
            None if end is None else wall.moment(end, is_end=True),
        )
        for start, end in windows
    )


def expressible(windows: Iterable[Window], zone: ZoneInfo, now: datetime) -> tuple[Window, ...]:
    """The part of the windows that a device with such a clock can be told at `now` (aware)."""
    return from_naive_clock(to_naive_clock(windows, zone, now), zone, now)


class _NaiveClock:
    """A clock that shows the zone's time at `now`, runs on, and is set at the next change of the zone's offset."""

    def __init__(self, zone: ZoneInfo, now: datetime) -> None:
        self._zone = zone
        self._offset = offset_at(zone, now)
        self._change = next_change(zone, now)
        self._seam = None if self._change is None else self._naive(self._change)
        after = self._offset if self._change is None else offset_at(zone, self._change)
        # The hour that comes twice: until then the clock has shown it once already.
        self._set_back = max(self._offset - after, timedelta())

    def stretches(self, window: Window) -> list[NaiveWindow]:
        if self._change is None or self._seam is None or not self._set_back:
            start = None if window.start is None else self.shown(window.start)
            # A window that ends as the clock is set forward ends for a clock that is not set, too.
            ends_before = window.end is not None and window.end == self._change
            end = self._seam if ends_before else None if window.end is None else self.shown(window.end)
            return [NaiveWindow(start, end)]
        naive_windows = []
        if window.start is None or window.start < self._change:
            end = None if window.end is None else self._naive(min(window.end, self._change))
            naive_windows.append(
                NaiveWindow(None if window.start is None else self._naive(window.start), end or self._seam)
            )
        if window.end is None or self.shown(window.end) > self._seam:
            start = self.shown(window.start) if window.start and window.start > self._change else self._seam
            start = max(start, self._seam)
            end = None if window.end is None else self.shown(window.end)
            if end is None or start < end:
                naive_windows.append(NaiveWindow(start, end))
        return naive_windows

    def shown(self, moment: datetime) -> datetime:
        """What the clock shows at a moment; after the change, by the zone's own rules."""
        if self._change is None or moment < self._change:
            return self._naive(moment)
        return moment.astimezone(self._zone).replace(tzinfo=None, fold=0)

    def moment(self, shown: datetime, *, is_end: bool = False) -> datetime:
        """When the clock shows this."""
        by_then = (shown - self._offset).replace(tzinfo=UTC)
        if self._change is None or by_then < self._change or (is_end and by_then == self._change):
            return by_then
        after = shown.replace(tzinfo=self._zone, fold=1).astimezone(UTC)
        return max(after, self._change)

    def _naive(self, moment: datetime) -> datetime:
        return moment.astimezone(UTC).replace(tzinfo=None) + self._offset


def shown_at(moment: datetime, zone: ZoneInfo) -> datetime:
    """What a naive clock that is right shows at a moment (aware)."""
    return moment.astimezone(zone).replace(tzinfo=None, fold=0)


def meant_by(shown: datetime, zone: ZoneInfo, now: datetime) -> datetime:
    """Which moment a naive clock takes for the present that shows this at `now` (aware)."""
    return shown.replace(tzinfo=UTC) - offset_at(zone, now)

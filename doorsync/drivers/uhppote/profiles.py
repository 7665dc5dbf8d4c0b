"""Time profiles of the UHPPOTE boards (UT0311): windows into profiles, and back. Pure.

A profile has a first and a last date, weekdays, three segments of the day, and the number of a linked profile that
admits as well. Facts from the uhppoted project's documentation and simulator, github.com/uhppoted:

- a segment goes to the end of its last minute: 10:00 until just before 11:00 is 10:00-10:59;
- an unused segment would be 00:00-00:00, and admit during that minute: it repeats another one instead;
- a board admits a card that names a missing profile, so the last profile of a chain is written first.

All times here are what the board's clock shows: the site's local time.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from doorsync.policy.naive_clock import NaiveWindow

SEGMENTS = 3
# Dates that stand for "without bound".
FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2099, 12, 31)
MIDNIGHT, LAST_MINUTE = time(0, 0), time(23, 59)
_MINUTE, _DAY = timedelta(minutes=1), timedelta(days=1)
# A foreign profile may last for years: only so many days of it are read.
_LONGEST = 400

Segment = tuple[time, time]  # its last minute included
Schedule = tuple["Page", ...]  # a chain of profiles


@dataclass(frozen=True, slots=True)
class Page:
    """The content of one profile: first and last date, weekdays (Monday first) and one to three segments."""

    first: date
    last: date
    segments: tuple[Segment, ...]
    weekdays: tuple[bool, ...] = (True,) * 7


def schedule(windows: Iterable[NaiveWindow]) -> Schedule:
    """The pages that admit during these windows (in whole minutes, in order and apart) and at no other time."""
    days: dict[date, list[Segment]] = defaultdict(list)
    whole: list[Page] = []
    for window in windows:
        for first, last, segment in _by_days(window):
            if first == last:
                days[first].append(segment)
            else:
                whole.append(Page(first, last, (segment,)))
    single = [Page(day, day, three) for day, segments in sorted(days.items()) for three in _in_threes(segments)]
    return tuple(sorted([*whole, *_joined(single)], key=lambda page: (page.first, page.segments)))


def windows(pages: Iterable[Page]) -> tuple[NaiveWindow, ...]:
    """When these pages admit, merged and in order."""
    spans = sorted(span for page in pages for span in _spans(page))
    merged: list[tuple[datetime, datetime]] = []
    for start, end in spans:
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return tuple(NaiveWindow(_bound(start, FIRST_DAY), _bound(end, LAST_DAY + _DAY)) for start, end in merged)


def needed(schedules: Iterable[Schedule]) -> set[Schedule]:
    """Every chain that must exist for these schedules; equal ends of chains are shared."""
    return {chain[number:] for chain in schedules for number in range(len(chain))}


def that_fit(wanted: Mapping[Schedule, datetime], room: int) -> set[Schedule]:
    """The schedules that fit into so many profiles (`room`), those that begin first (`wanted`: when) before others."""
    chosen: set[Schedule] = set()
    taken: set[Schedule] = set()
    for chain in sorted(wanted, key=lambda s: (wanted[s], [(p.first, p.last, p.segments) for p in s])):
        more = needed([chain]) - taken
        if len(taken) + len(more) <= room:
            chosen.add(chain)
            taken |= more
    return chosen


def _by_days(window: NaiveWindow) -> Iterator[tuple[date, date, Segment]]:
    """The window as stretches of days that each have the same segment."""
    start = window.start or _midnight(FIRST_DAY)
    last = (window.end or _midnight(LAST_DAY + _DAY)) - _MINUTE
    if start.date() == last.date():
        yield start.date(), start.date(), (start.time(), last.time())
        return
    first_whole = start.date() if start.time() == MIDNIGHT else start.date() + _DAY
    last_whole = last.date() if last.time() == LAST_MINUTE else last.date() - _DAY
    if start.date() < first_whole:
        yield start.date(), start.date(), (start.time(), LAST_MINUTE)
    if first_whole <= last_whole:
        yield first_whole, last_whole, (MIDNIGHT, LAST_MINUTE)
    if last_whole < last.date():
        yield last.date(), last.date(), (MIDNIGHT, last.time())


def _in_threes(segments: list[Segment]) -> Iterator[tuple[Segment, ...]]:
    ordered = sorted(segments)
    for number in range(0, len(ordered), SEGMENTS):
        yield tuple(ordered[number : number + SEGMENTS])


def _joined(pages: list[Page]) -> list[Page]:
    """Days that follow one another with the same segments, as one page."""
    by_segments: dict[tuple[Segment, ...], list[Page]] = defaultdict(list)
    for page in pages:
        joined = by_segments[page.segments]
        if joined and joined[-1].last + _DAY == page.first:
            joined[-1] = Page(joined[-1].first, page.last, page.segments)
        else:
            joined.append(page)
    return [page for joined in by_segments.values() for page in joined]


def _spans(page: Page) -> Iterator[tuple[datetime, datetime]]:
    if all(page.weekdays) and (MIDNIGHT, LAST_MINUTE) in page.segments:
        yield _midnight(page.first), _midnight(page.last + _DAY)
        return
    for number in range(min((page.last - page.first).days + 1, _LONGEST)):
        day = page.first + number * _DAY
        if page.weekdays[day.weekday()]:
            for start, last in page.segments:
                if start <= last:
                    yield datetime.combine(day, start), datetime.combine(day, last) + _MINUTE


def _midnight(day: date) -> datetime:
    return datetime.combine(day, MIDNIGHT)


def _bound(moment: datetime, unbounded: date) -> datetime | None:
    return None if moment == _midnight(unbounded) else moment

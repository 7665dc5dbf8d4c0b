"""Windows as time profiles of a UHPPOTE board, minute by minute."""

from datetime import date, datetime, time, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from doorsync.drivers.uhppote.profiles import FIRST_DAY, LAST_DAY, Page, needed, schedule, that_fit, windows
from doorsync.policy.naive_clock import NaiveWindow

DAY = date(2026, 3, 10)
MIDNIGHT = datetime.combine(DAY, time())
BOUND = 3 * 24 * 60


def admits(pages, moment):
    """As a board decides: any page of the chain whose dates, weekday and segment hold, to the end of its minute."""
    minute = moment.time().replace(second=0)
    return any(
        page.first <= moment.date() <= page.last
        and page.weekdays[moment.weekday()]
        and any(start <= minute <= last for start, last in page.segments)
        for page in pages
    )


bounds = st.lists(st.integers(0, BOUND), max_size=16, unique=True).map(sorted)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a machine may be busy
@given(bounds, st.booleans(), st.booleans())
def test_profiles_admit_at_the_very_minutes_of_the_windows_and_read_back_the_same(edges, no_start, no_end):
    pairs = list(zip(edges[::2], edges[1::2], strict=False))
    expected = [NaiveWindow(*(MIDNIGHT + timedelta(minutes=m) for m in pair)) for pair in pairs]
    if expected and no_start:
        expected[0] = NaiveWindow(None, expected[0].end)
    if expected and no_end:
        expected[-1] = NaiveWindow(expected[-1].start, None)
    pages = schedule(expected)
    assert windows(pages) == tuple(expected)
    assert all(1 <= len(page.segments) <= 3 and FIRST_DAY <= page.first <= page.last <= LAST_DAY for page in pages)
    for minute in range(-5, BOUND + 5, 7):
        moment = MIDNIGHT + timedelta(minutes=minute, seconds=59)
        wanted = any((w.start is None or w.start <= moment) and (w.end is None or moment < w.end) for w in expected)
        assert admits(pages, moment) == wanted
    for _start, end in pairs:
        assert not admits(pages, MIDNIGHT + timedelta(minutes=end)) or no_end


def test_a_meeting_every_day_is_one_profile_and_three_a_day_are_one_too():
    def at(day, hour):
        return datetime.combine(DAY + timedelta(days=day), time(hour))

    assert len(schedule(NaiveWindow(at(n, 10), at(n, 11)) for n in range(3))) == 1
    assert len(schedule(NaiveWindow(at(0, h), at(0, h + 1)) for h in (8, 10, 12))) == 1
    assert len(schedule(NaiveWindow(at(0, h), at(0, h + 1)) for h in (8, 10, 12, 14))) == 2
    (page,) = schedule([NaiveWindow(at(0, 10), at(0, 11))])
    assert page == Page(DAY, DAY, ((time(10, 0), time(10, 59)),))


def page(day):
    return Page(DAY + timedelta(days=day), DAY + timedelta(days=day), ((time(9), time(9, 59)),))


def test_equal_ends_of_chains_are_shared_and_the_soonest_find_room_first():
    long, short, other = (page(0), page(2)), (page(2),), (page(1),)
    assert len(needed([long, short, other])) == 3
    wanted = {long: MIDNIGHT, other: MIDNIGHT + timedelta(days=1), short: MIDNIGHT + timedelta(days=2)}
    assert that_fit(wanted, 3) == {long, short, other}
    assert that_fit(wanted, 2) == {long, short}, "what is shared costs nothing more"
    assert that_fit(wanted, 1) == {other}


def test_a_profile_of_somebody_elses_is_read_as_it_is():
    mornings = Page(DAY, DAY + timedelta(days=6), ((time(9), time(11, 59)),), (True,) + (False,) * 6)
    assert windows([mornings]) == (
        NaiveWindow(datetime.combine(date(2026, 3, 16), time(9)), datetime.combine(date(2026, 3, 16), time(12))),
    )

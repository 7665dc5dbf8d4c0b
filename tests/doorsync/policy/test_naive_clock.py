"""Naive clocks: a device that shows local time admits at the very minutes that it should, on any night of the year."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from doorsync.policy.naive_clock import expressible, from_naive_clock, next_change, to_naive_clock
from doorsync.policy.windows import Permission, Window, merged, windows

LONDON = ZoneInfo("Europe/London")
BACK = datetime(2026, 10, 25, 1, 0, tzinfo=UTC)  # 02:00 becomes 01:00
FORWARD = datetime(2026, 3, 29, 1, 0, tzinfo=UTC)  # 01:00 becomes 02:00
CHATHAM = ZoneInfo("Pacific/Chatham")
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")  # half an hour
NIGHTS = [
    (LONDON, BACK),
    (LONDON, FORWARD),
    (CHATHAM, datetime(2026, 4, 4, 14, 0, tzinfo=UTC)),
    (CHATHAM, datetime(2026, 9, 26, 14, 0, tzinfo=UTC)),
    (LORD_HOWE, datetime(2026, 4, 4, 15, 0, tzinfo=UTC)),
    (LORD_HOWE, datetime(2026, 10, 3, 15, 30, tzinfo=UTC)),
]


@pytest.mark.parametrize(("zone", "change"), NIGHTS)
def test_the_next_change_is_found_to_the_second(zone, change):
    assert next_change(zone, change - timedelta(days=2, minutes=17)) == change
    assert next_change(zone, change - timedelta(seconds=1)) == change
    assert next_change(zone, change) is None
    assert next_change(ZoneInfo("Asia/Hong_Kong"), change) is None


minutes = st.one_of(st.none(), st.integers(-180, 180))
spans = st.tuples(minutes, minutes).filter(lambda b: b[0] is None or b[1] is None or b[0] < b[1])


@given(st.sampled_from(NIGHTS), st.lists(spans, max_size=4), st.integers(-240, 240))
@example((LONDON, BACK), [(0, 30)], -60)  # only the second half past one
@example((LONDON, BACK), [(-60, -30)], -90)  # only the first
@example((LONDON, BACK), [(-30, 30)], -90)  # across
@example((LONDON, FORWARD), [(-60, 0), (30, 60)], -120)
def test_a_device_admits_at_exactly_the_minutes_it_should(night, found, loaded):
    zone, change = night
    wanted = windows(
        merged(
            Permission(
                Window(*(None if m is None else change + timedelta(minutes=m) for m in span)),
                ("c",),
            )
            for span in found
        )
    )
    moment = change + timedelta(minutes=loaded)
    offset = moment.astimezone(zone).utcoffset()
    naive = to_naive_clock(wanted, zone, moment)
    while moment < change + timedelta(minutes=300):
        if moment == change:  # the portal sets the clock and tells everything anew
            offset = moment.astimezone(zone).utcoffset()
            naive = to_naive_clock(wanted, zone, moment)
        shown = moment.replace(tzinfo=None) + offset
        admits = any((s is None or s <= shown) and (e is None or shown < e) for s, e in naive)
        assert admits == any(w.covers(moment) for w in wanted), moment
        moment += timedelta(minutes=1)


@given(st.sampled_from(NIGHTS), st.lists(spans, max_size=4), st.integers(-240, 240))
def test_what_is_read_back_is_what_was_said(night, found, loaded):
    zone, change = night
    now = change + timedelta(minutes=loaded)
    wanted = windows(
        merged(
            Permission(Window(*(None if m is None else change + timedelta(minutes=m) for m in s)), ("c",))
            for s in found
        )
    )
    expressed = expressible(wanted, zone, now)
    assert from_naive_clock(to_naive_clock(expressed, zone, now), zone, now) == expressed


def test_a_device_that_is_left_alone_over_the_night_admits_nobody_it_should_not_when_its_clock_runs_on():
    wanted = (Window(BACK - timedelta(minutes=30), BACK + timedelta(minutes=30)),)
    naive = to_naive_clock(wanted, LONDON, BACK - timedelta(hours=3))
    assert [(start.isoformat(), end.isoformat()) for start, end in naive] == [
        ("2026-10-25T01:30:00", "2026-10-25T02:00:00")
    ]

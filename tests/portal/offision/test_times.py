"""Moments in every format, and spans across clock changes."""

from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.offision.contract import Times
from portal.offision.times import readings, span

ISO = Times(format="iso", status="unconfirmed")
SECONDS = Times(format="epoch_seconds", status="unconfirmed")
MILLISECONDS = Times(format="epoch_milliseconds", status="unconfirmed")
LONDON = ZoneInfo("Europe/London")  # 2025: gap on 30 March 01:00-02:00, fold on 26 October 01:00-02:00


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "times", "expected"),
    [
        ("2025-03-10T09:00:00+08:00", ISO, "2025-03-10T01:00"),
        ("2025-07-10T09:00:00Z", ISO, "2025-07-10T09:00"),
        ("2025-07-10T09:00:00.0000000Z", ISO, "2025-07-10T09:00"),
        ("2025-07-10T09:00", ISO, "2025-07-10T08:00"),
        (" 2025-07-10 09:00:00 ", ISO, "2025-07-10T08:00"),
        (1741568400, SECONDS, "2025-03-10T01:00"),
        ("1741568400", SECONDS, "2025-03-10T01:00"),
        (1741568400000, MILLISECONDS, "2025-03-10T01:00"),
        (1741568400000.0, MILLISECONDS, "2025-03-10T01:00"),
    ],
)
def test_formats(value: Any, times: Times, expected: str) -> None:
    assert readings(value, times, LONDON) == (utc(expected),)


def test_naive_times_of_another_zone() -> None:
    tokyo = Times(format="iso", naive="Asia/Tokyo", status="unconfirmed")
    assert readings("2025-07-10T09:00", tokyo, LONDON) == (utc("2025-07-10T00:00"),)


@pytest.mark.parametrize(
    ("value", "times"),
    [
        ("", ISO),
        ("noon", ISO),
        ("2025-02-30T09:00", ISO),
        (1741568400, ISO),
        (None, ISO),
        (["2025-07-10T09:00"], ISO),
        ("0001-01-01T00:00:00+14:00", ISO),
        ("9999-12-31T23:59:59-12:00", ISO),
        ("2025-07-10T09:00" + "0" * 1000, ISO),
        (True, SECONDS),
        (float("nan"), SECONDS),
        (float("inf"), MILLISECONDS),
        ("1e400", SECONDS),
        (10**18, SECONDS),
        (10**400, SECONDS),
        ({}, SECONDS),
    ],
)
def test_values_that_are_no_moment(value: Any, times: Times) -> None:
    with pytest.raises(ValueError):
        readings(value, times, LONDON)


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        # A start in the doubled hour is the later one, an end in it the earlier.
        ("2025-10-26T01:30", "2025-10-26T03:00", ("2025-10-26T01:30", "2025-10-26T03:00")),
        ("2025-10-26T00:30", "2025-10-26T01:30", ("2025-10-25T23:30", "2025-10-26T00:30")),
        # A meeting wholly within the doubled hour keeps its 40 minutes.
        ("2025-10-26T01:10", "2025-10-26T01:50", ("2025-10-26T01:10", "2025-10-26T01:50")),
        # Backwards on the clock, but possible: from the first pass of the hour into the second.
        ("2025-10-26T01:50", "2025-10-26T01:10", ("2025-10-26T00:50", "2025-10-26T01:10")),
        # The hour that never happens.
        ("2025-03-30T01:30", "2025-03-30T03:00", ("2025-03-30T01:30", "2025-03-30T02:00")),
        ("2025-03-30T00:30", "2025-03-30T01:30", ("2025-03-30T00:30", "2025-03-30T00:30")),
        ("2025-03-30T01:10", "2025-03-30T01:50", ("2025-03-30T01:10", "2025-03-30T01:50")),
    ],
)
def test_clock_changes(start: str, end: str, expected: tuple[str, str]) -> None:
    result = span(readings(start, ISO, LONDON), readings(end, ISO, LONDON))
    if expected == ("2025-03-30T00:30", "2025-03-30T00:30"):
        expected = ("2025-03-30T00:30", "2025-03-30T01:30")  # the earlier reading of the end would be no span at all
    assert result == (utc(expected[0]), utc(expected[1]))


near_changes = st.sampled_from(["2025-03-30", "2025-10-26", "2025-07-01"]).flatmap(
    lambda day: st.integers(-300, 300).map(lambda minutes: datetime.fromisoformat(day) + timedelta(minutes=minutes))
)
zones = st.sampled_from(["Europe/London", "Asia/Hong_Kong", "America/Santiago", "Australia/Lord_Howe"]).map(ZoneInfo)


@given(near_changes, near_changes, zones)
def test_a_span_is_never_longer_than_any_possible_reading(start: datetime, end: datetime, zone: ZoneInfo) -> None:
    starts, ends = (readings(one.isoformat(), ISO, zone) for one in (start, end))
    result = span(starts, ends)
    possible = [b - a for a, b in product(starts, ends) if b > a]
    assert (result is None) == (not possible)
    if result is not None:
        assert result[0] in starts
        assert result[1] in ends
        assert result[1] - result[0] == min(possible)


@given(near_changes, zones)
def test_readings_are_the_wall_clock_or_a_gap(moment: datetime, zone: ZoneInfo) -> None:
    moments = readings(moment.isoformat(), ISO, zone)
    assert list(moments) == sorted(set(moments))
    back = {one.astimezone(zone).replace(tzinfo=None) for one in moments}
    assert back == {moment} or (len(back) == 2 and min(back) < moment < max(back))

"""Planning against its own definition, minute by minute."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from doorsync.drivers.base import one_stretch, rounded_inwards
from doorsync.policy.desired import Cardholders, Desired, Resource, desired_state, next_edge
from doorsync.policy.rules import Booking, Policy, ValidCard
from doorsync.policy.windows import ALWAYS, Permission, Window, merged, windows

DAY = datetime(2026, 3, 10, tzinfo=UTC)
NEVER = timedelta(0)


def at(minute: int) -> datetime:
    return DAY + timedelta(minutes=minute)


bounds = st.one_of(st.none(), st.integers(0, 60).map(at))
any_window = (
    st.tuples(bounds, bounds).filter(lambda b: b[0] is None or b[1] is None or b[0] < b[1]).map(lambda b: Window(*b))
)


@given(st.lists(any_window, max_size=8))
def test_merging_admits_at_the_same_minutes_in_the_fewest_windows(found):
    result = windows(merged(Permission(w, ("c",)) for w in found))
    for minute in range(-1, 62):
        assert any(w.covers(at(minute)) for w in found) == any(w.covers(at(minute)) for w in result)
    for earlier, later in pairwise(result):
        assert earlier.end is not None
        assert later.start is not None
        assert earlier.end < later.start


@given(any_window, bounds, bounds)
def test_clipping_admits_only_where_both_do(window, start, end):
    if start is not None and end is not None and start >= end:
        start, end = end, start
        if start == end:
            return
    clipped = window.clipped(start, end)
    limit = Window(start, end)
    for minute in range(-1, 62):
        both = window.covers(at(minute)) and limit.covers(at(minute))
        assert both == (clipped is not None and clipped.covers(at(minute)))


@given(st.lists(any_window, max_size=5), st.sampled_from([1, 60, 600]))
def test_rounding_never_admits_longer(found, step):
    shifted = tuple(
        Window(w.start and w.start + timedelta(seconds=17), w.end and w.end + timedelta(seconds=17)) for w in found
    )
    for window in rounded_inwards(shifted, step):
        for edge in (window.start, window.end):
            assert edge is None or edge.timestamp() % step == 0
        assert any(
            (w.start or DAY - timedelta(days=9)) <= (window.start or DAY - timedelta(days=9))
            and (window.end or DAY + timedelta(days=9)) <= (w.end or DAY + timedelta(days=9))
            for w in shifted
        )


def policy(**more):
    defaults = {
        "admit_organizer": True,
        "admit_attendees": True,
        "admit_anyone": False,
        "admit_levels": frozenset(),
        "always_levels": frozenset(),
        "statuses": frozenset({"confirmed"}),
        "lead": timedelta(minutes=15),
        "grace": timedelta(minutes=10),
    }
    return Policy(**{**defaults, **more})


def booked(name, start, end, *, resource="r", status="confirmed", organizer="mei@x", attendees=()):
    return Booking(name, resource, start, end, status, organizer, tuple(attendees))


PEOPLE = Cardholders(
    by_email={"mei@x": (ValidCard("1"), ValidCard("2")), "tom@x": (ValidCard("3"),)},
    by_level={"club": (ValidCard("3"), ValidCard("4"))},
)


def desired(*bookings, now=DAY, doors=(1,), **rules):
    return desired_state([Resource("r", doors, policy(**rules))], bookings, PEOPLE, now=now)


def test_lead_and_grace_and_every_active_card_of_those_admitted():
    result = desired(booked("b", at(60), at(120), attendees=["tom@x", "", "nobody@x"]))
    assert set(result.cards) == {"1", "2", "3"}
    assert result.cards["1"][1] == (Permission(Window(at(45), at(130)), ("booking:b",)),)


def test_two_bookings_together_and_then_one_of_them():
    first, second = booked("a", at(60), at(120)), booked("b", at(110), at(180))
    together = desired(first, second).cards["1"][1]
    assert together == (Permission(Window(at(45), at(190)), ("booking:a", "booking:b")),)
    assert windows(desired(second).cards["1"][1]) == (Window(at(95), at(190)),)


def test_a_status_that_does_not_count_admits_nobody():
    result = desired(
        booked("b", at(60), at(120), status="no_show"), admit_anyone=True, admit_levels=frozenset({"club"})
    )
    assert result == Desired({}, {})


def test_always_swallows_the_windows_of_bookings():
    result = desired(booked("b", at(60), at(120), attendees=["tom@x"]), always_levels=frozenset({"club"}))
    assert windows(result.cards["3"][1]) == (ALWAYS,)


def test_anyone_unlocks_without_lead_and_grace():
    result = desired(booked("b", at(60), at(120)), admit_anyone=True, admit_organizer=False, doors=(1, 2))
    assert result.cards == {}
    assert {door: windows(found) for door, found in result.unlocked.items()} == {
        1: (Window(at(60), at(120)),),
        2: (Window(at(60), at(120)),),
    }


def test_a_card_admits_only_while_it_is_valid_itself():
    people = Cardholders({"mei@x": (ValidCard("1", valid_until=at(70)), ValidCard("2", valid_from=at(500)))}, {})
    result = desired_state([Resource("r", (1,), policy())], [booked("b", at(60), at(120))], people, now=DAY)
    assert {card: windows(doors[1]) for card, doors in result.cards.items()} == {"1": (Window(at(45), at(70)),)}


def test_the_last_minute_of_grace_is_the_last():
    result = desired(booked("b", at(60), at(120)), now=at(130))
    assert result.cards == {}, "at the end itself nobody is admitted any more"
    assert desired(booked("b", at(60), at(120)), now=at(129)).cards


def test_a_meeting_in_the_hour_that_comes_twice_lasts_as_long_as_it_lasts():
    zone = ZoneInfo("America/New_York")
    start = datetime(2026, 11, 1, 1, 30, tzinfo=zone, fold=0).astimezone(UTC)
    end = datetime(2026, 11, 1, 1, 30, tzinfo=zone, fold=1).astimezone(UTC)
    (permission,) = desired(booked("b", start, end), now=start, lead=NEVER, grace=NEVER).cards["1"][1]
    assert permission.window.end - permission.window.start == timedelta(hours=1)


def test_the_next_edge_is_the_next_change_for_anybody():
    result = desired(booked("b", at(60), at(120)), admit_anyone=True)
    edges = [DAY]
    while (edge := next_edge(result, edges[-1])) is not None:
        edges.append(edge)
    assert edges[1:] == [at(45), at(60), at(120), at(130)]


@given(st.dictionaries(st.integers(1, 3), st.lists(any_window, max_size=3), max_size=3), st.integers(0, 60))
def test_one_window_for_all_doors_is_right_until_the_next_edge(doors, minute):
    wanted = {door: windows(merged(Permission(w, ("c",)) for w in found)) for door, found in doors.items() if found}
    record = one_stretch(wanted, at(minute))
    assert len(set(record.values())) <= 1, "one window for all"
    edges = [e for found in wanted.values() for w in found for e in (w.start, w.end) if e and e > at(minute)]
    until = min(edges, default=at(62))
    for later in range(minute, 62):
        for door in (1, 2, 3):
            meant = any(w.covers(at(later)) for w in wanted.get(door, ()))
            held = any(w.covers(at(later)) for w in record.get(door, ()))
            assert not held or meant, "never admits who is not meant"
            if at(later) < until:
                assert held == meant


def test_the_edges_of_what_is_written_count_too():
    assert next_edge(Desired(), at(0), written=[{1: (Window(at(-5), at(7)), ALWAYS)}]) == at(7)

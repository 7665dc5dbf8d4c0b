"""When recipients are notified: once when an issue has lasted, once when it has ended, never of a short one."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorsync.notices.decision import (
    CLEAR_AFTER,
    FLAPPING_COUNT,
    NOTIFY_AFTER,
    NOTIFY_AFTER_WHEN_FLAPPING,
    OFFISION,
    Kind,
    State,
    Subject,
    digest_due,
    next_state,
    next_states,
)

START = datetime(2026, 3, 10, 1, 0, tzinfo=UTC)
HALF_MINUTE = timedelta(seconds=30)


def play(looks: str, *, kind: str = Kind.CONTROLLER, recent_notices: int = 0) -> list[tuple[int, str]]:
    """What is notified at which look. `looks` has a letter for each half minute: x issue, . clear, ? unknown."""
    state: State | None = None
    events = []
    for number, letter in enumerate(looks):
        before = state
        state = next_state(
            state,
            kind=kind,
            has_issue=letter == "x",
            unknown=letter == "?",
            recent_notices=recent_notices,
            now=START + number * HALF_MINUTE,
        )
        if state is None:
            continue
        if state.notified_at is not None and (before is None or before.notified_at is None):
            events.append((number, "begun"))
        if state.ended_at is not None:
            if state.end_notified_at is not None:
                events.append((number, "ended"))
            state = None
    return events


def test_the_decision_imports_no_django():
    code = "import sys, doorsync.notices.decision; sys.exit('django' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_issue_of_two_minutes_notifies_nobody():
    assert play("xxxx.....") == []


def test_an_issue_is_notified_once_when_it_has_lasted_and_once_when_it_has_ended():
    assert play("x" * 30 + "." * 30) == [(4, "begun"), (34, "ended")]


def test_an_issue_that_returns_before_it_stayed_clear_has_not_ended():
    assert play("xxxxxx..x..xx...xxxx") == [(4, "begun")]


def test_drift_that_comes_and_goes_between_looks_lasts():
    assert play("xx.xx.xx.xx", kind=Kind.DRIFT) == [(10, "begun")]


def test_unknown_drift_neither_starts_nor_ends():
    assert play("x" * 11 + "?" * 40, kind=Kind.DRIFT) == [(10, "begun")]
    assert play("?" * 40, kind=Kind.DRIFT) == []
    assert play("x" * 11 + "?" * 40 + "....." + ".", kind=Kind.DRIFT) == [(10, "begun"), (55, "ended")]


def test_a_flapping_subject_is_notified_only_when_its_issue_stays():
    hour = int(NOTIFY_AFTER_WHEN_FLAPPING / HALF_MINUTE)
    assert play("x" * (hour - 1) + "." * 9, recent_notices=FLAPPING_COUNT) == []
    assert play("x" * (hour + 1), recent_notices=FLAPPING_COUNT) == [(hour, "begun")]
    assert play("x" * 9, recent_notices=FLAPPING_COUNT - 1) == [(4, "begun")]


def test_a_short_issue_is_forgotten_and_one_of_a_flapping_subject_is_kept():
    lasted = NOTIFY_AFTER[Kind.CONTROLLER]
    short, long = (State(since=START, clear_since=START + length) for length in (HALF_MINUTE, lasted))
    later = START + lasted + CLEAR_AFTER
    clear = {"kind": Kind.CONTROLLER, "has_issue": False, "unknown": False, "now": later}
    assert next_state(short, recent_notices=0, **clear) is None
    end = next_state(long, recent_notices=FLAPPING_COUNT, **clear)
    assert end is not None
    assert (end.ended_at, end.end_notified_at) == (START + lasted, None)


@given(st.text("x.?", max_size=80), st.sampled_from(list(Kind)), st.integers(0, 5))
def test_starts_and_ends_alternate(looks, kind, recent_notices):
    events = [event for _number, event in play(looks, kind=kind, recent_notices=recent_notices)]
    assert events == ["begun", "ended"] * (len(events) // 2) + ["begun"] * (len(events) % 2)


@given(st.text("x.", max_size=60))
def test_only_an_issue_that_lasted_is_notified(looks):
    if not play(looks):
        return
    # An issue lasts until it was clear at every look of CLEAR_AFTER, both ends included.
    stretches = looks.split("." * (int(CLEAR_AFTER / HALF_MINUTE) + 1))
    assert max(map(len, stretches)) > NOTIFY_AFTER[Kind.CONTROLLER] / HALF_MINUTE


def test_every_subject_that_has_or_had_an_issue_has_a_next_state():
    box, old = Subject(Kind.CONTROLLER, "1"), Subject(Kind.DRIFT, "2")
    short = Subject(Kind.DRIFT, "3")
    states = {OFFISION: State(since=START), short: State(since=START, clear_since=START)}
    now = START + CLEAR_AFTER
    result = next_states(states, issues={box, old}, unknown=set(), recent_notices={}, now=now)
    assert result == {
        box: State(since=now),
        old: State(since=now),
        OFFISION: State(since=START, clear_since=now),
        short: None,
    }


@pytest.mark.parametrize(
    ("last", "now", "due"),
    [
        ("2026-03-09 08:00", "2026-03-10 07:59", False),
        ("2026-03-09 08:00", "2026-03-10 08:00", True),
        ("2026-03-10 08:00", "2026-03-10 23:59", False),
        ("2026-03-09 09:00", "2026-03-10 07:00", False),
        ("2026-03-07 09:00", "2026-03-10 07:00", True),  # the worker was down for days: one digest, not three
    ],
)
def test_a_digest_is_due_once_a_day_at_its_hour(last, now, due):
    zone = ZoneInfo("Asia/Hong_Kong")

    def at(text):
        return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)

    assert digest_due(at(last), 8, zone, at(now)) is due

"""When something is told: once when it has lasted, once when it is over, and never for what passes."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from doorsync.models.notices import Kind
from doorsync.notices.decision import (
    CALM,
    OFTEN,
    PATIENCE,
    PATIENCE_WITH_THE_FICKLE,
    Known,
    Seen,
    Which,
    Wrong,
    advanced,
    digest_due,
    look,
)

START = datetime(2026, 3, 10, 1, 0, tzinfo=UTC)
HALF_MINUTE = timedelta(seconds=30)
BOX = Which(Kind.CONTROLLER, "1")


def play(states: str, *, kind: str = Kind.CONTROLLER, told_lately: int = 0) -> list[tuple[int, str]]:
    """What is told at which look, where `states` says for each half minute: x wrong, . well, ? veiled."""
    known: Known | None = None
    told = []
    for number, state in enumerate(states):
        now = START + number * HALF_MINUTE
        before = known
        known = advanced(known, kind=kind, wrong=state == "x", veiled=state == "?", told_lately=told_lately, now=now)
        if known is None:
            continue
        if known.told_at is not None and (before is None or before.told_at is None):
            told.append((number, "begun"))
        if known.ended_at is not None:
            if known.end_told_at is not None:
                told.append((number, "ended"))
            known = None
    return told


def test_a_controller_that_is_back_within_two_minutes_is_nobodys_affair():
    assert play("xxxx.....") == []


def test_it_is_told_once_when_it_has_lasted_and_once_when_it_is_over():
    assert play("x" * 30 + "." * 30) == [(4, "begun"), (34, "ended")]


def test_what_comes_back_before_it_is_calm_never_ended():
    assert play("xxxxxx..x..xx...xxxx") == [(4, "begun")]


def test_drift_that_flickers_between_looks_is_drift_that_lasts():
    assert play("xx.xx.xx.xx", kind=Kind.DRIFT) == [(10, "begun")]


def test_drift_that_nobody_can_see_behind_a_dead_controller_is_neither_over_nor_new():
    assert play("x" * 11 + "?" * 40, kind=Kind.DRIFT) == [(10, "begun")]
    assert play("?" * 40, kind=Kind.DRIFT) == []
    assert play("x" * 11 + "?" * 40 + "....." + ".", kind=Kind.DRIFT) == [(10, "begun"), (55, "ended")]


def test_what_keeps_coming_and_going_is_left_to_the_digest_unless_it_stays():
    hour = int(PATIENCE_WITH_THE_FICKLE / HALF_MINUTE)
    assert play("x" * (hour - 1) + "." * 9, told_lately=OFTEN) == []
    assert play("x" * (hour + 1), told_lately=OFTEN) == [(hour, "begun")]
    assert play("x" * 9, told_lately=OFTEN - 1) == [(4, "begun")]


def test_what_was_too_short_to_tell_is_not_kept_and_what_was_quieted_is():
    short = Known(since=START, clear_since=START + HALF_MINUTE)
    end = advanced(
        short, kind=Kind.CONTROLLER, wrong=False, veiled=False, told_lately=0, now=START + HALF_MINUTE + CALM
    )
    assert end is not None and not end.worth_keeping
    quiet = Known(since=START, clear_since=START + PATIENCE[Kind.CONTROLLER])
    end = advanced(
        quiet, kind=Kind.CONTROLLER, wrong=False, veiled=False, told_lately=9, now=START + timedelta(minutes=9)
    )
    assert end is not None and end.worth_keeping and end.end_told_at is None


@given(st.text("x.?", max_size=80), st.sampled_from(Kind.values), st.integers(0, 5))
def test_beginnings_and_ends_take_turns(states, kind, told_lately):
    told = [word for _number, word in play(states, kind=kind, told_lately=told_lately)]
    assert told == ["begun", "ended"] * (len(told) // 2) + ["begun"] * (len(told) % 2)


@given(st.text("x.", max_size=60))
def test_nothing_is_told_of_what_was_never_wrong_for_its_kinds_patience(states):
    if not play(states):
        return
    # Until it was seen well for the whole calm, from the first look to the last, it counts as wrong.
    stretches = states.split("." * (int(CALM / HALF_MINUTE) + 1))
    assert max(map(len, stretches)) > PATIENCE[Kind.CONTROLLER] / HALF_MINUTE


def test_a_look_holds_many_things_at_once():
    other = Which(Kind.DRIFT, "2")
    gone = Which(Kind.OFFISION, "offision")
    seen = Seen((Wrong(BOX, "box", "why"), Wrong(other, "old", "why")))
    found = look({gone: Known(since=START)}, seen, told_lately={}, now=START + HALF_MINUTE)
    assert found.keys() == {BOX, other, gone}
    assert found[gone].clear_since == START + HALF_MINUTE


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

"""The decision, for any input."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.offision.statuses import VisitStatus
from visitors.verification.decision import (
    OUTSIDE,
    AntiPassback,
    Decision,
    Direction,
    KnownVisit,
    Presence,
    Reason,
    TurnstilePolicy,
    decide,
)

NOW = datetime(2026, 3, 10, 9, tzinfo=UTC)

ALWAYS = [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)]  # as servers say it
moments = st.one_of(st.none(), st.sampled_from(ALWAYS), st.integers(-90, 90).map(lambda m: NOW + timedelta(minutes=m)))
statuses = st.sampled_from(VisitStatus)
visits = st.builds(lambda status, start, end: visit(status, start, end), statuses, moments, moments)
several = st.frozensets(statuses.map(lambda s: s.value))
policies = st.builds(
    TurnstilePolicy,
    enabled=st.booleans(),
    direction=st.sampled_from(Direction),
    statuses_in=several,
    statuses_out=several,
    tolerance=st.integers(0, 30).map(lambda m: timedelta(minutes=m)),
    sites=st.sampled_from([None, frozenset({"harbour"})]),
    anti_passback=st.sampled_from(AntiPassback),
    anti_passback_for=st.just(timedelta(minutes=10)),
    leaving_needs_arrival=st.booleans(),
)
presences = st.builds(Presence, st.booleans(), st.sampled_from([None, NOW, NOW - timedelta(hours=1)]))


def visit(status=VisitStatus.CHECKED_IN, start=None, end=None):
    return KnownVisit(status, start, end, None)


@given(
    policies,
    st.sampled_from([Direction.IN, Direction.OUT]),
    st.one_of(st.none(), visits),
    st.sampled_from([None, *Reason]),
    presences,
)
def test_an_allow_needs_an_admitted_status_a_valid_time_and_an_enabled_turnstile(
    policy, direction, known, obstacle, presence
):
    decision = decide(policy, direction=direction, visit=known, obstacle=obstacle, now=NOW, presence=presence)
    if decision.allowed:
        assert known is not None
        assert policy.enabled
        assert policy.direction in (direction, Direction.BOTH)
        assert known.status is not VisitStatus.UNKNOWN
        if direction is Direction.IN:
            assert known.status.value in policy.statuses_in
            assert known.valid_from is None or known.valid_from <= NOW + policy.tolerance
            assert known.valid_until is None or known.valid_until > NOW - policy.tolerance
            assert not (presence.inside and policy.anti_passback is AntiPassback.HARD), "single entry"
        else:
            assert known.status.value in policy.statuses_out
            assert presence.inside or not policy.leaving_needs_arrival
    assert list(decision.reasons) == sorted(decision.reasons, key=list(Reason).index), "the weightiest leads"
    assert decision.allowed == (decision.reasons == ())


POLICY = TurnstilePolicy(
    enabled=True,
    direction=Direction.BOTH,
    statuses_in=frozenset({"checked_in"}),
    statuses_out=frozenset({"checked_in", "checked_out"}),
    tolerance=timedelta(0),
)


def ask(known, direction=Direction.IN, policy=POLICY):
    return decide(policy, direction=direction, visit=known, obstacle=None, now=NOW)


@pytest.mark.parametrize(
    ("known", "reasons"),
    [
        (visit(), ()),
        (visit(VisitStatus.EXPECTED), (Reason.NOT_CHECKED_IN,)),
        (visit(VisitStatus.BLACKLISTED, NOW + timedelta(1)), (Reason.BLACKLISTED, Reason.NOT_YET_VALID)),
        (visit(VisitStatus.CHECKED_OUT, end=NOW), (Reason.EXPIRED, Reason.CHECKED_OUT)),
        (visit(VisitStatus.UNKNOWN), (Reason.UPSTREAM_MISMATCH,)),
        (visit(end=NOW), (Reason.EXPIRED,)),
        (visit(start=NOW, end=NOW + timedelta(seconds=1)), ()),
    ],
)
def test_all_reasons_are_given_in_their_order(known, reasons):
    assert ask(known) == Decision(reasons)


def test_the_ends_of_the_calendar_are_valid_times():
    tolerant = replace(POLICY, tolerance=timedelta(minutes=10))
    assert ask(visit(start=ALWAYS[0], end=ALWAYS[1]), policy=tolerant).allowed
    assert ask(visit(start=ALWAYS[1], end=ALWAYS[0]), policy=tolerant).reasons == (Reason.NOT_YET_VALID, Reason.EXPIRED)


def test_a_visitor_may_leave_after_the_end_of_the_visit():
    assert ask(visit(end=NOW - timedelta(hours=3)), Direction.OUT).allowed


HARD = replace(POLICY, anti_passback=AntiPassback.HARD)
SOFT = replace(POLICY, anti_passback=AntiPassback.SOFT)
TIMED = replace(POLICY, anti_passback=AntiPassback.TIMED, anti_passback_for=timedelta(minutes=10))
STRICT = replace(POLICY, leaving_needs_arrival=True)
JUST_NOW, LONG_AGO = Presence(True, NOW - timedelta(minutes=1)), Presence(True, NOW - timedelta(minutes=10))


@pytest.mark.parametrize(
    ("policy", "direction", "presence", "decision"),
    [
        (POLICY, Direction.IN, JUST_NOW, Decision(())),
        (SOFT, Direction.IN, JUST_NOW, Decision((), (Reason.ALREADY_INSIDE,))),
        (HARD, Direction.IN, LONG_AGO, Decision((Reason.ALREADY_INSIDE,))),
        (HARD, Direction.IN, OUTSIDE, Decision(())),
        (TIMED, Direction.IN, JUST_NOW, Decision((Reason.ALREADY_INSIDE,))),
        (TIMED, Direction.IN, LONG_AGO, Decision((), (Reason.ALREADY_INSIDE,))),
        (HARD, Direction.OUT, OUTSIDE, Decision((), (Reason.NOT_INSIDE,))),
        (STRICT, Direction.OUT, OUTSIDE, Decision((Reason.NOT_INSIDE,))),
        (STRICT, Direction.OUT, LONG_AGO, Decision(())),
    ],
)
def test_anti_passback(policy, direction, presence, decision):
    known = decide(policy, direction=direction, visit=visit(), obstacle=None, now=NOW, presence=presence)
    assert known == decision


def test_a_reason_of_invalidity_leads_a_reason_of_duplication():
    over = visit(end=NOW)
    known = decide(HARD, direction=Direction.IN, visit=over, obstacle=None, now=NOW, presence=JUST_NOW)
    assert known.reasons == (Reason.EXPIRED, Reason.ALREADY_INSIDE)


@pytest.mark.parametrize(("named", "allowed"), [(None, True), (" Harbour ", True), ("Pier", False), ("", False)])
def test_a_visit_of_another_site_is_denied(named, allowed):
    here = replace(POLICY, sites=frozenset({"harbour"}))
    known = KnownVisit(VisitStatus.CHECKED_IN, None, None, named)
    assert ask(known, policy=here).allowed == allowed
    assert ask(known).allowed, "where any site will do"

"""The decision, whatever may be handed to it; and what may be a code."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.offision.types import Visit, VisitStatus
from visitors.codes import MAX_LENGTH, MalformedError, normalised
from visitors.decision import Decision, Direction, Reason, Terms, decide

NOW = datetime(2026, 3, 10, 9, tzinfo=UTC)

moments = st.one_of(st.none(), st.integers(-90, 90).map(lambda m: NOW + timedelta(minutes=m)))
statuses = st.sampled_from(VisitStatus)
visits = st.builds(lambda status, start, end: visit(status, start, end), statuses, moments, moments)
several = st.frozensets(statuses.map(lambda s: s.value))
terms = st.builds(
    Terms,
    enabled=st.booleans(),
    direction=st.sampled_from(Direction),
    statuses_in=several,
    statuses_out=several,
    tolerance=st.integers(0, 30).map(lambda m: timedelta(minutes=m)),
)


def visit(status=VisitStatus.CHECKED_IN, start=None, end=None):
    return Visit(
        code="c",
        name="Mei",
        company="",
        host_email="",
        valid_from=start,
        valid_until=end,
        status=status,
        status_word=status.value,
        site=None,
    )


@given(
    terms,
    st.sampled_from([Direction.IN, Direction.OUT]),
    st.one_of(st.none(), visits),
    st.sampled_from([None, *Reason]),
)
def test_nobody_passes_without_an_admitting_status_a_window_that_holds_and_an_enabled_device(
    terms, direction, found, obstacle
):
    decision = decide(terms, direction=direction, visit=found, obstacle=obstacle, now=NOW)
    if decision.allowed:
        assert found is not None
        assert terms.enabled
        assert terms.direction in (direction, Direction.BOTH)
        assert found.status is not VisitStatus.UNKNOWN
        if direction is Direction.IN:
            assert found.status.value in terms.statuses_in
            assert found.valid_from is None or found.valid_from - terms.tolerance <= NOW
            assert found.valid_until is None or found.valid_until + terms.tolerance > NOW
        else:
            assert found.status.value in terms.statuses_out
    assert list(decision.reasons) == sorted(decision.reasons, key=list(Reason).index), "the weightiest leads"
    assert decision.allowed == (decision.reasons == ())


GATE = Terms(
    enabled=True,
    direction=Direction.BOTH,
    statuses_in=frozenset({"checked_in"}),
    statuses_out=frozenset({"checked_in", "checked_out"}),
    tolerance=timedelta(0),
)


def ask(found, direction=Direction.IN, terms=GATE):
    return decide(terms, direction=direction, visit=found, obstacle=None, now=NOW)


@pytest.mark.parametrize(
    ("found", "reasons"),
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
def test_all_reasons_are_given_in_their_order(found, reasons):
    assert ask(found) == Decision(reasons)


def test_who_is_inside_may_leave_after_the_visit_has_ended():
    assert ask(visit(end=NOW - timedelta(hours=3)), Direction.OUT).allowed


@pytest.mark.parametrize(
    ("read", "code"),
    [
        ("HT124\r\n", "HT124"),
        ("\x02HT124\x03", "HT124"),
        ("]Q1HT124 ", "HT124"),
        ("ht&12+4=/?", "ht&12+4=/?"),
        ("a" * MAX_LENGTH, "a" * MAX_LENGTH),
    ],
)
def test_what_scanners_add_is_taken_off_and_nothing_else(read, code):
    assert normalised(read) == code


@pytest.mark.parametrize("read", ["", " \r\n", "]Q1", "a" * (MAX_LENGTH + 1), "a\x00b", "a\nb"])
def test_what_can_be_no_code_is_refused(read):
    with pytest.raises(MalformedError):
        normalised(read)

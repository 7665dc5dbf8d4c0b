"""Preview and `controllers compare` show the very plan that a reconciliation applies."""

import io
import json

import pytest
from django.core.management import CommandError, call_command
from hypothesis import given
from hypothesis import strategies as st

from accessmap.models import Controller
from doorsync.controllers import approvals, preview
from doorsync.policy.desired import Desired
from doorsync.policy.plan import Kind, OwnEntries, Reading, Wanted, make_plan
from doorsync.policy.safety import Protection
from doorsync.policy.windows import ALWAYS, Permission
from portal.core import clock
from tests.places import NOW, booking, building


def crowd(attendees):
    people = [{"email": f"p{n}@x.example", "name": f"P{n}", "cards": [{"number": f"{2000 + n}"}]} for n in range(12)]
    emails = [f"p{n}@x.example" for n in range(attendees)]
    return building(
        cardholders=people, bookings=[booking("big", "+0d 10:00", "+0d 11:00", organizer="", attendees=emails)]
    )


@pytest.fixture
def dropped(start_place):
    """A controller whose cards stay because staff dropped the plan that would remove them."""
    place = start_place(crowd(12))
    place.fetch()
    place.reconcile()
    place.change(delete="big")
    place.fetch()
    place.reconcile()
    return place


def plan():
    return preview.preview(Controller.objects.get(name="box"), clock.now())[1]


def test_a_pending_plan_is_shown_as_pending_and_removes_nothing(dropped):
    shown = preview.rows_of(Controller.objects.get(name="box"), plan())
    assert (len(shown["pending"]), shown["remove"]) == (12, [])
    assert not plan().in_step
    with pytest.raises(CommandError) as differs:
        call_command("controllers", "compare", "box", stdout=io.StringIO())
    assert differs.value.returncode == 1


def test_after_a_plan_was_dropped_preview_and_compare_agree_with_the_reconciliation(dropped):
    approvals.drop(Controller.objects.get(name="box"), reason="The list is wrong.", actor="ann")
    result = dropped.reconcile()
    assert result.in_step
    assert plan().in_step
    output = io.StringIO()
    call_command("controllers", "compare", "box", "--json", stdout=output)
    assert json.loads(output.getvalue())[0]["in_step"]


def test_what_preview_shows_is_what_the_reconciliation_does(start_place):
    place = start_place(crowd(6))
    place.fetch()
    before = plan()
    assert {change.target for change in before.changes} == {f"{2000 + n}" for n in range(6)}
    assert place.cards() == {}, "a preview writes nothing"
    assert place.reconcile().done == before.changes


CARDS = st.sampled_from(["1", "2", "3", "4", "5"])
DOORS = st.dictionaries(st.integers(1, 3), st.just((ALWAYS,)), min_size=1)
RECORDS = st.dictionaries(CARDS, DOORS)


@given(
    wanted=RECORDS, actual=RECORDS, own=st.frozensets(CARDS), failed=st.frozensets(CARDS), capacity=st.integers(0, 6)
)
def test_a_plan_touches_its_own_entries_only_and_never_exceeds_the_capacity(wanted, actual, own, failed, capacity):
    promised = {card: {1: (Permission(ALWAYS, ()),)} for card in own}
    made = make_plan(
        Desired(),
        Wanted(wanted, {}),
        Reading(actual, {}, max(capacity, len(actual))),
        OwnEntries(promised=promised, failed_before=failed),
        Protection(),
        now=NOW,
    )
    held = dict(actual)
    for change in made.changes:
        assert change.target in own or change.target not in actual, "an entry of somebody else"
        if change.kind is Kind.REMOVE:
            del held[change.target]
        else:
            held[change.target] = change.record
    assert len(held) <= max(capacity, len(actual))
    for card, record in wanted.items():
        if card in own or card not in actual:
            assert held.get(card) == record or card in made.no_room
    assert [c.target in failed for c in made.changes] == sorted(c.target in failed for c in made.changes)

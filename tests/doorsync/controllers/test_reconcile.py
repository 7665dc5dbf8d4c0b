"""Reconciliation with pretend controllers, over real HTTP, well-behaved and otherwise."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.db.models import ProtectedError
from django.urls import reverse

from accessmap.models import Card, Cardholder, Controller, Door
from doorsync.controllers import approvals, reconcile, store
from doorsync.controllers.result import SUSPEND_AFTER
from doorsync.models import ControllerCard, ControllerHold, ControllerSync, Reconciliation, UnmanagedCard
from doorsync.status.explain import explain, facts_for
from doorsync.work import scheduler
from portal import roles
from portal.audit.models import Entry
from portal.core import clock
from tests.places import NOW, booking, building

TEN_TO_ELEVEN = [["2026-03-10T01:45:00+00:00", "2026-03-10T03:10:00+00:00"]]
State = ControllerCard.State


@pytest.fixture
def loaded(place):
    place.fetch()
    place.fetch("attic")
    place.reconcile()
    place.reconcile("old")
    return place


def state(card, name="box"):
    return ControllerCard.objects.get(controller__name=name, number=card).state


def test_a_fresh_controller_is_loaded_and_then_left_alone(loaded):
    assert loaded.cards() == {"1001": {"1": TEN_TO_ELEVEN}, "1002": {"1": TEN_TO_ELEVEN}, "1003": {"1": [[None, None]]}}
    assert Reconciliation.objects.get(controller__name="box").added == 3
    again = loaded.reconcile()
    assert len(again.plan.cards.unchanged) == 3
    assert not again.done
    assert Reconciliation.objects.filter(controller__name="box").count() == 1, "no news is no report"


def test_the_log_says_whose_card_which_door_when_and_why(loaded):
    entry = Entry.objects.get(action="card.added", object_label__contains="Mei")
    assert entry.detail["doors"] == {"Room door": [[*TEN_TO_ELEVEN[0], ["booking:b1"]]]}
    assert "1001" not in f"{entry.object_label} {entry.detail} {entry.reasons}"


def test_a_change_and_a_removal_reach_the_door(loaded):
    loaded.change(update="b1", set={"end": "+0d 12:00", "attendees": []})
    loaded.fetch()
    outcome = loaded.reconcile()
    assert {change.kind for change in outcome.done} == {"update", "remove"}
    assert loaded.cards()["1001"]["1"][0][1] == "2026-03-10T04:10:00+00:00"
    assert "1002" not in loaded.cards()
    assert not ControllerCard.objects.filter(controller__name="box", number="1002").exists()


def test_a_lost_card_is_taken_away_by_the_next_tick(loaded):
    before = loaded.sync().generation
    Card.objects.filter(number="1001").update(status="lost")  # no save(), no signal: the database itself notices
    scheduler.tick()
    assert loaded.sync().generation > before
    reconcile.reconcile_controller(loaded.sync().controller_id)
    assert "1001" not in loaded.cards()


def test_a_timeout_after_applying_is_unknown_and_read_back(loaded):
    loaded.change(update="b1", set={"end": "+0d 12:00"})
    loaded.fetch()
    loaded.box("PUT", "faults", {"timeout_after_apply": True})
    outcome = loaded.reconcile()
    assert not outcome.failed
    # What was written before the controller fell silent for good is known to be there.
    assert outcome.in_step or outcome.last_error
    loaded.box("PUT", "faults", {})
    assert loaded.reconcile().in_step
    assert loaded.cards()["1001"]["1"][0][1] == "2026-03-10T04:10:00+00:00"
    assert state("1001") == State.IN_STEP


def test_refusals_are_named_and_stop_no_other_card(loaded):
    loaded.box("PUT", "faults", {"refuse": True})
    loaded.change(update="b1", set={"end": "+0d 12:00"})
    loaded.fetch()
    outcome = loaded.reconcile()
    assert set(outcome.failed) == {"1001", "1002"}
    assert state("1001") == State.FAILED
    assert loaded.sync().generation > loaded.sync().observed_generation
    assert loaded.sync().next_attempt_at > NOW
    assert "refused" in str(loaded.sync().last_error)
    loaded.box("PUT", "faults", {})
    assert loaded.reconcile().in_step
    assert loaded.sync().last_error == []
    assert state("1001") == State.IN_STEP


def test_a_full_controller_is_a_named_condition_and_takes_what_fits(start_place):
    boxes = [{"name": "box", "options": {"capacity": 2}, "doors": [{"number": 1, "name": "Room door"}]}]
    room = [{"id": "room", "name": "Room", "doors": ["Room door"], "policy": "staff"}]
    place = start_place(building(controllers=boxes, resources=room))
    place.fetch()
    outcome = place.reconcile()
    assert len(place.cards()) == 2
    assert len(outcome.failed) == 1
    assert "full" in str(place.sync().last_error)


def test_a_controller_that_lost_its_memory_is_loaded_again(loaded):
    before = loaded.cards()
    loaded.box("POST", "forget")
    assert loaded.cards() == {}
    loaded.reconcile()
    assert loaded.cards() == before


def test_what_others_wrote_is_listed_and_never_touched(place):
    foreign = {"doors": {"2": [[None, None]]}}
    place.box("PUT", "cards/9999", foreign)
    place.box("PUT", "cards/1001", foreign)  # a card that a booking wants, too
    place.fetch()
    outcome = place.reconcile()
    assert place.cards()["9999"] == place.cards()["1001"] == foreign["doors"]
    assert dict(UnmanagedCard.objects.values_list("number", "wanted")) == {"9999": False, "1001": True}
    assert outcome.contested == {"1001"}
    assert "did not write" in str(place.sync().last_error)
    place.box("DELETE", "cards/9999")
    place.reconcile()
    assert UnmanagedCard.objects.get().number == "1001"


def test_after_a_crash_between_intent_and_outcome_the_entries_are_still_ours(place, monkeypatch):
    place.fetch()

    def crash(*_args, **_kwargs):
        raise SystemError("the power went")

    with monkeypatch.context() as patch, pytest.raises(SystemError):
        patch.setattr(store, "save", crash)
        place.reconcile()
    assert len(place.cards()) == 3
    assert set(ControllerCard.objects.values_list("state", flat=True)) == {State.PENDING}
    outcome = place.reconcile()
    assert not outcome.plan.cards.unmanaged
    assert set(ControllerCard.objects.values_list("state", flat=True)) == {State.IN_STEP}
    assert Entry.objects.filter(action="card.confirmed").count() == 3


def test_a_controller_without_windows_is_served_at_the_edges(start_place):
    place = start_place(building(bookings=[booking("b1", "+0d 10:00", "+0d 11:00", resource="attic")]))
    place.fetch("attic")
    place.reconcile("old")
    assert set(place.cards("old")) == {"1003"}
    lead = NOW + timedelta(minutes=45)
    assert place.sync("old").next_edge_at == lead
    for moment, inside in ((lead, True), (NOW + timedelta(minutes=130), False)):
        with clock.stopped_at(moment):
            before = place.sync("old").generation
            scheduler.tick()
            assert place.sync("old").generation > before
            reconcile.reconcile_controller(place.sync("old").controller_id)
            assert ("1001" in place.cards("old")) == inside
    assert approvals.revocation_sentence(Controller.objects.get(name="old")) == "depends on the portal being up"


def test_anyone_holds_the_door_unlocked_while_booked(start_place):
    policies = [{"name": "staff", "admit": ["anyone"], "lead_minutes": 15, "grace_minutes": 10}]
    place = start_place(building(policies=policies))
    place.box("PUT", "holds", {"holds": {"2": [[None, None]]}})  # somebody else's
    place.fetch()
    place.reconcile()
    ours = [["2026-03-10T02:00:00+00:00", "2026-03-10T03:00:00+00:00"]]
    assert place.box("GET", "holds")["holds"] == {"1": ours, "2": [[None, None]]}
    place.change(delete="b1")
    place.fetch()
    place.reconcile()
    assert place.box("GET", "holds")["holds"] == {"2": [[None, None]]}
    assert not ControllerHold.objects.exists()


def test_a_dead_controller_is_suspended_with_a_reason_and_tried_again(loaded):
    loaded.box("PUT", "faults", {"down": True})
    for _ in range(SUSPEND_AFTER):
        loaded.reconcile()
    sync = loaded.sync()
    assert sync.suspended_until > NOW
    assert sync.last_error
    assert reconcile.reconcile_controller(sync.controller_id) is None, "it is left alone"
    assert loaded.reconcile("old") is not None, "others are not"
    loaded.box("PUT", "faults", {})
    with clock.stopped_at(sync.suspended_until):
        assert reconcile.reconcile_controller(sync.controller_id).in_step
    assert loaded.sync().suspended_until is None


def many(count):
    people = [{"email": f"p{n}@x.example", "name": f"P{n}", "cards": [{"number": f"{2000 + n}"}]} for n in range(count)]
    attendees = [person["email"] for person in people]
    return building(
        cardholders=people, bookings=[booking("big", "+0d 10:00", "+0d 11:00", organizer="", attendees=attendees)]
    )


def test_taking_away_a_great_deal_waits_for_a_person_and_goes_ahead_on_their_word(start_place):
    place = start_place(many(12))
    place.fetch()
    place.reconcile()
    assert len(place.cards()) == 12
    place.change(update="big", set={"attendees": ["p0@x.example"]})
    place.fetch()
    for _ in range(2):
        outcome = place.reconcile()
        assert len(outcome.pending) == 11
        assert len(place.cards()) == 12
    sync = place.sync()
    assert len(sync.pending_plan["pairs"]) == 11
    assert "somebody approves" in str(sync.last_error)
    assert Entry.objects.filter(action="controller.reconcile", outcome="pending").count() == 1
    assert approvals.approve(ControllerSync.objects.all(), actor="ann") == 1
    reconcile.reconcile_controller(sync.controller_id)
    assert set(place.cards()) == {"2000"}
    assert place.sync().pending_plan is None
    assert Entry.objects.filter(action="plan.approve", actor="ann").count() == 1


def test_a_plan_that_staff_drop_leaves_the_cards_until_their_end_and_is_decided_anew_on_their_word(start_place):
    place = start_place(many(12))
    place.fetch()
    place.reconcile()
    place.change(update="big", set={"attendees": ["p0@x.example"]})
    place.fetch()
    place.reconcile()
    box = place.sync().controller
    assert approvals.drop(box, reason="The list is wrong.", actor="ann")
    outcome = reconcile.reconcile_controller(box.pk)
    assert (len(outcome.pending), len(outcome.plan.protection.dropped), place.sync().last_error) == (0, 11, "")
    assert place.sync().pending_plan is None
    assert not approvals.drop(box, reason="Again.", actor="ann"), "no plan is held any more"
    assert Entry.objects.get(action="plan.drop", actor="ann").reasons[0].params["text"] == "The list is wrong."
    place.reconcile()
    assert len(place.cards()) == 12, "also in the rounds to come"
    at = NOW + timedelta(hours=2, minutes=5)  # within the meeting
    answer = explain(facts_for(Cardholder.objects.get(name="P3"), Door.objects.get(name="Room door"), at), at, NOW)
    assert answer.opens
    assert "make a new plan" in answer.remedy
    Card.objects.filter(number="2003").update(status="lost")
    place.reconcile()
    assert "2003" not in place.cards(), "a lost card waits for nobody"
    assert approvals.reconsider(box, actor="ben") == 10
    assert len(reconcile.reconcile_controller(box.pk).plan.protection.dropped) == 0
    assert set(place.cards()) == {"2000"}, "ten are not too many"


def test_what_was_dropped_ends_when_it_would_have_ended_and_is_forgotten(start_place):
    place = start_place(many(12))
    place.fetch()
    place.reconcile()
    place.change(delete="big")
    place.fetch()
    place.reconcile()
    approvals.drop(place.sync().controller, reason="No.", actor="ann")
    place.reconcile()
    assert len(place.cards()) == 12
    with clock.stopped_at(NOW + timedelta(hours=3)):
        place.reconcile()
        assert place.cards() == {}
        assert place.sync().dropped == []


def test_what_has_no_end_stays_held_when_the_plan_is_dropped(start_place):
    place = start_place(many(12))
    place.fetch()
    place.reconcile()
    ControllerCard.objects.exclude(number="2000").update(desired={"1": [[None, None, ["level:x"]]]})
    for row in ControllerCard.objects.exclude(number__in=["2000", "2001", "2002"]):
        row.desired = {"1": [[None, (NOW + timedelta(days=1)).isoformat(), ["booking:big"]]]}
        row.save()
    place.change(delete="big")
    place.fetch()
    place.reconcile()
    approvals.drop(place.sync().controller, reason="No.", actor="ann")
    outcome = place.reconcile()
    assert {card for card, _door in outcome.pending} == {"2001", "2002"}
    assert len(outcome.plan.protection.dropped) == 10


def test_the_end_of_a_great_meeting_is_no_reason_for_alarm(start_place):
    place = start_place(many(12))
    place.fetch()
    place.reconcile()
    with clock.stopped_at(NOW + timedelta(hours=3)):
        outcome = place.reconcile()
        assert not outcome.pending
        assert place.cards() == {}


def test_a_clock_that_is_off_is_set_right_and_shown(loaded):
    loaded.box("PUT", "clock", {"time": (NOW + timedelta(minutes=5)).isoformat()})
    loaded.reconcile()
    assert abs(loaded.sync().clock_skew_seconds) > 60
    loaded.reconcile()
    assert abs(loaded.sync().clock_skew_seconds) < 5


def test_bad_options_are_a_sentence_and_not_a_crash(loaded):
    Controller.objects.filter(name="box").update(options={"url": "ftp://x"})
    assert not loaded.reconcile().in_step
    assert "url" in str(loaded.sync().last_error)


def test_a_disabled_controller_is_not_spoken_to(loaded):
    Controller.objects.filter(name="box").update(enabled=False)
    loaded.change(delete="b1")
    loaded.fetch()
    assert loaded.reconcile() is None
    assert "1001" in loaded.cards()


def test_an_approval_given_while_a_round_runs_is_not_lost(start_place, monkeypatch):
    place = start_place(many(12))
    place.fetch()
    place.reconcile()
    place.change(update="big", set={"attendees": []})
    place.fetch()
    place.reconcile()
    real = store.save

    def meanwhile(*args, **kwargs):
        assert approvals.approve(ControllerSync.objects.all(), actor="ann") == 1
        real(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(store, "save", meanwhile)
        place.reconcile()
    assert len(place.cards()) == 12
    reconcile.reconcile_controller(place.sync().controller_id)
    assert place.cards() == {}


def test_a_controller_that_holds_cards_of_ours_cannot_be_deleted(loaded):
    with pytest.raises(ProtectedError):
        Controller.objects.get(name="box").delete()


def test_a_controller_that_keeps_refusing_is_not_told_of_again_and_again(loaded):
    loaded.box("PUT", "faults", {"refuse": True})
    loaded.change(update="b1", set={"end": "+0d 12:00"})
    loaded.fetch()
    for _ in range(3):
        loaded.reconcile()
    assert Entry.objects.filter(action="card.refused").count() == 2, "one for each card"


def test_a_door_that_could_not_be_held_unlocked_says_so(start_place):
    place = start_place(building(policies=[{"name": "staff", "admit": ["anyone"]}]))
    place.fetch()
    place.box("PUT", "faults", {"refuse": True})
    assert set(place.reconcile().failed) == {1}
    assert ControllerHold.objects.get().state == State.FAILED


def test_staff_adopt_what_others_wrote_and_integrators_may_not(place, client):
    place.box("PUT", "cards/9999", {"doors": {"2": [[None, None]]}})
    place.fetch()
    place.reconcile()
    page = reverse("admin:doorsync_unmanagedcard_changelist")
    adopt = {"action": "adopt_cards", "_selected_action": [UnmanagedCard.objects.get().pk]}
    for role, allowed in ((roles.INTEGRATOR, False), (roles.FACILITY_STAFF, True)):
        user = User.objects.create_user(role, password="x", is_staff=True)
        user.groups.add(Group.objects.get(name=role))
        client.force_login(user)
        client.post(page, adopt)
        assert UnmanagedCard.objects.exists() != allowed
    entry = Entry.objects.get(action="card.adopt")
    assert entry.actor == roles.FACILITY_STAFF
    assert "9999" not in f"{entry.object_label} {entry.detail}"
    reconcile.reconcile_controller(place.sync().controller_id)
    assert "9999" not in place.cards()

"""Who walked through, who is inside, and what Offision is told of it."""

import uuid
from datetime import timedelta

import pytest
from visitors.visits.presence import inside

from accessmap.models import Site
from portal.audit.models import Entry
from portal.core import clock
from tests.places import NOW
from visitors.models import Passage, VisitStatusUpdate, Verification, Visit
from visitors.visits import outbox, prefetch


def who_is_inside():
    return {one.visit.name: one.doubts for one in inside(Site.objects.get(), NOW)}


def walk(turnstiles, answer, passed=True, at="in", **more):
    return turnstiles.post("passages", {"verification_id": answer.json()["verification_id"], "passed": passed, **more}, at=at)


def test_a_gate_that_does_not_tell_leaves_a_doubt(turnstiles):
    turnstiles.scan("GOOD1")
    assert Passage.objects.get().assumed
    assert who_is_inside() == {"Ana": ("assumed",)}


def test_a_gate_that_tells_leaves_none(turnstiles):
    turnstiles.configure("in", reports_passages=True)
    answer = turnstiles.scan("GOOD1")
    assert who_is_inside() == {}, "to be let in is not to be in"
    assert walk(turnstiles, answer).status_code == 200
    assert who_is_inside() == {"Ana": ()}
    assert Entry.objects.get(action="visitor.passage").detail["direction"] == "in"


def test_who_turned_round_is_not_inside(turnstiles):
    turnstiles.configure("in", reports_passages=True)
    assert walk(turnstiles, turnstiles.scan("GOOD1"), passed=False).status_code == 200
    assert who_is_inside() == {}


def test_saying_it_twice_is_saying_it_once_and_the_opposite_is_refused(turnstiles):
    turnstiles.configure("in", reports_passages=True)
    answer = turnstiles.scan("GOOD1")
    for _ in range(2):
        assert walk(turnstiles, answer).status_code == 200
    assert walk(turnstiles, answer, passed=False).status_code == 409
    assert Passage.objects.count() == 1
    assert who_is_inside() == {"Ana": ()}


def test_what_was_assumed_gives_way_to_what_was_seen(turnstiles):
    answer = turnstiles.scan("GOOD1")
    walk(turnstiles, answer, passed=False)
    assert who_is_inside() == {}


def test_nobody_walks_through_on_a_denial_or_on_another_gates_word(turnstiles):
    assert walk(turnstiles, turnstiles.scan("BAD1")).status_code == 409
    good = turnstiles.scan("GOOD1")
    assert walk(turnstiles, good, at="other").status_code == 404
    assert turnstiles.post("passages", {"verification_id": str(uuid.uuid4()), "passed": True}).status_code == 404
    assert turnstiles.post("passages", {"verification_id": "x", "passed": True}).status_code == 400


def test_a_passage_is_never_later_than_now(turnstiles):
    turnstiles.configure("in", reports_passages=True)
    turnstiles.post(
        "passages",
        {
            "verification_id": turnstiles.scan("GOOD1").json()["verification_id"],
            "passed": True,
            "at": (NOW + timedelta(hours=5)).isoformat(),
        },
    )
    assert Passage.objects.get().at == NOW


def test_who_left_is_no_longer_inside_and_whose_visit_is_over_is_doubtful(turnstiles, later):
    turnstiles.scan("GOOD1")
    with later(5):
        assert turnstiles.scan("GOOD1", at="out").json()["decision"] == "allow"
    assert who_is_inside() == {}
    with later(10):
        turnstiles.scan("GOOD1")
    tomorrow = NOW + timedelta(days=1)
    assert inside(Site.objects.get(), tomorrow)[0].doubts == ("assumed", "ended")


# Anti-passback --------------------------------------------------


def test_single_entry_until_the_gate_says_that_nobody_walked_or_the_time_for_it_is_over(turnstiles, later):
    for name in ("in", "other"):
        turnstiles.configure(name, anti_passback="hard", reports_passages=True, passage_seconds=30)
    first = turnstiles.scan("GOOD1")
    assert first.json()["decision"] == "allow"
    assert turnstiles.scan("GOOD1", at="other").json()["reasons"] == ["already_inside"]
    with later(30):
        second = turnstiles.scan("GOOD1", at="other")
        assert second.json()["decision"] == "allow", "a passage that was not confirmed lapses"
        walk(turnstiles, second, passed=False, at="other")
        third = turnstiles.scan("GOOD1")
        assert third.json()["decision"] == "allow", "nobody walked"
        walk(turnstiles, third)
    with later(3600):
        assert turnstiles.scan("GOOD1").json()["reasons"] == ["already_inside"]
        assert turnstiles.scan("GOOD1", at="out").json()["decision"] == "allow"
    with later(3601):
        assert turnstiles.scan("GOOD1").json()["decision"] == "allow"


def test_a_missing_arrival_blocks_nobody_unless_the_gate_insists(turnstiles):
    turnstiles.configure("out", anti_passback="hard")
    assert turnstiles.scan("GOOD1", at="out").json()["decision"] == "allow"
    assert Verification.objects.get().notes == ["not_inside"]
    turnstiles.configure("out", leaving_needs_arrival=True)
    assert turnstiles.scan("GOOD1", at="out").json()["reasons"] == ["not_inside"]


# Alone --------------------------------------------------


def test_what_a_gate_decided_alone_is_written_down_as_it_is(turnstiles):
    turnstiles.scan("GOOD1", at="out")
    at = NOW - timedelta(hours=2)
    said = {"code": "GOOD1", "decision": "allow", "at": at.isoformat(), "nonce": "o1"}
    answer = turnstiles.post("verifications/offline", said)
    assert answer.status_code == 201
    assert turnstiles.post("verifications/offline", said).json() == answer.json(), "each once"
    row = Verification.objects.get(source="offline")
    assert (row.allowed, row.scanned_at, row.at, row.visitor) == (True, at, at, "Ana")
    denied = {"code": "NEVER", "decision": "deny", "at": at.isoformat(), "reason": "expired"}
    assert turnstiles.post("verifications/offline", denied).status_code == 201
    assert Verification.objects.get(allowed=False).reasons == ["expired"]
    assert Entry.objects.filter(action="visitor.offline").count() == 2
    assert turnstiles.look_ups() == 1, "it is never judged anew"


@pytest.mark.parametrize(
    "change", [{"decision": "maybe"}, {"at": "noon"}, {"at": "2001-01-01T00:00:00Z"}, {"reason": "x"}, {"code": None}]
)
def test_an_offline_decision_that_can_not_be_is_refused(turnstiles, change):
    said = {"code": "GOOD1", "decision": "allow", "at": NOW.isoformat(), **change}
    assert turnstiles.post("verifications/offline", said).status_code == 400
    assert not Verification.objects.exists()


def test_a_gate_for_both_ways_must_say_which(turnstiles):
    said = {"code": "GOOD1", "decision": "allow", "at": NOW.isoformat()}
    assert turnstiles.post("verifications/offline", said, at="both").status_code == 400
    assert turnstiles.post("verifications/offline", {**said, "direction": "in"}, at="both").status_code == 201


# Telling Offision --------------------------------------------------


@pytest.fixture
def updating.scan(turnstiles):
    turnstiles.configure("in", statuses_in=["expected", "checked_in"], updates_visit_status=True)
    return gate


def status_at_offision(turnstiles, code):
    turnstiles.scan(code, at="both", direction="in")
    return Visit.objects.get(verifications__turnstile__name="both").status


def test_an_arrival_is_told_to_offision_and_the_code_forgotten(updating):
    updating.scan("NEW1")
    outbox.send_status_updates()
    move = VisitStatusUpdate.objects.get()
    assert move.done_at
    assert move.code is None
    assert status_at_offision(updating, "NEW1") == "checked_in"
    assert Entry.objects.get(action="visitor.check_in").outcome == "done"


def test_a_code_that_waits_to_be_told_is_encrypted(updating):
    from django.db import connection

    updating.scan("NEW1")
    with connection.cursor() as cursor:
        cursor.execute("SELECT code FROM visitors_visitstatusupdate")
        assert "NEW1" not in cursor.fetchone()[0]
    assert VisitStatusUpdate.objects.get().code == "NEW1"


def test_only_who_walked_is_told(updating):
    updating.configure("in", reports_passages=True)
    answer = updating.scan("NEW1")
    outbox.send_status_updates()
    assert VisitStatusUpdate.objects.get().attempts == 0
    walk(updating, answer, passed=False)
    assert not VisitStatusUpdate.objects.exists()


def test_who_is_checked_in_already_is_not_told_again(updating):
    updating.scan("GOOD1")
    assert not VisitStatusUpdate.objects.exists()


def test_telling_is_tried_again_and_an_unknown_end_looked_at_first(updating, later):
    updating.scan("NEW1")
    updating.place.offision_fault("error")
    outbox.send_status_updates()
    move = VisitStatusUpdate.objects.get()
    assert move.last_error
    assert move.next_attempt_at > NOW
    updating.place.offision_fault(None)
    updating.set_visit("NEW1", status="checked_in")  # it had arrived after all
    with later(3600):
        outbox.send_status_updates()
    assert VisitStatusUpdate.objects.get().done_at


def test_what_offision_refuses_is_given_up_and_shown(updating):
    updating.scan("NEW1")
    updating.set_visit("NEW1", status="cancelled")
    outbox.send_status_updates()
    move = VisitStatusUpdate.objects.get()
    assert move.done_at is None
    assert move.next_attempt_at is None
    assert "409" in move.last_error
    assert move.code is None
    assert Entry.objects.get(action="visitor.check_in").outcome == "failed"


# Ahead of time --------------------------------------------------


def test_the_days_visits_are_fetched_ahead_and_can_be_trusted(turnstiles):
    turnstiles.configure("in", trust_minutes=30)
    prefetch.prefetch_visits()
    assert set(Visit.objects.values_list("name", flat=True)) == {"Ana", "Bo", "Cy"}
    turnstiles.place.offision_fault("refuse")
    assert turnstiles.scan("GOOD1").json()["decision"] == "allow"
    prefetch.prefetch_visits()
    assert Visit.objects.count() == 3


# What an attack found --------------------------------------------------


def test_a_gates_wrong_clock_does_not_undo_an_arrival(turnstiles):
    turnstiles.configure("in", reports_passages=True)
    turnstiles.scan("GOOD1", at="out")
    walk(turnstiles, turnstiles.scan("GOOD1"))
    passage = Passage.objects.get(direction="in")
    Passage.objects.filter(pk=passage.pk).delete()
    body = {"verification_id": str(passage.verification_id), "passed": True, "at": "1970-01-01T00:00:00Z"}
    assert turnstiles.post("passages", body).status_code == 200
    assert Passage.objects.get(direction="in").at == NOW


def test_a_departure_does_not_overtake_the_arrival_before_it(updating, later):
    updating.configure("out", updates_visit_status=True)
    updating.scan("NEW1")
    updating.place.offision_fault("error")
    outbox.send_status_updates()
    updating.place.offision_fault(None)
    updating.set_visit("NEW1", status="checked_in")
    updating.scan("NEW1", at="out")
    outbox.send_status_updates()
    assert [m.move for m in VisitStatusUpdate.objects.filter(done_at__isnull=False)] == []
    with later(3600):
        outbox.send_status_updates()
        outbox.send_status_updates()
    assert VisitStatusUpdate.objects.filter(done_at__isnull=False).count() == 2
    assert status_at_offision(updating, "NEW1") == "checked_out"


def test_an_arrival_decided_offline_is_told_too(updating):
    prefetch.prefetch_visits()
    said = {"code": "NEW1", "decision": "allow", "at": NOW.isoformat()}
    assert updating.post("verifications/offline", said).status_code == 201
    outbox.send_status_updates()
    assert VisitStatusUpdate.objects.get().done_at


def test_what_was_decided_offline_is_kept_though_its_number_was_answered_online(turnstiles):
    turnstiles.scan("BAD1", nonce="n1")
    said = {"code": "BAD1", "decision": "allow", "at": NOW.isoformat(), "nonce": "n1"}
    assert turnstiles.post("verifications/offline", said).status_code == 201
    assert Verification.objects.get(source="offline").allowed
    assert turnstiles.scan("BAD1", nonce="n1").json()["decision"] == "deny", "and opens nothing online"


def test_a_door_that_surely_stayed_shut_leaves_nobody_inside(turnstiles):
    from accessmap.models import Controller, Door

    turnstiles.configure("in", opens="door", door=Door.objects.get(name="Room door"), anti_passback="hard")
    Controller.objects.filter(name="box").update(enabled=False)
    assert turnstiles.scan("GOOD1").json()["reasons"] == ["door_not_opened"]
    assert who_is_inside() == {}
    Controller.objects.filter(name="box").update(enabled=True)
    assert turnstiles.scan("GOOD1").json()["decision"] == "allow"


def test_a_list_under_way_does_not_undo_what_was_learned_since(turnstiles, monkeypatch):
    from portal.offision.client import OffisionClient

    turnstiles.scan("GOOD1")
    turnstiles.set_visit("GOOD1", status="blacklisted")
    real = OffisionClient.visits

    def slow(client, day):
        turnstiles.set_visit("GOOD1", status="checked_in")
        found = real(client, day)
        turnstiles.set_visit("GOOD1", status="blacklisted")
        with clock.stopped_at(NOW + timedelta(seconds=1)):
            turnstiles.scan("GOOD1")
        return found

    monkeypatch.setattr(OffisionClient, "visits", slow)
    prefetch.prefetch_visits()
    assert Visit.objects.get(name="").status == "blacklisted"


def test_who_said_it_was_told_and_nobody_walked_is_in_the_log(updating):
    answer = updating.scan("NEW1")
    outbox.send_status_updates()
    walk(updating, answer, passed=False)
    assert Entry.objects.filter(action="visitor.check_in", outcome="failed").count() == 1


def test_whom_a_gate_let_in_alone_is_inside_though_nobody_knows_who(turnstiles, later):
    said = {"code": "NEVER-SEEN", "decision": "allow", "at": (NOW - timedelta(hours=1)).isoformat()}
    assert turnstiles.post("verifications/offline", said).status_code == 201
    assert who_is_inside() == {"": ("assumed", "nameless")}
    turnstiles.set_visit("NEVER-SEEN", visitorName="Dee")
    with later(1):
        turnstiles.scan("NEVER-SEEN", at="both", direction="out")
    assert who_is_inside() == {}
    denied = {"code": "ANOTHER", "decision": "deny", "at": NOW.isoformat()}
    assert turnstiles.post("verifications/offline", denied).status_code == 201
    assert Visit.objects.count() == 1


def test_an_arrival_that_is_told_late_is_doubtful(turnstiles, later):
    turnstiles.configure("in", reports_passages=True, passage_seconds=30)
    answer = turnstiles.scan("GOOD1")
    with later(30):
        walk(turnstiles, answer)
    assert who_is_inside() == {"Ana": ("late",)}
    assert Entry.objects.get(action="visitor.passage").reasons


def test_an_arrival_decided_offline_is_not_told_after_the_visitor_has_left(updating, later):
    prefetch.prefetch_visits()
    updating.configure("out", statuses_out=["expected", "checked_in"], updates_visit_status=True)
    with later(60):
        updating.scan("NEW1", at="out")
        said = {"code": "NEW1", "decision": "allow", "at": NOW.isoformat()}
        assert updating.post("verifications/offline", said).status_code == 201
    assert [move.move for move in VisitStatusUpdate.objects.all()] == ["check_out"]


def test_a_gate_that_counts_from_one_again_loses_no_decision(turnstiles):
    said = {"code": "GOOD1", "decision": "allow", "at": NOW.isoformat(), "nonce": "1"}
    others = [{**said, "code": "NEW1"}, {**said, "at": (NOW - timedelta(hours=1)).isoformat()}, {**said, "nonce": ""}]
    for one in (said, *others, said, *others):
        assert turnstiles.post("verifications/offline", one).status_code == 201
    assert Verification.objects.count() == 4, "each once"


@pytest.mark.parametrize("language", ["en", "zh-hant"])
def test_the_page_of_who_is_inside_marks_the_doubtful_in_both_languages(turnstiles, admin_client, language):
    said = {"code": "NEVER-SEEN", "decision": "allow", "at": NOW.isoformat()}
    turnstiles.post("verifications/offline", said)
    turnstiles.scan("GOOD1")
    page = admin_client.get(f"/admin/inside/{Site.objects.get().pk}/", headers={"accept-language": language})
    text = page.content.decode()
    assert "Ana" in text
    assert "Acme" in text
    assert text.count('class="doubtful"') == 2
    in_english = ["nobody saw the passage", "Offision has told of no such visit", "Accounted for", "2 visitors inside"]
    for words in in_english:
        assert (words in text) == (language == "en")

"""Passages, reported and assumed, and decisions of turnstiles that were offline."""

import uuid
from datetime import timedelta

import pytest
from django.db import connection

from accessmap.models import Controller, Door, Site
from portal.audit.models import Entry
from tests.places import NOW
from visitors.models import Passage, Verification
from visitors.visits.presence import inside


def who_is_inside():
    return {one.visit.name: one.doubts for one in inside(Site.objects.get(), NOW)}


def test_a_turnstile_without_passage_reports_leaves_a_doubt(turnstiles):
    turnstiles.scan("GOOD1")
    assert Passage.objects.get().assumed
    assert who_is_inside() == {"Ana": ("assumed",)}


def test_a_turnstile_with_passage_reports_leaves_no_doubt(turnstiles):
    turnstiles.configure("in", reports_passages=True)
    answer = turnstiles.scan("GOOD1")
    assert who_is_inside() == {}, "to be let in is not to be in"
    assert turnstiles.report_passage(answer).status_code == 200
    assert who_is_inside() == {"Ana": ()}
    assert Entry.objects.get(action="visitor.passage").detail["direction"] == "in"


def test_a_visitor_who_turned_back_is_not_inside(turnstiles):
    turnstiles.configure("in", reports_passages=True)
    assert turnstiles.report_passage(turnstiles.scan("GOOD1"), passed=False).status_code == 200
    assert who_is_inside() == {}


def test_a_repeated_report_changes_nothing_and_the_opposite_gets_409(turnstiles):
    turnstiles.configure("in", reports_passages=True)
    answer = turnstiles.scan("GOOD1")
    for _ in range(2):
        assert turnstiles.report_passage(answer).status_code == 200
    assert turnstiles.report_passage(answer, passed=False).status_code == 409
    assert Passage.objects.count() == 1
    assert who_is_inside() == {"Ana": ()}


def test_a_report_replaces_the_assumption(turnstiles):
    answer = turnstiles.scan("GOOD1")
    turnstiles.report_passage(answer, passed=False)
    assert who_is_inside() == {}


def test_a_report_for_a_deny_gets_409_and_for_another_turnstile_404(turnstiles):
    assert turnstiles.report_passage(turnstiles.scan("BAD1")).status_code == 409
    good = turnstiles.scan("GOOD1")
    assert turnstiles.report_passage(good, at="other").status_code == 404
    assert turnstiles.post("passages", {"verification_id": str(uuid.uuid4()), "passed": True}).status_code == 404
    assert turnstiles.post("passages", {"verification_id": "x", "passed": True}).status_code == 400


def test_a_passage_is_never_in_the_future(turnstiles):
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


def test_a_passage_is_never_before_its_verification(turnstiles):
    turnstiles.configure("in", reports_passages=True)
    turnstiles.scan("GOOD1", at="out")
    turnstiles.report_passage(turnstiles.scan("GOOD1"))
    passage = Passage.objects.get(direction="in")
    Passage.objects.filter(pk=passage.pk).delete()
    body = {"verification_id": str(passage.verification_id), "passed": True, "at": "1970-01-01T00:00:00Z"}
    assert turnstiles.post("passages", body).status_code == 200
    assert Passage.objects.get(direction="in").at == NOW


def test_a_door_that_certainly_stayed_shut_leaves_nobody_inside(turnstiles):
    turnstiles.configure("in", opens="door", door=Door.objects.get(name="Room door"), anti_passback="hard")
    Controller.objects.filter(name="box").update(enabled=False)
    assert turnstiles.scan("GOOD1").json()["reasons"] == ["door_not_opened"]
    assert who_is_inside() == {}
    Controller.objects.filter(name="box").update(enabled=True)
    assert turnstiles.scan("GOOD1").json()["decision"] == "allow"


def test_an_offline_decision_is_stored_unchanged(turnstiles):
    turnstiles.scan("GOOD1", at="out")
    at = NOW - timedelta(hours=2)
    report = {"code": "GOOD1", "decision": "allow", "at": at.isoformat(), "nonce": "o1"}
    answer = turnstiles.post("verifications/offline", report)
    assert answer.status_code == 201
    assert turnstiles.post("verifications/offline", report).json() == answer.json(), "each once"
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
def test_an_invalid_offline_decision_gets_400(turnstiles, change):
    report = {"code": "GOOD1", "decision": "allow", "at": NOW.isoformat(), **change}
    assert turnstiles.post("verifications/offline", report).status_code == 400
    assert not Verification.objects.exists()


def test_an_offline_decision_of_a_turnstile_for_both_ways_needs_a_direction(turnstiles):
    report = {"code": "GOOD1", "decision": "allow", "at": NOW.isoformat()}
    assert turnstiles.post("verifications/offline", report, at="both").status_code == 400
    assert turnstiles.post("verifications/offline", {**report, "direction": "in"}, at="both").status_code == 201


def test_an_offline_decision_is_stored_beside_an_online_one_with_its_nonce(turnstiles):
    turnstiles.scan("BAD1", nonce="n1")
    report = {"code": "BAD1", "decision": "allow", "at": NOW.isoformat(), "nonce": "n1"}
    assert turnstiles.post("verifications/offline", report).status_code == 201
    assert Verification.objects.get(source="offline").allowed
    assert turnstiles.scan("BAD1", nonce="n1").json()["decision"] == "deny", "and opens nothing online"


def test_a_turnstile_that_repeats_nonces_loses_no_decision(turnstiles):
    report = {"code": "GOOD1", "decision": "allow", "at": NOW.isoformat(), "nonce": "1"}
    others = [
        {**report, "code": "NEW1"},
        {**report, "at": (NOW - timedelta(hours=1)).isoformat()},
        {**report, "nonce": ""},
    ]
    for one in (report, *others, report, *others):
        assert turnstiles.post("verifications/offline", one).status_code == 201
    assert Verification.objects.count() == 4, "each once"


def test_the_newest_passages_come_from_an_index(db):
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    plan = Passage.objects.order_by("-at", "-id").explain()
    assert "newest_passages" in plan
    assert "Sort" not in plan

"""Who is inside, with which doubts, and anti-passback."""

from datetime import timedelta

from accessmap.models import Site
from portal.audit.models import Entry
from tests.places import NOW
from visitors.models import Verification, Visit
from visitors.visits.presence import inside


def who_is_inside():
    return {one.visit.name: one.doubts for one in inside(Site.objects.get(), NOW)}


def test_a_visitor_who_left_is_outside_and_one_whose_visit_is_over_is_doubtful(turnstiles, later):
    turnstiles.scan("GOOD1")
    with later(5):
        assert turnstiles.scan("GOOD1", at="out").json()["decision"] == "allow"
    assert who_is_inside() == {}
    with later(10):
        turnstiles.scan("GOOD1")
    tomorrow = NOW + timedelta(days=1)
    assert inside(Site.objects.get(), tomorrow)[0].doubts == ("assumed", "ended")


def test_a_visitor_whom_an_offline_turnstile_admitted_is_inside_without_a_name(turnstiles, later):
    report = {"code": "NEVER-SEEN", "decision": "allow", "at": (NOW - timedelta(hours=1)).isoformat()}
    assert turnstiles.post("verifications/offline", report).status_code == 201
    assert who_is_inside() == {"": ("assumed", "nameless")}
    turnstiles.set_visit("NEVER-SEEN", visitorName="Dee")
    with later(1):
        turnstiles.scan("NEVER-SEEN", at="both", direction="out")
    assert who_is_inside() == {}
    denied = {"code": "ANOTHER", "decision": "deny", "at": NOW.isoformat()}
    assert turnstiles.post("verifications/offline", denied).status_code == 201
    assert Visit.objects.count() == 1


def test_a_late_passage_report_is_doubtful(turnstiles, later):
    turnstiles.configure("in", reports_passages=True, passage_seconds=30)
    answer = turnstiles.scan("GOOD1")
    with later(30):
        turnstiles.report_passage(answer)
    assert who_is_inside() == {"Ana": ("late",)}
    assert Entry.objects.get(action="visitor.passage").reasons


def test_hard_anti_passback_lasts_until_nobody_passed_or_the_time_is_over(turnstiles, later):
    for name in ("in", "other"):
        turnstiles.configure(name, anti_passback="hard", reports_passages=True, passage_seconds=30)
    first = turnstiles.scan("GOOD1")
    assert first.json()["decision"] == "allow"
    assert turnstiles.scan("GOOD1", at="other").json()["reasons"] == ["already_inside"]
    with later(30):
        second = turnstiles.scan("GOOD1", at="other")
        assert second.json()["decision"] == "allow", "a passage that was not confirmed lapses"
        turnstiles.report_passage(second, passed=False, at="other")
        third = turnstiles.scan("GOOD1")
        assert third.json()["decision"] == "allow", "nobody walked"
        turnstiles.report_passage(third)
    with later(3600):
        assert turnstiles.scan("GOOD1").json()["reasons"] == ["already_inside"]
        assert turnstiles.scan("GOOD1", at="out").json()["decision"] == "allow"
    with later(3601):
        assert turnstiles.scan("GOOD1").json()["decision"] == "allow"


def test_a_missing_arrival_denies_only_where_the_turnstile_needs_one(turnstiles):
    turnstiles.configure("out", anti_passback="hard")
    assert turnstiles.scan("GOOD1", at="out").json()["decision"] == "allow"
    assert Verification.objects.get().notes == ["not_inside"]
    turnstiles.configure("out", leaving_needs_arrival=True)
    assert turnstiles.scan("GOOD1", at="out").json()["reasons"] == ["not_inside"]

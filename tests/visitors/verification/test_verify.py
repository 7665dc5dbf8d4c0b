"""Verifications, with the pretend Offision behind the portal."""

import threading

import pytest
from django.db import connection
from django.utils.translation import override

from accessmap.models import Door
from portal.audit.models import Entry
from portal.core.problems import QUOTED
from portal.offision.errors import Refused
from portal.offision.executor import Executor
from visitors.models import (
    Turnstile,
    Verification,
    Visit,
)
from visitors.problems import denied
from visitors.verification.codes import digest
from visitors.verification.decision import Reason
from visitors.verification.verify import Scan, verify


def test_allow_and_deny_are_answers_with_status_200(turnstiles):
    good, bad, unknown = turnstiles.scan("GOOD1\r\n"), turnstiles.scan("BAD1"), turnstiles.scan("NOSUCH")
    assert [a.status_code for a in (good, bad, unknown)] == [200, 200, 200]
    assert good.json()["decision"] == "allow"
    assert good.json()["reasons"] == []
    assert good.json()["open_ms"] == 5000
    assert (bad.json()["decision"], bad.json()["reason"]) == ("deny", "blacklisted")
    assert "open_ms" not in bad.json()
    assert "blacklist" not in bad.json()["message"].lower(), "others read the display, too"
    assert unknown.json()["reasons"] == ["unknown_code"]
    assert Entry.objects.filter(action="visitor.verify").count() == 3


def test_the_display_shows_configured_fields_of_admitted_visitors_only(turnstiles):
    assert "visitor" not in turnstiles.scan("GOOD1").json()
    turnstiles.configure("in", shows=["name", "host"])
    assert turnstiles.scan("GOOD1").json()["visitor"] == {"name": "Ana", "host": "mei@pier.example"}
    assert "visitor" not in turnstiles.scan("BAD1").json()


def test_neither_codes_nor_keys_are_stored(turnstiles):
    turnstiles.scan("NOSUCH")
    turnstiles.scan("GOOD1")
    rows = (*Verification.objects.values(), *Entry.objects.values(), *Visit.objects.values())
    kept = [str(v) for row in rows for v in row.values()]
    assert not [text for text in kept if "NOSUCH" in text or "GOOD1" in text or turnstiles.keys["in"] in text]


@pytest.mark.parametrize("mode", ["error", "unauthorized", "html", "stall", "refuse", "huge", "nonsense"])
def test_a_failing_offision_denies(turnstiles, mode):
    turnstiles.place.offision_fault(mode, seconds=3)
    answer = turnstiles.scan("GOOD1").json()
    assert answer["decision"] == "deny"
    assert answer["reason"] in ("upstream_unavailable", "upstream_mismatch")
    assert Verification.objects.get().upstream


def test_an_answer_outside_the_contract_denies_and_names_the_field(turnstiles):
    turnstiles.set_visit("ODD", status="vip")
    assert turnstiles.scan("ODD").json()["reasons"] == ["upstream_mismatch"]
    assert "status holds vip" in str(turnstiles.last_verification().upstream)
    turnstiles.set_visit("NONE", status=None)
    assert turnstiles.scan("NONE").json()["reasons"] == ["upstream_mismatch"]
    assert "status is missing" in str(turnstiles.last_verification().upstream)


def test_the_audit_log_holds_reasons_as_codes(turnstiles):
    turnstiles.scan("BAD1")
    reasons = Entry.objects.get(action="visitor.verify").reasons
    assert [reason.code for reason in reasons] == ["visitor.blacklisted"]
    with override("en"):
        assert str(reasons) == "The visitor is blacklisted in Offision."


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_has_a_sentence(reason):
    (problem,) = denied([reason.value])
    assert str(problem) != problem.code


@pytest.mark.parametrize(
    ("status", "reason"), [(410, "unknown_code"), (400, "unknown_code"), (405, "upstream_mismatch")]
)
def test_a_refusal_of_offision_is_an_answer(turnstiles, monkeypatch, status, reason):
    turnstiles.configure("in", trust_minutes=60)
    turnstiles.scan("GOOD1")

    def refuse(*_args, **_kwargs):
        raise Refused(QUOTED(text="Visit GOOD1 is closed"), status_code=status)

    monkeypatch.setattr(Executor, "record", refuse)
    assert turnstiles.scan("GOOD1").json()["reasons"] == [reason]
    assert str(turnstiles.last_verification().upstream) == "Visit *** is closed"


def test_a_visit_of_another_site_is_denied_unless_the_turnstile_admits_any(turnstiles):
    turnstiles.set_visit("ELSE", site="Kowloon")
    turnstiles.set_visit("HERE", site="pier ")
    assert turnstiles.scan("ELSE").json()["reasons"] == ["wrong_site"]
    assert turnstiles.scan("HERE").json()["decision"] == "allow"
    turnstiles.configure("in", any_site=True)
    assert turnstiles.scan("ELSE").json()["decision"] == "allow"


def test_a_stored_visit_is_trusted_for_the_configured_minutes_only(turnstiles, later):
    turnstiles.scan("GOOD1")
    turnstiles.scan("BAD1")
    turnstiles.place.offision_fault("refuse")
    assert turnstiles.scan("GOOD1").json()["reasons"] == ["upstream_unavailable"]
    turnstiles.configure("in", trust_minutes=10)
    with later(9 * 60):
        assert turnstiles.scan("GOOD1").json()["decision"] == "allow"
        assert turnstiles.last_verification().source == Verification.Source.TRUSTED
        assert turnstiles.scan("BAD1").json()["decision"] == "deny"
        assert turnstiles.scan("NEW1").json()["reasons"] == ["upstream_unavailable"], "it was never seen"
    with later(10 * 60 + 1):
        assert turnstiles.scan("GOOD1").json()["reasons"] == ["upstream_unavailable"]


def test_a_visit_that_offision_deleted_is_not_trusted_later(turnstiles):
    turnstiles.configure("in", trust_minutes=10)
    turnstiles.scan("GOOD1")
    turnstiles.place.offision_fault(None)
    Visit.objects.update(code_digest=digest("GONE"))
    assert turnstiles.scan("GONE").json()["reasons"] == ["unknown_code"]
    turnstiles.place.offision_fault("refuse")
    assert turnstiles.scan("GONE").json()["decision"] == "deny"


@pytest.mark.parametrize("end", ["9999-12-31T23:59:59Z", "9999-12-31T23:59:59.9999999Z"])
def test_a_visit_may_last_until_the_end_of_the_calendar(turnstiles, admin_client, end):
    turnstiles.configure("in", tolerance_minutes=10)
    turnstiles.set_visit("EVER", validFrom="0001-01-01T00:00:00Z", validUntil=end)
    assert turnstiles.scan("EVER").json()["decision"] == "allow"
    turnstiles.set_visit("NEVER", validFrom=end, validUntil="0001-01-01T00:00:00Z")
    assert turnstiles.scan("NEVER").json()["reasons"] == ["not_yet_valid", "expired"]
    assert admin_client.get("/admin/visitors/visit/").status_code == 200, "in the site's zone"


def test_a_repeated_nonce_gets_the_first_answer(turnstiles):
    first = turnstiles.scan("GOOD1", nonce="n1").json()
    turnstiles.set_visit("GOOD1", status="cancelled")
    assert turnstiles.scan("GOOD1", nonce="n1").json() == first
    assert Verification.objects.count() == 1
    assert turnstiles.scan("GOOD1", nonce="n1", at="other").json()["decision"] == "deny", (
        "another turnstile's nonce is another"
    )


def test_a_nonce_repeats_no_answer_for_another_code_or_direction_or_later(turnstiles, later):
    turnstiles.scan("GOOD1", nonce="n1", at="both", direction="in")
    assert turnstiles.scan("NOSUCH", nonce="n1", at="both", direction="in").json()["decision"] == "deny"
    turnstiles.configure("both", statuses_out=["expected"])
    assert turnstiles.scan("GOOD1", nonce="n1", at="both", direction="out").json()["decision"] == "deny"
    turnstiles.set_visit("GOOD1", status="blacklisted")
    with later(61):
        assert turnstiles.scan("GOOD1", nonce="n1", at="both", direction="in").json()["reasons"] == ["blacklisted"]
    turnstiles.configure("both", enabled=False)
    assert "device_disabled" in turnstiles.scan("GOOD1", nonce="n1", at="both", direction="in").json()["reasons"]


def test_a_disabled_turnstile_denies_without_a_look_up(turnstiles):
    turnstiles.configure("in", enabled=False)
    assert "device_disabled" in turnstiles.scan("GOOD1").json()["reasons"]
    assert turnstiles.look_ups() == 0


def test_a_door_is_unlocked_once_and_a_locked_one_denies(turnstiles):
    turnstiles.configure("in", opens="door", door=Door.objects.get(name="Room door"), open_ms=1500)
    first = turnstiles.scan("GOOD1", nonce="n1").json()
    assert first["message"] == "Please pass."
    turnstiles.scan("GOOD1", nonce="n1")
    turnstiles.scan("BAD1")
    pulses = [e for e in turnstiles.place.box("GET", "events?after=0")["events"] if e["kind"] == "opened"]
    assert len(pulses) == 1
    assert Entry.objects.get(action="door.pulse").outcome == "done"
    turnstiles.place.box("PUT", "faults", {"timeout_after_apply": True})
    result = turnstiles.scan("GOOD1").json()
    turnstiles.place.box("PUT", "faults", {})
    assert "see reception" in result["message"]
    assert (result["decision"], result["reasons"]) == ("deny", ["door_not_opened"])
    assert "open_ms" not in result
    assert Entry.objects.filter(action="door.pulse", outcome="failed").count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_lanes_at_once_admit_one_code_once(turnstiles):
    for name in ("in", "other"):
        turnstiles.configure(name, anti_passback="hard", reports_passages=True)
    together = threading.Barrier(2)
    answers = []

    def lane(name):
        turnstile = Turnstile.objects.select_related("site").get(name=name)
        together.wait()
        answers.append(verify(turnstile, Scan(text="GOOD1")))
        connection.close()

    for _round in range(5):
        Verification.objects.all().delete()
        answers.clear()
        threads = [threading.Thread(target=lane, args=(name,)) for name in ("in", "other")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(answer.allowed for answer in answers) == [False, True]
        denied = next(answer for answer in answers if not answer.allowed)
        assert denied.reasons == ("already_inside",)

"""The verify endpoint with the pretend Offision behind it."""

import pytest

from portal.audit.models import Entry
from tests.places import building
from visitors.models import Turnstile, TurnstileKey, Verification

VISITS = [
    {"code": "GOOD1", "name": "Ana", "from": "+0d 08:00", "until": "+0d 18:00", "status": "checked_in"},
    {"code": "BAD1", "name": "Bo", "from": "+0d 08:00", "until": "+0d 18:00", "status": "blacklisted"},
]
GATES = [
    {"name": "in", "direction": "in", "statuses_in": ["checked_in"]},
    {"name": "other", "direction": "in", "statuses_in": ["checked_in"]},
]


@pytest.fixture
def gate(start_place, client):
    place = start_place(building(visits=VISITS, turnstiles=GATES))
    turnstile = Turnstile.objects.get(name="in")
    _row, key = TurnstileKey.objects.create_key(name="k", turnstile=turnstile)

    def ask(code, key=key, **more):
        return client.post(
            "/api/visitors/verify",
            {"code": code, **more},
            content_type="application/json",
            headers={"authorization": f"Api-Key {key}"},
        )

    ask.place, ask.turnstile = place, turnstile
    return ask


def test_allow_and_deny_are_both_answers(gate):
    good, bad, unknown = gate("GOOD1\r\n"), gate("BAD1"), gate("NOSUCH")
    assert [a.status_code for a in (good, bad, unknown)] == [200, 200, 200]
    assert good.json()["decision"] == "allow"
    assert good.json()["reasons"] == []
    assert (bad.json()["decision"], bad.json()["reason"]) == ("deny", "blacklisted")
    assert "blacklist" not in bad.json()["message"].lower(), "others read the display, too"
    assert unknown.json()["reasons"] == ["unknown_code"]
    assert Entry.objects.filter(action="visitor.verify").count() == 3


def test_neither_the_code_nor_the_key_is_kept(gate):
    gate("NOSUCH")
    kept = [str(v) for row in (*Verification.objects.values(), *Entry.objects.values()) for v in row.values()]
    assert not [text for text in kept if "NOSUCH" in text]


@pytest.mark.parametrize("mode", ["error", "unauthorized", "html", "stall", "refuse", "huge"])
def test_an_offision_that_fails_lets_nobody_in(gate, mode):
    gate.place.offision_fault(mode, seconds=3)
    answer = gate("GOOD1").json()
    assert answer["decision"] == "deny"
    assert answer["reason"] in ("upstream_unavailable", "upstream_mismatch")
    assert Verification.objects.get().upstream


def test_the_same_nonce_gets_the_first_answer(gate):
    first = gate("GOOD1", nonce="n1").json()
    assert gate("BAD1", nonce="n1").json() == first
    assert Verification.objects.count() == 1


@pytest.mark.parametrize("key", ["", "wrong", "aaaaaaaa.bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"])
def test_a_stranger_gets_no_answer(gate, key):
    assert gate("GOOD1", key=key).status_code == 401
    assert not Verification.objects.exists()


def test_a_key_that_was_revoked_is_no_key(gate):
    TurnstileKey.objects.update(revoked=True)
    assert gate("GOOD1").status_code == 401


def test_a_disabled_device_lets_nobody_in_and_asks_nobody(gate):
    Turnstile.objects.update(enabled=False)
    assert "device_disabled" in gate("GOOD1").json()["reasons"]


def test_what_is_no_request_is_said_to_be_none(gate, client):
    assert gate("GOOD1", direction="up").status_code == 400
    assert gate("GOOD1", nonce="n" * 101).status_code == 400
    assert gate("x" * 3000).status_code == 413
    assert gate("x" * 129).json()["reasons"] == ["malformed"]

"""The portal's own endpoints with the pretend Offision behind them."""

import threading

import pytest
import requests
from django.db import connection

from portal.audit.models import Entry
from portal.offision.default import contract_from_settings
from visitors.models import ThrottledScans, Turnstile, TurnstileKey, Verification, Visit
from visitors.verification import guessing, lookup


def test_allow_and_deny_are_both_answers(gate):
    good, bad, unknown = gate("GOOD1\r\n"), gate("BAD1"), gate("NOSUCH")
    assert [a.status_code for a in (good, bad, unknown)] == [200, 200, 200]
    assert good.json()["decision"] == "allow"
    assert good.json()["reasons"] == []
    assert good.json()["open_ms"] == 5000
    assert (bad.json()["decision"], bad.json()["reason"]) == ("deny", "blacklisted")
    assert "open_ms" not in bad.json()
    assert "blacklist" not in bad.json()["message"].lower(), "others read the display, too"
    assert unknown.json()["reasons"] == ["unknown_code"]
    assert Entry.objects.filter(action="visitor.verify").count() == 3


def test_the_display_shows_only_what_it_may_and_only_of_who_passes(gate):
    assert "visitor" not in gate("GOOD1").json()
    gate.set("in", shows=["name", "host"])
    assert gate("GOOD1").json()["visitor"] == {"name": "Ana", "host": "mei@pier.example"}
    assert "visitor" not in gate("BAD1").json()


def test_the_language_is_the_requests(gate):
    answer = gate.client.post(
        "/api/visitors/verify",
        {"code": "GOOD1"},
        content_type="application/json",
        headers={"authorization": f"Api-Key {gate.keys['in']}", "accept-language": "zh-hant"},
    )
    assert answer.json()["message"] == "請通過。"


def test_neither_the_code_nor_the_key_is_kept(gate):
    gate("NOSUCH")
    gate("GOOD1")
    rows = (*Verification.objects.values(), *Entry.objects.values(), *Visit.objects.values())
    kept = [str(v) for row in rows for v in row.values()]
    assert not [text for text in kept if "NOSUCH" in text or "GOOD1" in text or gate.keys["in"] in text]


@pytest.mark.parametrize("mode", ["error", "unauthorized", "html", "stall", "refuse", "huge", "nonsense"])
def test_an_offision_that_fails_lets_nobody_in(gate, mode):
    gate.place.offision_fault(mode, seconds=3)
    answer = gate("GOOD1").json()
    assert answer["decision"] == "deny"
    assert answer["reason"] in ("upstream_unavailable", "upstream_mismatch")
    assert Verification.objects.get().upstream


def test_what_the_contract_did_not_foresee_denies_and_names_the_field(gate):
    gate.visit("ODD", status="vip")
    assert gate("ODD").json()["reasons"] == ["upstream_mismatch"]
    assert "status holds vip" in Verification.objects.get().upstream
    gate.visit("NONE", status=None)
    assert gate("NONE").json()["reasons"] == ["upstream_mismatch"]
    assert Verification.objects.filter(upstream__contains="status is missing").count() == 1


def test_a_visit_of_another_site_is_turned_away_unless_any_will_do(gate):
    gate.visit("ELSE", site="Kowloon")
    gate.visit("HERE", site="pier ")
    assert gate("ELSE").json()["reasons"] == ["wrong_site"]
    assert gate("HERE").json()["decision"] == "allow"
    gate.set("in", any_site=True)
    assert gate("ELSE").json()["decision"] == "allow"


def test_a_visit_seen_before_is_trusted_for_so_long_and_only_where_staff_say_so(gate, later):
    gate("GOOD1")
    gate("BAD1")
    gate.place.offision_fault("refuse")
    assert gate("GOOD1").json()["reasons"] == ["upstream_unavailable"]
    gate.set("in", trust_minutes=10)
    with later(9 * 60):
        assert gate("GOOD1").json()["decision"] == "allow"
        assert gate.last().source == Verification.Source.TRUSTED
        assert gate("BAD1").json()["decision"] == "deny"
        assert gate("NEW1").json()["reasons"] == ["upstream_unavailable"], "it was never seen"
    with later(10 * 60 + 1):
        assert gate("GOOD1").json()["reasons"] == ["upstream_unavailable"]


def test_a_visit_that_offision_no_longer_knows_is_not_trusted_later(gate):
    gate.set("in", trust_minutes=10)
    gate("GOOD1")
    gate.place.offision_fault(None)
    Visit.objects.update(code_digest=lookup_digest("GONE"))
    assert gate("GONE").json()["reasons"] == ["unknown_code"]
    gate.place.offision_fault("refuse")
    assert gate("GONE").json()["decision"] == "deny"


def lookup_digest(code):
    from visitors.verification.codes import digest

    return digest(code)


def test_the_same_nonce_gets_the_first_answer(gate):
    first = gate("GOOD1", nonce="n1").json()
    gate.visit("GOOD1", status="cancelled")
    assert gate("GOOD1", nonce="n1").json() == first
    assert Verification.objects.count() == 1
    assert gate("GOOD1", nonce="n1", at="other").json()["decision"] == "deny", "another turnstile's nonce is another"


def test_a_nonce_opens_for_no_other_code_nor_way_nor_later(gate, later):
    gate("GOOD1", nonce="n1", at="both", direction="in")
    assert gate("NOSUCH", nonce="n1", at="both", direction="in").json()["decision"] == "deny"
    gate.set("both", statuses_out=["expected"])
    assert gate("GOOD1", nonce="n1", at="both", direction="out").json()["decision"] == "deny"
    gate.visit("GOOD1", status="blacklisted")
    with later(61):
        assert gate("GOOD1", nonce="n1", at="both", direction="in").json()["reasons"] == ["blacklisted"]
    gate.set("both", enabled=False)
    assert "device_disabled" in gate("GOOD1", nonce="n1", at="both", direction="in").json()["reasons"]


@pytest.mark.parametrize(
    ("status", "reason"), [(410, "unknown_code"), (400, "unknown_code"), (405, "upstream_mismatch")]
)
def test_a_clear_no_of_offisions_is_no_silence(gate, monkeypatch, status, reason):
    from portal.offision.errors import Refused
    from portal.offision.executor import Executor

    gate.set("in", trust_minutes=60)
    gate("GOOD1")

    def refuse(*_args, **_kwargs):
        raise Refused("Visit GOOD1 is closed", status_code=status)

    monkeypatch.setattr(Executor, "record", refuse)
    assert gate("GOOD1").json()["reasons"] == [reason]
    assert gate.last().upstream == "Visit *** is closed"


def test_json_that_is_too_deep_is_no_request(gate):
    for path in ("verify", "passages", "verifications/offline"):
        assert gate.post(path, "[" * 1900).status_code == 400


@pytest.mark.parametrize(
    "headers",
    [
        {"content_type": ""},
        {"content_type": "text/plain"},
        {"content_type": "application/x-www-form-urlencoded"},
        {"content_type": "application/json; charset=bogus"},
        {"headers": {"accept": "text/xml"}},
    ],
)
def test_what_a_device_says_of_its_json_does_not_matter(gate, headers):
    key = f"Api-Key {gate.keys['in']}"
    more = {
        "content_type": "application/json",
        **headers,
        "headers": {"authorization": key, **headers.get("headers", {})},
    }
    answer = gate.client.generic("POST", "/api/visitors/verify", b'\xef\xbb\xbf{"code": "GOOD1"}', **more)
    assert (answer.status_code, answer.json()["decision"]) == (200, "allow")
    assert answer["Content-Type"] == "application/json"


@pytest.mark.parametrize("body", ['{"code": "NOSUCH", "code": "GOOD1"}', "", "null", "[]", '"GOOD1"', "{", "\udcff"])
def test_what_is_no_json_object_with_each_field_once_is_no_request(gate, body):
    for path in ("verify", "passages", "verifications/offline"):
        assert gate.post(path, body.encode("utf-8", "surrogateescape")).status_code == 400
    assert not Verification.objects.exists()


def test_a_body_of_any_length_is_too_long_not_an_error(gate):
    assert gate("x" * 3_000_000).status_code == 413


@pytest.mark.parametrize(
    "clock",
    ["0001-01-01T00:00:00", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59+08:00", "9999-12-31T23:59:59Z", "noon"],
)
def test_a_clock_beyond_all_calendars_is_no_clock_and_breaks_nothing(gate, clock):
    assert gate("GOOD1", scanned_at=clock).status_code == 400
    said = {"verification_id": gate("GOOD1").json()["verification_id"], "passed": True, "at": clock}
    assert gate.post("passages", said).status_code == 400
    assert gate("GOOD1", scanned_at="1970-01-01T00:00:00").status_code == 200, "a clock that has lost its time"


@pytest.mark.parametrize("end", ["9999-12-31T23:59:59Z", "9999-12-31T23:59:59.9999999Z"])
def test_a_visit_without_end_is_one_until_the_end_of_the_calendar(gate, admin_client, end):
    gate.set("in", tolerance_minutes=10)
    gate.visit("EVER", validFrom="0001-01-01T00:00:00Z", validUntil=end)
    assert gate("EVER").json()["decision"] == "allow"
    gate.visit("NEVER", validFrom=end, validUntil="0001-01-01T00:00:00Z")
    assert gate("NEVER").json()["reasons"] == ["not_yet_valid", "expired"]
    assert admin_client.get("/admin/visitors/visit/").status_code == 200, "in the site's zone"


def test_a_code_that_is_none_is_an_answer(gate):
    for code in ("a\x00b", "a\ud800"):
        assert gate(code).json()["reasons"] == ["malformed"]
    assert gate("\x00GOOD1\x00").json()["decision"] == "allow"


@pytest.mark.parametrize("key", ["", "wrong", "aaaaaaaa.bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"])
def test_a_stranger_gets_no_answer(gate, key):
    for path in ("verify", "passages", "verifications/offline"):
        assert gate.post(path, {"code": "GOOD1"}, key=key).status_code == 401
    assert not Verification.objects.exists()


def test_a_key_that_was_revoked_is_no_key(gate):
    TurnstileKey.objects.update(revoked=True)
    assert gate("GOOD1").status_code == 401


def test_a_key_is_of_no_use_from_elsewhere(gate):
    gate.set("in", sources=["10.0.0.0/8"])
    assert gate("GOOD1").status_code == 403
    gate.set("in", sources=["10.0.0.0/8", "127.0.0.1"])
    assert gate("GOOD1").status_code == 200


def test_a_disabled_device_lets_nobody_in_and_asks_nobody(gate):
    gate.set("in", enabled=False)
    assert "device_disabled" in gate("GOOD1").json()["reasons"]
    assert gate.offision()["visit_requests"] == 0


def test_what_is_no_request_is_said_to_be_none(gate):
    assert gate("GOOD1", direction="up").status_code == 400
    assert gate("GOOD1", nonce="n" * 101).status_code == 400
    assert gate("x" * 3000).status_code == 413
    assert gate("x" * 129).json()["reasons"] == ["malformed"]


def test_a_door_is_unlocked_once_and_the_visitor_is_told_if_it_was_not(gate):
    from accessmap.models import Door

    gate.set("in", opens="door", door=Door.objects.get(name="Room door"), open_ms=1500)
    first = gate("GOOD1", nonce="n1").json()
    assert first["message"] == "Please pass."
    gate("GOOD1", nonce="n1")
    gate("BAD1")
    pulses = [e for e in gate.place.box("GET", "events?after=0")["events"] if e["kind"] == "opened"]
    assert len(pulses) == 1
    assert Entry.objects.get(action="door.pulse").outcome == "done"
    gate.place.box("PUT", "faults", {"timeout_after_apply": True})
    told = gate("GOOD1").json()
    gate.place.box("PUT", "faults", {})
    assert "see reception" in told["message"]
    assert (told["decision"], told["reasons"]) == ("deny", ["door_not_opened"])
    assert "open_ms" not in told
    assert Entry.objects.filter(action="door.pulse", outcome="failed").count() == 1


# Guessing --------------------------------------------------


def test_after_many_unknown_codes_only_known_ones_are_looked_up(gate, monkeypatch):
    gate("GOOD1")
    for n in range(guessing.UNKNOWN_PER_DEVICE):
        assert gate(f"GUESS{n}").status_code == 200
    asked = gate.offision()["visit_requests"]
    answer = gate("GUESS-ONE-MORE")
    assert answer.status_code == 429
    assert answer.json()["reasons"] == ["throttled"]
    assert int(answer.headers["Retry-After"]) > 0
    assert gate("NEW1").status_code == 429, "nor is a real one that was never seen: nobody can tell"
    monkeypatch.setattr(guessing, "_next_try", {})
    assert gate("NEW1").status_code == 200, "but one in a while is looked up"
    asked += 1
    assert gate.offision()["visit_requests"] == asked
    assert gate("GOOD1").json()["decision"] == "allow"
    assert gate("GUESS-ELSEWHERE", at="other").status_code == 200, "other turnstiles go on"
    guessing.write_down()
    assert ThrottledScans.objects.get().count == 2
    alarm = Entry.objects.get(action="visitors.guessing")
    assert "in" in alarm.object_label


# Together --------------------------------------------------


def test_scans_of_one_code_that_come_together_share_one_look_up(gate, settings):
    gate.place.offision_fault(None)
    requests.put(f"{gate.place.offision_url}/sandbox/faults", json={"latency_ms": 300}, timeout=5).raise_for_status()
    found = []
    threads = [threading.Thread(target=lambda: found.append(lookup.look_up("GOOD1").name)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["Ana"] * 4
    assert gate.offision()["visit_requests"] == 1


def test_one_code_at_many_lanes_does_not_take_every_thread(gate, monkeypatch):
    gate.place.offision_fault("stall", seconds=3)
    ended = []

    def ask():
        try:
            lookup.look_up("GOOD1")
        except Exception as error:
            ended.append(str(error))

    threads = [threading.Thread(target=ask) for _ in range(1 + lookup.WAIT_AT_ONCE + 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    gate.place.offision_fault(None)
    assert sum("so many look-ups wait" in text for text in ended) == 2
    assert len(ended) == len(threads)


def test_a_stalled_offision_does_not_take_every_thread(gate, monkeypatch):
    contract_from_settings()
    gate.place.offision_fault("stall", seconds=3)
    ended = []

    def ask(code):
        try:
            lookup.look_up(code)
        except Exception as error:
            ended.append(str(error))

    threads = [threading.Thread(target=ask, args=(f"c{n}",)) for n in range(lookup.AT_ONCE + 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    gate.place.offision_fault(None)
    assert sum("so many look-ups wait" in text for text in ended) == 1


@pytest.mark.django_db(transaction=True)
def test_two_lanes_at_once_admit_one_code_once(gate):
    for name in ("in", "other"):
        gate.set(name, anti_passback="hard", reports_passages=True)
    from visitors.verification.verify import Scan, verify

    together = threading.Barrier(2)
    answers = []

    def lane(name):
        turnstile = Turnstile.objects.select_related("site").get(name=name)
        together.wait()
        answers.append(verify(turnstile, Scan(read="GOOD1")))
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


def test_the_connection_is_kept_open_and_failures_of_that_are_nobodys(gate, monkeypatch):
    from portal.offision import default

    asked = threading.Event()
    stop = threading.Event()
    real = default.client_from_settings().information

    def information():
        if asked.is_set():
            stop.set()
        asked.set()
        gate.place.offision_fault("refuse" if stop.is_set() else None)
        return real()

    monkeypatch.setattr(default.client_from_settings(), "information", information)
    default.keep_warm(stop=stop, seconds=0.01)
    assert asked.is_set()

"""The portal's own endpoints with the pretend Offision behind them."""

import threading

import pytest
import requests
from django.db import connection

from portal.audit.models import Entry
from portal.offision.default import contract_from_settings
from visitors.models import ThrottledScans, Turnstile, TurnstileKey, Verification, Visit
from visitors.verification import guessing, lookup


def test_allow_and_deny_are_both_answers(turnstiles):
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


def test_the_display_shows_only_what_it_may_and_only_of_who_passes(turnstiles):
    assert "visitor" not in turnstiles.scan("GOOD1").json()
    turnstiles.configure("in", shows=["name", "host"])
    assert turnstiles.scan("GOOD1").json()["visitor"] == {"name": "Ana", "host": "mei@pier.example"}
    assert "visitor" not in turnstiles.scan("BAD1").json()


def test_the_language_is_the_requests(turnstiles):
    answer = turnstiles.client.post(
        "/api/visitors/verify",
        {"code": "GOOD1"},
        content_type="application/json",
        headers={"authorization": f"Api-Key {turnstiles.keys['in']}", "accept-language": "zh-hant"},
    )
    assert answer.json()["message"] == "請通過。"


def test_neither_the_code_nor_the_key_is_kept(turnstiles):
    turnstiles.scan("NOSUCH")
    turnstiles.scan("GOOD1")
    rows = (*Verification.objects.values(), *Entry.objects.values(), *Visit.objects.values())
    kept = [str(v) for row in rows for v in row.values()]
    assert not [text for text in kept if "NOSUCH" in text or "GOOD1" in text or turnstiles.keys["in"] in text]


@pytest.mark.parametrize("mode", ["error", "unauthorized", "html", "stall", "refuse", "huge", "nonsense"])
def test_an_offision_that_fails_lets_nobody_in(turnstiles, mode):
    turnstiles.place.offision_fault(mode, seconds=3)
    answer = turnstiles.scan("GOOD1").json()
    assert answer["decision"] == "deny"
    assert answer["reason"] in ("upstream_unavailable", "upstream_mismatch")
    assert Verification.objects.get().upstream


def test_what_the_contract_did_not_foresee_denies_and_names_the_field(turnstiles):
    turnstiles.set_visit("ODD", status="vip")
    assert turnstiles.scan("ODD").json()["reasons"] == ["upstream_mismatch"]
    assert "status holds vip" in Verification.objects.get().upstream
    turnstiles.set_visit("NONE", status=None)
    assert turnstiles.scan("NONE").json()["reasons"] == ["upstream_mismatch"]
    assert Verification.objects.filter(upstream__icontains="status is missing").count() == 1


def test_a_visit_of_another_site_is_turned_away_unless_any_will_do(turnstiles):
    turnstiles.set_visit("ELSE", site="Kowloon")
    turnstiles.set_visit("HERE", site="pier ")
    assert turnstiles.scan("ELSE").json()["reasons"] == ["wrong_site"]
    assert turnstiles.scan("HERE").json()["decision"] == "allow"
    turnstiles.configure("in", any_site=True)
    assert turnstiles.scan("ELSE").json()["decision"] == "allow"


def test_a_visit_seen_before_is_trusted_for_so_long_and_only_where_staff_say_so(turnstiles, later):
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


def test_a_visit_that_offision_no_longer_knows_is_not_trusted_later(turnstiles):
    turnstiles.configure("in", trust_minutes=10)
    turnstiles.scan("GOOD1")
    turnstiles.place.offision_fault(None)
    Visit.objects.update(code_digest=lookup_digest("GONE"))
    assert turnstiles.scan("GONE").json()["reasons"] == ["unknown_code"]
    turnstiles.place.offision_fault("refuse")
    assert turnstiles.scan("GONE").json()["decision"] == "deny"


def lookup_digest(code):
    from visitors.verification.codes import digest

    return digest(code)


def test_the_same_nonce_gets_the_first_answer(turnstiles):
    first = turnstiles.scan("GOOD1", nonce="n1").json()
    turnstiles.set_visit("GOOD1", status="cancelled")
    assert turnstiles.scan("GOOD1", nonce="n1").json() == first
    assert Verification.objects.count() == 1
    assert turnstiles.scan("GOOD1", nonce="n1", at="other").json()["decision"] == "deny", "another turnstile's nonce is another"


def test_a_nonce_opens_for_no_other_code_nor_way_nor_later(turnstiles, later):
    turnstiles.scan("GOOD1", nonce="n1", at="both", direction="in")
    assert turnstiles.scan("NOSUCH", nonce="n1", at="both", direction="in").json()["decision"] == "deny"
    turnstiles.configure("both", statuses_out=["expected"])
    assert turnstiles.scan("GOOD1", nonce="n1", at="both", direction="out").json()["decision"] == "deny"
    turnstiles.set_visit("GOOD1", status="blacklisted")
    with later(61):
        assert turnstiles.scan("GOOD1", nonce="n1", at="both", direction="in").json()["reasons"] == ["blacklisted"]
    turnstiles.configure("both", enabled=False)
    assert "device_disabled" in turnstiles.scan("GOOD1", nonce="n1", at="both", direction="in").json()["reasons"]


@pytest.mark.parametrize(
    ("status", "reason"), [(410, "unknown_code"), (400, "unknown_code"), (405, "upstream_mismatch")]
)
def test_a_clear_no_of_offisions_is_no_silence(turnstiles, monkeypatch, status, reason):
    from portal.offision.errors import Refused
    from portal.offision.executor import Executor

    turnstiles.configure("in", trust_minutes=60)
    turnstiles.scan("GOOD1")

    def refuse(*_args, **_kwargs):
        raise Refused("Visit GOOD1 is closed", status_code=status)

    monkeypatch.setattr(Executor, "record", refuse)
    assert turnstiles.scan("GOOD1").json()["reasons"] == [reason]
    assert turnstiles.last_verification().upstream == "Visit *** is closed"


def test_json_that_is_too_deep_is_no_request(turnstiles):
    for path in ("verify", "passages", "verifications/offline"):
        assert turnstiles.post(path, "[" * 1900).status_code == 400


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
def test_what_a_device_says_of_its_json_does_not_matter(turnstiles, headers):
    key = f"Api-Key {turnstiles.keys['in']}"
    more = {
        "content_type": "application/json",
        **headers,
        "headers": {"authorization": key, **headers.get("headers", {})},
    }
    answer = turnstiles.client.generic("POST", "/api/visitors/verify", b'\xef\xbb\xbf{"code": "GOOD1"}', **more)
    assert (answer.status_code, answer.json()["decision"]) == (200, "allow")
    assert answer["Content-Type"] == "application/json"


@pytest.mark.parametrize("body", ['{"code": "NOSUCH", "code": "GOOD1"}', "", "null", "[]", '"GOOD1"', "{", "\udcff"])
def test_what_is_no_json_object_with_each_field_once_is_no_request(turnstiles, body):
    for path in ("verify", "passages", "verifications/offline"):
        assert turnstiles.post(path, body.encode("utf-8", "surrogateescape")).status_code == 400
    assert not Verification.objects.exists()


def test_a_body_of_any_length_is_too_long_not_an_error(turnstiles):
    assert turnstiles.scan("x" * 3_000_000).status_code == 413


@pytest.mark.parametrize(
    "clock",
    ["0001-01-01T00:00:00", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59+08:00", "9999-12-31T23:59:59Z", "noon"],
)
def test_a_clock_beyond_all_calendars_is_no_clock_and_breaks_nothing(turnstiles, clock):
    assert turnstiles.scan("GOOD1", scanned_at=clock).status_code == 400
    said = {"verification_id": turnstiles.scan("GOOD1").json()["verification_id"], "passed": True, "at": clock}
    assert turnstiles.post("passages", said).status_code == 400
    assert turnstiles.scan("GOOD1", scanned_at="1970-01-01T00:00:00").status_code == 200, "a clock that has lost its time"


@pytest.mark.parametrize("end", ["9999-12-31T23:59:59Z", "9999-12-31T23:59:59.9999999Z"])
def test_a_visit_without_end_is_one_until_the_end_of_the_calendar(turnstiles, admin_client, end):
    turnstiles.configure("in", tolerance_minutes=10)
    turnstiles.set_visit("EVER", validFrom="0001-01-01T00:00:00Z", validUntil=end)
    assert turnstiles.scan("EVER").json()["decision"] == "allow"
    turnstiles.set_visit("NEVER", validFrom=end, validUntil="0001-01-01T00:00:00Z")
    assert turnstiles.scan("NEVER").json()["reasons"] == ["not_yet_valid", "expired"]
    assert admin_client.get("/admin/visitors/visit/").status_code == 200, "in the site's zone"


def test_a_code_that_is_none_is_an_answer(turnstiles):
    for code in ("a\x00b", "a\ud800"):
        assert turnstiles.scan(code).json()["reasons"] == ["malformed"]
    assert turnstiles.scan("\x00GOOD1\x00").json()["decision"] == "allow"


@pytest.mark.parametrize("key", ["", "wrong", "aaaaaaaa.bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"])
def test_a_stranger_gets_no_answer(turnstiles, key):
    for path in ("verify", "passages", "verifications/offline"):
        assert turnstiles.post(path, {"code": "GOOD1"}, key=key).status_code == 401
    assert not Verification.objects.exists()


def test_a_key_that_was_revoked_is_no_key(turnstiles):
    TurnstileKey.objects.update(revoked=True)
    assert turnstiles.scan("GOOD1").status_code == 401


def test_a_key_is_of_no_use_from_elsewhere(turnstiles):
    turnstiles.configure("in", sources=["10.0.0.0/8"])
    assert turnstiles.scan("GOOD1").status_code == 403
    turnstiles.configure("in", sources=["10.0.0.0/8", "127.0.0.1"])
    assert turnstiles.scan("GOOD1").status_code == 200


def test_a_disabled_device_lets_nobody_in_and_asks_nobody(turnstiles):
    turnstiles.configure("in", enabled=False)
    assert "device_disabled" in turnstiles.scan("GOOD1").json()["reasons"]
    assert turnstiles.look_ups() == 0


def test_what_is_no_request_is_said_to_be_none(turnstiles):
    assert turnstiles.scan("GOOD1", direction="up").status_code == 400
    assert turnstiles.scan("GOOD1", nonce="n" * 101).status_code == 400
    assert turnstiles.scan("x" * 3000).status_code == 413
    assert turnstiles.scan("x" * 129).json()["reasons"] == ["malformed"]


def test_a_door_is_unlocked_once_and_the_visitor_is_told_if_it_was_not(turnstiles):
    from accessmap.models import Door

    turnstiles.configure("in", opens="door", door=Door.objects.get(name="Room door"), open_ms=1500)
    first = turnstiles.scan("GOOD1", nonce="n1").json()
    assert first["message"] == "Please pass."
    turnstiles.scan("GOOD1", nonce="n1")
    turnstiles.scan("BAD1")
    pulses = [e for e in turnstiles.place.box("GET", "events?after=0")["events"] if e["kind"] == "opened"]
    assert len(pulses) == 1
    assert Entry.objects.get(action="door.pulse").outcome == "done"
    turnstiles.place.box("PUT", "faults", {"timeout_after_apply": True})
    told = turnstiles.scan("GOOD1").json()
    turnstiles.place.box("PUT", "faults", {})
    assert "see reception" in told["message"]
    assert (told["decision"], told["reasons"]) == ("deny", ["door_not_opened"])
    assert "open_ms" not in told
    assert Entry.objects.filter(action="door.pulse", outcome="failed").count() == 1


# Guessing --------------------------------------------------


def test_after_many_unknown_codes_only_known_ones_are_looked_up(turnstiles, monkeypatch):
    turnstiles.scan("GOOD1")
    for n in range(guessing.UNKNOWN_PER_DEVICE):
        assert turnstiles.scan(f"GUESS{n}").status_code == 200
    asked = turnstiles.look_ups()
    answer = turnstiles.scan("GUESS-ONE-MORE")
    assert answer.status_code == 429
    assert answer.json()["reasons"] == ["throttled"]
    assert int(answer.headers["Retry-After"]) > 0
    assert turnstiles.scan("NEW1").status_code == 429, "nor is a real one that was never seen: nobody can tell"
    monkeypatch.setattr(guessing, "_next_try_at", {})
    assert turnstiles.scan("NEW1").status_code == 200, "but one in a while is looked up"
    asked += 1
    assert turnstiles.look_ups() == asked
    assert turnstiles.scan("GOOD1").json()["decision"] == "allow"
    assert turnstiles.scan("GUESS-ELSEWHERE", at="other").status_code == 200, "other turnstiles go on"
    guessing.write_down()
    assert ThrottledScans.objects.get().count == 2
    alarm = Entry.objects.get(action="visitors.guessing")
    assert "in" in alarm.object_label


# Together --------------------------------------------------


def test_scans_of_one_code_that_come_together_share_one_look_up(turnstiles, settings):
    turnstiles.place.offision_fault(None)
    requests.put(f"{turnstiles.place.offision_url}/sandbox/faults", json={"latency_ms": 300}, timeout=5).raise_for_status()
    found = []
    threads = [threading.Thread(target=lambda: found.append(lookup.look_up("GOOD1").name)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["Ana"] * 4
    assert turnstiles.look_ups() == 1


def test_one_code_at_many_lanes_does_not_take_every_thread(turnstiles, monkeypatch):
    turnstiles.place.offision_fault("stall", seconds=3)
    ended = []

    def ask():
        try:
            lookup.look_up("GOOD1")
        except Exception as error:
            ended.append(str(error))

    threads = [threading.Thread(target=ask) for _ in range(1 + lookup.MAX_WAITING + 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    turnstiles.place.offision_fault(None)
    assert sum("too many look-ups are waiting" in text for text in ended) == 2
    assert len(ended) == len(threads)


def test_a_stalled_offision_does_not_take_every_thread(turnstiles, monkeypatch):
    contract_from_settings()
    turnstiles.place.offision_fault("stall", seconds=3)
    ended = []

    def ask(code):
        try:
            lookup.look_up(code)
        except Exception as error:
            ended.append(str(error))

    threads = [threading.Thread(target=ask, args=(f"c{n}",)) for n in range(lookup.MAX_LOOK_UPS + 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    turnstiles.place.offision_fault(None)
    assert sum("too many look-ups are waiting" in text for text in ended) == 1


@pytest.mark.django_db(transaction=True)
def test_two_lanes_at_once_admit_one_code_once(turnstiles):
    for name in ("in", "other"):
        turnstiles.configure(name, anti_passback="hard", reports_passages=True)
    from visitors.verification.verify import Scan, verify

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


def test_the_connection_is_kept_open_and_failures_of_that_are_nobodys(turnstiles, monkeypatch):
    from portal.offision import default

    asked = threading.Event()
    stop = threading.Event()
    real = default.client_from_settings().information

    def information():
        if asked.is_set():
            stop.set()
        asked.set()
        turnstiles.place.offision_fault("refuse" if stop.is_set() else None)
        return real()

    monkeypatch.setattr(default.client_from_settings(), "information", information)
    default.keep_warm(stop=stop, seconds=0.01)
    assert asked.is_set()

"""The endpoints of turnstiles: which requests they accept, and from which devices."""

import pytest

from portal.core.logging import redact
from visitors.models import TurnstileKey, Verification


@pytest.mark.parametrize("key", ["", "wrong", "aaaaaaaa.bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"])
def test_an_unknown_key_gets_401(turnstiles, key):
    for path in ("verify", "passages", "verifications/offline"):
        assert turnstiles.post(path, {"code": "GOOD1"}, key=key).status_code == 401
    assert not Verification.objects.exists()


def test_a_revoked_key_gets_401(turnstiles):
    TurnstileKey.objects.update(revoked=True)
    assert turnstiles.scan("GOOD1").status_code == 401


def test_a_key_from_another_address_gets_403(turnstiles):
    turnstiles.configure("in", sources=["10.0.0.0/8"])
    assert turnstiles.scan("GOOD1").status_code == 403
    turnstiles.configure("in", sources=["10.0.0.0/8", "127.0.0.1"])
    assert turnstiles.scan("GOOD1").status_code == 200


def test_an_unknown_key_in_the_path_gets_401(turnstiles):
    for path in ("", "new_qrcode.fcgi"):
        assert turnstiles.client.post(f"/api/visitors/devices/no.such/{path}").status_code == 401


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
def test_json_is_read_and_sent_whatever_the_headers_say(turnstiles, headers):
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
def test_a_body_that_is_not_a_json_object_without_repeated_fields_gets_400(turnstiles, body):
    for path in ("verify", "passages", "verifications/offline"):
        assert turnstiles.post(path, body.encode("utf-8", "surrogateescape")).status_code == 400
    assert not Verification.objects.exists()


def test_deeply_nested_json_gets_400(turnstiles):
    for path in ("verify", "passages", "verifications/offline"):
        assert turnstiles.post(path, "[" * 1900).status_code == 400


def test_wrong_fields_get_400_and_an_over_long_code_is_denied(turnstiles):
    assert turnstiles.scan("GOOD1", direction="up").status_code == 400
    assert turnstiles.scan("GOOD1", nonce="n" * 101).status_code == 400
    assert turnstiles.scan("x" * 3000).status_code == 413
    assert turnstiles.scan("x" * 129).json()["reasons"] == ["malformed"]


def test_a_body_beyond_every_bound_gets_413(turnstiles):
    assert turnstiles.scan("x" * 3_000_000).status_code == 413


@pytest.mark.parametrize(
    "clock",
    ["0001-01-01T00:00:00", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59+08:00", "9999-12-31T23:59:59Z", "noon"],
)
def test_a_time_outside_the_calendar_gets_400(turnstiles, clock):
    assert turnstiles.scan("GOOD1", scanned_at=clock).status_code == 400
    report = {"verification_id": turnstiles.scan("GOOD1").json()["verification_id"], "passed": True, "at": clock}
    assert turnstiles.post("passages", report).status_code == 400
    assert turnstiles.scan("GOOD1", scanned_at="1970-01-01T00:00:00").status_code == 200, "a clock without power"


def test_a_text_that_is_not_a_code_is_denied(turnstiles):
    for code in ("a\x00b", "a\ud800"):
        assert turnstiles.scan(code).json()["reasons"] == ["malformed"]
    assert turnstiles.scan("\x00GOOD1\x00").json()["decision"] == "allow"


def test_the_message_is_in_the_language_of_the_request(turnstiles):
    answer = turnstiles.client.post(
        "/api/visitors/verify",
        {"code": "GOOD1"},
        content_type="application/json",
        headers={"authorization": f"Api-Key {turnstiles.keys['in']}", "accept-language": "zh-hant"},
    )
    assert answer.json()["message"] == "請通過。"


def test_the_log_holds_neither_the_key_in_a_path_nor_the_code_after_it():
    assert redact("POST /api/visitors/devices/abc.def/new_qrcode.fcgi") == (
        "POST /api/visitors/devices/***/new_qrcode.fcgi"
    )
    assert redact("GET /api/visitors/devices/abc.def/?qr=GOOD1&x=1 done") == "GET /api/visitors/devices/***/?*** done"


@pytest.mark.parametrize("path", ["verify", "passages", "verifications/offline", "devices/no.such/x"])
def test_authentication_comes_before_the_body_and_names_its_scheme(turnstiles, path):
    answer = turnstiles.client.generic("POST", f"/api/visitors/{path}", b"x" * 100_000)
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Api-Key")
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["error"] == answer.json()["detail"] == "No turnstile has this key."


def test_a_device_from_another_address_gets_403(turnstiles):
    turnstiles.configure("in", protocol="vguang", sources=["10.0.0.0/8"])
    assert turnstiles.device("in", "GOOD1").status_code == 403
    assert not Verification.objects.exists()


def test_the_address_of_devices_is_not_for_the_protocol_of_the_portal(turnstiles):
    answer = turnstiles.device("in", b"x" * 100_000)
    assert answer.status_code == 400
    assert "/api/visitors/verify" in answer.json()["error"]


def test_a_wrong_field_is_named(turnstiles):
    errors = turnstiles.scan("GOOD1", direction="up").json()["errors"]
    assert [error["field"] for error in errors] == ["direction"]

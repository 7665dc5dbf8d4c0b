"""Each device protocol, byte for byte."""

import json

import pytest
from django.core.exceptions import ValidationError

from portal.audit.models import Entry
from portal.core.logging import redact
from visitors.devices.protocols import vguang
from visitors.models import (
    Passage,
    Reader,
    Template,
    Verification,
)
from visitors.visits import passages


def speak(turnstiles, protocol, name="in", **fields):
    turnstiles.configure(name, protocol=protocol, **fields)
    return lambda body=b"", rest="", content_type="text/html": turnstiles.device(name, body, rest, content_type)


def test_vguang(turnstiles):
    ask = speak(turnstiles, "vguang")
    good = ask("vgdecoderesult=GOOD1&&devicenumber=0&&otherparams=")
    assert (good.status_code, good.content, good["Content-Type"]) == (200, b"code=0000", "text/plain")
    bad = ask("vgdecoderesult=BAD1&&devicenumber=0&&otherparams=")
    assert (bad.status_code, bad.content) == (200, b"code=0001")
    assert ask("GOOD1\r\n").content == b"code=0000", "the bare code as the body"


@pytest.mark.parametrize(
    ("body", "code", "device"),
    [
        ("vgdecoderesult=a&b+c=d&&devicenumber=3&&otherparams=", "a&b+c=d", "3"),
        ("vgdecoderesult=a&&devicenumber=9&&x&&devicenumber=3&&otherparams=x", "a&&devicenumber=9&&x", "3"),
        ("vgdecoderesult=a", "a", ""),
        ("a+b&c", "a+b&c", ""),
    ],
)
def test_vguang_splits_codes_with_separators(body, code, device):
    assert vguang.split(body) == (code, device)


def test_vguang_in_hexadecimal(turnstiles):
    ask = speak(turnstiles, "vguang", sends_hex=True)
    assert ask(f"vgdecoderesult={b'GOOD1'.hex()}&&devicenumber=0&&otherparams=").content == b"code=0000"
    assert ask("vgdecoderesult=GOOD1&&devicenumber=0&&otherparams=").content == b"code=0001"
    assert turnstiles.last_verification().reasons == ["malformed"]


def test_a_repeated_scan_is_the_same_scan_for_five_seconds(turnstiles, later):
    ask = speak(turnstiles, "vguang")
    for _ in range(3):
        ask("GOOD1")
    assert Verification.objects.count() == 1
    with later(5):
        ask("GOOD1")
    assert Verification.objects.count() == 2


def test_the_reader_decides_the_direction(turnstiles):
    turnstile = turnstiles.configure("both", protocol="vguang")
    Reader.objects.create(turnstile=turnstile, name="0", direction="in")
    Reader.objects.create(turnstile=turnstile, name="1", direction="out")
    turnstiles.device("both", "vgdecoderesult=GOOD1&&devicenumber=1&&otherparams=")
    assert Verification.objects.get().direction == "out"
    turnstiles.device("both", "vgdecoderesult=NEW1&&devicenumber=7&&otherparams=")
    assert turnstiles.last_verification().reasons[0] == "wrong_direction", "a reader that nobody configured"


def test_in_and_out_within_five_seconds_are_two_scans(turnstiles):
    turnstile = turnstiles.configure("both", protocol="vguang")
    for name, direction in (("0", "in"), ("1", "out")):
        Reader.objects.create(turnstile=turnstile, name=name, direction=direction)
        turnstiles.device("both", f"vgdecoderesult=GOOD1&&devicenumber={name}&&otherparams=")
    assert set(Verification.objects.values_list("direction", flat=True)) == {"in", "out"}


def control_id(ask, code, uuid="u1", **more):
    message = {
        "device_id": 1,
        "identifier_id": 0,
        "qrcode_value": code,
        "portal_id": 2,
        "uuid": uuid,
        "time": 1,
        **more,
    }
    return ask(json.dumps(message), "new_qrcode.fcgi", "application/json")


def test_control_id(turnstiles):
    ask = speak(turnstiles, "control_id", shows=["name"])
    good = control_id(ask, "GOOD1")
    assert good.status_code == 200
    assert good.json() == {
        "result": {
            "event": 7,
            "user_id": 0,
            "user_name": "Ana",
            "user_image": False,
            "portal_id": 2,
            "message": "Please pass.",
            "actions": [{"action": "catra", "parameters": "allow=clockwise"}],
        }
    }
    bad = control_id(ask, "BAD1", uuid="u2").json()["result"]
    assert (bad["event"], bad["actions"], bad["user_name"]) == (6, [], "")


def test_control_id_form_uses_the_uuid_as_nonce(turnstiles):
    ask = speak(turnstiles, "control_id")
    form = "device_id=1&identifier_id=0&qrcode_value=GOOD1&portal_id=1&uuid=u9&time=1"
    for _ in range(2):
        answer = ask(form, "new_qrcode.fcgi", "application/x-www-form-urlencoded")
        assert answer.json()["result"]["event"] == 7
    assert Verification.objects.get().nonce == "u9"


def test_control_id_heartbeat_and_passage_reports(turnstiles):
    ask = speak(turnstiles, "control_id", reports_passages=True)
    assert ask("access_logs=0", "device_is_alive.fcgi", "application/x-www-form-urlencoded").status_code == 200
    control_id(ask, "GOOD1", uuid="u1")
    control_id(ask, "GOOD1", uuid="u2")
    event = {"event": {"type": 7, "name": "TURN LEFT", "time": 1, "uuid": "u1"}, "access_event_id": 1, "device_id": 1}
    assert ask(json.dumps(event), "notifications/catra_event", "application/json").status_code == 200
    gave_up = {"event": {"type": 9, "name": "GIVE UP", "time": 1, "uuid": ""}, "access_event_id": 2, "device_id": 1}
    ask(json.dumps(gave_up), "notifications/catra_event", "application/json")
    assert dict(Passage.objects.values_list("verification__nonce", "passed")) == {"u1": True, "u2": False}
    ask(json.dumps(gave_up), "notifications/catra_event", "application/json")  # nobody is awaited: no harm
    assert Passage.objects.count() == 2


def test_a_repeated_passage_report_counts_for_no_other_visitor(turnstiles):
    ask = speak(turnstiles, "control_id", reports_passages=True)
    turnstiles.set_visit("BEA", visitorName="Bea")
    control_id(ask, "GOOD1", uuid="a")
    control_id(ask, "BEA", uuid="b")
    gave_up = json.dumps({"event": {"type": 9, "name": "GIVE UP", "time": 1, "uuid": "a"}, "device_id": 1})
    for _ in range(2):
        ask(gave_up, "notifications/catra_event", "application/json")
    assert [p.verification.nonce for p in Passage.objects.all()] == ["a"]
    odd = json.dumps({"event": {"name": "TURN", "uuid": "\x00"}})
    assert ask(odd, "notifications/catra_event", "application/json").status_code == 400


def test_a_confirmed_passage_ends_the_repeated_answer(turnstiles, later):
    ask = speak(turnstiles, "control_id", reports_passages=True, anti_passback="hard")
    control_id(ask, "GOOD1", uuid="")
    turned = json.dumps({"event": {"type": 7, "name": "TURN LEFT", "time": 1, "uuid": ""}, "device_id": 1})
    with later(2):
        ask(turned, "notifications/catra_event", "application/json")
    with later(3):
        assert control_id(ask, "GOOD1", uuid="").json()["result"]["event"] == 6


def test_long_nonces_stay_different(turnstiles):
    ask = speak(turnstiles, "control_id")
    for end in "ab":
        control_id(ask, "GOOD1", uuid="n" * 120 + end)
    assert Verification.objects.count() == 2


def test_a_passage_report_replaces_the_assumption(turnstiles):
    ask = speak(turnstiles, "control_id")
    control_id(ask, "GOOD1", uuid="u1")
    assert Passage.objects.get().assumed
    event = {"event": {"type": 7, "name": "TURN RIGHT", "time": 1, "uuid": "u1"}, "device_id": 1}
    ask(json.dumps(event), "notifications/catra_event", "application/json")
    assert not Passage.objects.get().assumed


def test_two_passage_reports_at_once_store_one_passage(turnstiles, monkeypatch):
    ask = speak(turnstiles, "control_id", reports_passages=True)
    control_id(ask, "GOOD1", uuid="u1")
    answer = Verification.objects.get()
    monkeypatch.setattr(passages, "verification_to_confirm", lambda *_args, **_more: answer)  # as the slower one saw it
    for name in ("TURN LEFT", "GIVE UP"):
        event = json.dumps({"event": {"name": name, "uuid": "u1"}, "device_id": 1})
        assert ask(event, "notifications/catra_event", "application/json").status_code == 200
    assert Passage.objects.get().passed


def hikvision(ask, code, serial=7, *, field="cardNo", filename="", **more):
    event = {
        "ipAddress": "10.0.0.9",
        "dateTime": "2026-03-10T09:00:00+08:00",
        "eventType": "AccessControllerEvent",
        "AccessControllerEvent": {
            "deviceName": "gate",
            field: code,
            "cardReaderNo": 1,
            "serialNo": serial,
            "remoteCheck": True,
            "currentEvent": True,
            **more,
        },
    }
    named = f'; filename="{filename}"' if filename else ""
    body = (
        f'--MIME_boundary\r\nContent-Disposition: form-data; name="AccessControllerEvent"{named}\r\n'
        f"Content-Type: application/json\r\n\r\n{json.dumps(event)}\r\n"
        '--MIME_boundary\r\nContent-Disposition: form-data; name="Picture"; filename="Picture.jpg"\r\n'
        "Content-Type: image/jpeg\r\n\r\n\xff\xd8\r\n--MIME_boundary--\r\n"
    )
    return ask(body.encode("latin-1"), "", "multipart/form-data; boundary=MIME_boundary")


@pytest.mark.parametrize("filename", ["", "event.json"])
@pytest.mark.parametrize("field", ["cardNo", "QRCodeInfo"])
def test_hikvision(turnstiles, field, filename):
    ask = speak(turnstiles, "hikvision")
    good = hikvision(ask, "GOOD1", field=field, filename=filename)
    assert (good.status_code, good.json()) == (200, {"RemoteCheck": {"serialNo": 7, "checkResult": "success"}})
    bad = hikvision(ask, "BAD1", serial=8, field=field, filename=filename)
    assert bad.json() == {"RemoteCheck": {"serialNo": 8, "checkResult": "failed"}}
    again = hikvision(ask, "GOOD1", field=field, filename=filename)
    assert again.json() == good.json()
    assert Verification.objects.count() == 2


def test_hikvision_past_scans_open_nothing(turnstiles):
    ask = speak(turnstiles, "hikvision")
    assert hikvision(ask, "GOOD1", currentEvent=False).content == b""
    assert hikvision(ask, "GOOD1", remoteCheck=False).content == b""
    assert not Verification.objects.exists()


def test_hikvision_serial_numbers_without_time_are_no_nonce(turnstiles):
    ask = speak(turnstiles, "hikvision")
    event = {"AccessControllerEvent": {"cardNo": "GOOD1", "serialNo": 1, "remoteCheck": True, "currentEvent": True}}
    assert ask(json.dumps(event), "", "application/json").json()["RemoteCheck"]["checkResult"] == "success"
    event["AccessControllerEvent"]["cardNo"] = "NOSUCH"
    assert ask(json.dumps(event), "", "application/json").json()["RemoteCheck"]["checkResult"] == "failed"


def test_hikvision_past_scans_are_recorded_and_not_decided(turnstiles):
    ask = speak(turnstiles, "hikvision")
    turnstiles.scan("GOOD1")
    for current in (False, "true", None):
        assert hikvision(ask, "GOOD1", currentEvent=current).content == b""
    assert hikvision(ask, "", currentEvent=False).content == b"", "a door's own event"
    assert Verification.objects.count() == 1
    entries = Entry.objects.filter(action="visitor.history")
    assert [(e.object_label, e.detail["at"]) for e in entries] == [("Ana", "2026-03-10T09:00:00+08:00")] * 3


def template(turnstiles, name="in", **fields):
    turnstile = turnstiles.configure(name, protocol="template")
    made = Template(turnstile=turnstile, **{"allow_body": "OPEN\r\n", "deny_body": "STAY", **fields})
    made.full_clean()
    made.save()
    return lambda body=b"", content_type="text/plain": turnstiles.device(name, body, "", content_type)


def test_template_with_a_raw_body(turnstiles):
    ask = template(turnstiles, body="raw")
    assert ask("GOOD1\r\n").content == b"OPEN\r\n"
    assert ask("BAD1").content == b"STAY"


def test_template_with_json(turnstiles):
    ask = template(
        turnstiles,
        "both",
        body="json",
        code_at="data.qr",
        direction_at="dir",
        word_in="E",
        word_out="S",
        nonce_at="id",
        allow_body='{"ok":1}',
        deny_body='{"ok":0}',
        content_type="application/json",
    )
    answer = ask(json.dumps({"data": {"qr": "GOOD1"}, "dir": "E", "id": 5}), "application/json")
    assert (answer.content, answer["Content-Type"]) == (b'{"ok":1}', "application/json")
    row = Verification.objects.get()
    assert (row.direction, row.nonce) == ("in", "5")
    assert ask(json.dumps({"data": {"qr": "NEW1"}, "dir": "?"}), "application/json").content == b'{"ok":0}'
    assert ask("[1]", "application/json").status_code == 400
    assert ask("{", "application/json").status_code == 400


def test_template_with_a_form_and_with_a_query(turnstiles):
    ask = template(turnstiles, body="form", code_at="c")
    assert ask("c=GOOD1&x=1", "application/x-www-form-urlencoded").content == b"OPEN\r\n"
    assert ask("x=1", "application/x-www-form-urlencoded").status_code == 400
    template(turnstiles, "other", body="query", code_at="code")
    secret = turnstiles.keys["other"]
    assert turnstiles.client.get(f"/api/visitors/devices/{secret}/?code=GOOD1").content == b"OPEN\r\n"
    assert turnstiles.client.post(f"/api/visitors/devices/{secret}/").status_code == 400


def test_template_without_a_direction_denies_at_a_turnstile_for_both(turnstiles):
    turnstile = turnstiles.configure("both", protocol="template")
    Template.objects.create(
        turnstile=turnstile, body="json", code_at="c", direction_at="d", allow_body="OPEN", deny_body="STAY"
    )
    for message in ({"c": "GOOD1"}, {"c": "GOOD1", "d": ""}):
        assert turnstiles.device("both", json.dumps(message), "", "application/json").content == b"STAY"
    assert turnstiles.last_verification().reasons == ["wrong_direction"]


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"content_type": "text/plain; charset=no-such"}, "content_type"),
        ({"content_type": "text/plain; charset=us-ascii", "allow_body": "開"}, "content_type"),
        ({"content_type": "text/plain\r\nSet-Cookie: a=b"}, "content_type"),
        ({"content_type": "text/plain; x=é"}, "content_type"),
        ({"content_type": "plain"}, "content_type"),
        ({"direction_at": "d", "word_in": "E"}, "direction_at"),
        ({"deny_body": "OPEN\r\n"}, "deny_body"),
        ({"code_at": ""}, "code_at"),
    ],
)
def test_a_template_that_cannot_answer_is_invalid(turnstiles, fields, wrong):
    with pytest.raises(ValidationError) as refused:
        template(turnstiles, **{"body": "form", "code_at": "c", **fields})
    assert set(refused.value.message_dict) == {wrong}


@pytest.mark.parametrize("field", ["&" * 5, "a=" + "&" * 1100, "%ff%fe=%ff"])
def test_an_unreadable_form_gets_400(turnstiles, field):
    ask = template(turnstiles, body="form", code_at="c")
    answer = ask(field[:2048], "application/x-www-form-urlencoded")
    assert answer.status_code == 400
    assert answer.json()["error"]


def test_the_log_says_why_a_request_is_invalid_and_holds_no_code(turnstiles, caplog):
    ask = template(turnstiles, body="form", code_at="c")
    assert ask("qr=GOOD1", "application/x-www-form-urlencoded").status_code == 400
    assert "There is no c in the request." in caplog.text
    assert "GOOD1" not in caplog.text
    assert turnstiles.keys["in"] not in redact(caplog.text)


@pytest.mark.parametrize("protocol", ["template", "vguang", "control_id", "hikvision", "native"])
def test_an_invalid_request_allows_nobody(turnstiles, protocol):
    ask = speak(turnstiles, protocol)
    for body, kind in ((b"", "application/json"), (b"\xff" * 100, "application/json"), (b"x" * 70_000, "text/html")):
        answer = ask(body, "new_qrcode.fcgi", kind)
        assert answer.status_code in (200, 400, 413)
        if answer.status_code == 200:
            assert b"code=0001" in answer.content or b'"event": 6' in answer.content
    assert not Verification.objects.filter(allowed=True).exists()


@pytest.mark.parametrize("odd", ["\x00", "\ud800", "a\nb", "x" * 300])
def test_odd_characters_are_refused_or_denied(turnstiles, odd):
    ask = speak(turnstiles, "control_id")
    for message in ({"uuid": odd}, {"portal_id": odd}, {"qrcode_value": odd}):
        answer = (
            control_id(ask, "GOOD1", **{"uuid": "u", **message})
            if "qrcode_value" not in message
            else control_id(ask, odd)
        )
        assert answer.status_code in (200, 400)
    json_body = json.dumps({"code": odd, "nonce": odd})
    assert turnstiles.post("verify", json_body).status_code in (200, 400)


def test_a_code_that_is_sent_unescaped_cannot_name_a_direction(turnstiles):
    fields = {"code_at": "c", "direction_at": "d", "word_in": "E", "word_out": "S"}
    template(turnstiles, "both", body="query", **fields)
    read = "GOOD1&d=S"
    answer = turnstiles.client.get(f"/api/visitors/devices/{turnstiles.keys['both']}/?d=E&c={read}")
    assert answer.status_code == 400
    Template.objects.all().delete()
    ask = template(turnstiles, "both", body="json", **fields)
    read = 'GOOD1", "d": "S'
    assert ask(f'{{"d": "E", "c": "{read}"}}', "application/json").status_code == 400
    ask = speak(turnstiles, "control_id")
    form = "portal_id=1&qrcode_value=GOOD1&portal_id=2"
    assert ask(form, "new_qrcode.fcgi", "application/x-www-form-urlencoded").status_code == 400
    assert not Verification.objects.exists()


def test_a_code_that_is_not_text_is_denied_without_a_look_up(turnstiles):
    ask = speak(turnstiles, "control_id")
    for value in (None, True, ["GOOD1"], {"code": "GOOD1"}):
        assert control_id(ask, value, uuid="").json()["result"]["event"] == 6
    ask = speak(turnstiles, "vguang")
    assert ask(b"\xff\xfe").content == b"code=0001"
    assert {reason for row in Verification.objects.all() for reason in row.reasons} == {"malformed"}
    assert turnstiles.look_ups() == 0

"""Kiosks: paired by a code that is typed once."""

from datetime import timedelta

import pytest
from django.urls import reverse

from portal.audit.models import Entry
from portal.core import clock
from tests.places import NOW
from visitors.devices import kiosks
from visitors.models import Turnstile, TurnstileKey


@pytest.fixture
def tablet(turnstiles):
    turnstile = Turnstile.objects.get(name="in")
    page = reverse("kiosk", args=[turnstile.pk])

    def pair(code):
        return turnstiles.client.post(f"{page}pair", {"code": code})

    def scan(code, nonce="n1", **more):
        return turnstiles.client.post(
            f"{page}scan", {"code": code, "nonce": nonce, **more}, content_type="application/json"
        )

    pair.turnstile, pair.page, pair.scan, pair.client = turnstile, page, scan, turnstiles.client
    return pair


def test_a_code_pairs_one_tablet(tablet):
    code = kiosks.new_pairing(tablet.turnstile, actor="ann")
    assert tablet.scan("GOOD1").status_code == 401
    assert "code" in tablet.client.get(tablet.page).content.decode()
    answer = tablet(f"{code[:4]} {code[4:]}")
    assert answer.status_code == 302
    cookie = answer.cookies[kiosks.cookie_name(tablet.turnstile.pk)]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Strict"
    assert cookie["path"] == tablet.page
    assert tablet.client.get(tablet.page).context["turnstile"] == tablet.turnstile
    assert tablet.client.get(f"{tablet.page}alive").status_code == 204
    result = tablet.scan("GOOD1").json()
    assert result["allowed"]
    assert set(result["messages"]) == {"en", "zh-hant"}
    assert tablet(code).status_code == 403, "it is good for one tablet"
    key = cookie.value
    answer = tablet.client.post(
        "/api/visitors/verify",
        {"code": "GOOD1"},
        content_type="application/json",
        headers={"authorization": f"Api-Key {key}"},
    )
    assert answer.status_code == 401, "a tablet's key is of use at its own page only"
    assert [e.action for e in Entry.objects.filter(action__startswith="kiosk").order_by("id")] == [
        "kiosk.pairing",
        "kiosk.paired",
    ]
    assert Entry.objects.filter(action="visitors.turnstilekey.added").latest("id").actor == "turnstile in"


def test_a_code_is_invalid_after_many_wrong_ones_or_ten_minutes(tablet):
    code = kiosks.new_pairing(tablet.turnstile, actor="ann")
    for _ in range(kiosks.WRONG_TRIES):
        assert tablet("00000000" if code != "00000000" else "1").status_code == 403
    assert tablet(code).status_code == 403
    code = kiosks.new_pairing(tablet.turnstile, actor="ann")
    with clock.stopped_at(NOW + timedelta(minutes=10)):
        assert tablet(code).status_code == 403
    assert not TurnstileKey.objects.filter(kiosk=True).exists()


def test_a_kiosk_belongs_to_one_turnstile_and_ends_with_its_key(tablet):
    tablet(kiosks.new_pairing(tablet.turnstile, actor="ann"))
    other = Turnstile.objects.get(name="other")
    tablet.client.cookies[kiosks.cookie_name(other.pk)] = tablet.client.cookies[
        kiosks.cookie_name(tablet.turnstile.pk)
    ].value
    assert tablet.client.get(f"/kiosk/{other.pk}/alive").status_code == 401
    assert kiosks.unpair(tablet.turnstile, actor="ann") == 1
    assert tablet.client.get(f"{tablet.page}alive").status_code == 401
    assert tablet.scan("GOOD1").status_code == 401


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"code": 1, "nonce": "n"}',
        b'{"code": "x", "nonce": ""}',
        b'{"code": "x", "nonce": "n", "direction": "up"}',
        b"x" * 3000,
    ],
)
def test_an_invalid_scan_gets_400(tablet, body):
    tablet(kiosks.new_pairing(tablet.turnstile, actor="ann"))
    answer = tablet.client.post(f"{tablet.page}scan", body, content_type="application/json")
    assert answer.status_code == 400

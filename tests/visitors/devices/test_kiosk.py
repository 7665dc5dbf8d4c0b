"""The kiosk: paired by a code typed once; in a real browser, with a scanner that types."""

from datetime import timedelta

import pytest
from django.urls import reverse

from portal.audit.models import Entry
from portal.core import clock
from tests.places import NOW
from visitors.devices import kiosks
from visitors.models import Turnstile, TurnstileKey, Verification
from visitors.verification import lookup


@pytest.fixture
def tablet(turnstiles):
    turnstile = Turnstile.objects.get(name="in")
    page = reverse("kiosk", args=[turnstile.pk])

    def pair(code):
        return turnstiles.client.post(f"{page}pair", {"code": code})

    def scan(code, nonce="n1", **more):
        return turnstiles.client.post(f"{page}scan", {"code": code, "nonce": nonce, **more}, content_type="application/json")

    pair.turnstile, pair.page, pair.scan, pair.client = turnstile, page, scan, turnstiles.client
    return pair


def test_a_tablet_is_paired_by_the_code_once(tablet):
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
    said = tablet.scan("GOOD1").json()
    assert said["allowed"]
    assert set(said["messages"]) == {"en", "zh-hant"}
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


def test_a_code_is_worth_nothing_after_a_few_wrong_ones_or_ten_minutes(tablet):
    code = kiosks.new_pairing(tablet.turnstile, actor="ann")
    for _ in range(kiosks.WRONG_TRIES):
        assert tablet("00000000" if code != "00000000" else "1").status_code == 403
    assert tablet(code).status_code == 403
    code = kiosks.new_pairing(tablet.turnstile, actor="ann")
    with clock.stopped_at(NOW + timedelta(minutes=10)):
        assert tablet(code).status_code == 403
    assert not TurnstileKey.objects.filter(kiosk=True).exists()


def test_a_kiosk_is_one_turnstiles_and_ends_with_its_key(tablet):
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
    "said",
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
def test_what_is_no_question_is_refused(tablet, said):
    tablet(kiosks.new_pairing(tablet.turnstile, actor="ann"))
    answer = tablet.client.post(f"{tablet.page}scan", said, content_type="application/json")
    assert answer.status_code == 400


@pytest.fixture
def open_kiosk(turnstiles, live_server, browser_page, settings, monkeypatch):
    # A browser beside it can make this machine slow for a moment; how fast answers are is not asked here.
    settings.OFFISION_READ_TIMEOUT = 4
    monkeypatch.setattr(lookup, "DEADLINE_SECONDS", 4)

    def opened():
        turnstile = turnstiles.configure("in", shows=["name"])
        browser_page.goto(f"{live_server.url}{reverse('kiosk', args=[turnstile.pk])}")
        browser_page.fill("#code", kiosks.new_pairing(turnstile, actor="ann"))
        browser_page.click("button")
        return browser_page

    return opened


@pytest.mark.django_db(transaction=True)
def test_a_scanner_that_types_is_heard_wherever_the_focus_is(open_kiosk):
    page = open_kiosk()
    word = page.locator("#word")
    state = page.locator("body")

    def wedge(code):
        page.keyboard.type(code)
        page.keyboard.press("Enter")

    page.wait_for_selector("body[data-state=ready]")
    wedge("GOOD1")
    page.wait_for_selector("body[data-state=allow]")
    assert word.inner_text() == "PASS"
    assert page.locator("#word-other").inner_text() == "通過"
    assert page.locator("#visitor").inner_text() == "Ana"
    assert page.locator(".sign .allow").is_visible()
    assert not page.locator(".sign .deny").is_visible()

    page.evaluate("document.activeElement.blur(); window.getSelection().removeAllRanges()")
    page.mouse.click(5, 5)
    wedge("BAD1")
    page.wait_for_selector("body[data-state=deny]")
    assert word.inner_text() == "STOP"
    assert page.locator("#visitor").inner_text() == ""
    page.wait_for_selector("body[data-state=ready]")

    page.context.set_offline(True)
    page.wait_for_selector("body[data-state=offline]")
    assert word.inner_text() == "OFFLINE"
    page.context.set_offline(False)
    page.wait_for_selector("body[data-state=ready]")

    # Somebody logs in to the admin in another tab of the same browser.
    page.evaluate("document.cookie = `csrftoken=${'a'.repeat(32)}; path=/`")
    wedge("NEW1")
    page.wait_for_selector("body[data-state=deny]")
    page.wait_for_selector("body[data-state=ready]")

    TurnstileKey.objects.filter(kiosk=True).update(revoked=True)
    wedge("GOOD1")
    page.wait_for_selector("body[data-state=offline]")
    assert "no longer paired" in page.locator("#message").inner_text()
    assert sorted(Verification.objects.values_list("allowed", flat=True)) == [False, False, True]
    assert state.is_visible()


SEES_A_CODE = """
    window.BarcodeDetector = class {
        static async getSupportedFormats() { return ["qr_code"]; }
        async detect(video) { return video.videoWidth ? [{ rawValue: "GOOD1" }] : []; }
    };
"""


@pytest.mark.django_db(transaction=True)
def test_the_camera_reads_where_the_browser_can(open_kiosk, browser_page):
    browser_page.add_init_script(SEES_A_CODE)
    page = open_kiosk()
    page.click("#camera")
    page.wait_for_selector("body[data-state=allow]")
    assert not page.locator("#camera").is_visible()
    assert page.locator("#video").is_visible()


@pytest.mark.django_db(transaction=True)
def test_there_is_no_button_for_a_camera_that_the_browser_can_not_read(open_kiosk, browser_page):
    browser_page.add_init_script("delete window.BarcodeDetector;")
    page = open_kiosk()
    page.wait_for_selector("body[data-state=ready]")
    assert not page.locator("#camera").is_visible()

"""The page of a kiosk in a real browser: with a scanner that types, and with a camera."""

import pytest
from django.urls import reverse

from visitors.devices import kiosks
from visitors.models import TurnstileKey, Verification
from visitors.verification import lookup


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
def test_the_camera_scans_where_the_browser_can(open_kiosk, browser_page):
    browser_page.add_init_script(SEES_A_CODE)
    page = open_kiosk()
    page.click("#camera")
    page.wait_for_selector("body[data-state=allow]")
    assert not page.locator("#camera").is_visible()
    assert page.locator("#video").is_visible()


@pytest.mark.django_db(transaction=True)
def test_there_is_no_camera_button_where_the_browser_cannot_scan(open_kiosk, browser_page):
    browser_page.add_init_script("delete window.BarcodeDetector;")
    page = open_kiosk()
    page.wait_for_selector("body[data-state=ready]")
    assert not page.locator("#camera").is_visible()

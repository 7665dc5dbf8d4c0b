"""The page of a kiosk in a real browser: with a scanner that types, and with a camera."""

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from visitors.devices import kiosks
from visitors.models import TurnstileKey, Verification
from visitors.verification import lookup


@pytest.fixture
def open_kiosk(turnstiles, live_server, browser_page, settings, monkeypatch):
    # A browser can make this machine slow for a moment. The speed of answers is not tested here.
    settings.OFFISION_READ_TIMEOUT = 4
    monkeypatch.setattr(lookup, "DEADLINE_SECONDS", 4)

    def open_page():
        turnstile = turnstiles.configure("in", shows=["name"])
        browser_page.goto(f"{live_server.url}{reverse('kiosk', args=[turnstile.pk])}")
        browser_page.fill("#code", kiosks.new_pairing(turnstile, actor="ann"))
        browser_page.click("button")
        browser_page.wait_for_selector("body[data-state=ready]")
        return browser_page

    return open_page


@pytest.mark.django_db(transaction=True)
def test_a_scanner_that_types_is_heard_wherever_the_focus_is(open_kiosk, browser_page):
    browser_page.clock.install()
    page = open_kiosk()
    word = page.locator("#word")

    def scan(code):
        page.keyboard.type(code)
        page.keyboard.press("Enter")

    def wait_for(state):
        page.wait_for_selector(f"body[data-state={state}]")

    def wait_for_the_end_of_the_answer():
        page.clock.fast_forward(4000)
        wait_for("ready")

    scan("GOOD1")
    wait_for("allow")
    assert word.inner_text() == "PASS"
    assert page.locator("#word-other").inner_text() == "通過"
    assert page.locator("#visitor").inner_text() == "Ana"
    assert page.locator(".sign .allow").is_visible()
    assert not page.locator(".sign .deny").is_visible()

    page.evaluate("document.activeElement.blur(); window.getSelection().removeAllRanges()")
    page.mouse.click(5, 5)
    scan("BAD1")
    wait_for("deny")
    assert word.inner_text() == "STOP"
    assert page.locator("#visitor").inner_text() == ""
    wait_for_the_end_of_the_answer()

    page.context.set_offline(True)
    wait_for("offline")
    assert word.inner_text() == "OFFLINE"
    page.context.set_offline(False)
    wait_for("ready")

    # Another page of this browser logs in to the admin, and changes the CSRF cookie.
    page.evaluate("document.cookie = `csrftoken=${'a'.repeat(32)}; path=/`")
    scan("NEW1")
    wait_for("deny")
    wait_for_the_end_of_the_answer()

    TurnstileKey.objects.filter(kiosk=True).update(revoked=True)
    scan("GOOD1")
    expect(page.locator("#message")).to_have_text("This tablet is no longer paired.")
    assert sorted(Verification.objects.values_list("allowed", flat=True)) == [False, False, True]


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

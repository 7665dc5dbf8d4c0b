"""The page that waits for Offision's call, in a real browser, with the keyboard alone."""

import os
import shutil

import pytest
from django.contrib.auth.models import User
from django.db import connections
from django.urls import reverse

from doorsync.models import Callback, PassState

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture
def browser_page(monkeypatch):
    if CHROMIUM is None:
        pytest.skip("needs Debian's chromium")
    from playwright.sync_api import sync_playwright

    # Playwright runs an event loop in this thread; the test's own queries are made between its calls.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    # The live server's threads end with their requests, and so should their connections.
    monkeypatch.setitem(connections.settings["default"], "CONN_MAX_AGE", 0)
    flags = ["--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
    if os.geteuid() == 0:
        flags.append("--no-sandbox")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield browser.new_page(viewport={"width": 390, "height": 800})
        browser.close()


@pytest.mark.django_db(transaction=True)
def test_the_call_is_seen_to_arrive_without_a_hand_on_the_page(live_server, browser_page, client, settings):
    settings.PORTAL_PUBLIC_URL = live_server.url
    PassState.objects.get_or_create(pk=1)
    client.force_login(User.objects.create_superuser("chief"))
    page = browser_page
    page.context.add_cookies(
        [{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}]
    )
    page.goto(f"{live_server.url}{reverse('setup-step', args=['callback'])}")
    waiting = page.locator("#waiting")
    assert waiting.inner_text() == "Nothing has come yet."
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")

    page.get_by_role("button", name="Call it from here").focus()
    page.keyboard.press("Enter")
    page.get_by_text("It worked").wait_for()
    assert waiting.inner_text() == "Nothing has come yet.", "that was the portal, not Offision"

    Callback.objects.create(body=b"{}", outcome="asked")
    page.wait_for_function("document.getElementById('waiting').textContent.startsWith('Offision has called')")

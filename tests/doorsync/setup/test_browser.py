"""The page that waits for Offision's call, in a real browser, with the keyboard alone."""

import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from doorsync.models import Callback, SchedulerState


@pytest.mark.django_db(transaction=True)
def test_the_page_shows_a_call_by_itself(live_server, browser_page, client, settings, doorbells):
    settings.PORTAL_PUBLIC_URL = live_server.url
    SchedulerState.objects.get_or_create(pk=1)
    client.force_login(User.objects.create_superuser("chief"))
    page = browser_page
    page.set_viewport_size({"width": 390, "height": 800})
    page.context.add_cookies(
        [{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}]
    )
    page.goto(f"{live_server.url}{reverse('setup-step', args=['callback'])}")
    waiting = page.locator("#waiting")
    assert waiting.inner_text() == "No call has come yet."
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")

    page.get_by_role("button", name="Call it from here").focus()
    page.keyboard.press("Enter")
    page.get_by_text("It worked").wait_for()
    assert waiting.inner_text() == "No call has come yet.", "that was the portal, not Offision"

    Callback.objects.create(body=b"{}", outcome="enqueued")
    page.wait_for_function("document.getElementById('waiting').textContent.startsWith('Offision has called')")

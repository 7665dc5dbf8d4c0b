"""Somebody at the browser, logged in with a role."""

from dataclasses import dataclass
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import Group, User
from django.urls import reverse

from doorsync.models import SchedulerState
from tests.visitors.conftest import turnstiles  # noqa: F401 (a fixture)


@dataclass
class Desk:
    """A browser's page, and what a person does with it."""

    page: Any
    url: str
    client: Any

    def log_in(self, user: User) -> None:
        self.client.force_login(user)
        cookie = self.client.cookies[django_settings.SESSION_COOKIE_NAME]
        self.page.context.clear_cookies()
        self.page.context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": self.url}])

    def log_in_as(self, role: str) -> None:
        user, _made = User.objects.get_or_create(username=role, defaults={"is_staff": True})
        user.groups.set([Group.objects.get(name=role)])
        self.log_in(user)

    def open(self, name: str, *args: Any, query: str = "") -> int:
        """Open a page by its name; the answer's status."""
        answer = self.page.goto(f"{self.url}{reverse(name, args=args)}{query}")
        return int(answer.status)

    def press(self, name: str) -> None:
        """Press a button, and be where it leads."""
        with self.page.expect_navigation():
            self.page.get_by_role("button", name=name, exact=True).click()

    def reads(self) -> str:
        """What stands on the page."""
        return " ".join(self.page.locator("body").inner_text().split())


@pytest.fixture(autouse=True)
def _pass_state(transactional_db):
    """A migration makes it, and a test with real commits before this one took it away."""
    SchedulerState.objects.get_or_create(pk=1)


@pytest.fixture
def desk(browser_page, live_server, client):
    return Desk(browser_page, live_server.url, client)

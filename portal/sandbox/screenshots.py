"""Pictures of the demo building's pages, for the documentation."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import requests
from django.conf import settings
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse
from django.utils.translation import gettext as _

from accessmap.imports import service
from accessmap.models import Cardholder, Door, MapImport, Site
from doorsync.models import StoredBooking
from portal import roles
from portal.core import clock
from portal.sandbox.playground import Playground, quiet
from visitors.models import Turnstile, TurnstileKey

if TYPE_CHECKING:
    from playwright.sync_api import Browser

WIDE, PHONE = (1440, 900), (390, 844)
SHEET = (
    "name,email,cards\n"
    "Mei Ling Wong,mei.ling.wong@pierhouse.example,40210010\n"
    "Hana Sato,hana.sato@pierhouse.example,40210999\n"
    "Ivo Brandt,no email,40210998\n"
)


class CannotPhotographError(RuntimeError):
    """The pictures cannot be taken; the text says what is missing."""


@dataclass(frozen=True, slots=True)
class Shot:
    """A page, with the window's size, colours and language."""

    name: str
    address: str
    size: tuple[int, int] = WIDE
    dark: bool = False
    language: str = "en"


@contextmanager
def browser() -> Iterator["Browser"]:
    """Debian's chromium, driven by Playwright. Raises CannotPhotographError."""
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError as error:
        raise CannotPhotographError(_("Pictures need Playwright: run make install first.")) from error
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        raise CannotPhotographError(_("Pictures need chromium: apt-get install chromium."))
    flags = ["--disable-gpu", "--disable-background-networking", "--disable-component-update", "--hide-scrollbars"]
    if os.geteuid() == 0:
        flags.append("--no-sandbox")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=flags)
        try:
            yield started
        finally:
            started.close()


def furnish(place: Playground) -> User:
    """Bring visitors inside and upload a sheet, so that the pages have content; the administrator who opens them."""
    admin = User.objects.create_user("admin", is_staff=True)
    admin.groups.add(Group.objects.get(name=roles.ADMINISTRATOR))
    gate = Turnstile.objects.filter(direction="in").order_by("pk")[0]
    _key, secret = TurnstileKey.objects.create_key(name="pictures", turnstile=gate)
    for visit in place.building.visits:
        requests.post(
            f"{place.portal_url}/api/visitors/verify",
            json={"code": visit.code},
            headers={"Authorization": f"Api-Key {secret}"},
            timeout=10,
        )
    sheet = service.upload(kind=MapImport.Kind.PEOPLE, name="people.csv", content=SHEET.encode(), user=admin)
    place.wait_until(_("The check of the sheet"), lambda: MapImport.objects.get(pk=sheet.pk).state == "checked")
    place.wait_until(_("The doors"), quiet)
    return admin


def shots() -> list[Shot]:
    """The pages to photograph. Reads the map for people and doors that exist."""
    site, sheet = Site.objects.get(), MapImport.objects.get()
    booking, holder, door = _meeting()
    moment = booking.starts_at.astimezone(ZoneInfo(site.time_zone))
    question = urlencode({"who": holder.email, "door": door.pk, "at": f"{moment:%Y-%m-%dT%H:%M}"})
    pages = {
        "home": reverse("admin:index"),
        "doors": reverse("board", args=[site.pk]),
        "explain": f"{reverse('explain')}?{question}",
        "coverage": reverse("coverage"),
        "cardholder": reverse("admin:accessmap_cardholder_change", args=[holder.pk]),
        "import": reverse("admin:accessmap_mapimport_change", args=[sheet.pk]),
        "controller": reverse("admin:accessmap_controller_change", args=[door.controller_id]),
        "setup": reverse("setup"),
        "inside": reverse("inside", args=[site.pk]),
    }
    return [
        *(Shot(name, address) for name, address in pages.items()),
        *(Shot(f"{name}-phone", address, PHONE) for name, address in pages.items()),
        Shot("doors-dark", pages["doors"], dark=True),
        Shot("explain-zh-hant", pages["explain"], language="zh-hant"),
    ]


def _meeting() -> tuple[StoredBooking, Cardholder, Door]:
    """A future booking, its organizer and its door."""
    coming = StoredBooking.objects.filter(
        starts_at__gt=clock.now(),
        status="confirmed",
        resource__doors__isnull=False,
        resource__policy__admit_organizer=True,
    )
    for booking in coming.select_related("resource"):
        holder = Cardholder.objects.filter(email__iexact=booking.organizer_email, cards__status="active").first()
        door = booking.resource.doors.first()
        if holder is not None and door is not None:
            return booking, holder, door
    raise CannotPhotographError(_("This building has no future meeting, so the pages would be empty."))


def photograph(place: Playground, folder: Path) -> list[Path]:
    """Write every picture into a folder; the files. Raises CannotPhotographError."""
    client = Client()
    client.force_login(furnish(place))
    session = client.cookies[settings.SESSION_COOKIE_NAME]
    pages = shots()
    folder.mkdir(parents=True, exist_ok=True)
    # Last: Playwright keeps an event loop in this thread, and Django refuses database queries beside one.
    with browser() as chromium:
        return [_take(chromium, place.portal_url, session.value, shot, folder) for shot in pages]


def _take(chromium: "Browser", url: str, session: str, shot: Shot, folder: Path) -> Path:
    width, height = shot.size
    context = chromium.new_context(
        viewport={"width": width, "height": height}, color_scheme="dark" if shot.dark else "light"
    )
    cookies = {settings.SESSION_COOKIE_NAME: session, settings.LANGUAGE_COOKIE_NAME: shot.language}
    context.add_cookies([{"name": name, "value": value, "url": url} for name, value in cookies.items()])
    page = context.new_page()
    page.goto(f"{url}{shot.address}")
    path = folder / f"{shot.name}.png"
    page.screenshot(path=path, animations="disabled")
    context.close()
    return path

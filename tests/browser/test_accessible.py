"""axe checks every page for staff: light and dark, wide and on a phone. No page is wider than the phone."""

from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import models, transaction
from django.urls import reverse

from accessmap.api.models import ApiKey
from accessmap.imports import service
from accessmap.models import AccessLevel, Card, Cardholder, Controller, Door, MapImport, Resource
from doorsync import models as sync
from doorsync.setup.steps import facts_at, steps
from doorsync.work import scheduler
from portal.audit import sealer
from portal.audit.models import record
from portal.core.problems import QUOTED
from tests.places import NOW, booking
from visitors import models as visits

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
SHEET = "name,email,cards\nMei,mei@pier.example,1001\n,nobody,no-such-thing\n"
OF_COLOURS = ["color-contrast", "link-in-text-block"]
REFUSED = (403, 405)
APPS = sorted({model._meta.app_label for model in admin.site._registry})

Page = tuple[str, str]  # its name and address


@pytest.fixture
def full_house(turnstiles):
    """A building in which there is something to see on every page: at least one row of everything."""
    place = turnstiles.place
    chief = User.objects.create_superuser("chief")
    place.change(
        create=booking("b2", "+0d 15:00", "+0d 16:00", organizer="late@pier.example", attendees=["x" * 60 + "@a.hk"])
    )
    for name in ("room", "attic"):
        place.fetch(name)
    Card.objects.filter(number="1002").delete()
    for name in ("box", "old"):
        place.reconcile(name)
    scheduler.tick()
    turnstiles.scan("GOOD1")
    verification = visits.Verification.objects.get()
    box, room = Controller.objects.get(name="box"), Resource.objects.get(external_id="room")
    level = AccessLevel.objects.get()
    Cardholder.objects.get(name="Fay").access_levels.set([level])
    sync.Notice.objects.create(kind="drift", key="1", since=NOW)
    recipient = sync.Recipient.objects.create(name="The desk", email="desk@pier.example")
    sync.Delivery.objects.create(recipient=recipient, type="opened", subject="Doors", text="A door waits.")
    sync.RejectedBooking.objects.create(
        resource=room, reason=QUOTED(text="It ends before it begins."), raw="{" * 99, seen_at=NOW
    )
    sync.UnmappedResource.objects.create(external_id="loft", name="Loft")
    sync.Callback.objects.create(body=b'{"resource": "' + b"x" * 300 + b'"}', outcome="unreadable")
    sync.UnmanagedCard.objects.create(controller=box, number="9999", wanted=False, first_seen_at=NOW)
    visits.VisitStatusUpdate.objects.create(
        verification=verification, visit=visits.Visit.objects.get(), change="check_in"
    )
    visits.ThrottledScans.objects.create(turnstile=visits.Turnstile.objects.get(name="in"), minute=NOW, count=3)
    ApiKey.objects.create_key(name="Directory", scopes=["cardholders:read"])
    attempt = {"username": "eve", "user_agent": "x" * 200, "http_accept": "*/*", "path_info": "/admin/login/"}
    AccessLog.objects.create(**attempt)
    AccessFailureLog.objects.create(**attempt)
    AccessAttempt.objects.create(**attempt, get_data="", post_data="", failures_since_start=1)
    sheet = service.upload(kind="people", name="people.csv", content=SHEET.encode(), user=chief)
    service.work_on_import(sheet.pk)
    sync.ControllerSync.objects.filter(controller=box).update(
        pending_plan={"pairs": [["1001", 1]]},
        dropped=[["1003", 1]],
        last_error=[QUOTED(text="Cards would lose doors.")],
    )
    with transaction.atomic():
        record(actor="ann", action="contract.check", on=box, detail={"fingerprint": "x" * 200})
    sealer.seal()
    return turnstiles


def pages_of_models(app: str) -> Iterator[Page]:
    """The list of each of an app's models, the form of one row, the empty form, its deletion, and one history.

    Histories share one template and look alike.
    """
    models_of_app = [model for model in admin.site._registry if model._meta.app_label == app]
    for model in models_of_app:
        name, row = f"admin:{app}_{model._meta.model_name}", first_row(model)
        assert row is not None, f"full_house makes no {model._meta.label}"
        for kind, arguments in [
            ("changelist", []),
            ("add", []),
            ("change", [row.pk]),
            ("delete", [row.pk]),
            ("history", [row.pk]),
        ]:
            if kind == "history" and model is not models_of_app[0]:
                continue
            yield f"{model._meta.label} {kind}", reverse(f"{name}_{kind}", args=arguments)


def first_row(model: type[models.Model]) -> Any:
    return model._default_manager.order_by("pk").first()


def own_pages(turnstiles: Any) -> Iterator[Page]:
    """The pages that are not the admin's."""
    site = turnstiles.place.site()
    door = Door.objects.get(name="Room door")
    card = Card.objects.get(number="1001")
    turnstile = visits.Turnstile.objects.get(name="in")
    sheet = MapImport.objects.get()
    explain = reverse("explain")
    yield "home", reverse("admin:index")
    for app in APPS:
        yield f"app {app}", reverse("admin:app_list", args=[app])
    yield "board", reverse("board", args=[site.pk])
    yield "board of nothing", f"{reverse('board', args=[site.pk])}?name=zzz"
    yield "explain", explain
    yield "explain, she can", f"{explain}?who=Mei&door={door.pk}&at=2026-03-10T10:00"
    yield "explain, she cannot", f"{explain}?who=Mei&door={door.pk}&at=2026-03-10T20:00"
    yield "explain, several people", f"{explain}?who=m&door={door.pk}"
    yield "coverage", reverse("coverage")
    yield "unlock", reverse("unlock-door", args=[door.pk])
    yield "preview", reverse("preview-controller", args=[door.controller_id])
    yield "lost", reverse("admin:accessmap_card_lost", args=[card.pk])
    yield "upload", reverse("admin:accessmap_mapimport_add")
    yield "import", reverse("admin:accessmap_mapimport_change", args=[sheet.pk])
    yield "setup", reverse("setup")
    for step in steps(facts_at(NOW), NOW):
        yield f"setup {step.key}", reverse("setup-step", args=[step.key])
    yield "inside", reverse("inside", args=[site.pk])
    yield "kiosk to pair", reverse("kiosk", args=[turnstile.pk])
    yield "password", reverse("admin:password_change")


class Checker:
    """Checks one page after another, and collects the violations."""

    def __init__(self, desk: Any, *, without: list[str]) -> None:
        self.desk, self.where = desk, {"exclude": without}
        self.violations: list[str] = []

    def __call__(self, what: str, address: str) -> None:
        page = self.desk.page
        page.emulate_media(color_scheme="light")
        page.set_viewport_size({"width": 390, "height": 800})
        answer = page.goto(f"{self.desk.url}{address}")
        if answer.status in REFUSED:
            return  # this model has no such form
        assert answer.status == 200, f"{what}: {answer.status}"
        widths = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
        if widths[0] > widths[1]:
            self.violations.append(f"{what}: {widths[0]} px wide on a phone")
        # axe would measure colours in the middle of their transition from light to dark.
        page.add_style_tag(content="* { transition: none !important; }")
        page.evaluate(AXE_SCRIPT)
        self._run_axe(f"{what}, phone, light", {"type": "tag", "values": TAGS})
        page.set_viewport_size({"width": 1440, "height": 900})
        page.emulate_media(color_scheme="dark")
        self._run_axe(f"{what}, wide, dark", {"type": "rule", "values": OF_COLOURS})

    def _run_axe(self, what: str, only: dict[str, Any]) -> None:
        result = self.desk.page.evaluate(
            "([where, options]) => axe.run(where, options)",
            [self.where, {"runOnly": only, "resultTypes": ["violations"]}],
        )
        for violation in result["violations"]:
            for node in violation["nodes"][:5]:
                why = " ".join(node["failureSummary"].split())
                self.violations.append(f"{what}: {violation['id']} {node['target']}: {why}")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("app", [*APPS, "own"])
def test_no_page_violates_wcag(desk, full_house, app):
    # The sidebar is the same on every page: once is enough.
    check = Checker(desk, without=[] if app == "own" else ["#nav-sidebar"])
    if app == "own":
        check("login", reverse("admin:login"))
    desk.log_in(User.objects.get(username="chief"))
    for what, address in own_pages(full_house) if app == "own" else pages_of_models(app):
        check(what, address)
    assert check.violations == [], "\n".join(check.violations)

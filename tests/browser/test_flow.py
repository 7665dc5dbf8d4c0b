"""A day's work in a real browser, as each role: from a person and a room to the door and back."""

import pytest
from django.urls import reverse

from accessmap.models import Card, Cardholder, Controller, Door, Resource
from doorsync.models import ControllerSync
from doorsync.work import scheduler
from portal import roles
from portal.audit.models import Entry
from tests.places import booking, building

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def unmapped_place(start_place):
    """Offision has a booking of an unmapped room by an unknown person."""
    booked = booking("b9", "+0d 10:00", "+0d 11:00", resource="desk", organizer="ana@pier.example", attendees=[])
    place = start_place(building(bookings=[booked]))
    place.reconcile()
    return place


def ask_why(desk, who):
    door = Door.objects.get(name="Side door")
    assert desk.open("explain") == 200
    desk.page.get_by_label("Who").fill(who)
    desk.page.locator("select[name=door]").select_option(str(door.pk))
    desk.page.get_by_label("When").fill("2026-03-10T10:00")
    desk.press("Ask")
    return desk.reads()


def test_a_mapped_person_can_open_the_door_until_the_card_is_lost(desk, unmapped_place):
    place, page = unmapped_place, desk.page
    desk.log_in_as(roles.FACILITY_STAFF)

    desk.open("admin:accessmap_cardholder_add")
    page.get_by_label("Name:", exact=True).fill("Ana")
    page.get_by_label("Email").fill("ana@pier.example")
    page.get_by_text("Add another Card", exact=True).click()
    page.locator("#id_cards-0-number").fill("7007")
    desk.press("Save")
    assert "was added successfully" in desk.reads()

    desk.open("admin:accessmap_resource_change", Resource.objects.get(external_id="desk").pk)
    page.locator("#resourcedoor_set-group .add-row a").click()
    page.locator("#resourcedoor_set-0 .select2-selection").click()
    page.locator(".select2-search__field").fill("Side")
    page.locator(".select2-results__option", has_text="Side door").click()
    desk.press("Save")
    assert "was changed successfully" in desk.reads()

    scheduler.tick()  # what the worker does, in this process
    place.fetch("desk")
    place.reconcile()
    assert "7007" in place.cards(), "the controller itself holds it"

    desk.open("boards")
    line = page.locator("section.line", has_text="Side door")
    assert line.locator("rect.booked").count() == 1
    assert "Next opens at" in line.inner_text()
    assert "Ana can open Side door at 2026-03-10 10:00:00" in ask_why(desk, "ana@pier.example")

    card = Card.objects.get(number="7007")
    desk.open("admin:accessmap_cardholder_change", card.cardholder_id)
    page.get_by_role("link", name="Report lost").click()
    desk.press("Report this card lost")
    assert "1 controller still holds it" in desk.reads()
    place.reconcile()
    assert "7007" not in place.cards()
    page.get_by_text("No controller holds it").wait_for()  # the page follows by itself
    answer = ask_why(desk, "ana@pier.example")
    assert "Ana can't open Side door" in answer
    assert "is lost" in answer
    assert "Give Ana a card" in answer
    assert Entry.objects.get(action="card.lost").actor == roles.FACILITY_STAFF


POST = """
    ([path, body]) => fetch(path, {
        method: "POST",
        redirect: "manual",
        headers: { "Content-Type": "application/x-www-form-urlencoded" },
        body: new URLSearchParams({
            ...body,
            csrfmiddlewaretoken: document.querySelector("[name=csrfmiddlewaretoken]").value,
        }),
    }).then((answer) => answer.status)
"""

# What each role may open and press: buttons on the pages of a controller, a door and a card, and the audit log.
MAY = {
    roles.FACILITY_STAFF: {
        "sync": True, "unlock": True, "lost": True, "person": True, "controller": False, "log": False,
    },
    roles.SECURITY: {
        "sync": False, "unlock": False, "lost": False, "person": False, "controller": False, "log": True,
    },
    roles.INTEGRATOR: {
        "sync": True, "unlock": False, "lost": False, "person": False, "controller": True, "log": False,
    },
    roles.ADMINISTRATOR: {
        "sync": True, "unlock": True, "lost": True, "person": True, "controller": True, "log": True,
    },
}  # fmt: skip


@pytest.mark.parametrize("role", roles.ROLES)
def test_each_role_sees_the_buttons_it_may_press_and_is_refused_the_rest(desk, place, role):
    place.fetch()
    place.reconcile()
    page, may = desk.page, MAY[role]
    box, door = Controller.objects.get(name="box"), Door.objects.get(name="Room door")
    card = Card.objects.get(number="1001")
    before = ControllerSync.objects.get(controller=box).generation
    desk.log_in_as(role)

    def post(name, *args, **body):
        return page.evaluate(POST, [reverse(name, args=args), body])

    for name in ("boards", "explain", "coverage"):
        assert desk.open(name) == 200
    desk.open("admin:accessmap_controller_change", box.pk)
    visible = {
        "sync": page.get_by_role("button", name="Reconcile now").count() == 1,
        "controller": page.get_by_role("button", name="Save", exact=True).count() == 1,
    }
    desk.open("admin:accessmap_door_change", door.pk)
    visible["unlock"] = page.get_by_role("link", name="Unlock for a moment").count() == 1
    desk.open("admin:accessmap_card_lost", card.pk)
    visible["lost"] = page.get_by_role("button", name="Report this card lost").count() == 1
    desk.open("admin:accessmap_cardholder_changelist")
    visible["person"] = page.get_by_role("link", name="Add cardholder").count() == 1
    desk.open("admin:index")
    visible["log"] = page.get_by_role("link", name="Audit entries").count() == 1
    assert visible == may

    refused = {
        "sync": post("sync-controller", box.pk) == 403,
        "unlock": desk.open("unlock-door", door.pk) == 403,
        "person": desk.open("admin:accessmap_cardholder_add") == 403,
        "controller": desk.open("admin:accessmap_controller_add") == 403,
        "log": desk.open("admin:audit_entry_changelist") == 403,
    }
    desk.open("explain")
    refused["lost"] = post("admin:accessmap_card_lost", card.pk) == 403
    assert {what: not no for what, no in refused.items()} == may
    assert Card.objects.get(pk=card.pk).status == ("lost" if may["lost"] else "active")
    assert (ControllerSync.objects.get(controller=box).generation > before) == (may["sync"] or may["lost"])
    assert Cardholder.objects.count() == 3

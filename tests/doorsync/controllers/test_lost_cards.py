"""A lost card: out of every controller at once, and followed until it is."""

import pytest
from django.contrib.auth.models import Group, User
from django.urls import reverse

from accessmap.models import Card, Controller
from doorsync.controllers import lost_cards, reconcile
from doorsync.models import ControllerSync, UnmanagedCard, UnmappedResource
from portal import roles
from portal.audit.models import Entry
from portal.core import clock
from portal.core.problems import QUOTED
from portal.offision.errors import OperationAbsent
from tests.places import NOW


@pytest.fixture
def staff(client, db):
    def log_in(role=roles.FACILITY_STAFF):
        user = User.objects.create_user(role, password="x", is_staff=True)
        user.groups.add(Group.objects.get(name=role))
        client.force_login(user)

    return log_in


def test_a_lost_card_leaves_the_controller_as_soon_as_it_is_reported(place, client, staff, doorbells):
    place.fetch()
    place.reconcile()
    assert "1001" in place.cards()
    card = Card.objects.get(number="1001")
    page = reverse("admin:accessmap_card_lost", args=[card.pk])
    staff()
    assert "Report this card lost" in client.get(page).content.decode()
    doorbells.clear()
    content = client.post(page, follow=True).content.decode()
    assert "1 controller was asked to take it out" in content
    assert "1 controller still holds it" in content
    assert "data-live" in content
    box = Controller.objects.get(name="box")
    assert doorbells == [("reconcile_controller", box.pk)], "nobody waits for the tick"
    reconcile.reconcile_controller(box.pk)
    assert "1001" not in place.cards()
    content = client.get(page).content.decode()
    assert "No controller holds it" in content
    assert "data-live" not in content
    assert Entry.objects.get(action="card.lost").object_label == "•••• (Mei)"


def test_a_controller_that_is_left_alone_for_a_while_is_tried_at_once_all_the_same(place):
    place.fetch()
    place.reconcile()
    later = NOW.replace(hour=5)
    ControllerSync.objects.filter(controller__name="box").update(next_attempt_at=later, suspended_until=later)
    card = Card.objects.get(number="1001")
    lost_cards.report_lost([card.pk], actor="ann")
    assert place.sync().next_attempt_at is None
    [where] = lost_cards.places_of(card)
    assert where.holds
    assert "does not answer" in where.sentence


def test_where_nobody_takes_it_out_that_is_said(place):
    place.fetch()
    place.reconcile()
    card = Card.objects.get(number="1001")
    Controller.objects.filter(name="box").update(enabled=False)
    UnmanagedCard.objects.create(
        controller=Controller.objects.get(name="old"), number="1001", wanted=False, first_seen_at=clock.now()
    )
    lost, controllers = lost_cards.report_lost([card.pk], actor="ann")
    assert (len(lost), controllers) == (1, 0)
    assert [(where.controller, where.holds, where.moving) for where in lost_cards.places_of(card)] == [
        ("box", True, False),
        ("old", True, False),
    ]


def test_several_are_reported_from_the_list_and_none_twice(place, client, staff):
    place.fetch()
    place.reconcile()
    staff()
    press = {"action": "report_lost", "_selected_action": list(Card.objects.values_list("pk", flat=True))}
    page = reverse("admin:accessmap_card_changelist")
    assert "3 cards are reported lost" in client.post(page, press, follow=True).content.decode()
    assert "Lost already" in client.post(page, press, follow=True).content.decode()
    assert Entry.objects.filter(action="card.lost").count() == 3


@pytest.mark.parametrize("role", [roles.SECURITY, roles.INTEGRATOR])
def test_who_keeps_no_cards_reports_none(place, client, staff, role):
    staff(role)
    card = Card.objects.get(number="1001")
    page = reverse("admin:accessmap_card_lost", args=[card.pk])
    assert "Report this card lost" not in client.get(page).content.decode()
    assert client.post(page).status_code == 403
    press = {"action": "report_lost", "_selected_action": [card.pk]}
    client.post(reverse("admin:accessmap_card_changelist"), press)
    card.refresh_from_db()
    assert card.status == "active"


def test_a_card_made_lost_on_its_own_page_is_taken_out_just_so(place, client, staff, doorbells):
    place.fetch()
    place.reconcile()
    staff()
    card = Card.objects.get(number="1001")
    doorbells.clear()
    answer = client.post(reverse("admin:accessmap_card_change", args=[card.pk]), {"status": "lost"})
    assert answer.status_code == 302
    assert doorbells == [("reconcile_controller", Controller.objects.get(name="box").pk)]
    card.refresh_from_db()
    assert card.status == "lost"


def test_resources_are_fetched_from_offision_on_request(place, client, staff, monkeypatch):
    from accessmap.models import Resource

    Resource.objects.filter(external_id="desk").delete()
    button = reverse("fetch-resources")
    staff(roles.SECURITY)
    assert client.post(button).status_code == 403
    staff()
    assert client.get(button).status_code == 405
    content = client.post(button, follow=True).content.decode()
    assert "lists 3 resources; the map does not know 1" in content
    assert UnmappedResource.objects.get().external_id == "desk"
    assert button in client.get(reverse("admin:accessmap_resource_changelist")).content.decode()
    place.offision_fault("html")
    assert client.post(button, follow=True).context["messages"]

    def absent():
        raise OperationAbsent(QUOTED(text="x"))

    monkeypatch.setattr("doorsync.bookings.resources.fetch_resources", absent)
    assert "The contract has no list of resources" in client.post(button, follow=True).content.decode()

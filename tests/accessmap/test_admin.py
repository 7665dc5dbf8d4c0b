"""Card numbers: whole for those who keep them, masked for everybody else, wherever they could be read."""

import pytest
from django.contrib.auth.models import Group, User
from django.urls import reverse

from accessmap.models import AccessPolicy, Card, Cardholder, Controller, Door, Resource, Site
from doorsync.models import ControllerCard
from portal import roles
from portal.audit.models import Entry
from portal.core import clock
from tests.accessmap.imports.sheets import csv_file

pytestmark = pytest.mark.django_db
NUMBER = "10058400"
KEEPERS = (roles.FACILITY_STAFF, roles.ADMINISTRATOR)


@pytest.fixture
def as_role(client):
    def log_in(role):
        user = User.objects.create_user(role, password="x", is_staff=True)
        user.groups.add(Group.objects.get(name=role))
        client.force_login(user)
        return user

    return log_in


@pytest.fixture
def card():
    return Card.objects.create(
        cardholder=Cardholder.objects.create(name="Mei", email="mei@pier.example"), number=NUMBER
    )


def pages_with(card):
    person = card.cardholder_id
    return [
        reverse("admin:accessmap_cardholder_changelist"),
        reverse("admin:accessmap_cardholder_history", args=[person]),
        reverse("admin:accessmap_cardholder_sheet", args=["csv"]),
        reverse("admin:accessmap_card_changelist"),
        reverse("admin:accessmap_card_change", args=[card.pk]),
        reverse("admin:accessmap_card_history", args=[card.pk]),
        reverse("admin:accessmap_card_lost", args=[card.pk]),
        reverse("admin:audit_entry_changelist"),
    ]


@pytest.mark.parametrize("role", roles.ROLES)
def test_a_number_is_whole_only_for_roles_that_maintain_cards_and_only_on_their_pages(client, as_role, card, role):
    as_role(role)
    kept = [
        reverse("admin:accessmap_cardholder_change", args=[card.cardholder_id]),
        reverse("admin:accessmap_cardholder_sheet", args=["csv"]),
    ]
    for page in [*pages_with(card), *kept]:
        answer = client.get(page)
        text = answer.content.decode()
        whole = role in KEEPERS and page in kept
        assert answer.status_code in (200, 403), page
        assert (NUMBER in text) == whole, page
        if answer.status_code == 200 and "entry" not in page:
            assert whole or "••••8400" in text, page


@pytest.mark.parametrize("role", [roles.SECURITY, roles.INTEGRATOR])
def test_no_filter_in_the_url_finds_a_number_digit_by_digit(client, as_role, card, role):
    as_role(role)
    box = Controller.objects.create(site=Site.objects.create(name="s", time_zone="UTC"), name="box", driver="simulated")
    ControllerCard.objects.create(controller=box, number=NUMBER, state="in_step", changed_at=clock.now())
    for page, lookup in (
        ("accessmap_card", "number__startswith"),
        ("accessmap_cardholder", "cards__number__startswith"),
        ("doorsync_controllercard", "number__startswith"),
        ("doorsync_unmanagedcard", "number__startswith"),
    ):
        answer = client.get(reverse(f"admin:{page}_changelist"), {lookup: "1005"})
        assert answer.status_code in (302, 400), page
    for page in ("accessmap_card", "accessmap_cardholder"):
        listed = client.get(reverse(f"admin:{page}_changelist"), {"q": "1005"})
        assert listed.context["cl"].result_count == 0, "a part of a number finds nothing"
        assert client.get(reverse(f"admin:{page}_changelist"), {"q": NUMBER}).context["cl"].result_count == 1


def test_each_unmasking_is_shown_once_and_logged(client, as_role, card):
    as_role(roles.SECURITY)
    page = reverse("admin:accessmap_card_number", args=[card.pk])
    assert client.get(page).status_code == 405
    assert not Entry.objects.filter(action="card.number_shown").exists()
    answer = client.post(page)
    assert NUMBER in answer.content.decode()
    assert "no-store" in answer["Cache-Control"]
    entry = Entry.objects.get(action="card.number_shown")
    assert (entry.actor, entry.object_id, entry.object_label) == (roles.SECURITY, str(card.pk), "••••8400 (Mei)")
    assert NUMBER not in str(entry.detail)


def test_roles_without_the_permission_see_no_number(client, as_role, card):
    as_role(roles.INTEGRATOR)
    assert "Show the number" not in client.get(reverse("admin:accessmap_card_change", args=[card.pk])).content.decode()
    assert client.post(reverse("admin:accessmap_card_number", args=[card.pk])).status_code == 403
    assert not Entry.objects.filter(action="card.number_shown").exists()


def test_an_export_is_logged_with_its_user_and_whether_numbers_are_whole(client, as_role, card):
    Cardholder.objects.create(name="Tom")
    for role in (roles.SECURITY, roles.FACILITY_STAFF):
        as_role(role)
        text = client.get(reverse("admin:accessmap_cardholder_sheet", args=["csv"]), {"q": "mei"}).content.decode()
        assert text.splitlines()[1].startswith("mei@pier.example,Mei,")
        assert "Tom" not in text, "the list as it is searched"
    assert list(Entry.objects.filter(action="map.export").order_by("pk").values_list("actor", "detail")) == [
        (roles.SECURITY, {"rows": 1, "format": "csv", "whole_card_numbers": False}),
        (roles.FACILITY_STAFF, {"rows": 1, "format": "csv", "whole_card_numbers": True}),
    ]


@pytest.mark.parametrize(
    ("role", "status"), [(roles.FACILITY_STAFF, 302), (roles.SECURITY, 403), (roles.INTEGRATOR, 403)]
)
def test_only_roles_that_maintain_the_map_import_sheets(client, as_role, role, status, monkeypatch):
    monkeypatch.setattr("accessmap.imports.service.send_task", lambda _name, _pk: None)
    as_role(role)
    upload = reverse("admin:accessmap_mapimport_add")
    from django.core.files.uploadedfile import SimpleUploadedFile

    sheet = SimpleUploadedFile("people.csv", csv_file("email,name", "a@b.example,A"))
    assert client.post(upload, {"kind": "people", "file": sheet}).status_code == status
    offered = client.get(reverse("admin:accessmap_cardholder_changelist")).content.decode()
    assert (upload in offered) == (status == 302)
    if status == 403:
        for act in ("carry_out", "undo", "drop"):
            assert client.post(reverse(f"admin:accessmap_mapimport_{act}", args=[1])).status_code == 403


def test_a_card_reported_lost_on_its_holders_page_is_logged(client, as_role, card):
    as_role(roles.FACILITY_STAFF)
    page = reverse("admin:accessmap_cardholder_change", args=[card.cardholder_id])
    answer = client.post(
        page,
        {
            "name": "Mei",
            "email": "mei@pier.example",
            "cards-TOTAL_FORMS": 1,
            "cards-INITIAL_FORMS": 1,
            "cards-0-id": card.pk,
            "cards-0-cardholder": card.cardholder_id,
            "cards-0-number": NUMBER,
            "cards-0-status": "lost",
            "membership_set-TOTAL_FORMS": 0,
            "membership_set-INITIAL_FORMS": 0,
        },
    )
    assert answer.status_code == 302, answer.content.decode()
    assert Entry.objects.get(action="card.lost").actor == roles.FACILITY_STAFF


def test_lists_need_as_many_queries_for_many_rows_as_for_few(client, as_role, card, django_assert_max_num_queries):
    as_role(roles.FACILITY_STAFF)
    site = Site.objects.create(name="Pier", time_zone="Asia/Hong_Kong")
    policy = AccessPolicy.objects.create(name="Staff")
    box = Controller.objects.create(site=site, name="box", driver="simulated")
    for n in range(60):
        person = Cardholder.objects.create(name=f"P{n}")
        Card.objects.create(cardholder=person, number=f"c{n}")
        door = Door.objects.create(controller=box, number=n + 1, name=f"D{n}")
        Resource.objects.create(site=site, external_id=str(n), name=str(n), policy=policy).doors.add(door)
    for page, queries in (
        ("cardholder_changelist", 12),
        ("card_changelist", 10),
        ("resource_changelist", 14),
        ("accesspolicy_changelist", 12),
    ):
        address = reverse(f"admin:accessmap_{page}")
        client.get(address)
        with django_assert_max_num_queries(queries):
            assert client.get(address).status_code == 200
    with django_assert_max_num_queries(14):
        client.get(reverse("admin:accessmap_cardholder_sheet", args=["csv"]))
    page = client.get(reverse("admin:accessmap_resource_changelist")).content.decode()
    assert "Admits organizer and attendees, from 15 minutes before until its end" in page

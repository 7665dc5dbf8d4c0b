"""A card that stops being active is logged and taken out at once, whatever path says so."""

import json

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse

from accessmap.api.models import ApiKey, Scope
from accessmap.imports import service
from accessmap.models import Card, Cardholder, CardStatus, Controller
from doorsync.controllers import lost_cards
from portal import roles
from portal.audit.models import Entry
from tests.accessmap.imports.sheets import csv_file


@pytest.fixture
def ann(db, monkeypatch):
    monkeypatch.setattr(service, "send_task", lambda _name, _pk: None)
    user = User.objects.create_user("ann", is_staff=True)
    user.groups.add(Group.objects.get(name=roles.FACILITY_STAFF))
    return user


def by_service(user, card, _status):
    lost_cards.report_lost([card.pk], actor=user.username)


def by_import(user, card, status):
    sheet = csv_file("email,name,cards,access levels", f"mei@pier.example,,{card.number} ({status}),")
    row = service.upload(kind="people", name="people.csv", content=sheet, user=user)
    service.work_on_import(row.pk)
    service.carry_out(row.pk, user=user)
    service.work_on_import(row.pk)


def request_rest(method, path, body):
    _key, secret = ApiKey.objects.create_key(name="HR", scopes=[*Scope])
    response = Client().generic(
        method, f"/api/v1/{path}", json.dumps(body), "application/json", headers={"authorization": f"Api-Key {secret}"}
    )
    assert response.status_code == 200, response.content


def by_rest(_user, card, status):
    request_rest("PATCH", f"cards/{card.pk}", {"status": status})


def by_rest_bulk(_user, card, status):
    row = {"email": "mei@pier.example", "name": "Mei", "cards": [{"number": card.number, "status": status}]}
    request_rest("PUT", "cardholders/bulk", {"cardholders": [row]})


def by_admin_of_card(user, card, status):
    client = Client()
    client.force_login(user)
    page = reverse("admin:accessmap_card_change", args=[card.pk])
    assert client.post(page, {"status": status}).status_code == 302


def by_admin_of_cardholder(user, card, status):
    client = Client()
    client.force_login(user)
    body = {
        "name": "Mei",
        "email": "mei@pier.example",
        "cards-TOTAL_FORMS": 1,
        "cards-INITIAL_FORMS": 1,
        "cards-0-id": card.pk,
        "cards-0-cardholder": card.cardholder_id,
        "cards-0-number": card.number,
        "cards-0-status": status,
        "membership_set-TOTAL_FORMS": 0,
        "membership_set-INITIAL_FORMS": 0,
    }
    page = reverse("admin:accessmap_cardholder_change", args=[card.cardholder_id])
    assert client.post(page, body).status_code == 302


EVERY_PATH = [by_import, by_rest, by_rest_bulk, by_admin_of_card, by_admin_of_cardholder]


@pytest.mark.parametrize(
    ("path", "status"),
    [(by_service, "lost"), *((path, status) for path in EVERY_PATH for status in ("lost", "returned"))],
)
def test_a_card_that_stops_being_active_is_logged_and_its_controllers_are_enqueued(place, ann, doorbells, path, status):
    place.fetch()
    place.reconcile()
    card = Card.objects.get(number="1001")
    doorbells.clear()
    path(ann, card, status)
    card.refresh_from_db()
    assert card.status == status
    assert doorbells == [("reconcile_controller", Controller.objects.get(name="box").pk)]
    [entry] = Entry.objects.filter(action="card.lost" if status == "lost" else "card.status")
    assert (entry.object_id, entry.object_label) == (str(card.pk), "•••• (Mei)")
    assert entry.actor in ("ann", "API key HR")


@pytest.mark.parametrize("path", EVERY_PATH)
def test_a_card_that_becomes_active_again_is_logged_and_enqueues_nothing_itself(place, ann, doorbells, path):
    card = Card.objects.get(number="1001")
    Card.objects.update(status=CardStatus.LOST)
    doorbells.clear()
    path(ann, card, "active")
    assert Cardholder.objects.get(name="Mei").cards.get().status == "active"
    assert doorbells == []
    assert Entry.objects.filter(action="card.status").count() == 1

"""Which controllers the tick enqueues after a change of the map, and that nothing has to wait for an import."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction

from accessmap.imports import service
from accessmap.imports.people import PeopleSheet
from accessmap.models import (
    AccessLevel,
    AccessPolicy,
    Card,
    Cardholder,
    Controller,
    Door,
    MapImport,
    Membership,
    Resource,
    Site,
)
from doorsync.controllers import lost_cards, reconcile
from doorsync.models import ControllerSync, SchedulerState, StoredBooking
from doorsync.work import scheduler
from tests.accessmap.imports.sheets import csv_file
from tests.places import NOW, building

EVERYBODY = {"box", "old"}


def enqueued_by(change):
    """The names of the controllers that the tick enqueues after a change."""
    scheduler.tick()
    before = dict(ControllerSync.objects.values_list("controller", "generation"))
    change()
    scheduler.tick()
    after = ControllerSync.objects.values_list("controller", "controller__name", "generation")
    return {name for pk, name, generation in after if generation > before.get(pk, 0)}


def test_a_change_of_a_person_enqueues_the_controllers_that_know_them(place):
    place.fetch()
    mei, tom, fay = (Cardholder.objects.get(name=name) for name in ("Mei", "Tom", "Fay"))
    assert enqueued_by(lambda: Card.objects.create(cardholder=mei, number="2001")) == {"box"}, "the organizer"
    assert enqueued_by(lambda: Card.objects.create(cardholder=tom, number="2002")) == {"box"}, "an attendee"
    assert enqueued_by(lambda: Card.objects.create(cardholder=fay, number="2003")) == EVERYBODY, "always admitted"
    nobody = Cardholder.objects.create(name="Nobody")
    assert enqueued_by(lambda: Card.objects.create(cardholder=nobody, number="2004")) == set()
    assert enqueued_by(lambda: Cardholder.objects.filter(pk=nobody.pk).update(email="Ann@x.example")) == set()
    StoredBooking.objects.update(attendee_emails=["", "someone@else.example", "ANN@x.example"])
    assert enqueued_by(lambda: Cardholder.objects.filter(pk=nobody.pk).update(name="Ann")) == {"box"}
    assert enqueued_by(lambda: Cardholder.objects.filter(pk=nobody.pk).update(email="new@x.example")) == {"box"}


def test_a_card_that_is_held_is_taken_out_though_nobody_names_its_holder_any_more(place):
    place.fetch()
    place.reconcile()
    assert "1001" in place.cards()
    StoredBooking.objects.all().delete()
    assert enqueued_by(lambda: Card.objects.filter(number="1001").update(status="lost")) == {"box"}
    assert enqueued_by(lambda: Card.objects.filter(number="1001").delete()) == {"box"}


def test_a_controller_that_holds_an_inactive_card_is_tried_at_once_though_it_does_not_answer(place):
    place.fetch()
    place.reconcile()
    later = NOW.replace(hour=5)
    ControllerSync.objects.filter(controller__name="box").update(next_attempt_at=later, suspended_until=later)
    scheduler.tick()
    assert place.sync().next_attempt_at == later
    Card.objects.get(number="1001").delete()
    scheduler.tick()
    assert place.sync().next_attempt_at is None


def test_levels_policies_doors_and_resources_enqueue_the_controllers_behind_them(place):
    tom = Cardholder.objects.get(name="Tom")
    facilities, spare = AccessLevel.objects.get(name="facilities"), AccessLevel.objects.create(name="spare")
    box = Controller.objects.get(name="box")
    assert enqueued_by(lambda: Membership.objects.create(cardholder=tom, access_level=spare)) == set()
    assert enqueued_by(lambda: Membership.objects.create(cardholder=tom, access_level=facilities)) == EVERYBODY
    assert enqueued_by(lambda: AccessPolicy.objects.update(grace_minutes=3)) == EVERYBODY
    assert enqueued_by(lambda: Resource.objects.filter(external_id="attic").update(name="Loft")) == {"old"}
    assert enqueued_by(lambda: Door.objects.filter(controller=box).update(floor="2/F")) == {"box"}
    assert enqueued_by(lambda: Resource.objects.get(external_id="room").doors.clear()) == {"box"}
    assert enqueued_by(lambda: Site.objects.update(time_zone="Asia/Macau")) == EVERYBODY
    site = Site.objects.get()
    new = enqueued_by(lambda: Controller.objects.create(site=site, name="new", driver="simulated"))
    assert new == {"new"}


def test_too_many_changes_enqueue_every_controller(place, monkeypatch):
    monkeypatch.setattr("accessmap.services.map_changes.LIMIT", 2)
    nobody = Cardholder.objects.create(name="Nobody")
    cards = [Card(cardholder=nobody, number=str(n)) for n in range(2001, 2010)]
    assert enqueued_by(lambda: Card.objects.bulk_create(cards)) == EVERYBODY


@pytest.mark.django_db(transaction=True)
def test_a_card_reported_lost_during_an_import_is_out_before_the_import_ends(start_place, monkeypatch):
    SchedulerState.objects.get_or_create(pk=1)  # another test with real commits may have emptied the tables
    place = start_place(building())
    place.fetch()
    place.reconcile()
    card = Card.objects.get(number="1001")
    box = Controller.objects.get(name="box")
    states = []

    def report_lost_and_take_out():
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SET LOCAL lock_timeout = '5s'")  # a wait for the import is an error
                lost_cards.report_lost([card.pk], actor="ann")
            scheduler.tick()
            reconcile.reconcile_controller(box.pk)
            states.append((MapImport.objects.get().state, "1001" in place.cards()))
        finally:
            connection.close()

    write = PeopleSheet.write

    def write_and_let_a_report_come(sheet, **options):
        """Everything is written in the import's transaction, and nothing is committed."""
        write(sheet, **options)
        with ThreadPoolExecutor(1) as pool:
            pool.submit(report_lost_and_take_out).result(timeout=60)

    ann = User.objects.create_user("ann")
    monkeypatch.setattr(service, "send_task", lambda _name, _pk: None)
    lines = [f"p{n}@x.example,P{n},{n}," for n in range(5001, 6001)]
    row = service.upload(
        kind="people", name="people.csv", content=csv_file("email,name,cards,access levels", *lines), user=ann
    )
    service.work_on_import(row.pk)
    service.carry_out(row.pk, user=ann)
    monkeypatch.setattr(PeopleSheet, "write", write_and_let_a_report_come)
    service.work_on_import(row.pk)
    row.refresh_from_db()
    assert row.state == "imported", row.notes
    assert states == [("importing", False)]

"""Every change of the map names what it touches, and no two changes wait for each other."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction

from accessmap.models import (
    AccessLevel,
    AccessPolicy,
    Card,
    Cardholder,
    Controller,
    Door,
    MapChange,
    Membership,
    Resource,
    ResourceDoor,
    Site,
)
from accessmap.services import map_changes
from accessmap.services.map_changes import MapChanges, consume

# A wait for another transaction's lock ends in an error instead of a test that hangs.
LOCK_TIMEOUT = "SET LOCAL lock_timeout = '5s'"


@pytest.fixture
def site(db):
    return Site.objects.create(name="Pier", time_zone="Asia/Hong_Kong")


@pytest.fixture
def mei(db):
    return Cardholder.objects.create(name="Mei", email="Mei@pier.example")


def touched(change):
    """What one change touches."""
    consume()
    change()
    return consume()


def test_a_card_touches_its_holder_and_its_number_whatever_changes_it(mei):
    expected = MapChanges(cardholders=frozenset({mei.pk}), card_numbers=frozenset({"1"}))

    def sql():
        with connection.cursor() as cursor:
            cursor.execute("UPDATE accessmap_card SET status = 'lost'")

    assert touched(lambda: Card.objects.create(cardholder=mei, number="1")) == expected
    card = Card.objects.get()
    assert touched(sql) == expected
    assert touched(lambda: Card.objects.update(status="active")) == expected
    assert touched(lambda: Card.objects.bulk_update([Card(pk=card.pk, status="lost")], ["status"])) == expected
    tom = Cardholder.objects.create(name="Tom")
    assert touched(lambda: Card.objects.update(cardholder=tom, number="2")) == MapChanges(
        cardholders=frozenset({mei.pk, tom.pk}), card_numbers=frozenset({"1", "2"})
    )
    assert touched(card.delete) == MapChanges(cardholders=frozenset({tom.pk}), card_numbers=frozenset({"2"}))


def test_a_cardholder_touches_both_emails_and_takes_cards_and_levels_along(mei):
    rename = MapChanges(cardholders=frozenset({mei.pk}), emails=frozenset({"mei@pier.example", "ling@pier.example"}))
    assert touched(lambda: Cardholder.objects.update(email="Ling@pier.example")) == rename
    level = AccessLevel.objects.create(name="l")
    joined = touched(lambda: Membership.objects.create(cardholder=mei, access_level=level))
    assert joined == MapChanges(levels=frozenset({level.pk}))
    Card.objects.create(cardholder=mei, number="1")
    assert touched(lambda: Cardholder.objects.all().delete()) == MapChanges(
        cardholders=frozenset({mei.pk}),
        emails=frozenset({"ling@pier.example"}),
        card_numbers=frozenset({"1"}),
        levels=frozenset({level.pk}),
    )


def test_policies_resources_doors_and_controllers_are_named(site):
    level = AccessLevel.objects.create(name="l")
    policy = AccessPolicy.objects.create(name="p")
    of_policy = MapChanges(policies=frozenset({policy.pk}))
    assert touched(lambda: policy.admit_levels.add(level)) == of_policy
    assert touched(lambda: policy.always_levels.add(level)) == of_policy
    assert touched(lambda: policy.admit_levels.clear()) == of_policy
    assert touched(lambda: AccessPolicy.objects.update(grace_minutes=5)) == of_policy
    assert touched(lambda: AccessLevel.objects.update(name="m")) == MapChanges(levels=frozenset({level.pk}))
    box = Controller.objects.create(site=site, name="c", driver="simulated")
    of_box = MapChanges(controllers=frozenset({box.pk}))
    assert touched(lambda: Controller.objects.update(enabled=False)) == of_box
    assert touched(lambda: Door.objects.create(controller=box, number=1, name="d")) == of_box
    room = Resource.objects.create(site=site, external_id="r", name="r", policy=policy)
    of_room = MapChanges(resources=frozenset({room.pk}))
    assert touched(lambda: Resource.objects.update(name="room")) == of_room
    of_both = MapChanges(resources=frozenset({room.pk}), controllers=frozenset({box.pk}))
    assert touched(lambda: ResourceDoor.objects.create(resource=room, door=Door.objects.get())) == of_both
    assert touched(lambda: Site.objects.update(time_zone="UTC")) == of_box
    assert touched(Door.objects.get().delete) == of_both, "a link that goes with its door"
    assert touched(box.delete) == of_box
    assert touched(room.delete) == of_room


def test_changes_are_consumed_once_and_too_many_touch_everything(mei, monkeypatch):
    Card.objects.bulk_create(Card(cardholder=mei, number=str(n)) for n in range(3))
    monkeypatch.setattr(map_changes, "LIMIT", 3)
    assert consume().everything, "three cards and their holder"
    assert not consume()
    assert not MapChange.objects.exists()


def in_thread(work):
    """Do `work` on a connection of its own, in a transaction that does not wait for long."""

    def run():
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(LOCK_TIMEOUT)
                return work()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(run).result(timeout=20)


@pytest.mark.django_db(transaction=True)
def test_editors_of_different_people_do_not_wait_for_each_other():
    mei, tom = (Cardholder.objects.create(name=name) for name in ("Mei", "Tom"))
    consume()
    with transaction.atomic():
        Cardholder.objects.filter(pk=mei.pk).update(name="Mei Ling")
        in_thread(lambda: Cardholder.objects.filter(pk=tom.pk).update(name="Tomas"))
        assert in_thread(consume).cardholders == {tom.pk}, "only what is committed is seen"
    assert consume().cardholders == {mei.pk}


@pytest.mark.django_db(transaction=True)
def test_two_editors_crosswise_do_not_deadlock():
    """Each changes somebody first and an access level second, which the other has not touched."""
    people = [Cardholder.objects.create(name=name) for name in ("Mei", "Tom")]
    levels = [AccessLevel.objects.create(name=name) for name in ("Day", "Night")]
    first_done = threading.Barrier(2)

    def edit(person, level):
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(LOCK_TIMEOUT)
                Cardholder.objects.filter(pk=person.pk).update(name="changed")
                first_done.wait(timeout=10)
                Membership.objects.create(cardholder=person, access_level=level)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        for edited in [pool.submit(edit, *pair) for pair in zip(people, levels, strict=True)]:
            edited.result(timeout=20)
    assert Membership.objects.count() == 2

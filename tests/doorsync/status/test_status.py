"""What status pages say comes from the one admission rule, of the cards that are valid, whatever changes meanwhile."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection

from accessmap.models import Card, Cardholder, Door, Resource, ResourceDoor, Site
from doorsync.models import StoredBooking
from doorsync.status import board, coverage, explain
from portal.audit.models import record_alone
from portal.core import clock
from tests.places import NOW

TEN = NOW + timedelta(hours=1)


def names_on_the_board(moment):
    day = board.Day.of(moment.date(), ZoneInfo(Site.objects.get().time_zone))
    doors = list(Door.objects.filter(name="Room door").select_related("controller"))
    (line,) = board.lines(doors, day, moment, {})
    return line.now


def test_an_expired_card_admits_nobody_on_the_board_nor_in_coverage(place):
    place.fetch()
    assert names_on_the_board(TEN) == ["Mei", "Tom"]
    assert coverage.people(NOW) == []
    Card.objects.filter(number="1001").update(valid_until=NOW)
    assert names_on_the_board(TEN) == ["Tom"]
    (person,) = coverage.people(NOW)
    assert (person.email, person.cardholder) == ("mei@pier.example", Cardholder.objects.get(name="Mei"))


def test_a_card_that_is_valid_for_the_booking_is_enough(place):
    place.fetch()
    Card.objects.filter(number="1001").update(valid_from=TEN, valid_until=TEN + timedelta(hours=2))
    assert coverage.people(NOW) == []


def after_statements(count, change):
    """Make a change after so many statements, as another connection would."""
    seen = 0

    def wrapper(execute, sql, params, many, context):
        nonlocal seen
        result = execute(sql, params, many, context)
        seen += 1
        if seen == count:
            change()
        return result

    return connection.execute_wrapper(wrapper)


@pytest.mark.parametrize("statements", range(1, 8))
def test_a_booking_that_vanishes_between_two_statements_breaks_no_page(place, statements):
    place.fetch()
    Card.objects.filter(number="1001").update(status="lost")
    with after_statements(statements, lambda: StoredBooking.objects.all().delete()):
        assert len(coverage.people(NOW)) <= 1


@pytest.mark.parametrize("statements", range(1, 8))
def test_a_door_that_gets_another_resource_between_two_statements_breaks_no_page(place, statements):
    place.fetch()
    attic, door = Resource.objects.get(external_id="attic"), Door.objects.get(name="Room door")
    with after_statements(statements, lambda: ResourceDoor.objects.get_or_create(resource=attic, door=door)):
        assert names_on_the_board(TEN) == ["Mei", "Tom"]


def test_the_log_of_somebody_is_not_that_of_others_whose_name_contains_it(place):
    place.fetch()
    place.reconcile()
    door = Door.objects.get(name="Room door")
    mei = Cardholder.objects.get(name="Mei")
    box = door.controller
    record_alone(actor="portal", action="card.added", on=box, label=f"{box.name}: Mei Ling Wong ••••4411")
    record_alone(actor="portal", action="card.added", on=box, label=f"{box.name}: Mei ••••1001")
    labels = {entry.object_label for entry in explain.log_around(mei, door, clock.now(), everything=False)}
    assert f"{box.name}: Mei ••••1001" in labels
    assert not any("Ling" in label for label in labels)

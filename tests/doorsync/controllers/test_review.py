"""Faults that a review found, each once seen red."""

import io
import logging
from datetime import timedelta

import pytest
import structlog

from accessmap.models import Card
from doorsync import tasks
from doorsync.bookings import callbacks
from doorsync.bookings import fetch as refreshing
from doorsync.controllers import reconcile
from doorsync.drivers.simulated.driver import SimulatedDriver
from doorsync.models import Callback, ControllerSync, ResourceSync, StoredBooking
from doorsync.work import queue, scheduler
from portal.core import clock
from portal.core.logging import RedactingFormatter
from tests.places import NOW, booking, building


def test_the_secret_is_taken_out_of_whatever_a_log_line_shows():
    class Request:
        def __repr__(self):
            return "<WSGIRequest: POST '/api/offision/callbacks/not-for-logs/'>"

    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        RedactingFormatter(
            structlog.processors.JSONRenderer(),
            foreign_pre_chain=[lambda _logger, _name, event: {**event, "request": Request()}],
        )
    )
    logger = logging.getLogger("test.redaction")
    logger.addHandler(handler)
    logger.error("Internal Server Error")
    logger.removeHandler(handler)
    assert "callbacks/***" in stream.getvalue()
    assert "not-for-logs" not in stream.getvalue()


def test_a_foreign_card_wanted_only_tomorrow_is_not_adopted(start_place):
    place = start_place(building(bookings=[booking("b1", "+0d 15:00", "+0d 16:00", resource="attic")]))
    place.box("PUT", "cards/1001", {"doors": {"1": True}}, name="old")
    place.fetch("attic")
    for _ in range(2):
        assert place.reconcile("old").contested == {"1001"}
    assert "1001" in place.cards("old")


def test_a_fetch_whose_claim_has_lapsed_stores_nothing(place, monkeypatch):
    place.fetch()
    real = refreshing._save

    def overtaken(sync, found, now):
        ResourceSync.objects.filter(pk=sync.pk).update(lease_token=None)
        return real(sync, found, now)

    place.change(delete="b1")
    monkeypatch.setattr(refreshing, "_save", overtaken)
    assert place.fetch() is None
    assert StoredBooking.objects.count() == 1


def test_a_callback_after_a_claim_has_lapsed_still_gets_a_fetch(place):
    rows = ResourceSync.objects.filter(resource__external_id="room")
    queue.enqueue(rows, at_once=True, wake=False)
    slow = queue.lease(rows, NOW - 2 * queue.LEASE)
    callbacks.receive(body=b'{"resourceId": "room"}', content_type="", remote_address=None)
    assert queue.release(slow, observed=True)
    assert place.room().generation > place.room().observed_generation


def test_a_lost_card_waits_for_nobodys_approval(start_place):
    people = [{"email": f"p{n}@x.example", "name": f"P{n}", "cards": [{"number": f"{2000 + n}"}]} for n in range(12)]
    attendees = [person["email"] for person in people]
    big = booking("big", "+0d 10:00", "+0d 11:00", organizer="", attendees=attendees)
    place = start_place(building(cardholders=people, bookings=[big]))
    place.fetch()
    place.reconcile()
    place.change(update="big", set={"attendees": []})
    place.fetch()
    assert len(place.reconcile().pending) == 12
    Card.objects.filter(number="2003").update(status="lost")
    assert len(place.reconcile().pending) == 11
    assert "2003" not in place.cards()
    assert len(place.cards()) == 11


def test_a_call_is_taken_although_the_broker_is_down(place, monkeypatch):
    monkeypatch.undo()

    def down(*_args):
        raise ConnectionError

    monkeypatch.setattr(tasks.fetch_bookings, "delay", down)
    ResourceSync.objects.update(observed_generation=99, generation=99)
    callbacks.receive(body=b'{"resourceId": "room"}', content_type="", remote_address=None)
    assert Callback.objects.count() == 1


def test_a_round_that_was_overtaken_writes_nothing_more_and_is_looked_after(place):
    place.fetch()
    real = SimulatedDriver.put

    def overtaken(driver, card, record):
        real(driver, card, record)
        ControllerSync.objects.filter(controller__name="box").update(lease_token=None, leased_until=None)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SimulatedDriver, "put", overtaken)
        place.reconcile()
    assert len(place.cards()) == 1
    sync = place.sync()
    assert sync.generation > sync.observed_generation
    assert place.reconcile().in_step
    assert len(place.cards()) == 3


def test_a_refused_card_does_not_make_an_edge_wait(start_place):
    lead = {"bookings": [booking("b1", "+0d 09:16", "+0d 10:00", resource="attic")]}
    place = start_place(building(**lead))
    place.fetch("attic")
    place.box("PUT", "faults", {"refuse": True}, name="old")
    for _ in range(6):
        place.reconcile("old")
    assert place.sync("old").next_attempt_at <= NOW + timedelta(seconds=15)


def test_what_is_held_is_not_held_beyond_its_own_end(start_place):
    people = [{"email": f"p{n}@x.example", "name": f"P{n}", "cards": [{"number": f"{2000 + n}"}]} for n in range(12)]
    attendees = [person["email"] for person in people]
    big = booking("big", "+0d 09:00", "+0d 10:00", resource="attic", organizer="", attendees=attendees)
    place = start_place(building(cardholders=people, bookings=[big]))
    place.fetch("attic")
    place.reconcile("old")
    place.change(update="big", set={"status": "cancelled"})
    place.fetch("attic")
    assert len(place.reconcile("old").pending) == 12
    end = NOW + timedelta(minutes=70)
    assert place.sync("old").next_edge_at == end
    with clock.stopped_at(end):
        scheduler.tick()
        reconcile.reconcile_controller(place.sync("old").controller_id)
    assert place.cards("old") == {}

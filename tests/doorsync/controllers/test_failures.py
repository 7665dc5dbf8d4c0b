"""Boxes and lists in trouble: what must not be believed, forgotten, confirmed or kept waiting."""

import socket
import threading
from contextlib import suppress
from datetime import timedelta

import pytest

from accessmap.models import Card, Controller, Resource
from doorsync.bookings import approvals as booking_approvals
from doorsync.controllers import approvals, reconcile
from doorsync.drivers.simulated.driver import SimulatedDriver
from doorsync.models import (
    BookingFetch,
    Callback,
    ControllerCard,
    ControllerHold,
    ControllerSync,
    ResourceSync,
    SchedulerState,
    StoredBooking,
)
from doorsync.work import scheduler
from portal.audit.models import Entry
from portal.core import clock
from tests.places import NOW, booking, building

State = ControllerCard.State


def people(count):
    return [{"email": f"p{n}@x.example", "name": f"P{n}", "cards": [{"number": f"{2000 + n}"}]} for n in range(count)]


def big(count=12, **more):
    attendees = [person["email"] for person in people(count)]
    return booking("big", "+0d 10:00", "+0d 11:00", organizer="", attendees=attendees, **more)


def set_options(name="box", **options):
    box = Controller.objects.get(name=name)
    box.options |= options
    box.save()
    scheduler.tick()


# Late writes --------------------------------------------------


def test_a_card_that_a_late_write_brings_back_is_taken_out_again(place, monkeypatch):
    late = []

    def lost(driver, card, record):
        late.append((card, driver._wire(record)))
        raise reconcile.Unknown("no answer")

    place.fetch()
    with monkeypatch.context() as patch:
        patch.setattr(SimulatedDriver, "put", lost)
        place.reconcile()
    place.change(delete="b1")
    place.fetch()
    place.reconcile()
    assert "1001" not in place.cards()
    card, doors = next(each for each in late if each[0] == "1001")
    place.box("PUT", f"cards/{card}", {"doors": doors})
    outcome = place.reconcile()
    assert "1001" not in outcome.plan.cards.unmanaged
    assert "1001" not in place.cards()


def test_a_watched_card_is_forgotten_after_a_while(place, monkeypatch):
    def lost(*_args):
        raise reconcile.Unknown("no answer")

    place.fetch()
    with monkeypatch.context() as patch:
        patch.setattr(SimulatedDriver, "put", lost)
        place.reconcile()
    place.change(delete="b1")
    place.fetch()
    place.reconcile()
    assert set(ControllerCard.objects.filter(state=State.GONE).values_list("number", flat=True)) == {"1001", "1002"}
    with clock.stopped_at(NOW + timedelta(minutes=61)):
        place.reconcile()
    assert not ControllerCard.objects.filter(state=State.GONE).exists()


def test_a_removal_that_is_only_seen_later_is_in_the_log(place):
    place.fetch()
    place.reconcile()
    place.change(delete="b1")
    place.fetch()
    place.box("PUT", "faults", {"timeout_after_apply": True})
    place.reconcile()
    place.box("PUT", "faults", {})
    place.reconcile()
    assert set(place.cards()) == {"1003"}
    removed = Entry.objects.filter(action="card.removed").values_list("object_label", flat=True)
    assert sorted(label.split()[1] for label in removed) == ["Mei", "Tom"]


# Plans held for a person --------------------------------------------------


def test_standing_access_elsewhere_does_not_hide_that_a_door_is_taken_from_many(start_place):
    many = [{**person, "access_levels": ["facilities"]} for person in people(12)]
    resources = [
        {"id": "room", "name": "Room", "doors": ["Room door"], "policy": "booked"},
        {"id": "lobby", "name": "Lobby", "doors": ["Side door"], "policy": "always"},
    ]
    policies = [
        {"name": "booked", "admit": ["attendees"]},
        {"name": "always", "admit": [], "always": ["facilities"]},
    ]
    place = start_place(
        building(
            cardholders=many,
            resources=resources,
            policies=policies,
            bookings=[big()],
            controllers=[
                {"name": "box", "doors": [{"number": 1, "name": "Room door"}, {"number": 2, "name": "Side door"}]},
            ],
        )
    )
    place.fetch()
    place.reconcile()
    place.change(update="big", set={"attendees": []})
    place.fetch()
    outcome = place.reconcile()
    assert len(outcome.pending) == 12
    assert all(set(doors) == {"1", "2"} for doors in place.cards().values())


def test_an_approval_outlives_a_round_that_failed_and_a_plan_that_shrank(start_place):
    place = start_place(building(cardholders=people(14), bookings=[big(14)]))
    place.fetch()
    place.reconcile()
    place.change(update="big", set={"attendees": []})
    place.fetch()
    assert len(place.reconcile().pending) == 14
    assert approvals.approve(ControllerSync.objects.all(), actor="ann") == 1
    place.box("PUT", "faults", {"down": True})
    place.reconcile()
    assert place.sync().pending_plan, "a round that saw nothing changes nothing"
    place.box("PUT", "faults", {})
    Card.objects.filter(number="2003").update(status="lost")
    assert not place.reconcile().pending
    assert place.cards() == {}
    assert place.sync().approved == [], "it was for once"


def test_an_approval_is_for_what_was_held_and_nothing_else(start_place):
    more = [f"q{n}@x.example" for n in range(12)]
    crowd = [*people(12), *({"email": e, "name": e, "cards": [{"number": f"{3000 + n}"}]} for n, e in enumerate(more))]
    other = booking("other", "+0d 10:00", "+0d 11:00", organizer="", attendees=more)
    place = start_place(building(cardholders=crowd, bookings=[big(), other]))
    place.fetch()
    place.reconcile()
    place.change(update="big", set={"attendees": []})
    place.change(update="other", set={"attendees": more[:11]})
    place.fetch()
    assert len(place.reconcile().pending) == 13
    approvals.approve(ControllerSync.objects.all(), actor="ann")
    place.change(update="other", set={"attendees": []})
    place.fetch()
    outcome = place.reconcile()
    assert len(outcome.pending) == 11
    assert len(place.cards()) == 11


def test_believing_is_for_the_bookings_that_were_missing_then(start_place):
    many = [booking(f"b{n}", f"+1d {n:02}:00", f"+1d {n:02}:50") for n in range(24)]
    place = start_place(building(bookings=many))
    place.fetch()
    for n in range(13):
        place.change(delete=f"b{n}")
    assert place.fetch().outcome == BookingFetch.Outcome.PENDING
    place.offision_fault("error")
    booking_approvals.accept(ResourceSync.objects.all(), actor="ann")
    place.fetch()
    place.offision_fault("empty")
    assert place.fetch().outcome == BookingFetch.Outcome.PENDING, "all the others are missing now"
    assert StoredBooking.objects.count() == 24
    place.offision_fault(None)
    assert place.fetch().outcome == BookingFetch.Outcome.CHANGED
    assert StoredBooking.objects.count() == 11
    assert place.room().accepted_ids == []


def test_few_bookings_in_each_of_many_rooms_do_not_all_vanish_unasked(start_place):
    rooms = [{"id": f"r{n}", "name": f"R{n}", "doors": ["Room door"], "policy": "staff"} for n in range(20)]
    each = [
        booking(f"b{n}-{k}", f"+1d {9 + k:02}:00", f"+1d {9 + k:02}:50", resource=f"r{n}")
        for n in range(20)
        for k in range(2)
    ]
    place = start_place(building(resources=rooms, bookings=each))
    for n in range(20):
        place.fetch(f"r{n}")
    assert StoredBooking.objects.count() == 40
    place.offision_fault("empty")
    outcomes = [place.fetch(f"r{n}").outcome for n in range(20)]
    assert outcomes.count(BookingFetch.Outcome.PENDING) >= 14
    assert StoredBooking.objects.count() >= 28


# What is confirmed, and what is not --------------------------------------------------


def refreshed(name="room"):
    return BookingFetch.objects.filter(resource__external_id=name, outcome__in=["changed", "unchanged"]).latest("pk")


def test_one_refused_card_leaves_the_rooms_behind_other_doors_confirmed(start_place, monkeypatch):
    resources = [
        {"id": "room", "name": "Room", "doors": ["Room door"], "policy": "staff"},
        {"id": "den", "name": "Den", "doors": ["Side door"], "policy": "staff"},
    ]
    policies = [{"name": "staff", "admit": ["organizer"]}]
    bookings = [
        booking("b1", "+0d 10:00", "+0d 11:00", attendees=[]),
        booking("b2", "+0d 10:00", "+0d 11:00", resource="den", organizer="tom@pier.example", attendees=[]),
    ]
    box = {"name": "box", "doors": [{"number": 1, "name": "Room door"}, {"number": 2, "name": "Side door"}]}
    place = start_place(building(resources=resources, policies=policies, bookings=bookings, controllers=[box]))
    real = SimulatedDriver.put

    def put(driver, card, record):
        if card == "1001":
            raise reconcile.Refused("not this one")
        real(driver, card, record)

    monkeypatch.setattr(SimulatedDriver, "put", put)
    place.fetch("room")
    place.fetch("den")
    place.reconcile()
    assert refreshed("den").confirmed_at
    assert refreshed("room").confirmed_at is None


def test_nothing_is_confirmed_where_the_controller_is_disabled_foreign_or_not_there(start_place):
    place = start_place(building(bookings=[booking("b1", "+0d 10:00", "+0d 11:00")]))
    place.box("PUT", "cards/1001", {"doors": {"2": [[None, None]]}})
    place.fetch()
    place.reconcile()
    assert refreshed().confirmed_at is None, "a card that the room's booking admits is somebody else's entry"
    Controller.objects.filter(name="box").update(enabled=False)
    place.fetch()
    assert refreshed().confirmed_at is None
    place.fetch("desk")
    assert refreshed("desk").confirmed_at is None
    call = Callback.objects.create(body=b"", outcome="enqueued", resource=Resource.objects.get(external_id="desk"))
    assert not call.fetch


def test_a_disabled_controller_with_cards_in_it_says_so(place):
    place.fetch()
    place.reconcile()
    Controller.objects.filter(name="box").update(enabled=False)
    scheduler.tick()
    assert "3 cards are left in it" in str(place.sync().last_error)
    assert Entry.objects.filter(action="controller.disabled").count() == 1
    Controller.objects.filter(name="box").update(enabled=True)
    place.reconcile()
    assert place.sync().last_error == []


# Rounds in trouble --------------------------------------------------


def test_cards_that_never_answer_do_not_keep_the_others_from_their_turn(start_place, monkeypatch):
    place = start_place(building(cardholders=people(6), bookings=[big(6)]))
    real = SimulatedDriver.put

    def put(driver, card, record):
        if card in {"2000", "2001", "2002"}:
            raise reconcile.Unknown("no answer")
        real(driver, card, record)

    monkeypatch.setattr(SimulatedDriver, "put", put)
    place.fetch()
    place.reconcile()
    assert place.cards() == {}
    place.reconcile()
    assert set(place.cards()) == {"2003", "2004", "2005"}


def test_a_clock_that_can_not_be_set_is_told_and_stops_nothing(place, monkeypatch):
    def refuse(*_args):
        raise reconcile.Refused("no clock for you")

    monkeypatch.setattr(SimulatedDriver, "set_clock", refuse)
    place.box("PUT", "clock", {"time": (NOW + timedelta(minutes=5)).isoformat()})
    place.fetch()
    assert place.reconcile().in_step
    assert len(place.cards()) == 3
    assert "no clock for you" in str(place.sync().last_error)


def test_what_never_worked_is_late_too(place, settings):
    place.box("PUT", "faults", {"down": True})
    place.offision_fault("error")
    for later in range(0, 2 * settings.FULL_RESYNC_SECONDS + 400, 300):
        with clock.stopped_at(NOW + timedelta(seconds=later)):
            place.reconcile()
            scheduler.tick()
    assert SchedulerState.objects.get().late_since is not None


@pytest.mark.parametrize("nonsense", [b"<html>", b"[]", b'{"cards": 3}', b'{"model": "x"}'])
def test_what_is_no_controller_is_a_sentence_and_no_crash(place, monkeypatch, nonsense):
    import requests

    class Answer(requests.Response):
        def iter_content(self, *_args, **_kwargs):
            return iter([nonsense])

        def close(self):
            pass

    answer = Answer()
    answer.status_code = 200
    monkeypatch.setattr(requests.Session, "request", lambda *_args, **_kwargs: answer)
    assert not place.reconcile().in_step
    assert "no controller of this family" in str(place.sync().last_error)


def test_a_box_that_dribbles_its_answer_is_given_up(place):
    """A read time-out starts anew with every byte: only a limit on the whole request ends this."""

    def dribble(connection):
        with connection, suppress(OSError):
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            while True:
                connection.sendall(b" ")
                if stop.wait(0.05):
                    return

    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:
        taker = threading.Thread(target=lambda: dribble(server.accept()[0]), daemon=True)
        taker.start()
        set_options(url=f"http://127.0.0.1:{server.getsockname()[1]}", timeout_seconds=0.2)
        assert not place.reconcile().in_step
        stop.set()
        taker.join()
    assert place.sync().last_error


# Another box at the address --------------------------------------------------


def test_nothing_is_written_to_another_box_than_before_until_the_old_one_is_forgotten(place):
    place.fetch()
    place.fetch("attic")
    place.reconcile()
    elsewhere = Controller.objects.get(name="old").options["url"]
    set_options(url=elsewhere, windows="none")
    outcome = place.reconcile()
    assert not outcome.in_step
    assert "PRETEND-old" in str(place.sync().last_error)
    assert place.cards("old") == {}
    assert approvals.forget_devices(ControllerSync.objects.filter(controller__name="old"), actor="ann") == 0, (
        "it is well"
    )
    assert approvals.forget_devices(ControllerSync.objects.filter(controller__name="box"), actor="ann") == 1
    assert not ControllerCard.objects.filter(controller__name="box").exists()
    place.reconcile()
    assert set(place.cards("old")) == {"1003"}
    assert "PRETEND-old, is the controller box already" in str(
        (place.reconcile("old"), place.sync("old").last_error)[1]
    )


def test_a_resource_that_becomes_another_keeps_nobody_admitted(place):
    place.fetch()
    place.reconcile()
    assert "1001" in place.cards()
    Resource.objects.filter(external_id="room").update(external_id="other")
    place.change(create=booking("x", "+0d 10:00", "+0d 11:00", resource="other", attendees=[]))
    scheduler.tick()
    assert not StoredBooking.objects.exists()
    place.reconcile()
    assert "1002" not in place.cards()


# Controllers of other kinds --------------------------------------------------


def test_a_controller_that_lists_nothing_is_kept_in_step_by_what_was_written(place):
    set_options(lists_cards=False)
    place.fetch()
    place.reconcile()
    assert set(place.cards()) == {"1001", "1002", "1003"}
    again = place.reconcile()
    assert len(again.plan.cards.unchanged) == 3
    assert not again.done
    place.change(delete="b1")
    place.fetch()
    place.box("PUT", "faults", {"timeout_after_apply": True})
    place.reconcile()
    assert ControllerCard.objects.filter(state=State.UNCONFIRMED).exists()
    place.box("PUT", "faults", {})
    place.reconcile()
    assert place.reconcile().in_step
    assert set(place.cards()) == {"1003"}
    assert set(ControllerCard.objects.values_list("number", flat=True)) == {"1003"}


def test_a_controller_with_one_window_a_card_is_served_stretch_by_stretch(start_place):
    bookings = [
        booking("b1", "+0d 10:00", "+0d 12:00", attendees=[]),
        booking("b2", "+0d 11:00", "+0d 13:00", resource="den", attendees=[]),
    ]
    resources = [
        {"id": "room", "name": "Room", "doors": ["Room door"], "policy": "staff"},
        {"id": "den", "name": "Den", "doors": ["Side door"], "policy": "staff"},
    ]
    policies = [{"name": "staff", "admit": ["organizer"], "lead_minutes": 0, "grace_minutes": 0}]
    box = {"name": "box", "doors": [{"number": 1, "name": "Room door"}, {"number": 2, "name": "Side door"}]}
    place = start_place(building(resources=resources, policies=policies, bookings=bookings, controllers=[box]))
    set_options(windows="per_card")
    place.fetch("room")
    place.fetch("den")
    open_at = {}
    for minute in range(45, 255, 15):
        with clock.stopped_at(NOW + timedelta(minutes=minute)):
            scheduler.tick()
            reconcile.reconcile_controller(place.sync().controller_id)
            now = clock.now().isoformat()
            record = place.cards().get("1001", {})
            open_at[minute] = {int(d) for d, found in record.items() if any(s <= now < e for s, e in found)}
            assert len({str(found) for found in record.values()}) <= 1
    assert open_at == {
        m: {d for d, first, last in ((1, 60, 180), (2, 120, 240)) if first <= m < last} for m in range(45, 255, 15)
    }


def test_a_foreign_hold_is_told_and_left_and_a_late_one_of_ours_is_confirmed(start_place, monkeypatch):
    place = start_place(building(policies=[{"name": "staff", "admit": ["anyone"]}]))
    place.box("PUT", "holds", {"holds": {"2": [[None, None]]}})
    place.fetch()
    real = SimulatedDriver.hold

    def unsure(driver, door, held):
        real(driver, door, held)
        raise reconcile.Unknown("no answer")

    with monkeypatch.context() as patch:
        patch.setattr(SimulatedDriver, "hold", unsure)
        patch.setattr(reconcile, "_read_back", lambda *_args: [])
        place.reconcile()
    assert ControllerHold.objects.get().state == State.UNCONFIRMED
    assert place.reconcile().in_step
    assert ControllerHold.objects.get().state == State.IN_STEP
    assert Entry.objects.filter(action="door.held_unlocked").count() == 1
    assert "Side door" in str(place.sync().last_error)
    place.box("PUT", "holds", {"holds": {"2": [[None, None]]}})  # somebody locks ours again
    place.change(delete="b1")
    place.fetch()
    place.reconcile()
    assert not ControllerHold.objects.exists()


def test_what_waits_to_be_taken_out_is_not_counted_again(start_place):
    place = start_place(building(cardholders=people(16), bookings=[big(16)]))
    place.fetch()
    place.reconcile()
    place.box("PUT", "faults", {"refuse": True})
    place.change(update="big", set={"attendees": [f"p{n}@x.example" for n in range(8)]})
    place.fetch()
    assert len(place.reconcile().failed) == 8
    place.change(update="big", set={"attendees": []})
    place.fetch()
    assert not place.reconcile().pending, "eight and eight, never more than ten at once"
    place.box("PUT", "faults", {})
    place.reconcile()
    assert place.cards() == {}


def test_what_never_arrived_is_not_counted_as_taken_away_for_ever(start_place, monkeypatch):
    def lost(*_args):
        raise reconcile.Unknown("no answer")

    monkeypatch.setattr(SimulatedDriver, "put", lost)
    place = start_place(building(cardholders=people(16), bookings=[big(8)]))
    for first in (0, 8):
        for attendees in ([f"p{n}@x.example" for n in range(first, first + 8)], []):
            place.change(update="big", set={"attendees": attendees})
            place.fetch()
            assert not place.reconcile().pending

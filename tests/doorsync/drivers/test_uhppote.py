"""What is special to UHPPOTE boards: time profiles, their traps, tombstones, and what a board says of itself."""

import socket
from datetime import timedelta

import pytest

from accessmap.models import Controller
from doorsync.controllers import events
from doorsync.drivers import driver_for
from doorsync.drivers.base import BadOptions, Refused, Unknown, Unreachable
from doorsync.drivers.uhppote.listener import listen
from doorsync.models import ControllerCard, EventCursor
from doorsync.policy.windows import ALWAYS, Window
from portal.audit.models import Entry
from portal.core import clock
from tests.doorsync.drivers.conftest import NOW
from tests.doorsync.drivers.house import around
from tests.doorsync.drivers.peers import uhppote
from tests.doorsync.drivers.peers.uhppote import NORMALLY_CLOSED, Event, Profile, Slot, Uhppote

HOUR = timedelta(hours=1)
PUT_CARD, SET_PROFILE, GET_PROFILE = 0x50, 0x88, 0x98


@pytest.fixture
def house(move_in):
    return move_in(Uhppote)


@pytest.fixture
def driver(house):
    return driver_for(house.controller, NOW)


def use_profiles(house, first, last):
    house.controller.options |= {"first_profile": first, "last_profile": last}
    house.controller.save()


def value(house, card, door=1):
    """What the board holds for a card at a door: 0, 1 or a profile."""
    return next(s.doors[door - 1] for s in house.peer.board.slots if s.number == int(card))


# Time profiles ------------------------------------------------------------------------------------------------


def test_a_profile_is_written_and_read_before_any_card_that_names_it(house):
    house.book("b", NOW + HOUR, NOW + 2 * HOUR)
    house.work()
    functions = [packet[1] for packet in house.peer.seen]
    written = functions.index(SET_PROFILE)
    assert GET_PROFILE in functions[written : functions.index(PUT_CARD, written)]


def test_equal_windows_share_a_profile_of_the_portals_own_range(house):
    house.book("b", NOW + HOUR, NOW + 2 * HOUR)
    house.work()
    assert value(house, house.ann) == value(house, house.bob) == 200
    assert value(house, house.fay) == 1
    assert list(house.peer.board.profiles) == [200]
    profile = house.peer.board.profiles[200]
    assert profile.segments == [(1000, 1059)] * 3, "an unused segment would admit at midnight"


def test_a_board_that_only_says_that_it_stored_a_profile_is_given_no_card_that_names_it(house, monkeypatch):
    house.book("b", NOW + HOUR, NOW + 2 * HOUR)
    monkeypatch.setattr(house.peer, "_set_profile", lambda packet: {8: b"\1"})
    outcome = house.work()
    assert house.ann in outcome.failed
    assert "profile" in str(outcome.failed[house.ann])
    assert set(house.peer.inside()) == {house.fay}


def test_profiles_of_others_are_never_written_over(house):
    mornings = Profile(NOW.date(), NOW.date(), (True,) * 7, [(900, 1159)] * 3, 0)
    house.peer.board.profiles |= {100: mornings, 201: mornings}
    house.peer.board.slots.append(Slot(77, NOW.date(), NOW.date(), (201, 0, 0, 0)))
    for number in range(4):
        house.book(f"b{number}", NOW + number * HOUR, NOW + number * HOUR + HOUR / 2, who=["ann"])
    house.work()
    assert house.peer.board.profiles[100] is mornings
    assert house.peer.board.profiles[201] is mornings, "somebody's card names it"
    assert house.peer.opens("77", 1)


def test_profiles_that_no_card_names_any_more_are_used_again(house):
    use_profiles(house, 200, 201)
    for number in range(6):
        house.book("b", NOW + HOUR, NOW + 2 * HOUR + number * timedelta(minutes=1), who=["ann"])
        for _ in range(2):
            house.work()
        assert not house.sync.last_error
        assert house.peer.opens(house.ann, 1) is False
        house.cancel("b")
    assert set(house.peer.board.profiles) <= {200, 201}


def test_when_every_profile_is_in_use_a_card_gives_its_own_up_first(house):
    use_profiles(house, 200, 200)
    house.book("b", NOW + HOUR, NOW + 2 * HOUR, who=["ann"])
    house.work()
    house.move("b", ends_at=NOW + 3 * HOUR)
    assert house.work().in_step
    house.check(around(NOW + HOUR, NOW + 3 * HOUR))
    names = [packet[20] for packet in house.peer.seen if packet[1] == PUT_CARD]
    assert 0 in names, "the door is taken away before its profile changes"


def test_bookings_that_find_no_profile_are_named_and_served_at_their_edges(house):
    use_profiles(house, 200, 201)
    for number, who in enumerate(("ann", "bob", "ann", "bob")):
        start = NOW + (number + 1) * HOUR
        house.book(f"meeting-{number}", start, start + HOUR / 2, who=[who], room="den" if number > 1 else "room")
    assert house.work().in_step
    assert "meeting-2, meeting-3" in str(house.sync.last_error)
    assert "meeting-0" not in str(house.sync.last_error)
    assert house.sync.next_edge_at is not None
    house.check(around(*(NOW + n * HOUR / 2 for n in range(2, 10))))
    with clock.stopped_at(NOW + 8 * HOUR):
        house.work()
        assert not house.sync.last_error, "with room again, everything is written ahead"


def test_a_card_that_is_named_a_missing_profile_counts_as_always_open(house, driver):
    house.peer.board.slots.append(Slot(77, NOW.date(), NOW.date() + timedelta(days=400), (150, 0, 0, 0)))
    assert house.peer.opens("77", 1), "so a board takes it"
    (window,) = driver.read().cards["77"][1]
    assert window.covers(NOW + 30 * 24 * HOUR)


def test_somebody_who_changed_the_dates_of_a_card_of_ours_is_noticed(house):
    house.book("b", NOW, NOW + 2 * HOUR)
    house.work()
    for slot in house.peer.board.slots:
        slot.last = NOW.date() - timedelta(days=1)
    assert not house.peer.opens(house.ann, 1)
    house.work()
    house.check_now()


# Cards, doors, events -----------------------------------------------------------------------------------------


def test_deleted_cards_leave_tombstones_that_hide_no_other_card(house, driver):
    house.book("b", NOW, NOW + 2 * HOUR)
    house.work()
    house.peer.board.slots[0].number = uhppote.DELETED
    assert set(driver.read().cards) == {str(s.number) for s in house.peer.board.slots[1:]}


@pytest.mark.parametrize("card", ["A17", "0017", "0", "4294967295", "12-3"])
def test_numbers_that_a_board_cannot_hold_are_refused_in_words(driver, card):
    with pytest.raises(Refused, match="numbers from 1"):
        driver.put(card, {1: (ALWAYS,)})


def test_a_door_that_the_board_has_not_is_refused(driver):
    with pytest.raises(Refused, match="no door 5"):
        driver.put("17", {5: (ALWAYS,)})


def test_taking_out_what_is_not_there_is_no_error_and_what_stays_there_is(house, driver, monkeypatch):
    driver.remove("17")
    driver.put("17", {1: (ALWAYS,)})
    monkeypatch.setattr(house.peer, "_delete", lambda packet: {8: b"\0"})
    with pytest.raises(Refused):
        driver.remove("17")


def test_a_door_that_staff_have_locked_for_everybody_is_not_held_unlocked(house, driver):
    house.peer.board.modes[1] = NORMALLY_CLOSED
    with pytest.raises(Refused, match="stay locked"):
        driver.hold(1, (ALWAYS,))
    assert house.peer.board.modes[1] == NORMALLY_CLOSED


def test_holding_a_door_leaves_its_delay_as_it_is(house, driver):
    house.peer.board.delays[2] = 9
    driver.hold(2, (ALWAYS,))
    assert driver.read().holds == {2: (ALWAYS,)}
    driver.hold(2, ())
    assert (house.peer.board.modes[2], house.peer.board.delays[2]) == (3, 9)


def drained(house):
    events.drain_events(house.controller.pk)
    return [e.action for e in Entry.objects.filter(action__startswith="door.").order_by("id")]


def test_alarms_and_buttons_are_logged_and_the_rest_is_only_counted(house):
    for kind, reason in ((3, 38), (3, 37), (2, 20), (2, 24), (3, 39)):
        house.peer.board.events.append(Event(kind, True, 1, 0, house.peer.shows(), reason))
    assert drained(house) == ["door.forced", "door.held_open", "door.unlocked", "door.alarm"]
    assert EventCursor.objects.get().index == 5


def test_events_that_were_overwritten_meanwhile_are_passed_over(house):
    house.peer.board.overwritten = 1000
    house.peer.present(house.ann, 1)
    assert drained(house) == ["door.denied"]
    assert EventCursor.objects.get().index == 1001


def test_a_board_that_counts_anew_is_read_from_its_new_beginning(house):
    EventCursor.objects.create(controller=house.controller, index=5000)
    house.peer.present(house.ann, 1)
    assert drained(house) == ["door.denied"]
    assert EventCursor.objects.get().index == 1
    assert drained(house) == ["door.denied"], "each once"


def test_a_board_that_tells_at_once_is_rung_for_and_nobody_else_is(house):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear:
        ear.bind(("127.0.0.1", 0))
        port = ear.getsockname()[1]
        house.controller.options["listener"] = f"127.0.0.1:{port}"
        house.controller.save()
        drained(house)
        house.peer.present(house.ann, 1)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.sendto(b"hello", ("127.0.0.1", port))
            stranger.sendto(b"\x17\x20\0\0\1\2\3\4" + bytes(56), ("127.0.0.1", port))
        house.peer.tell()
        house.peer.tell()
        assert next(listen(ear, gather_seconds=0.05)) == house.controller.pk
    assert drained(house) == ["door.denied"]


# Trouble ------------------------------------------------------------------------------------------------------


def test_a_board_without_a_date_is_set_right(house, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(house.peer, "_time", lambda packet: {8: bytes(7)})
        house.work()
    assert house.sync.clock_skew_seconds < -3600
    assert abs(house.peer.skew) < timedelta(seconds=2)


@pytest.mark.parametrize(
    "answer",
    [bytes(64), b"\x17\x20" + bytes(62), b"\x17\x94" + bytes(62)],
    ids=["zeros", "another function's", "another board's"],
)
def test_an_answer_that_is_none_is_unknown(house, driver, monkeypatch, answer):
    monkeypatch.setattr(house.peer, "_answer", lambda packet: answer)
    with pytest.raises(Unknown):
        driver.info()


def test_a_network_that_is_not_there_is_unreachable(house):
    house.controller.options["address"] = "255.255.255.255:1"  # a broadcast that no socket of ours may send
    with pytest.raises((Unreachable, Unknown)):
        driver_for(house.controller, NOW).info()


@pytest.mark.parametrize(
    "options",
    [
        {"serial": 99},
        {"address": "board.example"},
        {"first_profile": 50, "last_profile": 40},
        {"last_profile": 255},
    ],
)
def test_options_that_make_no_sense_are_refused_in_words(house, options):
    box = Controller.objects.get()
    box.options |= options
    with pytest.raises(BadOptions):
        driver_for(box, NOW)


def test_windows_are_never_wider_than_asked_at_a_boards_whole_minutes(driver):
    uneven = (Window(NOW + timedelta(seconds=30), NOW + timedelta(minutes=5, seconds=30)),)
    assert driver.encode({1: uneven}) == {1: (Window(NOW + timedelta(minutes=1), NOW + timedelta(minutes=5)),)}


def test_what_is_encoded_is_what_is_read_back_so_that_nothing_is_written_again(house):
    for number in range(5):
        house.book(f"b{number}", NOW + number * 5 * HOUR, NOW + number * 5 * HOUR + 4 * HOUR)
    house.book("days", NOW + HOUR, NOW + 60 * HOUR, who=["bob"], room="den")
    house.work()
    assert not house.work().done
    assert set(ControllerCard.objects.values_list("state", flat=True)) == {ControllerCard.State.IN_STEP}

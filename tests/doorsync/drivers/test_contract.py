"""The contract that every driver keeps, each against a peer on a real socket. See docs/controllers/writing-a-driver.md.

The tests ask the device itself what it does, at the moments around every edge; house.py defines what it should do.
"""

from datetime import UTC, datetime, timedelta

import pytest

from accessmap.models import AccessPolicy, Card, Cardholder, Resource, ResourceDoor
from doorsync.controllers import approvals, events, preview, reconcile, store, unlock
from doorsync.drivers import driver_for
from doorsync.models import ControllerCard, EventCursor, UnmanagedCard
from portal.audit.models import Entry, Outcome
from portal.core import clock
from tests.doorsync.drivers.conftest import NOW, PEERS, those
from tests.doorsync.drivers.house import House, around
from tests.doorsync.drivers.peer import Fault

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
TEN, ELEVEN, NOON = NOW + HOUR, NOW + 2 * HOUR, NOW + 3 * HOUR
State = ControllerCard.State

for_all = pytest.mark.parametrize("house", PEERS, indirect=True, ids=lambda peer: peer.__name__)
for_cards = pytest.mark.parametrize("house", those(holds_cards=True), indirect=True, ids=lambda peer: peer.__name__)

for_relays = pytest.mark.parametrize("house", those(holds_cards=False), indirect=True, ids=lambda peer: peer.__name__)


def holding(**traits: object) -> pytest.MarkDecorator:
    peers = those(holds_cards=True, **traits)
    return pytest.mark.parametrize("house", peers, indirect=True, ids=lambda peer: peer.__name__)


def settle(house: House) -> None:
    """Reconcile until the controller is in order; at most a few times."""
    for _ in range(4):
        if house.work().in_step:
            return
    pytest.fail(f"never in order: {house.sync.last_error}")


# Bookings and their windows ---------------------------------------------------------------------------------


@for_cards
def test_a_fresh_device_is_loaded_and_then_left_alone(house):
    house.book("b", TEN, ELEVEN)
    assert house.work().in_step
    before = house.peer.changes_asked
    again = house.work()
    assert again.in_step
    assert not again.done, "no endless rewrites while in step"
    assert house.peer.changes_asked == before
    house.check(around(TEN, ELEVEN))


@for_cards
def test_a_booking_that_changes_is_followed(house):
    house.book("b", TEN, ELEVEN)
    settle(house)
    house.move("b", ends_at=NOON, attendee_emails=["bob@house.example"])
    settle(house)
    house.check(around(TEN, ELEVEN, NOON))


@for_cards
def test_a_booking_that_is_cancelled_while_it_lasts_ends_at_once(house):
    house.book("b", TEN, ELEVEN)
    settle(house)
    with house.at(TEN + MINUTE):
        house.check_now()
        house.cancel("b")
        settle(house)
        house.check_now()
        assert house.ann not in house.peer.inside()
        assert house.fay in house.peer.inside()


@for_cards
def test_bookings_that_overlap_count_together(house):
    house.book("first", TEN, ELEVEN)
    house.book("second", TEN + HOUR / 2, NOON, who=["ann"])
    settle(house)
    house.check(around(TEN, TEN + HOUR / 2))
    house.cancel("first")
    with clock.stopped_at(TEN + HOUR / 2 + 2 * MINUTE):
        settle(house)
        house.check_now()
    house.check(around(ELEVEN, NOON))


@for_cards
def test_several_bookings_of_a_day_each_admit_in_their_own_time(house):
    for number in range(6):
        house.book(f"b{number}", TEN + number * HOUR, TEN + number * HOUR + HOUR / 2, who=["ann"])
    house.book("other", TEN + 2 * HOUR, TEN + 3 * HOUR, who=["bob"])
    settle(house)
    house.check(around(*(TEN + n * HOUR / 2 for n in range(12))))


@pytest.mark.parametrize(
    "house",
    [peer for peer in those(holds_cards=True) if len(peer.doors) > 1],
    indirect=True,
    ids=lambda peer: peer.__name__,
)
def test_two_rooms_of_one_person_keep_apart(house):
    house.book("here", TEN, ELEVEN, who=["ann"])
    house.book("there", TEN + HOUR / 2, NOON, who=["ann"], room="den")
    settle(house)
    house.check(around(TEN, TEN + HOUR / 2, ELEVEN, NOON))


@for_cards
def test_midnight_is_crossed(house):
    evening = NOW.replace(hour=23)
    house.book("late", evening, evening + 3 * HOUR)
    settle(house)
    house.check(around(evening, evening + HOUR, evening + 3 * HOUR))


@pytest.mark.parametrize("peer", those(holds_cards=True), ids=lambda peer: peer.__name__)
@pytest.mark.parametrize(
    "change",
    [datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC)],
    ids=["clocks go forward", "clocks go back"],
)
@pytest.mark.parametrize(
    ("start", "end"),
    [(-90, 90), (-45, -15), (15, 45), (0, 60), (-60, 0)],
    ids=["across", "before", "after", "from then", "until then"],
)
def test_the_nights_when_the_clocks_change(move_in, peer, change, start, end):
    house = move_in(peer, change - 6 * HOUR)
    first, last = change + start * MINUTE, change + end * MINUTE
    house.book("night", first, last)
    settle(house)
    house.check(around(first, change - HOUR, change, change + HOUR, last))


@holding()
def test_access_that_began_ends_by_itself_while_the_portal_is_down(house):
    house.book("b", TEN, ELEVEN)
    settle(house)
    with house.at(TEN + MINUTE):
        house.check_now()
    driver = driver_for(house.controller, NOW)
    driver.close()
    with clock.stopped_at(ELEVEN + MINUTE):
        assert house.peer.opens(house.ann, house.door.number) == (not driver.capabilities.ends_by_itself)


# Trouble ----------------------------------------------------------------------------------------------------


@for_cards
def test_a_lost_answer_is_unknown_and_read_back_before_acting_again(house):
    house.book("b", TEN, ELEVEN)
    house.set_fault(Fault.ANSWERS_LOST)
    with clock.stopped_at(TEN):
        outcome = house.work()
        assert not outcome.failed, "a time-out is no refusal"
        house.set_fault(None)
        settle(house)
        house.check_now()
        assert set(ControllerCard.objects.values_list("state", flat=True)) == {State.IN_STEP}


@for_cards
def test_a_refusal_names_the_card_and_is_tried_again(house):
    house.book("b", TEN, ELEVEN)
    with clock.stopped_at(TEN):
        house.set_fault(Fault.REFUSES)
        outcome = house.work()
        assert {house.ann, house.bob} <= set(outcome.failed)
        assert not outcome.in_step
        assert house.sync.last_error
        house.set_fault(None)
        settle(house)
        assert not house.sync.last_error
        house.check_now()


@holding(can_be_full=True)
def test_a_full_device_is_a_named_condition_and_takes_what_fits(house):
    house.peer.room_for(2)
    house.book("b", NOW - HOUR, ELEVEN)
    outcome = house.work()
    assert len(house.peer.inside()) == 2
    assert len(outcome.failed) == 1
    assert "full" in str(house.sync.last_error)
    house.cancel("b")
    house.work()
    settle(house)
    house.check_now()


@for_cards
def test_a_device_that_lost_its_memory_is_loaded_again(house):
    house.book("b", NOW - HOUR, ELEVEN)
    settle(house)
    house.peer.forget()
    assert not house.peer.opens(house.ann, house.door.number)
    settle(house)
    house.check_now()


@for_cards
def test_entries_of_others_are_listed_left_alone_and_followed_once_adopted(house):
    house.peer.put_foreign(house.ann)
    house.book("b", TEN, ELEVEN)
    outcome = house.work()
    assert set(outcome.plan.cards.unmanaged) == {house.ann}
    assert outcome.contested == {house.ann}
    with house.at(NOON):
        assert house.peer.opens(house.ann, house.door.number), "the portal does not touch it"
    assert approvals.adopt(UnmanagedCard.objects.all(), actor="ann") == 1
    settle(house)
    assert not UnmanagedCard.objects.exists()
    house.check(around(TEN, ELEVEN, NOON))


@for_cards
def test_after_a_crash_in_the_middle_the_portal_knows_its_own_entries(house, monkeypatch):
    house.book("b", NOW - HOUR, ELEVEN)
    real, written = reconcile._write, []

    def dies_after_two(driver, change):
        real(driver, change)
        written.append(change)
        if len(written) == 2:
            raise SystemError("the power went")

    with monkeypatch.context() as patch, pytest.raises(SystemError):
        patch.setattr(reconcile, "_write", dies_after_two)
        house.work()
    assert len(house.peer.inside()) == 2
    settle(house)
    assert not UnmanagedCard.objects.exists()
    house.check_now()


@for_cards
def test_a_dead_device_costs_a_few_tries_however_many_cards_wait(house):
    crowd = [Cardholder(name=f"P{n}", email=f"p{n}@house.example") for n in range(100)]
    people = Cardholder.objects.bulk_create(crowd)
    Card.objects.bulk_create(Card(cardholder=person, number=str(50_000 + n)) for n, person in enumerate(people))
    house.book("b", NOW - HOUR, ELEVEN, who=[f"p{n}" for n in range(100)])
    house.set_fault(Fault.ANSWERS_LOST)
    house.work()
    assert house.peer.changes_asked <= 2 * reconcile.GIVE_UP_AFTER
    before = house.peer.changes_asked
    house.set_fault(Fault.SILENT)
    for _ in range(3):
        house.work()
    assert house.peer.changes_asked == before, "nothing is written to a device that does not identify itself"
    assert house.sync.suspended_until > clock.now()


@for_cards
def test_a_write_that_the_portal_did_not_see_end_counts_as_its_own(house, monkeypatch):
    house.book("b", NOW - HOUR, ELEVEN)

    def crash(*_args, **_kwargs):
        raise SystemError("the power went")

    with monkeypatch.context() as patch, pytest.raises(SystemError):
        patch.setattr(store, "save", crash)
        house.work()
    house.cancel("b")
    settle(house)
    assert set(house.peer.inside()) == {house.fay}


# Clock, events, doors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("house", those(has_clock=True), indirect=True, ids=lambda peer: peer.__name__)
def test_a_clock_that_is_off_is_set_or_reported(house):
    house.peer.skew = timedelta(minutes=5)
    house.work()
    assert house.sync.clock_skew_seconds == pytest.approx(300, abs=5)
    house.work()
    driver = driver_for(house.controller, NOW)
    driver.close()
    if driver.capabilities.sets_clock:
        assert abs(house.sync.clock_skew_seconds) < 5
        assert abs(house.peer.skew) < timedelta(seconds=5)
    else:
        assert "clock" in str(house.sync.last_error)


@holding(tells_events=True)
def test_what_happens_at_the_doors_is_logged_each_once_also_after_an_outage(house):
    house.book("b", TEN, ELEVEN)
    settle(house)
    with house.at(TEN):
        house.peer.present(house.ann, house.door.number)
        house.peer.present("4242", house.door.number)
    with clock.stopped_at(TEN + MINUTE):
        events.drain_events(house.controller.pk)
        events.drain_events(house.controller.pk)
    house.set_fault(Fault.SILENT)
    with clock.stopped_at(TEN + 2 * MINUTE):
        events.drain_events(house.controller.pk)
        assert EventCursor.objects.get().last_error
        house.peer.present(house.bob, house.door.number)
        house.set_fault(None)
    with clock.stopped_at(TEN + 3 * MINUTE):
        events.drain_events(house.controller.pk)
        events.drain_events(house.controller.pk)
    entries = [
        (entry.action, entry.actor, entry.outcome, entry.object_label)
        for entry in Entry.objects.filter(action__in=["door.opened", "door.denied"]).order_by("id")
    ]
    assert entries == [
        ("door.opened", "Ann", Outcome.DONE, "box: Door 1"),
        ("door.denied", "card ••••", Outcome.REFUSED, "box: Door 1"),
        ("door.opened", "Bob", Outcome.DONE, "box: Door 1"),
    ]
    first = Entry.objects.get(action="door.opened", actor="Ann")
    assert abs(first.at - TEN) < timedelta(seconds=2)


@for_all
def test_a_door_is_unlocked_for_a_moment_once_and_never_again_on_an_unknown_outcome(house):
    assert unlock.open_for_a_moment(house.door, milliseconds=1000, key="k1", actor="ann") is True
    assert house.peer.pulses(house.door.number) == 1
    house.set_fault(Fault.ANSWERS_LOST)
    assert unlock.open_for_a_moment(house.door, milliseconds=1000, key="k2", actor="ann") is None, "nobody knows"
    house.set_fault(None)
    assert house.peer.pulses(house.door.number) == 2, "sent once, and not repeated"
    house.set_fault(Fault.REFUSES)
    assert unlock.open_for_a_moment(house.door, milliseconds=1000, key="k3", actor="ann") is False
    assert house.peer.pulses(house.door.number) == 2


@pytest.mark.parametrize("house", those(can_hold=True), indirect=True, ids=lambda peer: peer.__name__)
def test_a_door_stands_unlocked_while_a_booking_admits_anyone(house):
    hall = house.peer.doors[-1]
    house.book("open", TEN, ELEVEN, room="hall")
    settle(house)
    for moment in around(TEN, ELEVEN):
        with house.at(moment):
            assert house.peer.held_unlocked(hall) == (TEN <= moment < ELEVEN), moment


@for_relays
def test_a_relay_that_is_in_step_is_left_alone(house):
    house.book("open", TEN, ELEVEN, room="hall")
    for moment in (NOW, TEN):
        with clock.stopped_at(moment):
            settle(house)
            before = house.peer.changes_asked
            settle(house)
            assert house.peer.changes_asked == before


@for_relays
def test_a_hold_whose_answer_was_lost_begins_and_ends(house):
    hall = house.peer.doors[-1]
    house.book("open", TEN, ELEVEN, room="hall")
    settle(house)
    for moment, held in ((TEN, True), (ELEVEN, False)):
        with clock.stopped_at(moment):
            house.set_fault(Fault.ANSWERS_LOST)
            assert not house.work().failed, "a time-out is no refusal"
            house.set_fault(None)
            settle(house)
            assert house.peer.held_unlocked(hall) == held


@for_relays
def test_a_refused_hold_is_reported_and_tried_again(house):
    hall = house.peer.doors[-1]
    house.book("open", TEN, ELEVEN, room="hall")
    with clock.stopped_at(TEN):
        house.set_fault(Fault.REFUSES)
        assert house.work().failed
        assert "refused" in str(house.sync.last_error)
        assert not house.peer.held_unlocked(hall)
        house.set_fault(None)
        settle(house)
        assert not house.sync.last_error
        assert house.peer.held_unlocked(hall)


@for_relays
def test_a_silent_relay_is_sent_nothing_and_suspended(house):
    house.book("open", TEN, ELEVEN, room="hall")
    house.set_fault(Fault.SILENT)
    with clock.stopped_at(TEN):
        for _ in range(3):
            assert house.work().error
        assert house.peer.changes_asked == 0
        assert house.sync.suspended_until > clock.now()


@for_relays
def test_cards_that_a_relay_can_not_hold_are_reported_and_leave_it_in_step(house):
    policy = AccessPolicy.objects.get(name="staff")
    room = Resource.objects.create(site=house.controller.site, external_id="r", name="r", policy=policy)
    ResourceDoor.objects.create(resource=room, door=house.door)
    settle(house)
    assert "holds no cards" in str(house.sync.last_error)
    assert preview.preview(house.controller, NOW)[1].in_step


@pytest.mark.parametrize("house", those(can_hold=False), indirect=True, ids=lambda peer: peer.__name__)
def test_a_controller_that_can_not_hold_a_door_is_reported(house):
    house.book("open", TEN, ELEVEN, room="hall")
    settle(house)
    with house.at(TEN):
        assert not house.peer.held_unlocked(house.peer.doors[-1])
        assert "can't hold" in str(house.sync.last_error)

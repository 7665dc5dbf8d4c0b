"""Fetching bookings, from a pretend Offision that behaves and from one that does not."""

from datetime import timedelta

import pytest

from accessmap.models import Resource
from doorsync.bookings import approvals as booking_approvals
from doorsync.bookings import resources, subscription
from doorsync.models import (
    Callback,
    PassState,
    Refresh,
    RefreshTarget,
    ResourceSync,
    SetAsideBooking,
    StoredBooking,
    UnmappedResource,
)
from doorsync.work import scheduler
from portal.audit.models import Entry
from portal.core import clock
from portal.offision.default import client_from_settings
from tests.places import NOW, booking, building

FORTY = [booking(f"b{n}", f"+{n // 20}d {n % 20 + 2:02}:00", f"+{n // 20}d {n % 20 + 2:02}:50") for n in range(40)]


def test_bookings_come_and_go_with_offision(place):
    assert place.refresh().outcome == Refresh.Outcome.CHANGED
    assert StoredBooking.objects.get().organizer_email == "mei@pier.example"
    assert place.refresh().outcome == Refresh.Outcome.UNCHANGED
    place.change(update="b1", set={"end": "+0d 12:00"})
    place.change(create=booking("b2", "+1d 08:00", "+1d 09:00"))
    assert place.refresh().outcome == Refresh.Outcome.CHANGED
    assert [b.external_id for b in StoredBooking.objects.order_by("starts_at")] == ["b1", "b2"]
    place.change(delete="b1")
    place.refresh()
    assert StoredBooking.objects.get().external_id == "b2"


def test_a_booking_that_began_yesterday_is_there(start_place):
    start_place(building(bookings=[booking("night", "-1d 22:00", "+0d 23:00")])).refresh()
    assert StoredBooking.objects.count() == 1


def test_a_change_asks_for_the_controllers_behind_the_room_only(place, doorbells):
    doorbells.clear()
    place.refresh()
    assert ("reconcile_controller", place.sync("box").controller_id) in doorbells
    assert ("reconcile_controller", place.sync("old").controller_id) not in doorbells
    asked = place.sync("box").requested
    place.refresh()
    assert place.sync("box").requested == asked, "nothing has changed"


def test_callbacks_are_answered_by_the_fetch_that_came_after_them(place):
    room = Resource.objects.get(external_id="room")
    waiting = Callback.objects.create(
        body=b"", outcome="asked", resource=room, generation=place.room().requested, received_at=NOW
    )
    answer = place.refresh()
    waiting.refresh_from_db()
    assert waiting.refresh == answer
    target = RefreshTarget.objects.get(refresh=answer)
    assert target.confirmed_at is None
    place.reconcile()
    answer.refresh_from_db()
    assert answer.confirmed_at is not None


def test_a_callback_stored_after_its_fetch_has_ended_is_answered_too(place):
    answer = place.refresh()
    late = Callback.objects.create(
        body=b"", outcome="asked", resource=answer.resource, generation=answer.generation, received_at=NOW
    )
    scheduler.tick()
    late.refresh_from_db()
    assert late.refresh == answer


@pytest.mark.parametrize("mode", ["unauthorized", "error", "html", "huge", "stall", "nonsense", "refuse"])
def test_an_offision_that_fails_revokes_nobody_and_staff_are_told(place, mode):
    place.refresh()
    place.reconcile()
    before = place.cards()
    place.offision_fault(mode, seconds=3)
    assert place.refresh().outcome == Refresh.Outcome.FAILED
    place.reconcile()
    assert place.cards() == before
    assert before["1001"]
    room = place.room()
    assert "Nobody's access was taken away" in room.trouble
    assert room.requested > room.done
    assert room.not_before > NOW
    assert PassState.objects.get().offision_trouble
    assert Entry.objects.filter(action="bookings.fetch", outcome="failed").count() == 1
    place.offision_fault(None)
    assert place.refresh().outcome == Refresh.Outcome.UNCHANGED
    assert place.room().trouble == ""
    assert PassState.objects.get().offision_trouble == ""


def test_an_empty_list_where_there_were_forty_bookings_is_held_until_somebody_believes_it(start_place):
    place = start_place(building(bookings=FORTY))
    place.refresh()
    place.reconcile()
    before = place.cards()
    place.offision_fault("empty")
    for _ in range(2):
        assert place.refresh().outcome == Refresh.Outcome.HELD
    place.reconcile()
    assert place.cards() == before
    assert "leaves out 33 of 33" in place.room().held_reason
    assert Entry.objects.filter(action="bookings.held").count() == 1
    assert booking_approvals.believe(ResourceSync.objects.all(), actor="ann") == 1
    assert place.refresh().outcome == Refresh.Outcome.CHANGED
    assert place.room().held_reason == ""
    assert not StoredBooking.objects.exists()
    place.reconcile()
    assert set(place.cards()) == {"1003"}, "whoever may always pass still may"
    # Believing was for once.
    assert not place.room().believed_ids


def test_one_cancelled_booking_is_simply_believed(start_place):
    place = start_place(building(bookings=FORTY))
    place.refresh()
    place.change(update="b25", set={"status": "cancelled"})
    assert place.refresh().outcome == Refresh.Outcome.CHANGED


def test_a_booking_that_cannot_be_is_set_aside_and_stops_no_other(start_place):
    place = start_place(
        building(
            bookings=[
                booking("back", "+0d 11:00", "+0d 10:00"),
                booking("year", "+0d 08:00", "+365d 08:00"),
                booking("good", "+0d 10:00", "+0d 11:00"),
            ]
        )
    )
    place.refresh()
    assert StoredBooking.objects.get().external_id == "good"
    assert {row.record_id for row in SetAsideBooking.objects.all()} == {"back", "year"}
    assert all(row.reason for row in SetAsideBooking.objects.all())
    seen = SetAsideBooking.objects.values_list("pk", flat=True)
    before = set(seen)
    place.refresh()
    assert set(seen.all()) == before, "the same records are not new"


def test_resources_that_the_map_does_not_know_are_found_by_the_list(place):
    place.change(create=booking("x", "+0d 10:00", "+0d 11:00", resource="room-999"))
    resources.list_resources()
    assert UnmappedResource.objects.get().external_id == "room-999"


def test_a_full_pass_asks_for_everything_and_the_alarm_is_raised_and_taken_back(place, settings):
    place.refresh()
    done = place.room().requested
    later = NOW + timedelta(seconds=settings.FULL_PASS_SECONDS + 1)
    with clock.stopped_at(later):
        scheduler.tick()
    assert place.room().requested == done + 1
    much_later = NOW + timedelta(seconds=2 * settings.FULL_PASS_SECONDS + 60)
    with clock.stopped_at(much_later):
        scheduler.tick()
        scheduler.tick()
        assert PassState.objects.get().late_since == much_later
        for name in ("room", "attic"):
            place.refresh(name)
        for name in ("box", "old"):
            place.reconcile(name)
        scheduler.tick()
    assert PassState.objects.get().late_since is None
    assert list(
        Entry.objects.filter(action__startswith="convergence").order_by("id").values_list("action", flat=True)
    ) == [
        "convergence.late",
        "convergence.restored",
    ]


def test_a_portal_that_nobody_told_where_offision_is_says_so(place, settings):
    settings.OFFISION_URL = ""
    client_from_settings.cache_clear()
    assert place.refresh().outcome == Refresh.Outcome.FAILED
    assert "OFFISION_URL" in place.room().trouble
    resources.list_resources()
    subscription.keep_subscribed()
    assert "OFFISION_URL" in PassState.objects.get().subscription_trouble

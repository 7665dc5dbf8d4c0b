"""Fetching bookings, from a pretend Offision that behaves and from one that does not."""

from datetime import timedelta

import pytest

from accessmap.models import Resource
from doorsync.bookings import approvals as booking_approvals
from doorsync.bookings import resources, subscription
from doorsync.models import (
    BookingFetch,
    Callback,
    FetchTarget,
    RejectedBooking,
    ResourceSync,
    SchedulerState,
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
    assert place.fetch().outcome == BookingFetch.Outcome.CHANGED
    assert StoredBooking.objects.get().organizer_email == "mei@pier.example"
    assert place.fetch().outcome == BookingFetch.Outcome.UNCHANGED
    place.change(update="b1", set={"end": "+0d 12:00"})
    place.change(create=booking("b2", "+1d 08:00", "+1d 09:00"))
    assert place.fetch().outcome == BookingFetch.Outcome.CHANGED
    assert [b.external_id for b in StoredBooking.objects.order_by("starts_at")] == ["b1", "b2"]
    place.change(delete="b1")
    place.fetch()
    assert StoredBooking.objects.get().external_id == "b2"


def test_a_booking_that_began_yesterday_is_there(start_place):
    start_place(building(bookings=[booking("night", "-1d 22:00", "+0d 23:00")])).fetch()
    assert StoredBooking.objects.count() == 1


def test_a_change_asks_for_the_controllers_behind_the_room_only(place, doorbells):
    doorbells.clear()
    place.fetch()
    assert ("reconcile_controller", place.sync("box").controller_id) in doorbells
    assert ("reconcile_controller", place.sync("old").controller_id) not in doorbells
    asked = place.sync("box").generation
    place.fetch()
    assert place.sync("box").generation == asked, "nothing has changed"


def test_callbacks_are_answered_by_the_fetch_that_came_after_them(place):
    room = Resource.objects.get(external_id="room")
    waiting = Callback.objects.create(
        body=b"", outcome="enqueued", resource=room, generation=place.room().generation, received_at=NOW
    )
    answer = place.fetch()
    waiting.refresh_from_db()
    assert waiting.fetch == answer
    target = FetchTarget.objects.get(fetch=answer)
    assert target.confirmed_at is None
    place.reconcile()
    answer.refresh_from_db()
    assert answer.confirmed_at is not None


def test_a_callback_stored_after_its_fetch_has_ended_is_answered_too(place):
    answer = place.fetch()
    late = Callback.objects.create(
        body=b"", outcome="enqueued", resource=answer.resource, generation=answer.generation, received_at=NOW
    )
    scheduler.tick()
    late.refresh_from_db()
    assert late.fetch == answer


@pytest.mark.parametrize("mode", ["unauthorized", "error", "html", "huge", "stall", "nonsense", "refuse"])
def test_an_offision_that_fails_revokes_nobody_and_staff_are_told(place, mode):
    place.fetch()
    place.reconcile()
    before = place.cards()
    place.offision_fault(mode, seconds=3)
    assert place.fetch().outcome == BookingFetch.Outcome.FAILED
    place.reconcile()
    assert place.cards() == before
    assert before["1001"]
    room = place.room()
    assert "Nobody's access was taken away" in str(room.last_error)
    assert room.generation > room.observed_generation
    assert room.next_attempt_at > NOW
    assert SchedulerState.objects.get().offision_error
    assert Entry.objects.filter(action="bookings.fetch", outcome="failed").count() == 1
    place.offision_fault(None)
    assert place.fetch().outcome == BookingFetch.Outcome.UNCHANGED
    assert place.room().last_error == []
    assert SchedulerState.objects.get().offision_error == []


def test_an_empty_list_where_there_were_forty_bookings_is_held_until_somebody_believes_it(start_place):
    place = start_place(building(bookings=FORTY))
    place.fetch()
    place.reconcile()
    before = place.cards()
    place.offision_fault("empty")
    for _ in range(2):
        assert place.fetch().outcome == BookingFetch.Outcome.PENDING
    place.reconcile()
    assert place.cards() == before
    assert "leaves out 33 of 33" in str(place.room().pending_reason)
    assert Entry.objects.filter(action="bookings.pending").count() == 1
    assert booking_approvals.accept(ResourceSync.objects.all(), actor="ann") == 1
    assert place.fetch().outcome == BookingFetch.Outcome.CHANGED
    assert place.room().pending_reason == []
    assert not StoredBooking.objects.exists()
    place.reconcile()
    assert set(place.cards()) == {"1003"}, "whoever may always pass still may"
    # Believing was for once.
    assert not place.room().accepted_ids


def test_one_cancelled_booking_is_simply_believed(start_place):
    place = start_place(building(bookings=FORTY))
    place.fetch()
    place.change(update="b25", set={"status": "cancelled"})
    assert place.fetch().outcome == BookingFetch.Outcome.CHANGED


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
    place.fetch()
    assert StoredBooking.objects.get().external_id == "good"
    assert {row.record_id for row in RejectedBooking.objects.all()} == {"back", "year"}
    assert all(row.reason for row in RejectedBooking.objects.all())
    seen = RejectedBooking.objects.values_list("pk", flat=True)
    before = set(seen)
    place.fetch()
    assert set(seen.all()) == before, "the same records are not new"


def test_resources_that_the_map_does_not_know_are_found_by_the_list(place):
    place.change(create=booking("x", "+0d 10:00", "+0d 11:00", resource="room-999"))
    resources.list_resources()
    assert UnmappedResource.objects.get().external_id == "room-999"


def test_a_full_resync_asks_for_everything_and_the_alarm_is_raised_and_taken_back(place, settings):
    place.fetch()
    done = place.room().generation
    later = NOW + timedelta(seconds=settings.FULL_RESYNC_SECONDS + 1)
    with clock.stopped_at(later):
        scheduler.tick()
    assert place.room().generation == done + 1
    much_later = NOW + timedelta(seconds=2 * settings.FULL_RESYNC_SECONDS + 60)
    with clock.stopped_at(much_later):
        scheduler.tick()
        scheduler.tick()
        assert SchedulerState.objects.get().late_since == much_later
        for name in ("room", "attic"):
            place.fetch(name)
        for name in ("box", "old"):
            place.reconcile(name)
        scheduler.tick()
    assert SchedulerState.objects.get().late_since is None
    assert list(
        Entry.objects.filter(action__startswith="convergence").order_by("id").values_list("action", flat=True)
    ) == [
        "convergence.late",
        "convergence.restored",
    ]


def test_a_portal_that_nobody_told_where_offision_is_says_so(place, settings):
    settings.OFFISION_URL = ""
    client_from_settings.cache_clear()
    assert place.fetch().outcome == BookingFetch.Outcome.FAILED
    assert "OFFISION_URL" in str(place.room().last_error)
    resources.list_resources()
    subscription.keep_subscribed()
    assert "OFFISION_URL" in str(SchedulerState.objects.get().subscription_error)

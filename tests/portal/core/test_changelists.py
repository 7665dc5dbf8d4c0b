"""Pages stay fast as the rows grow: nothing big is counted to its end, and no row costs a statement of its own."""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accessmap.models import AccessPolicy, Cardholder, Controller, Door, Resource, ResourceDoor
from doorsync.models import (
    BookingFetch,
    Callback,
    ControllerCard,
    ControllerSync,
    FetchTarget,
    ResourceSync,
    StoredBooking,
)
from portal.audit.models import Entry, record
from portal.core import clock
from portal.core.admin import changelists

HONG_KONG = ZoneInfo("Asia/Hong_Kong")


@pytest.fixture
def staff(client, db):
    client.force_login(User.objects.create_superuser("chief"))
    return client


def statements(client, address):
    with CaptureQueriesContext(connection) as captured:
        answer = client.get(address)
    assert answer.status_code == 200
    return [query["sql"] for query in captured.captured_queries]


@pytest.mark.parametrize(
    "query",
    ["", "?q=door", "?outcome__exact=done", "?action=door.opened", "?at__year=2026", "?at__year=2026&at__month=3"],
)
def test_the_log_is_neither_counted_nor_read_through(staff, query):
    with transaction.atomic():
        for kind in ("opened", "denied", "forced"):
            record(actor="ann", action=f"door.{kind}", on=None)
    sent = [sql for sql in statements(staff, reverse("admin:audit_entry_changelist") + query) if '"audit_entry"' in sql]
    assert len(sent) > 2
    for sql in sent:
        assert "COUNT(" not in sql or f"LIMIT {changelists.COUNTED_AT_MOST}" in sql, sql
        assert not re.search(r"DISTINCT|DATE_TRUNC", sql), sql


@pytest.mark.parametrize("name", ["callback", "bookingfetch", "reconciliation", "controllercard", "storedbooking"])
def test_what_door_sync_writes_is_not_counted_to_its_end(place, staff, name):
    place.fetch()
    place.reconcile()
    for sql in statements(staff, reverse(f"admin:doorsync_{name}_changelist")):
        if f'FROM "doorsync_{name}"' in sql and "COUNT(" in sql:
            assert f"LIMIT {changelists.COUNTED_AT_MOST}" in sql, sql


def test_the_list_offers_what_it_did_before(staff):
    with transaction.atomic():
        Entry.objects.bulk_create(
            Entry(at=datetime(2026, month, 3, tzinfo=UTC), actor=f"in {month}", action=action, outcome="done")
            for month, action in ((1, "door.opened"), (3, "door.forced"))
        )
    page = staff.get(reverse("admin:audit_entry_changelist"), {"at__year": 2026}).content.decode()
    assert "January 2026" in page
    assert "March 2026" in page
    assert page.index("in 3") < page.index("in 1"), "the newest first"
    assert "?action=door.opened" in staff.get(reverse("admin:audit_entry_changelist")).content.decode()
    only = staff.get(reverse("admin:audit_entry_changelist"), {"action": "door.opened"}).content.decode()
    assert "in 1" in only
    assert "in 3" not in only


def test_a_search_takes_the_newest_of_what_the_filters_leave(staff, monkeypatch):
    monkeypatch.setattr(changelists, "SEARCHED_AT_MOST", 2)
    with transaction.atomic():
        Entry.objects.bulk_create(
            Entry(
                at=datetime(2026, 3, day, 4, tzinfo=UTC), actor="ann", action="door.opened", object_label=f"door {day}"
            )
            for day in (1, 2, 3, 4)
        )
    page = reverse("admin:audit_entry_changelist")

    def changelist(**asked):
        return [
            row.at.day
            for row in staff.get(page, {"q": "ann", "action": "door.opened", **asked}).context["cl"].result_list
        ]

    assert changelist() == [4, 3]
    assert changelist(at__year=2026, at__month=3, at__day=1) == [1], "an older day is searched when it is chosen"
    assert "newest 20,000" in staff.get(page).content.decode()


def test_more_rows_than_are_counted_are_still_listed(staff, monkeypatch):
    monkeypatch.setattr(changelists, "COUNTED_AT_MOST", 150)
    with transaction.atomic():
        Entry.objects.bulk_create(Entry(actor=str(n), action="door.opened", outcome="done") for n in range(300))
    changelist = staff.get(reverse("admin:audit_entry_changelist")).context["cl"]
    assert (len(changelist.result_list), changelist.result_count) == (100, 150)


@pytest.mark.parametrize(("kind", "expected"), [("year", 2), ("month", 3), ("day", 33)])
def test_periods_run_from_the_first_to_the_last(kind, expected):
    first = datetime(2025, 12, 31, 23, 0, tzinfo=HONG_KONG)
    assert len(changelists.periods(first, datetime(2026, 2, 1, 1, 0, tzinfo=HONG_KONG), kind)) == expected


def _callbacks(count):
    room = Resource.objects.get(external_id="room")
    now = clock.now()
    for number in range(count):
        fetch = BookingFetch.objects.create(
            resource=room, generation=number, cause="callback", started_at=now, finished_at=now, outcome="changed"
        )
        FetchTarget.objects.create(fetch=fetch, controller=Controller.objects.get(name="box"), generation=1)
        Callback.objects.create(body=b"{}", outcome="enqueued", resource=room, fetch=fetch)


def _building(count):
    """More of everything that the pages for staff read."""
    policy, box, now = AccessPolicy.objects.get(), Controller.objects.get(name="box"), clock.now()
    start = Door.objects.count() + 10
    for number in range(start, start + count):
        door = Door.objects.create(controller=box, number=number, name=f"door {number}", floor=f"{number}/F")
        room = Resource.objects.create(site=place_site(), external_id=f"r{number}", name=f"R{number}", policy=policy)
        doorless = Resource.objects.create(
            site=place_site(), external_id=f"d{number}", name=f"D{number}", policy=policy
        )
        ResourceDoor.objects.create(resource=room, door=door)
        ResourceSync.objects.filter(resource=room).update(last_error=[])
        for where in (room, doorless):
            StoredBooking.objects.create(
                resource=where,
                external_id=f"b{number}",
                starts_at=now,
                ends_at=now + timedelta(hours=1),
                status="confirmed",
                organizer_email=f"nobody{number}@pier.example",
                attendee_emails=["mei@pier.example"],
                fetched_at=now,
            )
        Cardholder.objects.create(name=f"P{number}", email=f"nobody{number}@pier.example")
        ControllerCard.objects.create(
            controller=box, number=f"9{number}", desired={str(number): []}, state="failed", changed_at=now
        )


def _controllers(count):
    for number in range(Controller.objects.count(), Controller.objects.count() + count):
        box = Controller.objects.create(
            site=place_site(), name=f"box {number}", driver="simulated", options=_box_options()
        )
        ControllerSync.objects.get_or_create(controller=box)


def _box_options():
    return Controller.objects.get(name="box").options


def place_site():
    return Controller.objects.get(name="box").site


@pytest.mark.parametrize(
    ("page", "more"),
    [
        ("admin:doorsync_callback_changelist", _callbacks),
        ("admin:doorsync_controllersync_changelist", _controllers),
        ("admin:index", _building),
        ("board", _building),
        ("coverage", _building),
        ("admin:accessmap_cardholder_changelist", _building),
        ("admin:accessmap_resource_changelist", _building),
        ("admin:accessmap_door_changelist", _building),
    ],
)
def test_no_row_costs_a_statement_of_its_own(place, staff, page, more):
    address = reverse(page, args=[place_site().pk] if page == "board" else [])
    more(2)
    staff.get(address)  # what is asked once in a process is asked now
    few = len(statements(staff, address))
    more(8)
    assert len(statements(staff, address)) == few

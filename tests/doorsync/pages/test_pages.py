"""The pages that staff open in the morning: is all well, the board, why, and what is unmapped; as each role."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import Group, User
from django.urls import reverse

from accessmap.models import Card, Cardholder, Controller, Door, Resource, Site
from doorsync.models import ControllerCard, ResourceSync
from doorsync.status import coverage, dashboard
from doorsync.status.board import WIDTH, Day
from doorsync.status.explain import explain, facts_for
from doorsync.work import scheduler
from portal import roles
from portal.core import clock
from portal.core.problems import QUOTED
from tests.places import NOW, booking, building

HOUR = timedelta(hours=1)
TEN = NOW + HOUR  # b1 admits from a quarter to ten until ten past eleven


@pytest.fixture
def as_role(client, db):
    def log_in(role):
        user, _made = User.objects.get_or_create(username=role, defaults={"is_staff": True})
        user.groups.set([Group.objects.get(name=role)])
        client.force_login(user)
        return client

    return log_in


@pytest.fixture
def loaded(place):
    for name in ("room", "attic"):
        place.fetch(name)
    for name in ("box", "old"):
        place.reconcile(name)
    scheduler.tick()
    return place


def sentences():
    return [notice.sentence for notice in dashboard.notices(clock.now())]


def text(answer):
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


# Home ---------------------------------------------------------------------------------------------------------


def test_home_is_quiet_when_all_is_well(loaded, as_role):
    Resource.objects.filter(external_id="desk").delete()
    assert sentences() == []
    assert "All is well" in text(as_role(roles.FACILITY_STAFF).get(reverse("admin:index")))


def test_home_says_what_is_wrong_and_where_it_is_mended_the_urgent_first(loaded, as_role):
    loaded.box("PUT", "faults", {"down": True})
    for _ in range(3):
        loaded.reconcile()
    Card.objects.filter(number="1002").delete()
    ResourceSync.objects.filter(resource__external_id="room").update(
        pending_reason=[QUOTED(text="It leaves out a great deal.")]
    )
    shown_notices = dashboard.notices(clock.now())
    texts = [notice.sentence for notice in shown_notices]
    assert any("box does not answer" in sentence for sentence in texts)
    assert "2 doors are not in order." in texts
    assert "1 person with a booking in the next two days has no card." in texts
    assert any("booking list waits" in sentence for sentence in texts)
    urgent = [notice.urgent for notice in shown_notices]
    assert urgent == sorted(urgent, reverse=True)
    page = text(as_role(roles.FACILITY_STAFF).get(reverse("admin:index")))
    for notice in shown_notices:
        assert as_role(roles.FACILITY_STAFF).get(notice.url, follow=True).status_code == 200, notice.url
        assert notice.url.replace("&", "&amp;") in page


def test_home_says_that_the_worker_is_silent(loaded):
    with clock.stopped_at(NOW + timedelta(minutes=2)):
        assert any("worker is silent" in sentence for sentence in sentences())


# The board ------------------------------------------------------------------------------------------------------


def board(client, **query):
    return client.get(reverse("board", args=[Site.objects.get().pk]), query)


def test_the_board_shows_each_doors_day_who_may_enter_and_what_comes_next(loaded, as_role):
    client = as_role(roles.FACILITY_STAFF)
    with clock.stopped_at(TEN):
        scheduler.tick()
        lines = {line.door.name: line for line in board(client).context["lines"]}
    line = lines["Room door"]
    assert line.now == ["Mei", "Tom"]
    assert line.standing == ["facilities"]
    assert (line.next_at, line.next_opens) == (TEN + HOUR + timedelta(minutes=10), False)
    assert [bar.kind for bar in line.bars] == ["booked", "lead", "grace"]
    booked = line.bars[0]
    assert (booked.x, booked.width) == (10 / 24 * WIDTH, WIDTH / 24)
    assert lines["Side door"].bars == []


def test_the_board_hatches_drift_and_filters_by_it_and_by_name_and_floor(loaded, as_role):
    client = as_role(roles.SECURITY)
    loaded.box("PUT", "faults", {"refuse": True})
    loaded.change(update="b1", set={"end": "+0d 12:00"})
    loaded.fetch()
    loaded.reconcile()
    Door.objects.filter(name="Attic door").update(floor="3/F")

    def names(**query):
        return [line.door.name for line in board(client, **query).context["lines"]]

    assert names(state="drift") == ["Room door"]
    assert "refuse" in text(board(client, state="drift"))
    assert names(name="side") == ["Side door"]
    assert names(floor="3/F") == ["Attic door"]
    assert len(names()) == 3


def test_a_board_of_many_doors_asks_the_database_no_more_often(loaded, as_role, django_assert_max_num_queries):
    box = Controller.objects.get(name="box")
    Door.objects.bulk_create(Door(controller=box, number=n, name=f"Door {n:02d}") for n in range(10, 90))
    client = as_role(roles.FACILITY_STAFF)
    with django_assert_max_num_queries(30):
        page = board(client)
    assert len(page.context["lines"]) == 50
    assert "X-Part" not in page.headers
    part = client.get(reverse("board", args=[Site.objects.get().pk]), headers={"x-part": "lines"})
    assert b"<html" not in part.content


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (date(2026, 6, 1), 24)])
def test_a_day_is_as_long_as_its_clocks_make_it(day, hours):
    shown_notices = Day.of(day, ZoneInfo("Europe/London"))
    assert shown_notices.end - shown_notices.start == timedelta(hours=hours)
    marks = shown_notices.hours()
    assert len(marks) == hours
    assert [x for x, _name in marks] == sorted({x for x, _name in marks})
    assert (shown_notices.x(shown_notices.start), shown_notices.x(shown_notices.end)) == (0, WIDTH)


# Why? -----------------------------------------------------------------------------------------------------------


def ask(name, at, door="Room door"):
    facts = facts_for(Cardholder.objects.get(name=name), Door.objects.get(name=door), at)
    return explain(facts, at, clock.now())


def steps(answer):
    return " ".join(step.sentence for step in answer.steps)


def test_why_she_can(loaded):
    answer = ask("Mei", TEN)
    assert answer.opens
    assert "admits Mei, from 2026-03-10 09:45:00 until 2026-03-10 11:10:00" in steps(answer)
    assert "holds card •••• for it" in steps(answer)
    assert ask("Fay", TEN + 12 * HOUR).opens
    assert "facilities may always pass" in steps(ask("Fay", TEN))


def test_to_the_second(loaded):
    assert ask("Mei", TEN - timedelta(minutes=15)).opens
    assert not ask("Mei", TEN - timedelta(minutes=15, seconds=1)).opens
    end = TEN + HOUR + timedelta(minutes=10)
    assert not ask("Mei", end).opens, "windows end before their end"
    assert "only" in steps(ask("Mei", end))


@pytest.mark.parametrize(
    ("change", "reason", "remedy"),
    [
        (lambda: Card.objects.filter(number="1001").update(status="lost"), "is lost", "Give Mei a card"),
        (lambda: Card.objects.filter(number="1001").update(valid_until=NOW), "only", "Give Mei a card"),
        (lambda: Cardholder.objects.filter(name="Mei").update(email=""), "No booking", "Enter the email"),
        (lambda: Resource.objects.get(external_id="room").doors.clear(), "leads to no resource", "which resource"),
        (
            lambda: (ControllerCard.objects.all().delete(), Controller.objects.update(enabled=False)),
            "is disabled",
            "Enable the controller",
        ),
        (
            lambda: ControllerCard.objects.update(state="failed", reason=[QUOTED(text="It is full.")]),
            "It is full.",
            "See what is wrong",
        ),
    ],
)
def test_why_she_cannot_and_the_one_thing_that_would_change_it(loaded, change, reason, remedy):
    change()
    answer = ask("Mei", TEN)
    assert not answer.opens
    assert reason in steps(answer)
    assert remedy in answer.remedy
    assert answer.remedy_url


def test_what_the_controller_still_holds_opens_whatever_the_bookings_say(loaded):
    Controller.objects.update(enabled=False)
    assert ask("Mei", TEN).opens, "a suspended controller goes on with what it holds"
    Card.objects.filter(number="1001").update(status="lost")
    answer = ask("Mei", TEN)
    assert answer.opens
    assert "still holds card •••• for it, though nothing grants it" in steps(answer)
    ControllerCard.objects.update(state="gone")
    assert not ask("Mei", TEN).opens, "it was seen to be gone"
    ControllerCard.objects.update(state="in_step")
    Controller.objects.update(enabled=True)
    assert not ask("Mei", TEN).opens, "until then it has been taken out long since"
    with clock.stopped_at(TEN):
        assert "reconciled now" in ask("Mei", TEN).remedy
        loaded.reconcile()
        assert not ask("Mei", TEN).opens


def test_a_booking_whose_status_does_not_count_is_named(start_place):
    place = start_place(building(bookings=[booking("b1", "+0d 10:00", "+0d 11:00", status="tentative")]))
    place.fetch()
    answer = ask("Mei", TEN)
    assert not answer.opens
    assert "is tentative: by the policy it admits nobody" in steps(answer)


def test_what_lies_beyond_the_days_that_are_known_is_not_denied_but_unknown(loaded):
    answer = ask("Mei", NOW + timedelta(days=20))
    assert "not known here" in steps(answer)
    assert answer.steps[-1].ok is None


def test_the_page_asks_whom_is_meant_and_shows_the_log(loaded, as_role):
    client = as_role(roles.SECURITY)
    door = Door.objects.get(name="Room door")
    page = reverse("explain")
    page_text = text(client.get(page, {"who": "MEI@pier.example", "door": door.pk, "at": "2026-03-10T10:00"}))
    assert "Mei can open Room door at 2026-03-10 10:00:00" in page_text
    assert "card.added" in page_text
    assert "1001" not in page_text
    assert "Who do you mean?" in text(client.get(page, {"who": "m", "door": door.pk}))
    assert "Nobody has this name" in text(client.get(page, {"who": "zzz", "door": door.pk}))
    assert "That is not a time" in text(client.get(page, {"who": "Mei", "door": door.pk, "at": "soon"}))


# Unmapped -------------------------------------------------------------------------------------------------------


def test_the_unmapped_come_in_the_order_in_which_it_will_hurt_and_are_mended_in_place(start_place, as_role):
    bookings = [
        booking("b2", "+0d 15:00", "+0d 16:00", organizer="late@pier.example", attendees=[]),
        booking("b1", "+0d 10:00", "+0d 11:00", organizer="Soon@pier.example", attendees=["mei@pier.example"]),
        booking("b0", "+0d 08:00", "+0d 08:30", organizer="gone@pier.example", attendees=[]),
    ]
    place = start_place(building(bookings=bookings))
    place.fetch()
    assert [one.email for one in coverage.people(NOW)] == ["soon@pier.example", "late@pier.example"]
    client = as_role(roles.FACILITY_STAFF)
    assert "soon@pier.example" in text(client.get(reverse("coverage")))
    client.post(reverse("fix-person"), {"email": "soon@pier.example", "name": "Sun", "number": "1001"})
    assert len(coverage.people(NOW)) == 2, "the card is somebody else's"
    assert not Cardholder.objects.filter(name="Sun").exists(), "nothing is half done"
    client.post(reverse("fix-person"), {"email": "soon@pier.example", "name": "Sun", "number": "7007"})
    assert [one.email for one in coverage.people(NOW)] == ["late@pier.example"]
    (desk,) = coverage.rooms(NOW)
    assert desk.external_id == "desk"
    side = Door.objects.get(name="Side door")
    client.post(reverse("fix-room"), {"external_id": "desk", "door": side.pk})
    assert coverage.rooms(NOW) == []
    scheduler.tick()
    place.fetch()
    place.reconcile()
    assert "7007" in place.cards()


def test_who_may_not_mend_is_offered_no_button_and_refused(loaded, as_role):
    Card.objects.filter(number="1002").delete()
    client = as_role(roles.SECURITY)
    assert reverse("fix-person") not in text(client.get(reverse("coverage")))
    body = {"email": "tom@pier.example", "number": "1"}
    assert client.post(reverse("fix-person"), body).status_code == 403
    assert client.post(reverse("fix-room"), {}).status_code == 403
    assert not Card.objects.filter(number="1").exists()


@pytest.mark.parametrize("name", ["boards", "explain", "coverage"])
def test_strangers_are_sent_to_the_login(db, client, name):
    assert "/admin/login/" in client.get(reverse(name)).url


def test_the_language_is_changed_in_the_header(loaded, as_role):
    client = as_role(roles.FACILITY_STAFF)
    client.post(reverse("set_language"), {"language": "zh-hant", "next": "/admin/"})
    assert 'lang="zh-hant"' in client.get("/admin/").content.decode()


def test_a_moment_is_taken_in_the_sites_own_zone(loaded, as_role):
    client = as_role(roles.SECURITY)
    door = Door.objects.get(name="Room door")
    Site.objects.update(time_zone="UTC")
    answer = client.get(reverse("explain"), {"who": "Mei", "door": door.pk, "at": "2026-03-10T02:00"})
    assert answer.context["answer"].opens
    assert answer.context["at"] == datetime(2026, 3, 10, 2, 0, tzinfo=UTC)

"""The map and the permissions over REST."""

import pghistory.models
import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from accessmap.models import AccessLevel, Card, Cardholder, Membership
from tests.entries import acts

pytestmark = pytest.mark.django_db


@pytest.fixture
def mei():
    return Cardholder.objects.create(name="Mei", email="Mei@pier.example")


@pytest.fixture
def levels():
    return [AccessLevel.objects.create(name=name) for name in ("Facilities", "Night")]


def test_a_person_is_entered_changed_found_and_taken_out_with_their_cards(hr, levels):
    made = hr("POST", "cardholders", {"email": " mei@pier.example", "name": "Mei", "access_levels": ["Night"]})
    assert made.status_code == 201, made.content
    person = made.json()["id"]
    assert made.json() == {"id": person, "email": "mei@pier.example", "name": "Mei", "access_levels": ["Night"]}
    card = hr("POST", "cards", {"cardholder": person, "number": "1001", "valid_until": "2026-03-10T09:00:00+08:00"})
    assert card.json()["valid_until"] == "2026-03-10T01:00:00Z"
    changed = hr("PATCH", f"cardholders/{person}", {"name": "Mei Ling", "access_levels": ["Facilities"]})
    assert (changed.json()["name"], changed.json()["access_levels"]) == ("Mei Ling", ["Facilities"])
    for path in ("cardholders?email=MEI@PIER.example", "cardholders?access_level=Facilities"):
        assert [row["id"] for row in hr("GET", path).json()["results"]] == [person]
    assert hr("GET", "cardholders?access_level=Night").json()["results"] == []
    assert hr("PATCH", f"cards/{card.json()['id']}", {"status": "lost"}).json()["status"] == "lost"
    assert Card.objects.get().status == "lost"
    assert hr("DELETE", f"cardholders/{person}").status_code == 204
    assert not Card.objects.exists()
    entries = list(acts().order_by("id"))
    assert [(e.actor, e.action) for e in entries] == [
        ("API key HR", "cardholder.created"),
        ("API key HR", "cardholder.changed"),
        ("API key HR", "cardholder.changed"),
        ("API key HR", "cardholder.changed"),
        ("API key HR", "card.lost"),
        ("API key HR", "cardholder.deleted"),
    ]
    assert {e.detail["key"] for e in entries if e.action != "card.lost"} == {hr.key.prefix}
    assert "1001" not in str([e.detail for e in entries])


def test_what_changes_nothing_says_nothing(hr, mei):
    assert hr("PATCH", f"cardholders/{mei.pk}", {"name": "Mei"}).status_code == 200
    assert not acts().exists()


def test_history_names_the_key(hr, mei, client):
    hr("PATCH", f"cardholders/{mei.pk}", {"name": "Mei Ling"})
    context = mei.events.get(name="Mei Ling").pgh_context
    assert isinstance(context, pghistory.models.Context)
    assert (context.metadata["actor"], context.metadata["api_key"]) == ("API key HR", hr.key.prefix)
    client.force_login(User.objects.create_superuser("chief"))
    assert "API key HR" in client.get(reverse("admin:accessmap_cardholder_history", args=[mei.pk])).content.decode()


@pytest.mark.parametrize(
    ("method", "path", "body", "field", "says"),
    [
        ("POST", "cardholders", {"email": "mei@PIER.example", "name": "M"}, "email", "already"),
        ("POST", "cardholders", {"email": "", "name": "M"}, "email", "blank"),
        ("POST", "cardholders", {"email": "x@y.example", "name": "M\nx"}, "name", "line break"),
        ("POST", "cardholders", {"email": "x@y.example", "name": "M", "mail": 1}, "mail", "There are: email, name"),
        (
            "POST",
            "cardholders",
            {"email": "x@y.example", "name": "M", "access_levels": ["No"]},
            "access_levels",
            "“No”",
        ),
        ("PATCH", "cardholders/{mei}", {"email": "tom@pier.example"}, "email", "already"),
        ("POST", "cards", {"cardholder": 10**12, "number": "5"}, "cardholder", "does not exist"),
        ("POST", "cards", {"cardholder": "{mei}", "number": "1001"}, "number", "already"),
        ("POST", "cards", {"cardholder": "{mei}", "number": "5 5"}, "number", "hyphens"),
        ("PATCH", "cards/{card}", {"valid_from": "2026-03-10T09:00:00"}, "valid_from", "time zone"),
        ("PATCH", "cards/{card}", {"valid_from": "1969-12-31T00:00:00+08:00"}, "valid_from", "1970"),
        ("PATCH", "cards/{card}", {"valid_until": "2020-01-01T00:00:00Z"}, "valid_until", "before it begins"),
        ("PATCH", "cards/{card}", {"number": "7"}, "number", "no such field"),
        ("GET", "cards?limit=201", None, "limit", "from 1 to 200"),
        ("GET", "cards?state=lost", None, "state", "no such field"),
        ("GET", "doors?name=x", None, "name", "no such field"),
        ("GET", "cards?cursor=cD1hYmM%3D", None, "cursor", "first page"),
    ],
)
def test_what_is_wrong_is_said_with_what(hr, mei, method, path, body, field, says):
    Cardholder.objects.create(name="Tom", email="tom@pier.example")
    card = Card.objects.create(cardholder=mei, number="1001", valid_from="2025-01-01T00:00:00Z")
    if body and body.get("cardholder") == "{mei}":
        body = {**body, "cardholder": mei.pk}
    answer = hr(method, path.format(mei=mei.pk, card=card.pk), body)
    said = answer.json()
    assert (answer.status_code, answer.headers["Content-Type"]) == (400, "application/problem+json"), said
    assert [error["field"] for error in said["errors"]] == [field]
    assert says in said["errors"][0]["message"]
    assert not acts().exists()


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "cardholders", b'{"email": ', 400),
        ("POST", "cardholders", b"[" * 100_000, 400),
        ("POST", "cardholders", b"[]", 400),
        ("POST", "cardholders", b" " * (1024 * 1024 + 1), 413),
        ("GET", "cardholders/99999999999999999999", None, 404),
        ("GET", "nothing", None, 404),
        ("POST", "nothing/else", b"{}", 404),
        ("POST", "doors", b"{}", 405),
        ("OPTIONS", "doors", None, 405),
    ],
)
def test_what_is_no_request_is_a_problem_too(hr, method, path, body, status):
    answer = hr(method, path, body)
    assert (answer.status_code, answer.json()["status"]) == (status, status)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["detail"]


def test_a_body_without_its_length_is_not_taken_for_none(hr):
    answer = hr("POST", "cardholders", None, **{"transfer-encoding": "chunked"})
    assert (answer.status_code, "Content-Length" in answer.json()["detail"]) == (411, True)


def test_pages_are_bounded_and_nothing_is_skipped_or_doubled_when_rows_come_and_go(hr):
    people = Cardholder.objects.bulk_create(Cardholder(name=f"p{i}", email=f"p{i}@x.example") for i in range(7))
    first = hr("GET", "cardholders?limit=3").json()
    people[1].delete()
    Cardholder.objects.create(name="new", email="new@x.example")
    seen, address = first["results"], first["next"]
    while address:
        page = hr("GET", address.split("/api/v1/")[1]).json()
        seen, address = seen + page["results"], page["next"]
    assert [row["name"] for row in seen] == ["p0", "p1", "p2", "p3", "p4", "p5", "p6", "new"]


def test_lists_ask_the_database_the_same_few_questions_however_long_they_are(place, hr, django_assert_max_num_queries):
    place.refresh()
    place.reconcile()
    level = AccessLevel.objects.get()
    more = Cardholder.objects.bulk_create(Cardholder(name=f"p{i}", email=f"p{i}@x.example") for i in range(100))
    Membership.objects.bulk_create(Membership(cardholder=person, access_level=level) for person in more)
    for path in ("cardholders", "cards", "access-levels", "resources", "doors", "permissions"):
        with django_assert_max_num_queries(6) as asked:  # two of them for the key
            assert hr("GET", f"{path}?limit=200").status_code == 200
        assert not [query for query in asked if "COUNT(" in query["sql"].upper()], path


def test_permissions_say_who_may_pass_when_why_and_whether_the_controller_knows(place, hr, caller):
    place.refresh()
    place.reconcile()
    rows = {row["number"]: row for row in hr("GET", "permissions").json()["results"]}
    assert rows.keys() == {"1001", "1002", "1003"}
    mei, fay = rows["1001"], rows["1003"]
    card = Card.objects.get(number="1001")
    door = next(row for row in hr("GET", "doors").json()["results"] if row["name"] == "Room door")
    assert (mei["card"], mei["cardholder"], mei["controller"], mei["state"]) == (
        card.pk,
        card.cardholder_id,
        "box",
        "in_step",
    )
    assert mei["permissions"] == [
        {
            "door": door["id"],
            "door_number": 1,
            "starts_at": "2026-03-10T01:45:00Z",
            "ends_at": "2026-03-10T03:10:00Z",
            "because": ["booking:b1"],
        }
    ]
    assert [(p["starts_at"], p["ends_at"], p["because"]) for p in fay["permissions"]] == [
        (None, None, ["level:facilities"])
    ]
    attic = next(row for row in hr("GET", "doors").json()["results"] if row["name"] == "Attic door")
    for asked, found in (
        (f"cardholder={card.cardholder_id}", {"1001"}),
        (f"door={door['id']}", {"1001", "1002", "1003"}),
        (f"door={attic['id']}", set()),
        ("state=in_step", {"1001", "1002", "1003"}),
    ):
        assert {row["number"] for row in hr("GET", f"permissions?{asked}").json()["results"]} == found
    assert hr("GET", "permissions?state=failed").json()["results"] == []
    from accessmap.api.models import Scope

    masked = caller(Scope.READ_PERMISSIONS)("GET", "permissions").content.decode()
    assert "1001" not in masked


def test_a_card_reported_lost_is_out_of_the_box(place, hr):
    """From HR's call to the controller, end to end."""
    from doorsync.work import scheduler

    place.refresh()
    place.reconcile()
    assert "1001" in place.cards()
    card = Card.objects.get(number="1001")
    before = place.sync().requested
    hr("PATCH", f"cards/{card.pk}", {"status": "lost"})
    scheduler.tick()
    assert place.sync().requested > before, "the tick has noticed"
    place.reconcile()
    assert "1001" not in place.cards()

"""Many people at once: what is named is made so, row by row, and what is not named is left alone."""

import pytest

from accessmap.models import AccessLevel, Card, Cardholder, MapRevision, Membership
from portal.audit.models import Entry
from tests.entries import acts

pytestmark = pytest.mark.django_db


@pytest.fixture
def mei():
    mei = Cardholder.objects.create(name="Mei", email="Mei@pier.example")
    Card.objects.create(cardholder=mei, number="1001")
    Card.objects.create(cardholder=mei, number="1002", status="lost", valid_from="2026-01-01T00:00:00Z")
    for name in ("Facilities", "Night"):
        Membership.objects.create(cardholder=mei, access_level=AccessLevel.objects.create(name=name))
    Membership.objects.filter(access_level__name="Night").delete()
    return mei


@pytest.fixture
def send(hr):
    def put(*rows, query=""):
        answer = hr("PUT", f"cardholders/bulk{query}", {"cardholders": rows})
        assert answer.status_code in (200, 422), answer.content
        return answer.json()

    return put


def outcomes(answer):
    return [row["outcome"] for row in answer["results"]]


def levels(person):
    return sorted(person.access_levels.values_list("name", flat=True))


def cards(person):
    return dict(person.cards.values_list("number", "status"))


def test_people_are_found_by_email_whatever_its_case_and_made_where_there_are_none(send, mei):
    answer = send(
        {"email": "MEI@PIER.example", "name": "Mei Ling"},
        {"email": "tom@pier.example", "name": "Tom", "cards": [{"number": "2001"}], "access_levels": ["Night"]},
    )
    assert outcomes(answer) == ["updated", "created"]
    assert (answer["created"], answer["updated"], answer["unchanged"], answer["refused"]) == (1, 1, 0, 0)
    tom = Cardholder.objects.get(email="tom@pier.example")
    assert [row["id"] for row in answer["results"]] == [mei.pk, tom.pk]
    assert (cards(tom), levels(tom)) == ({"2001": "active"}, ["Night"])
    mei.refresh_from_db()
    assert mei.name == "Mei Ling"
    entries = acts().order_by("object_label").values_list("actor", "action", "object_id")
    assert list(entries) == [
        ("API key HR", "cardholder.changed", str(mei.pk)),
        ("API key HR", "cardholder.created", str(tom.pk)),
    ]


def test_what_is_not_named_is_left_alone(send, mei):
    other = Cardholder.objects.create(name="Other", email="other@pier.example")
    answer = send(
        {
            "email": "mei@pier.example",
            "name": "Mei",
            "cards": [{"number": "1002", "valid_until": "2027-01-01T00:00:00Z"}, {"number": "1003"}],
            "access_levels": ["Night"],
        }
    )
    assert outcomes(answer) == ["updated"]
    assert cards(mei) == {"1001": "active", "1002": "lost", "1003": "active"}, "a status not said stays"
    changed = Card.objects.get(number="1002")
    assert (changed.valid_from.year, changed.valid_until.year) == (2026, 2027)
    assert levels(mei) == ["Facilities", "Night"]
    assert Cardholder.objects.filter(pk=other.pk).exists()


def test_a_row_that_says_so_takes_away_what_it_does_not_name_and_of_its_own_person_only(send, mei):
    tom = Cardholder.objects.create(name="Tom", email="tom@pier.example")
    Card.objects.create(cardholder=tom, number="2001")
    Membership.objects.create(cardholder=tom, access_level=AccessLevel.objects.get(name="Facilities"))
    rows = [
        {"email": "mei@pier.example", "name": "Mei", "cards": [{"number": "1002"}], "replace_cards": True},
        {"email": "tom@pier.example", "name": "Tom", "cards": [], "access_levels": []},
    ]
    assert outcomes(send(*rows)) == ["updated", "unchanged"]
    assert (cards(mei), levels(mei)) == ({"1002": "lost"}, ["Facilities"])
    assert (cards(tom), levels(tom)) == ({"2001": "active"}, ["Facilities"])
    assert acts().get().detail["cards"][0] == {
        "card": "••••",
        "what": "removed",
        "status": "active",
        "valid_from": None,
        "valid_until": None,
    }
    row = {"email": "mei@pier.example", "name": "Mei", "access_levels": ["Night"], "replace_access_levels": True}
    send(row)
    assert levels(mei) == ["Night"]
    for name in ("cards", "access_levels"):
        answer = send({"email": "mei@pier.example", "name": "Mei", f"replace_{name}": True})
        assert answer["results"][0]["errors"][0]["field"] == f"replace_{name}"
    assert cards(mei) == {"1002": "lost"}


@pytest.mark.parametrize(
    ("wrong", "field", "says"),
    [
        ({"email": "nonsense"}, "email", "valid email"),
        ({"email": None}, "email", "null"),
        ({"name": ""}, "name", "blank"),
        ({"nickname": "x"}, "nickname", "no such field"),
        ({"access_levels": ["Night", "Moon"]}, "access_levels", "“Moon”"),
        ({"cards": [{"number": "1001"}]}, "cards.0.number", "somebody else"),
        ({"cards": [{"number": "7"}, {"number": "7"}]}, "cards", "named twice"),
        ({"cards": [{"number": "7"}, {"number": "a b"}]}, "cards.1.number", "hyphens"),
        ({"cards": [{"number": "7", "status": "stolen"}]}, "cards.0.status", "stolen"),
        ({"cards": [{"number": "7", "valid_from": "2026-03-10T09:00:00"}]}, "cards.0.valid_from", "time zone"),
        (
            {"cards": [{"number": "7", "valid_from": "2026-03-10T09:00Z", "valid_until": "2026-03-10T09:00Z"}]},
            "cards.0.valid_until",
            "before it begins",
        ),
        ({"cards": [{"number": str(n)} for n in range(21)]}, "cards", "20"),
    ],
)
def test_a_row_that_is_wrong_says_why_and_is_not_half_applied_while_the_others_go_ahead(send, mei, wrong, field, says):
    good = {"email": "good@pier.example", "name": "Good", "cards": [{"number": "9001"}]}
    bad = {
        "email": "bad@pier.example",
        "name": "Bad",
        "cards": [{"number": "8001"}],
        "access_levels": ["Night"],
        **wrong,
    }
    answer = send({**bad, **wrong}, good)
    assert outcomes(answer) == ["refused", "created"]
    error = answer["results"][0]["errors"][0]
    assert error["field"] == field
    assert says in error["message"]
    assert set(Cardholder.objects.values_list("name", flat=True)) == {"Mei", "Good"}
    assert set(Card.objects.values_list("number", flat=True)) == {"1001", "1002", "9001"}
    assert cards(mei)["1001"] == "active"
    assert acts().count() == 1


def test_a_change_of_a_known_person_is_not_half_applied_either(send, mei):
    row = {
        "email": "mei@pier.example",
        "name": "Changed",
        "cards": [{"number": "1001", "status": "lost"}],
        "replace_cards": True,
        "access_levels": ["Moon"],
        "replace_access_levels": True,
    }
    assert outcomes(send(row)) == ["refused"]
    mei.refresh_from_db()
    assert (mei.name, cards(mei), levels(mei)) == ("Mei", {"1001": "active", "1002": "lost"}, ["Facilities"])
    assert not acts().exists()


def test_rows_that_contradict_each_other_are_told(send):
    answer = send(
        {"email": "a@x.example", "name": "A", "cards": [{"number": "1"}]},
        {"email": "A@X.example", "name": "B"},
        {"email": "c@x.example", "name": "C", "cards": [{"number": "1"}]},
        "what?",
    )
    assert outcomes(answer) == ["created", "refused", "refused", "refused"]
    messages = [row["errors"][0]["message"] for row in answer["results"][1:]]
    assert "Row 0 names this email" in messages[0]
    assert "Row 0 gives this card" in messages[1]
    assert [row["email"] for row in answer["results"]] == ["a@x.example", "A@X.example", "c@x.example", None]


def test_all_or_nothing_where_that_is_asked_for(send, hr, mei):
    good = {"email": "good@pier.example", "name": "Good"}
    refused = hr("PUT", "cardholders/bulk?atomic=true", {"cardholders": [good, {"email": "bad", "name": "B"}]})
    assert (refused.status_code, refused.headers["Content-Type"]) == (422, "application/problem+json")
    assert outcomes(refused.json()) == ["not_applied", "refused"]
    assert Cardholder.objects.count() == 1
    assert not acts().exists()
    assert outcomes(send(good, query="?atomic=true")) == ["created"]


def test_what_is_sent_again_changes_nothing_and_wakes_no_controller(send):
    rows = [
        {"email": f"p{n}@x.example", "name": f"P{n}", "cards": [{"number": str(n)}], "replace_cards": True}
        for n in range(10)
    ]
    send(*rows)
    revision, told = MapRevision.current(), acts().count()
    assert outcomes(send(*rows)) == ["unchanged"] * 10
    assert (MapRevision.current(), acts().count()) == (revision, told)


def test_a_thousand_people_are_a_few_statements(hr, django_assert_max_num_queries):
    AccessLevel.objects.create(name="Night")
    rows = [
        {
            "email": f"p{n}@x.example",
            "name": f"P{n}",
            "cards": [{"number": f"{n}-1"}, {"number": f"{n}-2"}],
            "access_levels": ["Night"],
        }
        for n in range(1000)
    ]
    before = MapRevision.current()
    with django_assert_max_num_queries(25):
        assert hr("PUT", "cardholders/bulk", {"cardholders": rows}).json()["created"] == 1000
    assert Card.objects.count() == 2000
    assert MapRevision.current() - before <= 5
    for row in rows:
        row["name"] += "!"
        row["cards"][0]["status"] = "lost"
    with django_assert_max_num_queries(35):
        assert hr("PUT", "cardholders/bulk", {"cardholders": rows}).json()["updated"] == 1000
    assert Card.objects.filter(status="lost").count() == 1000
    assert Entry.objects.filter(action="card.lost").count() == 1000, (
        "whoever looks for lost cards in the log finds them"
    )
    rows.append({"email": "more@x.example", "name": "More"})
    assert "at most 1000" in hr("PUT", "cardholders/bulk", {"cardholders": rows}).json()["errors"][0]["message"]


@pytest.mark.parametrize("body", [[], {}, {"cardholders": {}}, {"cardholders": [], "atomic": True}, "x", None])
def test_another_body_is_no_bulk(hr, body):
    assert hr("PUT", "cardholders/bulk", body).status_code == 400

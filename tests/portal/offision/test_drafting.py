"""Contracts drafted from servers' own documents."""

import json
import tomllib
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import portal.sandbox
from portal.offision.contract import Contract
from portal.offision.drafting.contract import draft_contract
from portal.offision.drafting.matching import meaning, words
from portal.offision.drafting.openapi import Document, enum_of
from portal.offision.drafting.text import comment, toml
from portal.offision.errors import ContractError
from portal.offision.statuses import BookingStatus, VisitStatus
from tests.portal.offision.documents import AMBIGUOUS, SWAGGER_2
from tests.portal.offision.server import Server, say
from tests.portal.offision.test_client import MakeClient

CLEAR = Path(portal.sandbox.__file__).with_name("openapi.json")


def drafted_from(text: str, path: Path) -> str:
    path.write_text(text)
    return draft_contract(Document.load(path), source=path.name)


def test_a_clear_document_gives_the_shipped_contract_without_a_question(contract: Contract) -> None:
    text = draft_contract(Document.load(CLEAR), source="openapi.json")
    assert "QUESTION:" not in text
    drafted = Contract.parse(text, name="draft")
    assert drafted.operations.keys() == contract.operations.keys()
    for name, operation in drafted.operations.items():
        shipped = contract.operations[name]
        assert (operation.method, operation.path) == (shipped.method, shipped.path)
        assert (operation.query, operation.body) == (shipped.query, shipped.body)
        assert {field: found.text for field, found in operation.fields.items()} == {
            field: found.text for field, found in shipped.fields.items()
        }
    assert drafted.words == contract.words
    assert drafted.subscription.scope == "all"


@pytest.fixture
def swagger_2(tmp_path: Path) -> str:
    return drafted_from(SWAGGER_2, tmp_path / "swagger.yaml")


def test_swagger_2_with_numbers_refs_and_circles(swagger_2: str) -> None:
    contract = Contract.parse(swagger_2, name="draft")
    bookings = contract.operations["daily_bookings"]
    assert contract.auth.style == "basic"
    assert contract.times.format == "epoch_milliseconds"
    assert bookings.path == "/API/external/booking/v2/BookableResource/{resource_id}/Bookings"
    assert bookings.query == {
        "StartDate": "{from}T00:00:00",
        "EndDate": "{until}T23:59:59",
        "detail": "full",
    }
    assert bookings.page is not None
    assert (bookings.page.parameter, bookings.page.first) == ("PageIndex", 0)
    assert bookings.status == "confirmed"
    assert contract.words.booking_status(0) is BookingStatus.CONFIRMED
    assert contract.words.booking_status(2) is BookingStatus.NO_SHOW
    assert contract.words.booking_status(4) is BookingStatus.UNKNOWN
    assert contract.words.visit_status(1) is VisitStatus.CHECKED_IN
    assert contract.words.visit_status(9) is VisitStatus.UNKNOWN
    assert contract.operations["subscribe"].body == {
        "Url": "{callback_url}",
        "ResourceIds": ["{resource_id:number}"],
    }
    assert contract.subscription.scope == "per_resource"
    assert contract.operations["visit"].method == "POST"


def test_open_points_become_questions(swagger_2: str) -> None:
    questions = [line for line in swagger_2.splitlines() if line.startswith("# QUESTION:")]
    assert len(questions) == 4
    asked = " ".join(questions)
    for word in ("Which codes say no", "EventType is required", "4 (Active)", "9 (Overdue)"):
        assert word in asked
    assert '# in body: EventType = "appointment"' in swagger_2


def test_a_drafted_contract_reads_bookings(swagger_2: str, make_client: MakeClient, server: Server) -> None:
    person = {"Email": "a@harbour.example", "DisplayName": "Ada"}
    booking = {
        "BookingId": 5,
        "StartTime": 1741568400000,
        "EndTime": 1741572000000,
        "BookingStatus": 1,
        "Host": person,
        "Participants": [person, {"Email": None}],
    }
    server.answers["GET", "/API/external/booking/v2/BookableResource/12/Bookings"] = say(
        {"Data": [booking], "TotalCount": 1}
    )
    client = make_client(contract=Contract.parse(swagger_2, name="draft"))
    (read,) = client.bookings("12", date(2025, 3, 10), date(2025, 3, 11)).bookings
    assert (read.id, read.status, read.organizer_name) == ("5", BookingStatus.CHECKED_IN, "Ada")
    assert read.starts_at == datetime(2025, 3, 10, 1, tzinfo=UTC)
    assert read.attendee_emails == ("a@harbour.example", "")


def freed(text: str, title: str) -> str:
    """The draft with one # taken from each line of the block below `title`, as an installer does."""
    lines = text.splitlines()
    start = next(number for number, line in enumerate(lines) if title in line)
    end = next(number for number, line in enumerate(lines) if number > start and not line.startswith("# "))
    return "\n".join([*lines[:start], *(line[2:] for line in lines[start:end]), *lines[end:]])


def test_an_ambiguous_document_is_loadable_once_its_questions_are_answered(tmp_path: Path) -> None:
    text = drafted_from(json.dumps(AMBIGUOUS), tmp_path / "openapi.json")
    assert "daily_bookings" not in Contract.parse(text, name="draft").operations
    answered = freed(text, "GET /api/v9/private/rooms/{room-id}/bookings")
    with pytest.raises(ContractError, match=r"daily_bookings\.fields\.status: is missing"):
        Contract.parse(answered, name="draft")
    answered = answered.replace('# fields.status = "booking.state"', 'fields.status = "booking.state"')
    bookings = Contract.parse(answered, name="draft").operations["daily_bookings"]
    assert bookings.path == "/api/v9/private/rooms/{resource_id}/bookings"
    assert bookings.query == {"day": "{date}"}
    assert bookings.records is not None
    record = {"start-time": "x", "until": "y", "guestMails": ["g@x.example"]}
    assert bookings.records.read([record]) == [record]
    assert bookings.fields["starts_at"].read(record) == "x"
    assert bookings.fields["attendee_emails"].read(record) == ["g@x.example"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "neither JSON nor YAML"),
        ("a: [", "neither JSON nor YAML"),
        ("[" * 5_000, "neither JSON nor YAML"),
        ("[]", "no paths"),
        ('{"openapi": "3.0.0"}', "no paths"),
        ('{"paths": []}', "no paths"),
    ],
)
def test_files_that_are_no_document(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ContractError, match=words):
        drafted_from(text, tmp_path / "document")


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#/components/schemas/Me"},
        {"$ref": "https://elsewhere.example/x.json"},
        {"allOf": [{"$ref": "#/components/schemas/Me"}]},
        {"type": "array", "items": {"$ref": "#/components/schemas/Me"}},
        {"type": "object", "properties": {f"p{n}": {"$ref": "#/components/schemas/Me"} for n in range(30)}},
        {"oneOf": []},
        {"properties": []},
        {"allOf": "x", "enum": "y", "required": 3},
        5,
    ],
)
def test_circles_and_nonsense_are_bounded(tmp_path: Path, schema: Any) -> None:
    answer = {"200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Me"}}}}}
    document = {
        "paths": {
            "/r": {
                "get": {
                    "summary": "Get bookable resource daily booking list",
                    "responses": answer,
                    "requestBody": {"content": {"application/json": {"schema": schema}}},
                    "parameters": [None, {"name": "id"}, {"name": "page", "in": "query"}],
                },
                "post": {"summary": "Subscribe resource appointment change", "responses": answer},
                "put": None,
            },
            "/s": None,
        },
        "components": {"schemas": {"Me": schema}},
    }
    tomllib.loads(drafted_from(json.dumps(document), tmp_path / "document"))


def test_text_of_a_document_stays_within_its_comment(tmp_path: Path) -> None:
    document = json.loads(CLEAR.read_text())
    path = "/API/external/booking/v1/resources/{id}/daily-bookings"
    document["paths"][path]["get"]["tags"] = ['x\n[auth]\nstyle = "basic"', "\u2028\r\x85y"]
    Contract.parse(drafted_from(json.dumps(document), tmp_path / "openapi.json"), name="draft")


@given(st.text(), st.text())
def test_toml_strings_survive(name: str, value: str) -> None:
    ours = value.encode("utf-8", "replace").decode()
    assert tomllib.loads(f"a = {toml([value, {'k' + name: True}])}")["a"][0] == ours
    assert "\n" not in comment(value)
    assert tomllib.loads(comment(value)) == {}


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"enum": ["a"]}, [("a", "a")]),
        ({"enum": [1, 2], "x-enum-varnames": ["A", "B"]}, [(1, "A"), (2, "B")]),
        ({"enum": [1, 2], "x-enum-varnames": ["A"]}, [(1, "1"), (2, "2")]),
        ({"enum": [1], "x-ms-enum": {"values": [{"value": 1, "name": "A"}]}}, [(1, "A")]),
        ({"oneOf": [{"const": 1, "title": "A"}, {"const": 2}]}, [(1, "A"), (2, "2")]),
        ({"enum": [0, 1], "description": "0 - Pending, 1 - No show"}, [(0, "Pending"), (1, "No show")]),
        ({"type": "integer", "description": "0=Pending; 1=Confirmed"}, [(0, "Pending"), (1, "Confirmed")]),
        ({"type": "string", "description": "free text"}, []),
    ],
)
def test_enums_and_their_names(schema: dict[str, Any], expected: list[tuple[Any, str]]) -> None:
    assert enum_of(schema) == expected


@pytest.mark.parametrize("name", ["resourceID", "resource_id", "Resource Id", "ResourceId", "resource-id"])
def test_names_in_any_style(name: str) -> None:
    assert words(name) == ["resource", "id"]


@pytest.mark.parametrize(
    ("name", "means"),
    [
        ("CheckedIn", "checked_in"),
        ("CHECKED_IN", "checked_in"),
        ("BookingStatusNoShow", "no_show"),
        ("Canceled", "cancelled"),
        ("Active", None),
        ("Approved", None),
        ("", None),
    ],
)
def test_only_unambiguous_words_have_a_meaning(name: str, means: str | None) -> None:
    assert meaning("booking", name) == means

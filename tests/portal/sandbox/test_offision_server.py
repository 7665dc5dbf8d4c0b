"""The pretend Offision, asked over real sockets."""

import base64
import json
import queue
import re
from collections.abc import Callable
from http.client import HTTPConnection
from typing import Any

import pytest
import requests
from werkzeug.wrappers import Request, Response

from portal.buildings.model import Building
from portal.sandbox import callbacks, offision_state
from portal.sandbox.offision_server import OffisionServer
from tests.portal.sandbox.conftest import TODAY, TOKEN, Client

BOOKING = "/API/external/booking/v1"
SUBSCRIPTIONS = f"{BOOKING}/resource-appointment-subscriptions"
ROOM_1 = f"{BOOKING}/resources/r%2F1/daily-bookings"
INFORMATION = "/API/external/system/v1/information"
VISITS = "/API/external/receptionist/v1/visits"


class Listener:
    """A subscriber that keeps what it is told."""

    def __init__(self, serve: Callable[[Any], int], status: int = 202) -> None:
        self.heard: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()

        @Request.application
        def app(request: Request) -> Response:
            self.heard.put(json.loads(request.get_data()))
            return Response(status=status)

        self.url = f"http://127.0.0.1:{serve(app)}/callback"

    def next(self) -> dict[str, Any]:
        return self.heard.get(timeout=10)


def items(response: requests.Response) -> list[dict[str, Any]]:
    assert response.status_code == 200, response.text
    found: list[dict[str, Any]] = response.json()["data"]["items"]
    return found


def finished(offision: Client) -> dict[str, Any]:
    """The status, once everything is played and called."""
    while True:
        status: dict[str, Any] = offision("GET", "/sandbox/status").json()
        if status["finished"]:
            return status


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        (TOKEN, 200),
        ("Basic " + base64.b64encode(f"{TOKEN}:".encode()).decode(), 200),
        ("Basic " + base64.b64encode(f"{TOKEN}:x".encode()).decode(), 401),
        ("Basic " + base64.b64encode(f":{TOKEN}".encode()).decode(), 401),
        (f"Bearer {TOKEN}", 401),
        (TOKEN[:-1], 401),
        ("\xe9", 401),
        (None, 401),
    ],
)
def test_the_token(offision: Client, authorization: str | None, status: int):
    answer = offision("GET", INFORMATION, headers={"Authorization": authorization})
    assert answer.status_code == status
    assert TOKEN not in answer.text
    # Without the token not even what is there and what is not is told.
    assert offision("GET", "/API/none", headers={"Authorization": authorization}).status_code in (404, 401)


def test_the_sandbox_asks_for_no_token(offision: Client):
    assert offision("GET", "/sandbox/status", headers={"Authorization": None}).status_code == 200


def on(offision: Client, day: str) -> list[str]:
    return [booking["id"] for booking in items(offision("GET", f"{ROOM_1}?date={day}"))]


def test_daily_bookings_are_those_that_overlap_the_day(offision: Client):
    assert on(offision, "2026-03-10") == ["b1", "back", "night"]
    assert on(offision, "2026-03-11") == ["night"]
    assert on(offision, "2026-03-09") == []
    first = items(offision("GET", f"{ROOM_1}?date=2026-03-10"))[0]
    assert first["startTime"] == "2026-03-10T09:00:00+08:00"
    assert first["organizer"] == {"name": "Mei Ling Wong", "email": "Mei@pier.example"}
    assert [attendee["email"] for attendee in first["attendees"]] == ["", "guest@away.example"]


def test_a_booking_that_ends_at_midnight_is_not_on_the_next_day(offision: Client):
    change = {"update": "night", "set": {"end": "+1d 00:00"}}
    assert offision("POST", "/sandbox/change", change).status_code == 200
    assert on(offision, "2026-03-11") == []


def test_a_resource_that_only_a_booking_names_is_a_resource(offision: Client):
    assert {"id": "r9", "name": "r9"} in items(offision("GET", f"{BOOKING}/resources"))
    assert len(items(offision("GET", f"{BOOKING}/resources/r9/daily-bookings?date=2026-03-10"))) == 1
    assert offision("GET", f"{BOOKING}/resources/r0/daily-bookings?date=2026-03-10").status_code == 404


@pytest.mark.parametrize(
    "query",
    ["", "?date=today", "?date=9999-12-31", "?date=0001-01-01", "?date=2026-03-10&page=0", "?date=2026-03-10&page=x"],
)
def test_bad_questions(offision: Client, query: str):
    assert offision("GET", ROOM_1 + query).status_code == 400


def test_pages(offision: Client):
    for number in range(98):
        booking = {"id": f"n{number}", "resource": "r2", "start": "+0d 09:00", "end": "+0d 10:00"}
        assert offision("POST", "/sandbox/change", {"create": booking}).status_code == 200
    where = f"{BOOKING}/resources/r2/daily-bookings?date=2026-03-10&page="
    pages = [items(offision("GET", f"{where}{page}")) for page in (1, 2, 3)]
    assert [len(page) for page in pages] == [50, 48, 0]
    assert len({booking["id"] for page in pages for booking in page}) == 98
    assert offision("GET", f"{where}1").json()["data"]["pageCount"] == 2


def test_subscriptions_come_and_go(offision: Client):
    made = offision("POST", SUBSCRIPTIONS, {"callURL": "http://127.0.0.1:9/x", "resourceId": "r2"})
    assert made.status_code == 201
    assert items(offision("GET", SUBSCRIPTIONS)) == [made.json()["data"]]
    gone = f"{SUBSCRIPTIONS}/{made.json()['data']['id']}"
    assert [offision("DELETE", gone).status_code for _ in range(2)] == [204, 404]
    assert items(offision("GET", SUBSCRIPTIONS)) == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"callURL": "ftp://x/"}, 422),
        ({"callURL": "http://[x"}, 422),
        ({"callURL": "x" * 3000}, 422),
        ({}, 422),
        ([], 422),
        ({"callURL": "http://127.0.0.1/", "resourceId": "r0"}, 404),
    ],
)
def test_bad_subscriptions(offision: Client, body: Any, status: int):
    assert offision("POST", SUBSCRIPTIONS, body).status_code == status


def test_a_change_calls_back_those_who_asked_for_its_rooms(offision: Client, serve: Callable[[Any], int]):
    everything, only_r2 = Listener(serve), Listener(serve)
    offision("POST", SUBSCRIPTIONS, {"callURL": everything.url})
    offision("POST", SUBSCRIPTIONS, {"callURL": only_r2.url, "resourceId": "r2"})
    new = {"id": "new", "resource": "r/1", "start": "+0d 09:00", "end": "+0d 10:00"}
    offision("POST", "/sandbox/change", {"create": new})
    told = everything.next()
    assert (told["event"], told["resourceId"], told["appointmentId"]) == ("appointment.created", "r/1", "new")
    # The one that moves is news for the room that it leaves, too.
    moved = offision("POST", "/sandbox/change", {"update": "new", "set": {"resource": "r2"}})
    assert moved.json()["resourceId"] == "r2"
    assert {everything.next()["resourceId"] for _ in range(2)} == {"r/1", "r2"}
    assert only_r2.next()["event"] == "appointment.updated"
    assert offision("POST", "/sandbox/change", {"delete": "new"}).json()["id"] == "new"
    assert everything.next()["event"] == only_r2.next()["event"] == "appointment.deleted"
    assert everything.heard.empty()
    assert only_r2.heard.empty()


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"update": "nothing", "set": {}}, 409),
        ({"delete": "nothing"}, 409),
        ({"create": {"id": "b1", "resource": "r2", "start": "+0d 09:00", "end": "+0d 10:00"}}, 409),
        ({"update": "b1", "set": {"colour": 1}}, 422),
        ({"update": "b1"}, 422),
        ({}, 422),
    ],
)
def test_changes_that_cannot_be_made_change_nothing(offision: Client, change: Any, status: int):
    before = offision("GET", "/sandbox/bookings").json()
    assert offision("POST", "/sandbox/change", change).status_code == status
    assert offision("GET", "/sandbox/bookings").json() == before


def test_the_play_with_callbacks_once_lost_twice_and_late(
    offision: Client, serve: Callable[[Any], int], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(offision_state, "LATE_SECONDS", 0.1)
    listener = Listener(serve)
    offision("POST", SUBSCRIPTIONS, {"callURL": listener.url})
    assert offision("GET", "/sandbox/status").json()["finished"] is False
    assert offision("POST", "/sandbox/play").status_code == 202
    assert offision("POST", "/sandbox/play").status_code == 409
    status = finished(offision)
    assert (status["played"], status["of"]) == (4, 4)
    assert (status["callbacks_sent"], status["callback_failures"]) == (4, 0)  # 1 late + 1 + 2 + 0 lost
    assert {listener.next()["event"] for _ in range(4)} == {"appointment.updated"}
    assert listener.heard.empty()
    assert [b["id"] for b in offision("GET", "/sandbox/bookings").json()["bookings"]] == ["night", "back", "odd"]


def test_finished_waits_for_the_late_ones(
    offision: Client, serve: Callable[[Any], int], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(offision_state, "LATE_SECONDS", 600)
    listener = Listener(serve)
    offision("POST", SUBSCRIPTIONS, {"callURL": listener.url})
    offision("POST", "/sandbox/play")
    for _ in range(3):
        listener.next()
    while (status := offision("GET", "/sandbox/status").json())["played"] < 4 or status["callbacks_sent"] < 3:
        pass
    assert status["finished"] is False


def test_calls_that_fail_are_counted_and_stop_nothing(offision: Client, serve: Callable[[Any], int]):
    angry = Listener(serve, status=500)
    offision("POST", SUBSCRIPTIONS, {"callURL": "http://127.0.0.1:1/nobody"})
    offision("POST", SUBSCRIPTIONS, {"callURL": angry.url})
    offision("POST", "/sandbox/play")
    status = finished(offision)
    assert (status["callbacks_sent"], status["callback_failures"]) == (8, 8)


def test_booking_requests_are_counted(offision: Client):
    on(offision, "2026-03-10")
    on(offision, "2026-03-11")
    assert offision("GET", "/sandbox/status").json()["booking_requests"] == 2


def test_visits(offision: Client):
    assert offision("GET", f"{VISITS}/phx1").status_code == 404, "case counts"
    visit = offision("GET", f"{VISITS}/PHX1").json()["data"]
    assert (visit["code"], visit["status"], visit["site"]) == ("PHX1", "expected", None)
    assert visit["validUntil"] == "2026-03-10T18:00:00+08:00"
    moves = ["check-out", "check-in", "check-in", "check-out", "check-in"]
    answers = [offision("POST", f"{VISITS}/PHX1/{move}") for move in moves]
    assert [answer.status_code for answer in answers] == [409, 200, 409, 200, 409]
    assert answers[1].json()["data"]["status"] == "checked_in"
    assert offision("GET", f"{VISITS}/PHX1").json()["data"]["status"] == "checked_out"
    assert offision("POST", f"{VISITS}/PHX2/check-in").status_code == 409
    assert offision("GET", f"{VISITS}/NONE").status_code == 404


def fault(offision: Client, **faults: Any) -> None:
    assert offision("PUT", "/sandbox/faults", faults).status_code == 200


def test_faults(offision: Client):
    where = f"{ROOM_1}?date=2026-03-10"
    for mode, status in {"unauthorized": 401, "error": 500}.items():
        fault(offision, mode=mode)
        assert offision("GET", where).status_code == status
    fault(offision, mode="html")
    assert "<h1>" in offision("GET", where).text
    fault(offision, mode="empty")
    assert items(offision("GET", where)) == []
    fault(offision, mode="nonsense")
    assert isinstance(offision("GET", where).json(), list)
    fault(offision, mode="huge")
    with offision("GET", where, stream=True) as huge:
        assert int(huge.headers["Content-Length"]) == 50 * 1024 * 1024
    fault(offision, mode="refuse")
    with pytest.raises(requests.ConnectionError):
        offision("GET", where)
    assert offision("GET", "/sandbox/status").status_code == 200
    fault(offision)
    assert len(items(offision("GET", where))) == 3
    assert offision("PUT", "/sandbox/faults", {"mode": "tired"}).status_code == 422


def test_a_stall_holds_until_the_fault_is_lifted(offision: Client):
    fault(offision, mode="stall", seconds=600)
    with pytest.raises(requests.ReadTimeout):
        offision.session.get(offision.base + INFORMATION, timeout=0.05)
    fault(offision)
    assert offision("GET", INFORMATION).status_code == 200


def test_one_connection_serves_many_requests(offision: Client):
    connection = HTTPConnection(offision.base.removeprefix("http://"), timeout=10)
    connection.connect()
    socket = connection.sock
    for _ in range(3):
        for method, path in (("GET", INFORMATION), ("POST", SUBSCRIPTIONS), ("DELETE", "/sandbox/none")):
            # Answered without a look at the body, which must not be taken for the next request.
            connection.request(method, path, body=b"GET / HTTP/1.1", headers={})
            assert connection.getresponse().read()
            assert connection.sock is socket
    connection.close()


def test_bodies_are_bounded(offision: Client):
    too_much = offision.session.post(offision.base + SUBSCRIPTIONS, data=b"x" * (1024 * 1024 + 1), timeout=10)
    assert too_much.status_code == 413
    chunked = offision.session.post(offision.base + SUBSCRIPTIONS, data=iter([b"{}"]), timeout=10)
    assert chunked.status_code == 411


def test_the_openapi_document_describes_what_is_served(offision: Client, small: Building):
    document = offision("GET", "/API/external/openapi.json").json()
    described = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    rules = OffisionServer(small, TODAY, TOKEN).url_map.iter_rules()
    served = {
        (method, re.sub(r"<[^>]+>", "{}", rule.rule))
        for rule in rules
        for method in rule.methods or ()
        if method not in {"HEAD", "OPTIONS"} and rule.rule.startswith("/API/")
    }
    assert {(method, re.sub(r"\{\w+\}", "{}", path)) for method, path in described} == served
    booking = items(offision("GET", f"{ROOM_1}?date=2026-03-10"))[0]
    visit = offision("GET", f"{VISITS}/PHX1").json()["data"]
    made = offision("POST", SUBSCRIPTIONS, {"callURL": "http://127.0.0.1:9/"}).json()["data"]
    schemas = document["components"]["schemas"]
    for name, record in {"Booking": booking, "Visit": visit, "Subscription": made}.items():
        assert set(record) == set(schemas[name]["properties"]), name


def test_callbacks_ask_no_proxy(serve: Callable[[Any], int], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    listener = Listener(serve)
    callbacks.CallbackSender().send(callbacks.Callback(listener.url, {"event": "x"}))
    assert listener.next() == {"event": "x"}

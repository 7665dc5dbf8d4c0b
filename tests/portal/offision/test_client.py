"""The client against a real HTTP server that misbehaves."""

import gzip
import json
import socket
import threading
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import stamina
from werkzeug.wrappers import Request, Response

from portal.core import clock
from portal.offision.breaker import Breaker
from portal.offision.client import OffisionClient
from portal.offision.contract import Contract
from portal.offision.errors import (
    BreakerOpen,
    ContractError,
    Never,
    NotFound,
    NotUnderstood,
    OffisionError,
    OperationAbsent,
    Refused,
    TooLarge,
    TryAgain,
    Unauthorized,
)
from portal.offision.statuses import BookingStatus, VisitStatus
from portal.offision.transport import retry_after
from tests.portal.core.test_http import answering, dribbling, listening
from tests.portal.offision.conftest import HONG_KONG, SHIPPED, TOKEN
from tests.portal.offision.server import Server, page_of, say

INFORMATION = ("GET", "/API/external/system/v1/information")
BOOKINGS = ("GET", "/API/external/booking/v1/resources/room-1/daily-bookings")
SUBSCRIPTIONS = "/API/external/booking/v1/resource-appointment-subscriptions"
VISIT = ("GET", "/API/external/receptionist/v1/visits/V-1")
DAY = date(2025, 3, 10)

MakeClient = Callable[..., OffisionClient]


def booking(**changes: Any) -> dict[str, Any]:
    return {
        "id": "b1",
        "resourceId": "room-1",
        "subject": "Board",
        "startTime": "2025-03-10T09:00:00+08:00",
        "endTime": "2025-03-10T10:00:00+08:00",
        "status": "confirmed",
        "organizer": {"name": "Ada", "email": " Ada@Harbour.example "},
        "attendees": [{"name": "Bo", "email": "bo@harbour.example"}],
    } | changes


VISIT_ANSWER = {
    "code": "V-1",
    "visitorName": "Vera",
    "company": "Acme",
    "hostEmail": "host@harbour.example",
    "validFrom": "2025-03-10T09:00:00+08:00",
    "validUntil": None,
    "status": "expected",
    "site": None,
}


def test_information_and_token(client: OffisionClient, server: Server) -> None:
    server.answers[INFORMATION] = say({"product": "Offision", "version": "3", "timezone": "Asia/Hong_Kong"})
    assert client.information().time_zone == "Asia/Hong_Kong"
    assert server.seen[0][3]["Authorization"] == TOKEN


def test_token_as_basic_user_name(make_client: MakeClient, server: Server) -> None:
    text = SHIPPED.read_text().replace('style = "bare"', 'style = "basic"', 1)
    server.answers[INFORMATION] = say({})
    make_client(contract=Contract.parse(text, name="basic")).information()
    assert server.seen[0][3]["Authorization"] == "Basic " + b64encode(f"{TOKEN}:".encode()).decode()


def test_a_booking_is_read(client: OffisionClient, server: Server) -> None:
    attendees = [{"email": "bo@harbour.example"}, {"email": None}, {"email": "bo@harbour.example"}]
    server.answers[BOOKINGS] = page_of([booking(attendees=attendees)])
    listed = client.bookings("room-1", DAY, DAY)
    (read,) = listed.bookings
    assert listed.requests == 1
    assert read.starts_at == datetime(2025, 3, 10, 1, tzinfo=UTC)
    assert read.starts_at.tzinfo is UTC
    assert read.status is BookingStatus.CONFIRMED
    assert read.organizer_email == "Ada@Harbour.example"
    assert read.attendee_emails == ("bo@harbour.example", "")


def test_all_days_and_pages_are_fetched_and_duplicates_dropped(client: OffisionClient, server: Server) -> None:
    def answer(request: Request) -> Response:
        page, day = int(request.args["page"]), request.args["date"]
        return page_of([booking(id=f"{day}-{page}"), booking(id="across-midnight")], page, 2)

    server.answers[BOOKINGS] = answer
    listed = client.bookings("room-1", DAY, DAY + timedelta(days=1))
    assert sorted(one.id for one in listed.bookings) == [
        "2025-03-10-1",
        "2025-03-10-2",
        "2025-03-11-1",
        "2025-03-11-2",
        "across-midnight",
    ]
    assert listed.requests == 4
    assert [seen[2]["date"] for seen in server.seen] == ["2025-03-10"] * 2 + ["2025-03-11"] * 2


def test_a_range_is_one_request(make_client: MakeClient, server: Server) -> None:
    text = SHIPPED.read_text().replace('{ date = "{date}" }', '{ start = "{from}", end = "{until}T23:59" }', 1)
    server.answers[BOOKINGS] = page_of([])
    make_client(contract=Contract.parse(text, name="range")).bookings("room-1", DAY, DAY + timedelta(days=3))
    assert [seen[2] for seen in server.seen] == [{"start": "2025-03-10", "end": "2025-03-13T23:59", "page": "1"}]


@pytest.mark.parametrize(
    ("rule", "answers"),
    [
        ('total = "total"', [{"items": ["b1"], "total": 3}, {"items": ["b2", "b3"], "total": 3}]),
        ('next = "next"', [{"items": ["b1"], "next": "abc"}, {"items": ["b2", "b3"], "next": None}]),
    ],
)
def test_other_page_rules(make_client: MakeClient, server: Server, rule: str, answers: list[Any]) -> None:
    text = SHIPPED.read_text().replace('count = "data.pageCount"', rule.replace('= "', '= "data.'))
    server.answers[BOOKINGS] = [
        say({"data": answer | {"items": [booking(id=i) for i in answer["items"]]}}) for answer in answers
    ]
    listed = make_client(contract=Contract.parse(text, name="pages")).bookings("room-1", DAY, DAY)
    assert [one.id for one in listed.bookings] == ["b1", "b2", "b3"]


@pytest.mark.parametrize("data", [{"items": [booking()]}, {"items": [booking()], "pageCount": "many"}])
def test_an_unknown_number_of_pages_is_a_misfit(client: OffisionClient, server: Server, data: dict[str, Any]) -> None:
    server.answers[BOOKINGS] = say({"data": data})
    with pytest.raises(NotUnderstood) as caught:
        client.bookings("room-1", DAY, DAY)
    assert caught.value.problem.key == "offision.misfit(offision.no_page_count)"


def test_endless_pages_are_refused(client: OffisionClient, server: Server) -> None:
    server.answers[BOOKINGS] = page_of([], 1, 10**9)
    with pytest.raises(TooLarge, match="200 pages"):
        client.bookings("room-1", DAY, DAY)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"id": None}, "field_missing"),
        ({"id": "x" * 201}, "bad_id"),
        ({"id": "a\0b"}, "bad_id"),
        ({"endTime": "2025-03-10T08:00:00+08:00"}, "ends_before_start"),
        ({"endTime": "2025-03-10T09:00:00+08:00"}, "ends_before_start"),
        ({"endTime": "2026-03-10T09:00:00+08:00"}, "too_many_days"),
        ({"startTime": "9000-03-10T09:00:00Z", "endTime": "9000-03-10T10:00:00Z"}, "odd_year"),
        ({"endTime": "noon"}, "bad_time"),
        ({"endTime": 1741570000}, "bad_time"),
        ({"endTime": "9999-12-31T23:59:59-12:00"}, "bad_time"),
        ({"startTime": None}, "field_missing"),
        ({"status": None}, "field_missing"),
        ({"status": {"word": "confirmed"}}, "not_one_value"),
        ({"resourceId": "room-2"}, "other_resource"),
        ({"attendees": [{"email": 5}]}, "bad_emails"),
        ({"attendees": [{"email": f"{number}@harbour.example"} for number in range(2001)]}, "too_many_attendees"),
    ],
)
def test_an_unreadable_record_is_rejected_and_stops_no_other(
    client: OffisionClient, server: Server, changes: dict[str, Any], code: str
) -> None:
    server.answers[BOOKINGS] = page_of([booking(**{"id": "bad"} | changes), "text", booking(id="good")])
    listed = client.bookings("room-1", DAY, DAY)
    assert [one.id for one in listed.bookings] == ["good"]
    assert len(listed.rejected) == 2
    assert [one.reason.key for one in listed.rejected] == [f"offision.record.{code}", "offision.record.not_an_object"]
    assert len(listed.rejected[0].raw) <= 2000


def test_meetings_of_a_series_with_one_id_do_not_vanish_silently(client: OffisionClient, server: Server) -> None:
    later = booking(startTime="2025-03-11T09:00:00+08:00", endTime="2025-03-11T10:00:00+08:00")
    server.answers[BOOKINGS] = page_of([booking(), later])
    listed = client.bookings("room-1", DAY, DAY)
    assert len(listed.bookings) == 1
    assert listed.rejected[0].reason.key == "offision.record.same_id"


def test_text_that_a_database_cannot_store_is_cleaned(client: OffisionClient, server: Server) -> None:
    payload = {"data": {"pageCount": 1, "items": [booking(subject="a\0b\ud800" + "c" * 600)]}}
    raw = json.dumps(payload)
    assert "\\ud800" in raw
    server.answers[BOOKINGS] = Response(raw, content_type="application/json")
    (read,) = client.bookings("room-1", DAY, DAY).bookings
    assert read.title.startswith("ab?c")
    assert len(read.title) == 500


@pytest.mark.parametrize("word", ["Confirmed ", "CONFIRMED"])
def test_known_words_in_any_case(client: OffisionClient, server: Server, word: str) -> None:
    server.answers[BOOKINGS] = page_of([booking(status=word)])
    assert client.bookings("room-1", DAY, DAY).bookings[0].status is BookingStatus.CONFIRMED


@pytest.mark.parametrize("word", ["confirmed?", "unknown", "", 1, True])
def test_unknown_words_are_unknown(client: OffisionClient, server: Server, word: Any) -> None:
    server.answers[BOOKINGS] = page_of([booking(status=word)])
    (read,) = client.bookings("room-1", DAY, DAY).bookings
    assert read.status is BookingStatus.UNKNOWN
    assert read.status_word == str(word)


def html(status: int = 200) -> Response:
    return Response("<html>It works</html>", status=status, content_type="text/html")


@pytest.mark.parametrize(
    ("answer", "error", "requests"),
    [
        (say({}, 401), Unauthorized, 1),
        (say({}, 403), Unauthorized, 1),
        (say({}, 404), NotFound, 1),
        (say({"message": "bad date"}, 400), Refused, 1),
        (Response(status=302, headers={"Location": "https://elsewhere.example/"}), Refused, 1),
        (html(), NotUnderstood, 1),
        (html(502), TryAgain, 3),
        (say({}, 500), TryAgain, 3),
        (say({}, 429), TryAgain, 3),
        (Response(b""), NotUnderstood, 1),
        (say({"data": {"items": None}}), NotUnderstood, 1),
        (say({"data": {"items": {}}}), NotUnderstood, 1),
        (say([]), NotUnderstood, 1),
        (say({"success": False, "message": "licence ended"}), Refused, 1),
        (Response("[" * 100_000), NotUnderstood, 1),
        (Response('{"data": NaN}'), NotUnderstood, 1),
        (Response("9" * 10_000), NotUnderstood, 1),
        (Response(b"x" * 300_000), TooLarge, 1),
        (Response(gzip.compress(b" " * 50_000_000), headers={"Content-Encoding": "gzip"}), TooLarge, 1),
    ],
)
def test_each_fault_has_its_error(
    make_client: MakeClient, server: Server, answer: Response, error: type[OffisionError], requests: int
) -> None:
    server.answers[BOOKINGS] = answer
    with pytest.raises(error) as caught:
        make_client(max_bytes=200_000).bookings("room-1", DAY, DAY)
    assert len(server.seen) == requests
    assert TOKEN not in repr(caught.value) + str(caught.value)
    assert caught.value.retryable is (error is TryAgain)


def test_the_servers_own_words_are_passed_on(client: OffisionClient, server: Server) -> None:
    server.answers[BOOKINGS] = say({"success": False, "message": "The licence ended."})
    with pytest.raises(Refused, match=r"The licence ended\."):
        client.bookings("room-1", DAY, DAY)


def test_the_servers_own_words_lose_the_registration_code(client: OffisionClient, server: Server) -> None:
    server.answers["POST", VISIT[1] + "/check-in"] = say({"message": "Visit v-1 is closed"}, 409)
    with pytest.raises(Refused, match=r"Visit \*\*\* is closed") as caught:
        client.check_in("V-1")
    assert caught.value.problem.key == "offision.refused_saying"


def test_a_no_without_words(client: OffisionClient, server: Server) -> None:
    server.answers[BOOKINGS] = say({"success": False})
    with pytest.raises(Refused) as caught:
        client.bookings("room-1", DAY, DAY)
    assert caught.value.problem.key == "offision.said_no"


def test_a_get_that_recovers_is_retried(client: OffisionClient, server: Server) -> None:
    server.answers[BOOKINGS] = [say({}, 503), say({}, 429, **{"Retry-After": "1"}), page_of([booking()])]
    assert client.bookings("room-1", DAY, DAY).bookings[0].id == "b1"


def test_retry_after_is_what_is_waited(client: OffisionClient, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr("tenacity.nap.time.sleep", waited.append)
    server.answers[INFORMATION] = [say({}, 429, **{"Retry-After": "7"}), say({}, 503), say({})]
    stamina.set_testing(False)  # the fixture sets it back
    client.information()
    assert waited[0] == 7
    assert 0.2 <= waited[1] <= 5


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("5", 5),
        ("0", 0),
        ("86400", 30),
        ("-5", None),
        ("soon", None),
        ("²", None),
        ("Mon, 10 Mar 2025 09:00:12 GMT", 12),
        ("Mon, 10 Mar 2025 08:00:00 GMT", 0),
        ("Mon, 10 Mar 2099 08:00:00 GMT", 30),
    ],
)
def test_retry_after_header(header: str | None, seconds: float | None) -> None:
    with clock.stopped_at(datetime(2025, 3, 10, 9, tzinfo=UTC)):
        assert retry_after(header) == seconds


def test_a_post_is_never_repeated(client: OffisionClient, server: Server) -> None:
    server.answers["POST", SUBSCRIPTIONS] = say({}, 503)
    with pytest.raises(TryAgain):
        client.subscribe("https://portal.example/cb")
    assert len(server.seen) == 1


def test_subscribing_to_all_leaves_the_resource_out(client: OffisionClient, server: Server) -> None:
    made = {"id": 7, "callURL": "https://portal.example/cb", "expiresAt": "2025-03-10T09:00:00Z"}
    server.answers["POST", SUBSCRIPTIONS] = say({"success": True, "data": made}, 201)
    subscription = client.subscribe("https://portal.example/cb")
    assert json.loads(server.seen[0][4]) == {"callURL": "https://portal.example/cb"}
    assert (subscription.id, subscription.resource_id) == ("7", None)
    assert subscription.expires_at == datetime(2025, 3, 10, 9, tzinfo=UTC)
    client_subscribes_one = client.subscribe("https://portal.example/cb", "room-1")
    assert json.loads(server.seen[1][4])["resourceId"] == "room-1"
    assert client_subscribes_one.resource_id == "room-1"


def test_unsubscribe(client: OffisionClient, server: Server) -> None:
    server.answers["DELETE", SUBSCRIPTIONS + "/s%2F1"] = Response(status=204)
    client.unsubscribe("s/1")
    with pytest.raises(NotFound):
        client.unsubscribe("another")


def test_a_visit(client: OffisionClient, server: Server) -> None:
    server.answers[VISIT] = say({"data": VISIT_ANSWER})
    visit = client.visit("V-1")
    assert (visit.status, visit.site, visit.valid_until) == (VisitStatus.EXPECTED, None, None)
    assert visit.valid_from == datetime(2025, 3, 10, 1, tzinfo=UTC)
    server.answers[VISIT] = say({"data": VISIT_ANSWER | {"code": "V-2"}})
    with pytest.raises(NotUnderstood, match="another registration code"):
        client.visit("V-1")
    server.answers[VISIT] = say({"data": None})
    with pytest.raises(NotFound):
        client.visit("V-1")


@pytest.mark.parametrize("code", ["", ".", "..", "...", "a\nb", "x" * 501])
def test_codes_that_would_change_the_path_are_not_sent(client: OffisionClient, server: Server, code: str) -> None:
    with pytest.raises(NotFound):
        client.check_in(code)
    assert server.seen == []


@pytest.mark.parametrize("code", ["../system", "a/b?c#d", "a%2e%2e", "V 1", "訪"])
def test_codes_stay_one_step_of_the_path(client: OffisionClient, server: Server, code: str) -> None:
    with pytest.raises(NotFound):
        client.visit(code)
    path = server.seen[0][1]
    assert path.count("/") == 6
    assert path.startswith("/API/external/receptionist/v1/visits/")
    assert server.seen[0][2] == {}


def test_check_in_returns_the_changed_visit(client: OffisionClient, server: Server) -> None:
    path = VISIT[1] + "/check-in"
    server.answers["POST", path] = say({"data": VISIT_ANSWER | {"status": "checked_in"}})
    assert client.check_in("V-1").status is VisitStatus.CHECKED_IN
    server.answers["POST", path] = say({}, 409)
    with pytest.raises(Refused) as caught:
        client.check_in("V-1")
    assert caught.value.status_code == 409


def test_check_out_without_an_answer_looks_the_visit_up(make_client: MakeClient, server: Server) -> None:
    before, check_out = SHIPPED.read_text().split("[operations.check_out]")
    kept = [line for line in check_out.splitlines() if not line.startswith("fields.")]
    text = before + "[operations.check_out]" + "\n".join(kept).replace("[200]", "[204]", 1)
    server.answers["POST", VISIT[1] + "/check-out"] = Response(status=204)
    server.answers[VISIT] = say({"data": VISIT_ANSWER | {"status": "checked_out"}})
    visit = make_client(contract=Contract.parse(text, name="quiet")).check_out("V-1")
    assert visit.status is VisitStatus.CHECKED_OUT


def test_an_absent_operation(make_client: MakeClient, contract: Contract) -> None:
    poor = contract.model_copy(update={"operations": {}})
    with pytest.raises(OperationAbsent, match="visit"):
        make_client(contract=poor).visit("V-1")


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"", id="silent"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", id="silent in the body"),
        pytest.param(None, id="dribbling"),
    ],
)
def test_every_time_out_is_the_same_news(make_client: MakeClient, answer: bytes | None) -> None:
    serve = answering(answer, then_silent=True) if answer is not None else dribbling(b"HTTP/1.1 200 OK\r\n\r\n")
    with listening(serve) as url, pytest.raises(TryAgain) as caught:
        make_client(base_url=url, read_timeout=0.05, attempts=1).information()
    assert caught.value.problem.key == "offision.no_answer(http.timed_out)"


def test_a_deadline_is_a_time_out(make_client: MakeClient) -> None:
    with listening(answering(b"", then_silent=True)) as url, pytest.raises(TryAgain) as caught:
        make_client(base_url=url, attempts=1).visit("V-1", deadline_seconds=0.05)
    assert caught.value.problem.key == "offision.no_answer(http.timed_out)"


@pytest.mark.parametrize(("status", "error"), [(b"401 No", Unauthorized), (b"503 Down", TryAgain)])
def test_a_status_counts_although_its_body_breaks_off(
    make_client: MakeClient, status: bytes, error: type[OffisionError]
) -> None:
    answer = b"HTTP/1.1 " + status + b"\r\nContent-Length: 100\r\n\r\n{"
    with listening(answering(answer)) as url, pytest.raises(error) as caught:
        make_client(base_url=url, attempts=1).information()
    assert type(caught.value) is error
    assert caught.value.problem.params["status"] == int(status[:3])


def test_no_server(make_client: MakeClient) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        url = f"http://127.0.0.1:{gone.getsockname()[1]}"
    with pytest.raises(TryAgain) as caught:
        make_client(base_url=url).information()
    assert caught.value.problem.key == "offision.no_answer(http.refused)"


def test_a_deadline_forbids_a_wait_that_does_not_fit(client: OffisionClient, server: Server) -> None:
    server.answers[VISIT] = say({}, 429, **{"Retry-After": "20"})
    with pytest.raises(TryAgain):
        client.visit("V-1", deadline_seconds=10)
    assert len(server.seen) == 1


def test_the_breaker_opens_and_recovers_by_one_trial(make_client: MakeClient, server: Server) -> None:
    breaker = Breaker(failures=5, seconds=30)
    client = make_client(breaker=breaker, attempts=1)
    server.answers[INFORMATION] = say({}, 500)
    for _time in range(5):
        with pytest.raises(TryAgain) as last:
            client.information()
    with pytest.raises(BreakerOpen) as caught:
        client.information()
    assert caught.value.problem == last.value.problem, "an open breaker is the same news as what opened it"
    assert len(server.seen) == 5
    breaker.seconds = breaker._trial_at = 0
    with pytest.raises(TryAgain):
        client.information()  # the trial fails
    assert breaker.is_open
    assert len(server.seen) == 6
    server.answers[INFORMATION] = say({"version": "3"})
    assert client.information().version == "3"
    assert not breaker.is_open


def test_a_clear_no_does_not_open_the_breaker(make_client: MakeClient, server: Server) -> None:
    breaker = Breaker(failures=2, seconds=30)
    client = make_client(breaker=breaker, attempts=1)
    for status in (500, 404, 500, 401, 500, 400):
        server.answers[INFORMATION] = say({}, status)
        with pytest.raises((TryAgain, Never)):
            client.information()
    assert not breaker.is_open


def test_threads_do_not_queue_behind_the_breaker(client: OffisionClient, server: Server) -> None:
    together = threading.Barrier(4, timeout=20)

    def answer(_request: Request) -> Response:
        together.wait()  # breaks unless four requests are in the server at once
        return say({"version": "3"})

    server.answers[INFORMATION] = answer
    threads = [threading.Thread(target=client.information) for _number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not together.broken


@pytest.mark.parametrize(
    "url",
    [
        "http://offision.example.com",
        "ftp://localhost",
        "offision.example.com",
        "https://",
        "https://user:pass@offision.example.com",
        "https://offision.example.com/?a=1",
        "https://[",
        "",
    ],
)
def test_unusable_addresses(make_client: MakeClient, url: str) -> None:
    with pytest.raises(ContractError, match="OFFISION_URL"):
        make_client(base_url=url)


@pytest.mark.parametrize("token", ["", " t", "a\r\nX-Evil: 1", "ü"])
def test_unusable_tokens(make_client: MakeClient, token: str) -> None:
    with pytest.raises(ContractError, match="OFFISION_TOKEN"):
        make_client(token=token)


def test_nothing_shows_the_token(client: OffisionClient) -> None:
    assert TOKEN not in repr(client) + repr(vars(client))
    assert client.time_zone == HONG_KONG


def test_pages_that_end_too_soon_are_not_the_whole(make_client: MakeClient, server: Server) -> None:
    text = SHIPPED.read_text().replace('count = "data.pageCount"', 'total = "data.total"')
    server.answers[BOOKINGS] = [
        say({"data": {"items": [booking()], "total": 40}}),
        say({"data": {"items": [], "total": 40}}),
    ]
    with pytest.raises(NotUnderstood, match="end before"):
        make_client(contract=Contract.parse(text, name="total")).bookings("room-1", DAY, DAY)
    assert len(server.seen) == 2

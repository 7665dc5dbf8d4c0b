"""manage.py offision, as an installer uses it."""

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from portal.core import clock
from portal.offision.contract import Contract
from portal.offision.default import client_from_settings
from portal.offision.errors import TryAgain
from tests.portal.core.test_http import AUTHORITY, answering, listening
from tests.portal.offision.conftest import SHIPPED, TOKEN
from tests.portal.offision.server import Server, page_of, say
from tests.portal.offision.test_client import BOOKINGS, INFORMATION, SUBSCRIPTIONS, VISIT, VISIT_ANSWER, booking
from tests.portal.offision.test_drafting import CLEAR
from tests.portal.offision.test_subscription import NOW, Subscriptions

SECRET = "the-callback-secret"


@pytest.fixture(autouse=True)
def _settings(settings: Any, server: Server) -> Any:
    settings.OFFISION_URL = server.url
    settings.OFFISION_TOKEN = TOKEN
    settings.OFFISION_CONTRACT = SHIPPED
    settings.OFFISION_CONNECT_TIMEOUT = settings.OFFISION_READ_TIMEOUT = 5
    settings.SITE_TIME_ZONE = "Asia/Hong_Kong"
    settings.PORTAL_PUBLIC_URL = "https://portal.example"
    settings.CALLBACK_SECRETS = [SECRET, "older"]
    client_from_settings.cache_clear()
    with clock.stopped_at(NOW):
        yield
    client_from_settings.cache_clear()


def run(*args: str) -> str:
    out = StringIO()
    call_command("offision", *args, stdout=out)
    assert TOKEN not in out.getvalue()
    assert SECRET not in out.getvalue()
    return out.getvalue()


def run_failing(*args: str) -> tuple[str, str]:
    out = StringIO()
    with pytest.raises(CommandError) as caught:
        call_command("offision", *args, stdout=out)
    assert TOKEN not in out.getvalue() + str(caught.value)
    return out.getvalue(), str(caught.value)


@pytest.fixture
def fitting(server: Server) -> Server:
    server.answers[INFORMATION] = say({"product": "Offision", "version": "3", "timezone": "Asia/Hong_Kong"})
    server.answers["GET", "/API/external/booking/v1/resources"] = page_of([{"id": "room-1", "name": "Board"}])
    server.answers[BOOKINGS] = page_of([booking()])
    ours = {"id": 1, "callURL": f"https://portal.example/api/offision/callbacks/{SECRET}/"}
    server.answers["GET", SUBSCRIPTIONS] = page_of([ours])
    server.answers[VISIT] = say({"data": VISIT_ANSWER})
    server.answers["GET", "/API/external/receptionist/v1/visits"] = page_of([VISIT_ANSWER])
    return server


def test_check_of_a_contract_that_fits(fitting: Server) -> None:
    shown = run("check", "--code", "V-1")
    assert "Everything that was tried fits." in shown
    assert "Board: 2025-03-10 09:00 HKT – 2025-03-10 10:00 HKT, confirmed" in shown
    assert "Vera (Acme): expected" in shown
    assert "[unconfirmed: status, answer_status]" in shown
    assert 'starts_at        found in 4 of 4  by startTime  "2025-03-10T09:00:00+08:00"' in shown
    assert {seen[0] for seen in fitting.seen} == {"GET"}


def test_check_looks_up_no_visit_without_a_code(fitting: Server) -> None:
    assert "Not tried: give a registration code" in run("check")
    assert not any("/visits/" in seen[1] for seen in fitting.seen)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"status": "maybe"}, 'The status word "maybe" is not in words.booking'),
        ({"startTime": None}, "The field starts_at was not found in 4 of 4 records."),
        ({"endTime": "2025-03-10T08:00:00+08:00"}, "does not end after it starts"),
        ({"organizer": None, "attendees": None}, "nobody would be admitted"),
    ],
)
def test_check_says_what_does_not_fit(fitting: Server, changes: dict[str, Any], words: str) -> None:
    fitting.answers[BOOKINGS] = page_of([booking(**changes)])
    shown, verdict = run_failing("check", "--resource", "room-1")
    assert any(words in line and line.startswith("  ! ") for line in shown.splitlines())
    assert "not fit" in verdict


def test_check_goes_on_after_an_operation_that_fails(fitting: Server) -> None:
    fitting.answers[INFORMATION] = say({"timezone": "Europe/London"})
    fitting.answers["GET", "/API/external/booking/v1/resources"] = say("<html>")
    fitting.answers["GET", SUBSCRIPTIONS] = say({}, 500)
    shown, verdict = run_failing("check", "--resource", "room-1")
    assert verdict.startswith("3 things did not fit")
    assert "Europe/London" in shown
    assert "Board: 2025-03-10" in shown


def test_check_of_another_contract(fitting: Server, tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text(SHIPPED.read_text().replace('"startTime"', '"begin"'))
    shown, _verdict = run_failing("check", "--contract", str(other), "--resource", "room-1")
    assert "The field starts_at was not found" in shown


@pytest.mark.parametrize("zone", ["China Standard Time", "Hongkong/Asia", "Asia", "../etc"])
def test_check_of_a_server_with_a_zone_of_another_kind(fitting: Server, zone: str) -> None:
    fitting.answers[INFORMATION] = say({"timezone": zone})
    assert f"The server calls its time zone {zone}" in run("check")


def test_check_points_at_naive_times(fitting: Server) -> None:
    naive = booking(startTime="2025-03-10T09:00:00", endTime="2025-03-10T10:00:00")
    fitting.answers[BOOKINGS] = page_of([naive])
    assert "read as Asia/Hong_Kong time" in run("check", "--resource", "room-1")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("OFFISION_TOKEN", "", "OFFISION_TOKEN must be"),
        ("OFFISION_URL", "http://offision.example", "OFFISION_URL must start with https"),
        ("OFFISION_CONTRACT", Path("absent.toml"), "absent.toml cannot be read"),
    ],
)
def test_unusable_settings(settings: Any, name: str, value: Any, words: str) -> None:
    from portal.offision.default import contract_from_settings

    contract_from_settings.cache_clear()
    setattr(settings, name, value)
    assert words in run_failing("check")[1]


def test_the_authorities_of_the_environment_are_trusted(
    settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    AUTHORITY.cert_pem.write_to_path(tmp_path / "ca.pem")
    answer = answering(b'HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n{"version": "3"}')
    with listening(answer, tls=True) as settings.OFFISION_URL:
        with pytest.raises(TryAgain) as caught:
            client_from_settings().information()
        assert caught.value.problem.key == "offision.no_answer(http.untrusted)"
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
        client_from_settings.cache_clear()
        assert client_from_settings().information().version == "3"


def test_draft_contract(tmp_path: Path) -> None:
    output = tmp_path / "drafted.toml"
    run("draft-contract", str(CLEAR), "-o", str(output))
    assert Contract.load(output).has("daily_bookings")
    assert "cannot be written" in run_failing("draft-contract", str(CLEAR), "-o", str(output))[1]
    assert run("draft-contract", str(CLEAR)) == output.read_text()
    assert "cannot be read" in run_failing("draft-contract", str(tmp_path / "absent"))[1]


def test_subscribe_list_and_unsubscribe(server: Server) -> None:
    subscriptions = Subscriptions(server)
    subscriptions.keep(None, None, url="https://another.example/hooks/their-secret")
    assert "Offision calls https://portal.example/api/offision/callbacks/…/" in run("subscribe")
    assert "is in order" in run("subscribe")
    assert any(SECRET in record["callURL"] for record in subscriptions.records.values())
    listed = run("subscription")
    assert "their-secret" not in listed
    assert listed.count("(this portal)") == listed.count("(another)") == 1
    run("unsubscribe")
    assert [record["callURL"] for record in subscriptions.records.values()] == [
        "https://another.example/hooks/their-secret"
    ]
    assert "no subscription to this portal" in run("unsubscribe")
    run("unsubscribe", *subscriptions.records)
    assert "There is no subscription" in run("subscription")
    assert "does not know" in run_failing("unsubscribe", "s99")[1]


def test_subscribe_goes_by_the_scope(settings: Any, server: Server, tmp_path: Path) -> None:
    subscriptions = Subscriptions(server)
    assert "Leave --resource out" in run_failing("subscribe", "--resource", "a")[1]
    settings.OFFISION_CONTRACT = tmp_path / "each.toml"
    settings.OFFISION_CONTRACT.write_text(SHIPPED.read_text().replace('scope = "all"', 'scope = "per_resource"'))
    from portal.offision.default import contract_from_settings

    contract_from_settings.cache_clear()
    client_from_settings.cache_clear()
    assert "Name them with --resource" in run_failing("subscribe")[1]
    run("subscribe", "--resource", "a", "--resource", "b")
    assert sorted(record["resourceId"] for record in subscriptions.records.values()) == ["a", "b"]

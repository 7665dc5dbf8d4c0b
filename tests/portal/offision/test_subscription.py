"""Keeping the subscription alive, against a server that holds subscriptions."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from werkzeug.wrappers import Request, Response

from portal.offision.client import OffisionClient
from portal.offision.contract import Contract
from portal.offision.errors import Refused, TryAgain
from portal.offision.subscription import ensure_subscribed, mask_url
from tests.portal.offision.conftest import SHIPPED
from tests.portal.offision.server import Server, page_of, say
from tests.portal.offision.test_client import SUBSCRIPTIONS, MakeClient

NOW = datetime(2025, 3, 10, 9, tzinfo=UTC)
URL = "https://portal.example/api/offision/callbacks/very-secret/"


class Subscriptions:
    """The subscriptions at the server, by id."""

    def __init__(self, server: Server) -> None:
        self.records: dict[str, dict[str, Any]] = {}
        self.server = server
        self.refuse: set[str] = set()
        server.answers["POST", SUBSCRIPTIONS] = self.add
        server.answers["GET", SUBSCRIPTIONS] = lambda _request: page_of(list(self.records.values()))

    def keep(self, resource_id: str | None, lasting: timedelta | None, url: str = URL) -> str:
        number = f"s{len(self.server.answers)}"
        ends = (NOW + lasting).isoformat() if lasting else None
        self.records[number] = {"id": number, "callURL": url, "resourceId": resource_id, "expiresAt": ends}
        self.server.answers["DELETE", f"{SUBSCRIPTIONS}/{number}"] = lambda _request: self.drop(number)
        return number

    def add(self, request: Request) -> Response:
        body = json.loads(request.get_data())
        if body.get("resourceId") in self.refuse:
            return say({}, 400)
        number = self.keep(body.get("resourceId"), timedelta(days=30), url=body["callURL"])
        return say({"data": self.records[number]}, 201)

    def drop(self, number: str) -> Response:
        del self.records[number]
        return Response(status=204)

    @property
    def changes(self) -> list[str]:
        return [seen[0] for seen in self.server.seen if seen[0] != "GET"]


@pytest.fixture
def subscriptions(server: Server) -> Subscriptions:
    return Subscriptions(server)


def test_it_is_made_once(client: OffisionClient, subscriptions: Subscriptions) -> None:
    subscriptions.keep(None, None, url="https://another.example/hook")
    done = ensure_subscribed(client, URL, ["ignored"], NOW)
    assert [one.key for one in done] == ["offision.subscribed_to_all"]
    assert ensure_subscribed(client, URL, [], NOW) == []
    assert subscriptions.changes == ["POST"]


@pytest.mark.parametrize(
    ("lasting", "changes"),
    [
        (None, []),
        (timedelta(days=1, seconds=1), []),
        (timedelta(days=1), ["POST", "DELETE"]),
        (timedelta(seconds=-5), ["POST", "DELETE"]),
    ],
)
def test_it_is_renewed_within_a_day_of_its_end_new_before_old(
    client: OffisionClient, subscriptions: Subscriptions, lasting: timedelta | None, changes: list[str]
) -> None:
    old = subscriptions.keep(None, lasting)
    ensure_subscribed(client, URL, [], NOW)
    assert subscriptions.changes == changes
    assert len(subscriptions.records) == 1
    assert (old in subscriptions.records) == (not changes)


def test_a_server_that_extends_the_old_one_keeps_it(
    client: OffisionClient, subscriptions: Subscriptions, server: Server
) -> None:
    old = subscriptions.keep(None, timedelta(hours=1))
    server.answers["POST", SUBSCRIPTIONS] = say({"data": {"id": old, "callURL": URL}}, 200)
    ensure_subscribed(client, URL, [], NOW)
    assert subscriptions.changes == ["POST"]


def test_a_failed_renewal_leaves_the_old_one(
    client: OffisionClient, subscriptions: Subscriptions, server: Server
) -> None:
    subscriptions.keep(None, timedelta(hours=1))
    server.answers["POST", SUBSCRIPTIONS] = say({}, 503)
    with pytest.raises(TryAgain):
        ensure_subscribed(client, URL, [], NOW)
    assert len(subscriptions.records) == 1


def test_one_for_each_resource_and_a_refused_one_stops_no_other(
    make_client: MakeClient, subscriptions: Subscriptions
) -> None:
    text = SHIPPED.read_text().replace('scope = "all"', 'scope = "per_resource"')
    client = make_client(contract=Contract.parse(text, name="each"))
    subscriptions.keep("a", None)
    subscriptions.refuse = {"b"}
    with pytest.raises(Refused):
        ensure_subscribed(client, URL, ["a", "b", "c", "c"], NOW)
    assert sorted(record["resourceId"] for record in subscriptions.records.values()) == ["a", "c"]


def test_a_contract_that_cannot_delete_leaves_the_old_one_to_expire(
    make_client: MakeClient, subscriptions: Subscriptions
) -> None:
    contract = Contract.load(SHIPPED)
    kept = {name: operation for name, operation in contract.operations.items() if name != "unsubscribe"}
    subscriptions.keep(None, timedelta(hours=1))
    done = ensure_subscribed(make_client(contract=contract.model_copy(update={"operations": kept})), URL, [], NOW)
    assert [one.key for one in done] == ["offision.subscribed_to_all", "offision.left_to_expire"]


@pytest.mark.parametrize("url", [URL, URL.rstrip("/"), URL + "?token=very-secret", URL.replace("//", "//very-secret@")])
def test_a_shown_url_has_no_secret(url: str) -> None:
    assert mask_url(url) == "https://portal.example/api/offision/callbacks/…/"

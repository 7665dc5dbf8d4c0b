"""Signed calls: the specification's signature, and what counts as a secret."""

import base64
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from standardwebhooks import Webhook

from portal.core import webhooks
from portal.core.http import NotReached
from tests.portal.offision.server import running, say

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # the example of the specification's reference libraries


def post(url: str, *, now: datetime, secret: str = SECRET) -> int:
    with webhooks.new_session() as session:
        return webhooks.post(
            session, url, secret=secret, key="msg_1", kind="door.hold", data={"door": "東"}, now=now, seconds=2
        )


def test_a_receiver_verifies_the_signature_whatever_zone_the_time_is_in() -> None:
    with running() as server:
        server.answers["POST", "/hook"] = say({}, 204)
        assert post(f"{server.url}/hook", now=datetime.now(ZoneInfo("Asia/Hong_Kong"))) == 204
    _method, _path, _query, headers, body = server.seen[0]
    message = Webhook(SECRET).verify(body, headers)
    assert (message["type"], message["data"]) == ("door.hold", {"door": "東"})


def test_the_signature_is_the_one_of_the_specification() -> None:
    with running() as server:
        server.answers["POST", "/hook"] = say({})
        post(f"{server.url}/hook", now=datetime(2021, 2, 25, 14, 22, 10, 900_000, tzinfo=UTC))
    _method, _path, _query, headers, body = server.seen[0]
    assert (headers["Webhook-Id"], headers["Webhook-Timestamp"]) == ("msg_1", "1614262930")
    sent_at = datetime.fromtimestamp(1614262930, UTC)
    assert headers["Webhook-Signature"] == Webhook(SECRET).sign("msg_1", sent_at, body.decode())


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_" + base64.b64encode(b"x" * 23).decode()])
def test_nothing_is_sent_without_a_secret(secret: str) -> None:
    with running() as server, pytest.raises(NotReached) as caught:
        post(f"{server.url}/hook", now=datetime.now(UTC), secret=secret)
    assert caught.value.problem.key == "http.no_secret"
    assert server.seen == []


@pytest.mark.parametrize(
    ("secret", "long_enough"),
    [
        (SECRET, True),
        (SECRET.removeprefix("whsec_"), False),
        ("whsec_not base64!" + "x" * 40, False),
        ("whsec_" + base64.b64encode(b"x" * 23).decode(), False),
        ("whsec_" + base64.b64encode(b"x" * 24).decode(), True),
    ],
)
def test_a_secret_has_a_prefix_and_24_bytes(secret: str, long_enough: bool) -> None:
    assert webhooks.is_long_enough(secret) is long_enough

"""Signed HTTP calls to others, as Standard Webhooks 1.0.0 says.

webhook-id, webhook-timestamp, and webhook-signature "v1,<base64 HMAC-SHA256>" of "id.timestamp.body". Whoever is called
does nothing for an id that it has seen before.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import requests
from django.utils.translation import gettext as _
from urllib3.exceptions import HTTPError

from portal.core.http import Deadline, DeadlineAdapter, TooLongError, read_bounded

PREFIX = "whsec_"
SHORTEST_SECRET = 24  # bytes, as the specification says
_MAX_ANSWER = 64 * 1024


class NotSent(Exception):
    """Nobody was reached. The text says why."""


class NoAnswer(Exception):
    """It was sent, and nobody knows what came of it. The text says why."""


def new_session() -> requests.Session:
    """Connections to be used for `post`, and closed after it."""
    session = requests.Session()
    session.trust_env = False  # a proxy of the environment's, or a password of its .netrc's, is nobody's wish here
    session.mount("http://", DeadlineAdapter())
    session.mount("https://", DeadlineAdapter())
    return session


def post(
    session: requests.Session,
    url: str,
    *,
    secret: str,
    key: str,
    kind: str,
    data: Mapping[str, Any],
    now: datetime,
    seconds: float,
) -> int:
    """Send one message, signed at `now` (aware); the status of the answer. Takes twice `seconds` at the most.

    Raises NotSent or NoAnswer.
    """
    body = json.dumps({"type": kind, "timestamp": now.isoformat(), "data": data}).encode()
    headers = {
        "Content-Type": "application/json",
        "webhook-id": key,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": signature(secret, key, int(now.timestamp()), body),
    }
    with Deadline(2 * seconds) as deadline:
        try:
            with session.post(
                url, data=body, headers=headers, timeout=seconds, allow_redirects=False, stream=True
            ) as answer:
                read_bounded(answer, _MAX_ANSWER)
        except requests.exceptions.ConnectTimeout as error:
            raise NotSent(_("No answer when connecting.")) from error
        except TooLongError as error:
            raise NoAnswer(_("The answer was longer than %(n)d bytes.") % {"n": _MAX_ANSWER}) from error
        except (OSError, HTTPError) as error:
            if "Failed to establish a new connection" in str(error):
                raise NotSent(_("The connection was refused.")) from error
            raise NoAnswer(_("No answer, or none that ended.")) from error
    if deadline.expired:
        raise NoAnswer(_("The answer did not end in time."))
    return answer.status_code


def signature(secret: str, key: str, timestamp: int, body: bytes) -> str:
    """The webhook-signature of a message with this id, sent at this time (seconds since 1970)."""
    signed = f"{key}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(_key(secret), signed, hashlib.sha256).digest()).decode()


def is_long_enough(secret: str) -> bool:
    """Whether it is a signing secret: "whsec_" and base64 of at least 24 bytes."""
    return len(_key(secret)) >= SHORTEST_SECRET


def _key(secret: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix(PREFIX), validate=True) if secret.startswith(PREFIX) else b""
    except ValueError:
        return b""

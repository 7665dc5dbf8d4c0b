"""Signed HTTP calls to others, as in Standard Webhooks 1.0.0. A receiver ignores an id that it has seen before."""

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from standardwebhooks import Webhook

from portal.core.http import HttpSession, NotReached
from portal.core.http.problems import NO_SECRET

PREFIX = "whsec_"
SHORTEST_SECRET = 24  # bytes, as the specification says
_SECONDS = 5.0
_MAX_ANSWER_BYTES = 64 * 1024


def new_session() -> HttpSession:
    """Connections to be used for `post`, and closed after it."""
    return HttpSession(timeout=_SECONDS, deadline=2 * _SECONDS, max_bytes=_MAX_ANSWER_BYTES)


def post(
    session: HttpSession,
    url: str,
    *,
    secret: str,
    key: str,
    kind: str,
    data: Mapping[str, Any],
    now: datetime,
    seconds: float,
) -> int:
    """Send one message, signed at `now` (aware), with `key` as its id. Returns the status of the answer.

    `seconds`: the time-out for connecting and for each read; the whole call takes twice as long at most. Raises
    HttpError.
    """
    if not is_long_enough(secret):
        raise NotReached(NO_SECRET())
    body = json.dumps({"type": kind, "timestamp": now.isoformat(), "data": data})
    headers = {
        "Content-Type": "application/json",
        "webhook-id": key,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign(key, now.astimezone(UTC), body),
    }
    answer = session.request("POST", url, data=body.encode(), headers=headers, timeout=seconds, deadline=2 * seconds)
    return answer.status


def is_long_enough(secret: str) -> bool:
    """Whether it is a signing secret: "whsec_" and base64 of at least 24 bytes."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except ValueError:
        return False
    return secret.startswith(PREFIX) and len(key) >= SHORTEST_SECRET

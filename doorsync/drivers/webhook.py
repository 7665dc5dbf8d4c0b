"""Relays and turnstile inputs behind a signed HTTP webhook: unlock a door for a moment, or hold it unlocked.

Signed as Standard Webhooks 1.0.0 says: webhook-id, webhook-timestamp, webhook-signature "v1,<base64 HMAC-SHA256>" of
"id.timestamp.body". Any 2xx answer is a yes. It holds no cards. Tested only against a receiver of our own.
"""

import base64
import hashlib
import hmac
import json
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Any
from zoneinfo import ZoneInfo

import requests
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator
from urllib3.exceptions import HTTPError

from doorsync.drivers.base import (
    Actual,
    Capabilities,
    DeviceInfo,
    DoorEvent,
    Driver,
    Granularity,
    Hold,
    Record,
    Refused,
    Unknown,
    Unreachable,
    Windows,
    validated,
)
from portal import clock
from portal.bounded_http import Deadline, DeadlineAdapter, TooLongError, read_bounded

_PREFIX = "whsec_"
_SHORTEST_SECRET = 24  # bytes, as the specification says
_MAX_ANSWER = 64 * 1024


class Options(BaseModel):
    model_config = ConfigDict(extra="forbid")

    url: str = Field(
        pattern=r"^https?://\S+$",
        title=str(gettext_lazy("address")),
        description=str(gettext_lazy("Where the receiver listens. Use https:// unless it is on this machine.")),
    )
    secret: SecretStr = Field(
        title=str(gettext_lazy("signing secret")),
        description=str(gettext_lazy('Shared with the receiver: "whsec_" and base64 of at least 24 bytes.')),
    )
    timeout_seconds: float = Field(default=2, gt=0, le=10, title=str(gettext_lazy("time-out (seconds)")))

    @field_validator("secret")
    @classmethod
    def _is_long_enough(cls, value: SecretStr) -> SecretStr:
        if len(_key(value.get_secret_value())) < _SHORTEST_SECRET:
            raise ValueError(_("it must be whsec_ and base64 of at least %(n)d bytes") % {"n": _SHORTEST_SECRET})
        return value


class WebhookDriver(Driver):
    Options = Options
    verified = gettext_lazy("Not verified against a real device: tested against a receiver of our own.")

    def __init__(self, options: Mapping[str, Any], *, zone: ZoneInfo, now: datetime) -> None:
        self.zone, self.now = zone, now
        self._options = validated(Options, options)
        self.capabilities = Capabilities(
            windows=Granularity.NONE,
            resolution_seconds=1,
            holds_cards=False,
            lists_cards=False,
            pulse=True,
            hold=Hold.NOW,
            events=False,
            sets_clock=False,
        )
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.mount("http://", DeadlineAdapter())
        self._session.mount("https://", DeadlineAdapter())

    def info(self) -> DeviceInfo:
        self._send("portal.ping", {}, key=str(uuid.uuid4()))
        return DeviceInfo(model="webhook", firmware="", serial="", time=None, capacity=None)

    def read(self) -> Actual:
        raise Refused(_("A webhook can't be asked what it holds."))

    def put(self, card: str, record: Record) -> None:
        raise Refused(_("A relay holds no cards."))

    def remove(self, card: str) -> None:
        raise Refused(_("A relay holds no cards."))

    def hold(self, door: int, held: Windows) -> None:
        self._send("door.hold", {"door": door, "held": bool(held)}, key=str(uuid.uuid4()))

    def pulse(self, door: int, *, seconds: int, key: str) -> None:
        # The receiver must do nothing for an id that it has seen before.
        self._send("door.pulse", {"door": door, "seconds": seconds}, key=key)

    def events(self, *, after: int) -> Sequence[DoorEvent]:
        return []

    def set_clock(self, moment: datetime) -> None:
        raise Refused(_("A relay has no clock."))

    def close(self) -> None:
        self._session.close()

    def _send(self, kind: str, data: Mapping[str, Any], *, key: str) -> None:
        now = clock.now()
        body = json.dumps({"type": kind, "timestamp": now.isoformat(), "data": data}).encode()
        headers = {
            "Content-Type": "application/json",
            "webhook-id": key,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": signature(self._options.secret.get_secret_value(), key, int(now.timestamp()), body),
        }
        seconds = self._options.timeout_seconds
        with Deadline(2 * seconds) as deadline:
            try:
                with self._session.post(
                    self._options.url, data=body, headers=headers, timeout=seconds, allow_redirects=False, stream=True
                ) as answer:
                    read_bounded(answer, _MAX_ANSWER)
            except requests.exceptions.ConnectTimeout as error:
                raise Unreachable(_("No answer when connecting.")) from error
            except TooLongError as error:
                raise Unknown(_("The answer was longer than %(n)d bytes.") % {"n": _MAX_ANSWER}) from error
            except (OSError, HTTPError) as error:
                refused = "Failed to establish a new connection" in str(error)
                text = _("The connection was refused.") if refused else _("No answer, or none that ended.")
                raise (Unreachable if refused else Unknown)(text) from error
        if deadline.expired:
            raise Unknown(_("The answer did not end in time."))
        if HTTPStatus.BAD_REQUEST <= answer.status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
            raise Refused(_("The receiver refused with status %(status)d.") % {"status": answer.status_code})
        if not HTTPStatus.OK <= answer.status_code < HTTPStatus.MULTIPLE_CHOICES:
            raise Unknown(_("The receiver failed with status %(status)d.") % {"status": answer.status_code})


def signature(secret: str, key: str, timestamp: int, body: bytes) -> str:
    """The webhook-signature of a message with this id, sent at this time (seconds since 1970)."""
    signed = f"{key}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(_key(secret), signed, hashlib.sha256).digest()).decode()


def _key(secret: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix(_PREFIX), validate=True) if secret.startswith(_PREFIX) else b""
    except ValueError:
        return b""

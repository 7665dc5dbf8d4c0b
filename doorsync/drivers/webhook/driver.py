"""Relays and turnstile inputs behind a signed HTTP webhook: unlock a door for a moment, or hold it unlocked.

Signed as Standard Webhooks 1.0.0 says (portal.core.webhooks). Any 2xx answer is a yes. It holds no cards. Tested only
against a receiver of our own.
"""

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from doorsync.drivers.base import (
    Actual,
    Capabilities,
    DeviceInfo,
    DoorEvent,
    Driver,
    Granularity,
    Hold,
    Refused,
    Unknown,
    Unreachable,
    validated,
)
from doorsync.policy.windows import Record, Windows
from portal.core import clock, webhooks


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
        if not webhooks.is_long_enough(value.get_secret_value()):
            raise ValueError(
                _("it must be whsec_ and base64 of at least %(n)d bytes") % {"n": webhooks.SHORTEST_SECRET}
            )
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
        self._session = webhooks.new_session()

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
        options = self._options
        try:
            status = webhooks.post(
                self._session,
                options.url,
                secret=options.secret.get_secret_value(),
                key=key,
                kind=kind,
                data=data,
                now=clock.now(),
                seconds=options.timeout_seconds,
            )
        except webhooks.NotSent as error:
            raise Unreachable(str(error)) from error
        except webhooks.NoAnswer as error:
            raise Unknown(str(error)) from error
        if HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
            raise Refused(_("The receiver refused with status %(status)d.") % {"status": status})
        if not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            raise Unknown(_("The receiver failed with status %(status)d.") % {"status": status})

"""Relays and turnstile inputs behind a signed HTTP webhook: unlock a door for a moment, or hold it unlocked.

Signed as in Standard Webhooks 1.0.0 (portal.core.webhooks). Tested only against a receiver of our own.
"""

import uuid
from typing import Annotated

from django.utils.translation import gettext_lazy as _
from pydantic import SecretStr, field_validator

from doorsync.drivers.base import Capabilities, DeviceInfo, Driver, Granularity, Hold
from doorsync.drivers.options import DriverOptions, matching, option, timeout
from doorsync.drivers.problems import URL_EXPECTED
from doorsync.drivers.webhook.client import Receiver
from doorsync.drivers.webhook.problems import SECRET_EXPECTED
from doorsync.policy.windows import Windows
from portal.core import webhooks


class WebhookOptions(DriverOptions):
    url: Annotated[str, matching(r"^https?://\S+$", URL_EXPECTED)] = option(
        title=_("address"),
        description=_("Where the receiver listens. Use https:// unless it is on this machine."),
    )
    secret: SecretStr = option(
        title=_("signing secret"),
        description=_('Shared with the receiver: "whsec_" and base64 of at least 24 bytes.'),
    )
    timeout_seconds: float = timeout(2, at_most=10)

    @field_validator("secret")
    @classmethod
    def _is_long_enough(cls, value: SecretStr) -> SecretStr:
        if not webhooks.is_long_enough(value.get_secret_value()):
            raise ValueError(SECRET_EXPECTED(n=webhooks.SHORTEST_SECRET))
        return value


class WebhookDriver(Driver):
    Options = WebhookOptions
    options: WebhookOptions
    verified = _("Not verified against a real device: tested against a receiver of our own.")
    capabilities = Capabilities(
        windows=Granularity.NONE, holds_cards=False, lists_cards=False, hold=Hold.NOW, events=False
    )

    def set_up(self) -> None:
        options = self.options
        self._receiver = Receiver(options.url, options.secret.get_secret_value(), options.timeout_seconds)

    def info(self) -> DeviceInfo:
        self._receiver.send("portal.ping", {}, key=str(uuid.uuid4()))
        return DeviceInfo(model="webhook", firmware="", serial="", time=None, capacity=None)

    def hold(self, door: int, held: Windows) -> None:
        self._receiver.send("door.hold", {"door": door, "held": bool(held)}, key=str(uuid.uuid4()))

    def pulse(self, door: int, *, seconds: int, key: str) -> None:
        # The receiver must do nothing for an id that it has seen before.
        self._receiver.send("door.pulse", {"door": door, "seconds": seconds}, key=key)

    def close(self) -> None:
        self._receiver.close()

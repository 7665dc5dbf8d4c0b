"""The one client of this process, as the settings describe it."""

import functools
import os
import threading
from contextlib import suppress
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils.translation import gettext as _

from portal.offision.client import OffisionClient
from portal.offision.contract import Contract
from portal.offision.errors import ContractError, OffisionError


@functools.cache
def contract_from_settings() -> Contract:
    """The contract that the settings name, read once a process.

    Raises ContractError, also where it says that callbacks are signed and there is no key to tell by.
    """
    contract = Contract.load(settings.OFFISION_CONTRACT)
    if contract.callback.signature is not None and not settings.CALLBACK_SIGNING_KEY:
        raise ContractError(
            _(
                "The contract says that callbacks are signed, and OFFISION_CALLBACK_SIGNING_KEY is not set: every call "
                "would be refused. Set the key that Offision signs with."
            )
        )
    return contract


@functools.cache
def client_from_settings() -> OffisionClient:
    """The client for the server, token and contract of the settings, made once a process.

    Raises ContractError where the address, the token or the contract cannot be used.
    """
    return OffisionClient(
        base_url=settings.OFFISION_URL,
        token=settings.OFFISION_TOKEN,
        contract=contract_from_settings(),
        time_zone=ZoneInfo(settings.SITE_TIME_ZONE),
        connect_timeout=settings.OFFISION_CONNECT_TIMEOUT,
        read_timeout=settings.OFFISION_READ_TIMEOUT,
    )


def keep_warm(*, stop: threading.Event, seconds: float = 20) -> None:
    """Ask Offision for its version now and then, until `stop` is set, so that the next visitor finds a connection open.

    Nobody waits for it: what fails is found out, and counted by the breaker, before somebody stands at a turnstile.
    """
    while not stop.wait(seconds):
        with suppress(OffisionError):
            client_from_settings().information()


# Connections and locks do not survive a fork.
os.register_at_fork(after_in_child=client_from_settings.cache_clear)

"""The default client: the one of this process, made from the settings."""

import functools
import os
import threading
from contextlib import suppress
from zoneinfo import ZoneInfo

from django.conf import settings

from portal.offision import problems
from portal.offision.client import OffisionClient
from portal.offision.contract import Contract
from portal.offision.errors import ContractError, OffisionError


@functools.cache
def contract_from_settings() -> Contract:
    """The contract that the settings name, read once per process.

    Raises ContractError, also where callbacks are signed and no key verifies them.
    """
    contract = Contract.load(settings.OFFISION_CONTRACT)
    if contract.callback.signature is not None and not settings.CALLBACK_SIGNING_KEY:
        raise ContractError(problems.NO_SIGNING_KEY())
    return contract


@functools.cache
def client_from_settings() -> OffisionClient:
    """The client for the server, token and contract of the settings, made once per process.

    Raises ContractError where the address, the token or the contract cannot be used.
    """
    return client_for(contract_from_settings())


def client_for(contract: Contract) -> OffisionClient:
    """A new client for the server and token of the settings. Raises ContractError where they cannot be used."""
    return OffisionClient(
        base_url=settings.OFFISION_URL,
        token=settings.OFFISION_TOKEN,
        contract=contract,
        time_zone=ZoneInfo(settings.SITE_TIME_ZONE),
        connect_timeout=settings.OFFISION_CONNECT_TIMEOUT,
        read_timeout=settings.OFFISION_READ_TIMEOUT,
        ca_file=os.environ.get("REQUESTS_CA_BUNDLE", ""),
    )


def keep_warm(*, stop: threading.Event, seconds: float = 20) -> None:
    """Ask Offision for its version every `seconds` until `stop` is set, so that a connection is open for a visitor.

    The breaker counts what fails here, before a visitor waits for it.
    """
    while not stop.wait(seconds):
        with suppress(OffisionError):
            client_from_settings().information()


# Connections and locks do not survive a fork.
os.register_at_fork(after_in_child=client_from_settings.cache_clear)

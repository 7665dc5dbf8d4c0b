"""The one client of this process, as the settings describe it."""

import functools
import os
from zoneinfo import ZoneInfo

from django.conf import settings

from portal.offision.client import OffisionClient
from portal.offision.contract import Contract


@functools.cache
def contract_from_settings() -> Contract:
    """The contract that the settings name, read once a process. Raises ContractError."""
    return Contract.load(settings.OFFISION_CONTRACT)


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


# Connections and locks do not survive a fork.
os.register_at_fork(after_in_child=client_from_settings.cache_clear)

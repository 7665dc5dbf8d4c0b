from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import stamina

import portal.offision
from portal.offision.client import OffisionClient
from portal.offision.contract import Contract
from tests.portal.offision.server import Server, running

SHIPPED = Path(portal.offision.__file__).with_name("contract.toml")
TOKEN = "the-token-nobody-may-see"
HONG_KONG = ZoneInfo("Asia/Hong_Kong")


@pytest.fixture(autouse=True)
def _no_waiting() -> Iterator[None]:
    with stamina.set_testing(True, attempts=3, cap=True):
        yield


@pytest.fixture(scope="session")
def contract() -> Contract:
    return Contract.load(SHIPPED)


@pytest.fixture
def server() -> Iterator[Server]:
    with running() as server:
        yield server


@pytest.fixture
def make_client(server: Server, contract: Contract) -> Callable[..., OffisionClient]:
    def make(**changes: Any) -> OffisionClient:
        kwargs: dict[str, Any] = {
            "base_url": server.url,
            "token": TOKEN,
            "contract": contract,
            "time_zone": HONG_KONG,
        }
        return OffisionClient(**kwargs | changes)

    return make


@pytest.fixture
def client(make_client: Callable[..., OffisionClient]) -> OffisionClient:
    return make_client()

"""Every peer in a house of its own."""

from datetime import UTC, datetime

import pytest

from portal.core import clock
from tests.doorsync.drivers.house import House
from tests.doorsync.drivers.peer import Peer
from tests.doorsync.drivers.peers.esp_rfid import EspRfid
from tests.doorsync.drivers.peers.hikvision import Hikvision
from tests.doorsync.drivers.peers.modbus import ModbusFlash, ModbusPlain
from tests.doorsync.drivers.peers.simulated import Simulated, SimulatedWithoutWindows
from tests.doorsync.drivers.peers.uhppote import Uhppote
from tests.doorsync.drivers.peers.unifi import Unifi, UnifiVisitors
from tests.doorsync.drivers.peers.webhook import SignedWebhook

PEERS: list[type[Peer]] = [
    Simulated,
    SimulatedWithoutWindows,
    Uhppote,
    Hikvision,
    Unifi,
    UnifiVisitors,
    ModbusFlash,
    ModbusPlain,
    SignedWebhook,
    EspRfid,
]

# Nine in the morning in London.
NOW = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)


def those(**traits: object) -> list[type[Peer]]:
    """The peers that have these traits."""
    return [peer for peer in PEERS if all(getattr(peer, name) == value for name, value in traits.items())]


@pytest.fixture
def move_in(db, doorbells):
    """Start a peer with the portal's map around it, at a moment; the clock stands still there."""
    started = []

    def start(kind: type[Peer], now: datetime = NOW) -> House:
        clock_stopped = clock.stopped_at(now)
        clock_stopped.__enter__()
        peer = kind()
        started.append((peer, clock_stopped))
        return House(peer, "Europe/London")

    yield start
    for peer, clock_stopped in started:
        peer.stop()
        clock_stopped.__exit__(None, None, None)


@pytest.fixture
def house(request, move_in):
    """A house with the peer that the test is parametrised with."""
    return move_in(request.param)

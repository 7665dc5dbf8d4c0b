"""The UDP listener for boards that announce their events at once.

An announcement is only a hint, like a callback of Offision: anybody on the network can send one. The events themselves
are read from the board by their index, as they are every ten seconds anyway.
"""

import select
import socket
from collections.abc import Iterator

import structlog
from uhppoted import decode

from accessmap.models import Controller

log = structlog.get_logger(__name__)

# Announcements are gathered until none came for so long; then each board is named once.
GATHER_SECONDS = 0.2
_GATHERED_AT_MOST = 500
_LONGEST = 1024


def listen(endpoint: socket.socket, *, gather_seconds: float = GATHER_SECONDS) -> Iterator[int]:
    """The controllers (primary keys) that announce an event at this UDP socket, as they do so, without end."""
    while select.select([endpoint], [], [])[0]:
        serials = set(_announced(endpoint, gather_seconds))
        boards = Controller.objects.filter(driver="uhppote", enabled=True, options__serial__in=serials)
        yield from boards.values_list("pk", flat=True)


def _announced(endpoint: socket.socket, gather_seconds: float) -> Iterator[int]:
    """The serial numbers of the boards that announce an event."""
    for _packet in range(_GATHERED_AT_MOST):
        if not select.select([endpoint], [], [], gather_seconds)[0]:
            return
        packet = endpoint.recv(_LONGEST)
        try:
            yield decode.event(packet).controller
        except ValueError:
            log.warning("a packet is no event of a board", bytes=len(packet))

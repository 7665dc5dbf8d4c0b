"""Boards that tell at once that something happened: heard, and taken as a reason to read their events now.

What a board sends is believed no more than a callback of Offision's: anybody on the network could have sent it. The
events themselves are read from the board, by their index, as they are every ten seconds anyway.
"""

import select
import socket
from collections.abc import Iterator

import structlog
from uhppoted import decode

from accessmap.models import Controller

log = structlog.get_logger(__name__)

# So long the words of many boards are gathered, each of which is then rung for once.
GATHER_SECONDS = 0.2
_LONGEST = 1024


def listen(heard_at: socket.socket) -> Iterator[int]:
    """The controllers (primary keys) that say here that they have an event, as they say it, without end."""
    while select.select([heard_at], [], [])[0]:
        serials = set(_gathered(heard_at))
        boards = Controller.objects.filter(driver="uhppote", enabled=True, options__serial__in=serials)
        yield from boards.values_list("pk", flat=True)


def _gathered(heard_at: socket.socket) -> Iterator[int]:
    """The serial numbers of the boards that spoke; at most a few hundred words at once."""
    for _word in range(500):
        if not select.select([heard_at], [], [], GATHER_SECONDS)[0]:
            return
        packet = heard_at.recv(_LONGEST)
        try:
            yield decode.event(packet).controller
        except ValueError:
            log.warning("heard what is no event of a board", bytes=len(packet))

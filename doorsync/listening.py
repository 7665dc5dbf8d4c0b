"""Boards that tell at once that something happened: heard, and taken as a reason to read their events now.

What a board sends is believed no more than a callback of Offision's: anybody on the network could have sent it. The
events themselves are read from the board, by their index, as they are every ten seconds anyway.
"""

import select
import socket
from collections.abc import Callable, Iterator

import structlog
from django.db import close_old_connections
from uhppoted import decode

from accessmap.models import Controller

log = structlog.get_logger(__name__)

# So long the words of many boards are gathered, each of which is then rung for once.
GATHER_SECONDS = 0.2
_LONGEST = 1024


def listen(heard_at: socket.socket, ring: Callable[[int], object]) -> None:
    """Ring for each controller (primary key) that says here that it has an event. Ends when the socket is closed."""
    while select.select([heard_at], [], [])[0]:
        serials = set(_gathered(heard_at))
        boards = Controller.objects.filter(driver="uhppote", enabled=True, options__serial__in=serials)
        close_old_connections()  # days may have passed
        for controller_id in boards.values_list("pk", flat=True):
            ring(controller_id)


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
